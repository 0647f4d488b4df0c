import { paintFor } from './paint.ts'
import { clean, counted } from './text.ts'

/** How work on one issue ended, as the conductor says it. */
export interface Ended {
  outcome: 'done' | 'blocked' | 'waiting' | 'aborted' | 'empty'
  issue: number
  ticket?: string | undefined
  reasons: readonly string[]
}

/** Returns the exit code of an outcome: 0 for done and empty, 1 for everything that somebody has to look at. */
export function exitCodeOfOutcome(outcome: Ended['outcome']): number {
  return outcome === 'done' || outcome === 'empty' ? 0 : 1
}

/** Returns what happened to one issue, why, where it is written and what comes next. */
export function tellEnd(ended: Ended, context: { color: boolean }): string {
  const paint = paintFor(context)
  const { issue, ticket, reasons } = ended
  const word = { done: paint.good, empty: paint.dim, waiting: paint.warn, blocked: paint.bad, aborted: paint.bad }[ended.outcome]
  const head = `${word(ended.outcome)}  issue ${issue}${ticket === undefined ? '' : ` (${ticket})`}`
  // Good news is short: one line, and where to look.
  if (ended.outcome === 'done') {
    return `${head}: ${reasons.map(clean).join('; ')}${ticket === undefined ? '' : `\n  ${paint.dim('look:')} valuetrain session show ${ticket}`}`
  }
  const lines = [head, ...reasons.map((reason) => `  ${clean(reason)}`)]
  const facts = [...(ticket === undefined ? [] : [['written', `.valuetrain/tickets/${ticket}/`]]), ...next(ended)]
  for (const [name = '', value = ''] of facts) lines.push(`  ${paint.dim(`${name}:`)} ${value}`)
  return lines.join('\n')
}

/** Returns the end of a drive: one line of counts, and what comes next. */
export function tellDriveEnd(ends: readonly Ended[], context: { color: boolean }): string {
  const paint = paintFor(context)
  if (ends.length === 0) {
    return `${paint.dim('empty')}  no issue is ready\n  ${paint.dim('next:')} \`valuetrain issue list\` says why each one is passed over; \`valuetrain issue new --title "…" --label auto\` adds one`
  }
  const parts = (['done', 'blocked', 'waiting', 'aborted'] as const).flatMap((outcome) => {
    const count = ends.filter((end) => end.outcome === outcome).length
    return count === 0 ? [] : [`${count} ${outcome}`]
  })
  return `${paint.bold(`${counted(ends.length, 'issue')} worked:`)} ${parts.join(', ')}\n\n${ends.map((end) => tellEnd(end, context)).join('\n')}`
}

function next({ outcome, issue, ticket }: Ended): string[][] {
  const look = ticket === undefined ? [] : [['look', `valuetrain session show ${ticket}`]]
  if (outcome === 'empty') return [['next', 'valuetrain issue list']]
  if (outcome === 'aborted') return look
  return [...look, ['next', `valuetrain ticket show ${issue} says what it takes, then \`valuetrain run ${issue}\` again`]]
}
