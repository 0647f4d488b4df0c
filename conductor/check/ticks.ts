import type { PlacedEntry } from '../../core/contracts/event.ts'
import type { Finding, GateResult } from '../../core/contracts/gate.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { holds } from '../../gates/index.ts'
import { parseChecklist } from '../../modes/index.ts'

/**
 * Returns a finding for each tick that nothing shows to be true: an entry that names no result, one that did not hold,
 * or one about another subject; and a tick of the checklist that the session does not have. Pure.
 *
 * @param checklist text of the ticket's checklist; undefined when there is none
 */
export function tickFindings(ticket: string, entries: readonly PlacedEntry[], checklist: string | undefined): Finding[] {
  return [...unfounded(ticket, entries), ...(checklist === undefined ? [] : unrecorded(ticket, entries, checklist))]
}

function unfounded(ticket: string, entries: readonly PlacedEntry[]): Finding[] {
  const results = new Map<string, GateResult>()
  const findings: Finding[] = []
  const path = ticketFolder(ticket)
  // A redacted entry may be the one that a tick names; what cannot be looked at accuses nobody.
  const blanked = entries.some(({ type, data }) => type === 'GATE_JUDGED' && data === null)
  for (const entry of entries) {
    if (entry.data === null) continue
    if (entry.type === 'GATE_JUDGED') results.set(entry.data.result.id, entry.data.result)
    if (entry.type !== 'ITEM_TICKED') continue
    const { item, phase, subject, result: id } = entry.data
    const result = results.get(id)
    const why =
      result === undefined
        ? blanked
          ? undefined
          : 'names a result that no gate gave before it'
        : !holds(result.verdict)
          ? `names a result that says ${result.verdict}`
          : result.subject.digest !== subject
            ? 'names a result about something else'
            : undefined
    if (why !== undefined) findings.push(forged(`${ticket}: the tick of "${item}" in ${phase} ${why}`, path))
  }
  return findings
}

function unrecorded(ticket: string, entries: readonly PlacedEntry[], text: string): Finding[] {
  const path = `${ticketFolder(ticket)}/checklist.md`
  const key = (phase: string, item: string, attempt: number, subject: string) => `${phase} ${item} ${attempt} ${subject}`
  const recorded = new Set(
    entries.flatMap((entry) =>
      entry.type === 'ITEM_TICKED' && entry.data !== null
        ? [key(entry.data.phase, entry.data.item, entry.data.attempt, entry.data.subject)]
        : [],
    ),
  )
  if (entries.some(({ type, data }) => type === 'ITEM_TICKED' && data === null)) return []
  try {
    return parseChecklist(text, path).flatMap(({ id, phase, ticks }) =>
      ticks
        .filter(({ attempt, subject }) => !recorded.has(key(phase, id, attempt, subject)))
        .map(() => forged(`${ticket}: "${id}" of ${phase} is ticked and its session has no such tick`, path)),
    )
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    return [{ rule: 'checklist-unreadable', severity: 'error', message: error.message, path }]
  }
}

function forged(message: string, path: string): Finding {
  return { rule: 'tick-forged', severity: 'error', message, path }
}
