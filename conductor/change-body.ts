import type { GateResult } from '../core/contracts/gate.ts'
import type { Usage } from '../core/contracts/runtime.ts'
import { redactSecrets } from '../core/secrets.ts'
import { type SummaryFacts, type SummarySection, summarySections } from '../gates/index.ts'

/** What a pull request's text tells, all of it data. */
export interface BodyFacts {
  summary: SummaryFacts
  /** Whether the issue is done with this ticket, or further stretches of its pipeline follow. */
  isLast: boolean
  /** The verdicts that stand for the change as it is now. */
  evidence: readonly Pick<GateResult, 'gate' | 'verdict' | 'severity' | 'key' | 'reasons'>[]
  /** What was judged: the tree that merging gives, and the commit of the base it was judged on. */
  judged: { merge: string; base: string } | undefined
  usage: Usage
  turns: number
  attempts: number
  refusals: readonly { tool: string; reason: string }[]
  unjailedTurns: number
}

/** Most characters that a forge takes. */
const MOST = 65_536

/**
 * Returns the text of a ticket's pull request: what and why, the evidence, what it cost, what is risky, and how to review
 * it. Pure; the same facts give the same bytes, without secrets and never longer than a forge takes.
 */
export function changeBody(facts: BodyFacts): string {
  const { summary, isLast } = facts
  const number = summary.issue?.number
  const parts = new Map(summarySections(summary).map((section) => [section.heading, section]))
  const from = (heading: SummarySection['heading']) => {
    const blocks = parts.get(heading)?.blocks
    return blocks ? [`## ${heading}`, ...blocks] : []
  }
  const sections = [
    ...(number === undefined ? [] : [isLast ? `Closes #${number}.` : `Part of #${number}; more of its pipeline follows.`]),
    ...from('Why'),
    ...from('What'),
    '## Evidence',
    ...evidence(facts),
    '## Cost',
    cost(facts),
    '## Risks',
    risks(facts).join('\n'),
    ...from('Overridden'),
    ...from('How to review'),
    ...from('Decisions'),
    ...from('Commits'),
    `---\n\nTicket \`${summary.ticket}\`. Everything that happened is in its session, \`.valuetrain/tickets/${summary.ticket}/\`.`,
  ]
  return bounded(redactSecrets(`${sections.join('\n\n')}\n`).text)
}

function evidence({ evidence: verdicts, judged, summary }: BodyFacts): string[] {
  if (verdicts.length === 0) return ['No gate has been judged yet; this is a draft.']
  const rows = verdicts.map(({ gate, verdict, severity, key, reasons }) => {
    const word = severity === 'warn' && verdict !== 'pass' ? `${verdict} (warning)` : verdict
    return `| ${gate} | ${word} | ${cell(reasons[0] ?? '')} | \`${key.slice(0, 12)}\` |`
  })
  const on = judged
    ? `Judged on what merging gives, tree \`${judged.merge.slice(0, 12)}\`, on base \`${judged.base.slice(0, 12)}\`.`
    : 'Judged on the branch; the merge result has not been judged yet, so this is a draft.'
  return [
    on,
    ['| gate | verdict | reason | key |', '|---|---|---|---|', ...rows].join('\n'),
    ...(summary.notConfigured.length === 0 ? [] : [`Not configured, so nobody looked: ${summary.notConfigured.join(', ')}.`]),
  ]
}

function cost({ usage, turns, attempts }: BodyFacts): string {
  const work = `${counted(turns, 'turn')}, ${counted(attempts, 'attempt')}`
  const tokens = usage.tokensIn + usage.tokensOut
  if (tokens === 0 && usage.costUsd === 0) return `${work}; no model was called.`
  return `${work}; ${usage.tokensIn} tokens in, ${usage.tokensOut} out, $${usage.costUsd.toFixed(4)}.`
}

function risks({ evidence: verdicts, summary, refusals, unjailedTurns }: BodyFacts): string[] {
  const open = verdicts.filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive').map(({ gate }) => gate)
  const waived = verdicts.filter(({ verdict }) => verdict === 'waived').map(({ gate }) => gate)
  const found = [
    ...(open.length === 0 ? [] : [`- These gates did not pass: ${open.join(', ')}.`]),
    ...(waived.length === 0 ? [] : [`- A person waived: ${waived.join(', ')}.`]),
    ...(summary.notConfigured.length === 0 ? [] : [`- Nothing judges: ${summary.notConfigured.join(', ')}.`]),
    ...(refusals.length === 0
      ? []
      : [`- The agent asked for ${counted(refusals.length, 'tool')} it may not use; it was refused.`]),
    ...(unjailedTurns === 0 ? [] : [`- ${counted(unjailedTurns, 'turn')} ran without a jail.`]),
  ]
  return found.length === 0 ? ['- None that the gates or the session know of.'] : found
}

function bounded(text: string): string {
  const characters = [...text]
  if (characters.length <= MOST) return text
  const note = '\n\nThe rest is left out here; the session has it.\n'
  return `${characters
    .slice(0, MOST - note.length)
    .join('')
    .replace(/\n[^\n]*$/, '')}${note}`
}

function cell(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim().toWellFormed()
  return (line.length > 160 ? `${line.slice(0, 159).toWellFormed()}…` : line).replace(/[\\`*_{}[\]<>#|~@]/g, '\\$&')
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
