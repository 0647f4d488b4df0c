import type { Finding } from '../../core/contracts/gate.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { type ChecklistItem, parseChecklist, type Tick } from '../../modes/index.ts'
import { byFindings } from '../gate.ts'
import { builtin } from './builtin.ts'

/** A tick is history: going back starts a new attempt and unticks nothing. */
export const checklistMonotonic = builtin(
  {
    id: 'checklist-monotonic',
    title: 'No tick is taken back',
    why: 'a tick says what was shown once, so it stays; that it no longer counts is said by its evidence',
    subject: 'range',
  },
  {
    async judge(view) {
      const findings: Finding[] = []
      const tickets = await view.tickets()
      for (const ticket of tickets) {
        const path = `${ticketFolder(ticket)}/checklist.md`
        const [before, after] = await Promise.all([view.from.read(path), view.head.read(path)])
        if (before !== undefined && before !== after) findings.push(...compare(before, after, path))
      }
      return byFindings(
        findings,
        `the checklists of ${tickets.length} ${tickets.length === 1 ? 'ticket' : 'tickets'} kept their ticks`,
      )
    },
  },
)

function compare(before: string, after: string | undefined, path: string): Finding[] {
  const problem = (rule: string, message: string): Finding => ({ rule, severity: 'error', message: `${path}: ${message}`, path })
  if (after === undefined) return [problem('checklist-removed', 'the checklist was removed')]
  try {
    const now = new Map(parseChecklist(after, path).map((item) => [nameOf(item), item]))
    return parseChecklist(before, path).flatMap((item) => {
      const later = now.get(nameOf(item))
      const name = `item "${item.id}" of ${item.phase}`
      if (later === undefined) return [problem('item-removed', `${name} was removed`)]
      const lost = item.ticks.filter((tick) => !later.ticks.some((other) => isSame(tick, other)))
      if (lost.length > 0) return [problem('unticked', `${name} lost ${lost.length === 1 ? 'a tick' : `${lost.length} ticks`}`)]
      return item.required && !later.required ? [problem('item-lowered', `${name} is no longer required`)] : []
    })
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    return [problem('checklist-unreadable', error.message.replace(`${path}: `, ''))]
  }
}

function nameOf({ phase, id }: ChecklistItem): string {
  return `${phase} ${id}`
}

function isSame(one: Tick, other: Tick): boolean {
  return one.attempt === other.attempt && one.subject === other.subject
}
