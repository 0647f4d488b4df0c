import type { PlacedEntry } from '../../core/contracts/event.ts'
import type { Finding } from '../../core/contracts/gate.ts'
import { type ModeId, ticketFolder } from '../../core/contracts/names.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { parseFrontMatter } from '../../core/frontmatter.ts'
import { mayMove } from '../../modes/index.ts'
import { byFindings } from '../gate.ts'
import type { View } from '../view.ts'
import { builtin } from './builtin.ts'

/** Where a ticket stands changes only by events, and only along the methodology's edges. */
export const sessionConflict = builtin(
  {
    id: 'session-conflict',
    title: 'A ticket moves only as its session says',
    why: 'a phase, mode or status that no event explains was written by somebody else than the conductor',
    subject: 'range',
  },
  {
    async judge(view) {
      const findings: Finding[] = []
      const tickets = await view.tickets()
      for (const ticket of tickets) {
        const { entries } = await view.session('head', ticket)
        findings.push(...unexplainedMoves(entries).map((message) => conflict(ticket, message)))
        findings.push(...(await silentChanges(view, ticket, entries.length)).map((message) => conflict(ticket, message)))
      }
      return byFindings(findings, `${tickets.length} ${tickets.length === 1 ? 'ticket' : 'tickets'} moved as their sessions say`)
    },
  },
)

/** Returns a sentence for each step of a session that its own events do not explain. */
export function unexplainedMoves(entries: readonly PlacedEntry[]): string[] {
  const problems: string[] = []
  let at: { phase: string; mode: ModeId } | undefined
  let mayEnter: ReadonlySet<string> | 'any' | undefined
  let ended: string | undefined
  for (const entry of entries) {
    if (entry.data === null) {
      // What a redaction blanked cannot be looked at; it explains what follows rather than accusing it.
      mayEnter = 'any'
      continue
    }
    switch (entry.type) {
      case 'TICKET_OPENED':
        mayEnter = new Set(entry.data.stretch.slice(0, 1))
        break
      case 'DECIDED':
        if (entry.data.to !== undefined) mayEnter = new Set([entry.data.to])
        break
      case 'REOPENED':
      case 'CHANGE_RETURNED':
      case 'CHANGE_CLOSED':
      case 'RESUMED':
      case 'ROLLED_BACK':
        mayEnter = 'any'
        ended = undefined
        break
      case 'DELIVERED':
      case 'ABORTED':
        ended = entry.type
        break
      case 'PHASE_ENTERED': {
        const { phase, mode } = entry.data
        if (ended !== undefined) problems.push(`phase ${phase} was entered after ${ended}`)
        if (at && !mayMove(at.mode, mode)) problems.push(`there is no way from ${at.mode} to ${mode}`)
        if (at?.phase !== phase && mayEnter !== 'any' && !mayEnter?.has(phase))
          problems.push(`nothing decided to enter phase ${phase}`)
        at = { phase, mode }
        mayEnter = undefined
        break
      }
    }
  }
  return problems
}

/** The position in the ticket's metadata is a copy of what the session says; it cannot move without an entry. */
async function silentChanges(view: View, ticket: string, entriesNow: number): Promise<string[]> {
  const entriesBefore = (await view.session('from', ticket)).entries.length
  const file = `${ticketFolder(ticket)}/ticket.md`
  const [before, after] = await Promise.all([view.from.read(file), view.head.read(file)])
  if (before === undefined || after === undefined || entriesNow > entriesBefore) return []
  const [old, now] = [positionIn(before, file), positionIn(after, file)]
  return ['phase', 'mode', 'child', 'status'].flatMap((key) =>
    old[key] === now[key] ? [] : [`${key} changed from ${text(old[key])} to ${text(now[key])} and no event says why`],
  )
}

function positionIn(source: string, file: string): Record<string, unknown> {
  try {
    return parseFrontMatter(source, file).data
  } catch (error) {
    if (error instanceof ValuetrainError) return {}
    throw error
  }
}

function text(value: unknown): string {
  return JSON.stringify(value ?? null).slice(0, 40)
}

function conflict(ticket: string, message: string): Finding {
  return { rule: 'session-conflict', severity: 'error', message: `${ticket}: ${message}`, path: ticketFolder(ticket) }
}
