import type { PlacedEntry } from '../core/contracts/event.ts'
import type { Item } from '../core/contracts/method.ts'
import { renderFrontMatter } from '../core/frontmatter.ts'
import { type ChecklistItem, renderChecklist } from '../modes/index.ts'
import { itemName, itemProgress, itemsHeld, type TicketState } from './state.ts'

/** An item of a ticket's stretch, with the phase that asks it. */
export interface AskedItem {
  phase: string
  item: Item
}

/**
 * Returns the text of a ticket's `ticket.md`: metadata as front matter, the issue's text below. It is rendered from
 * the log at each commit and read back by nobody; a person who edits it changes nothing.
 */
export function renderTicketFile(state: TicketState, entries: readonly PlacedEntry[]): string {
  const { control, ledger } = state
  const opened = ledger.opened
  const items = itemProgress(state)
  const data = {
    schema: 1,
    ticket: state.ticket,
    issue: opened?.issue.number,
    title: opened?.issue.title,
    labels: opened?.issue.labels,
    pipeline: opened?.pipeline,
    stretch: opened?.stretch,
    phase: control.phase ?? control.next,
    mode: control.mode,
    child: control.child,
    status: state.status,
    attempt: control.attempt,
    runtime: opened?.runtime,
    branch: state.branch,
    base: opened?.base,
    epoch: ledger.epoch,
    opened: ledger.openedAt,
    updated: ledger.at,
    entries: entries.length,
    items,
    gates: Object.fromEntries(Object.values(control.results).map(({ gate, verdict }) => [gate, verdict])),
    artifacts: Object.fromEntries(ledger.artifacts),
    decisions: ledger.decisions.map(({ phase, attempt, outcome, code }) => `${phase} ${attempt}: ${outcome} (${code})`),
    blockers: ledger.stopped ? [ledger.stopped] : [],
    waiting: ledger.waiting?.on,
    next: state.due,
    handOffs: ledger.handOffs,
    children: ledger.children.map(({ key, issue, done }) => ({ key, issue, done })),
    rescues: ledger.rescues,
    refusals: ledger.refusals.length,
    usage: ledger.usage,
  }
  return renderFrontMatter(withoutUndefined(data), `\n${(opened?.issue.body ?? '').trim()}\n`)
}

/** Returns the text of a ticket's `checklist.md`: every item of its stretch, with the ticks that the log holds. */
export function renderTicketChecklist(state: TicketState, asked: readonly AskedItem[]): string {
  const held = itemsHeld(state)
  return renderChecklist(
    asked.map(({ phase, item }): ChecklistItem => {
      const ticks = state.ledger.ticks.filter((tick) => tick.phase === phase && tick.item === item.id)
      return {
        ...item,
        phase,
        ticks: ticks.map(({ attempt, subject }) => ({ attempt, subject })),
        holds: held.has(itemName(phase, item.id)),
      }
    }),
  )
}

function withoutUndefined(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))
}
