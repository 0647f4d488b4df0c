import type { Standing } from '../core/contracts/gate.ts'
import type { Status } from '../core/contracts/names.ts'
import type { FoundTicket } from './sources.ts'
import { itemProgress } from './state.ts'

/** A ticket as people and programs look at it. The first nine fields are what `status --json` prints. */
export interface TicketView {
  ticket: string
  issue: number
  title: string
  pipeline: string
  phase: string
  mode: string
  status: Status
  attempts: number
  branch: string
  gates: { gate: string; verdict: Standing }[]
  items: { done: number; required: number }
  /** What it waits for or why it stopped. */
  waiting: string | undefined
  /** Time of its last entry, ISO 8601. */
  updated: string | undefined
}

/** Returns the view of one ticket. */
export function viewTicket({ ticket, issue, state }: FoundTicket): TicketView {
  const { control, ledger } = state
  const gates =
    ledger.delivered && state.status !== 'working'
      ? ledger.delivered.verdicts.map(({ gate, verdict }) => ({ gate, verdict: verdict as Standing }))
      : control.required.map(({ gate }) => ({ gate, verdict: control.results[gate]?.verdict ?? ('missing' as Standing) }))
  return {
    ticket,
    issue,
    title: ledger.opened?.issue.title ?? '',
    pipeline: ledger.opened?.pipeline ?? '',
    phase: control.phase ?? control.next ?? '',
    mode: control.mode ?? '',
    status: state.status,
    attempts: control.attempt,
    branch: state.branch,
    gates,
    items: itemProgress(state),
    waiting: ledger.waiting?.on ?? ledger.stopped,
    updated: ledger.at,
  }
}
