import type { PlacedEntry } from '../core/contracts/event.ts'
import type { FoundTicket } from './sources.ts'

/** Flow measures over the tickets of a time; durations in milliseconds, shares in [0, 1], undefined where nothing was measured. */
export interface FlowReport {
  since: string | undefined
  tickets: { opened: number; delivered: number; blocked: number; aborted: number; open: number }
  /** Delivered tickets a week, over the time from the first entry to the last; only when that is a day or more. */
  throughputPerWeek: number | undefined
  /** Opened to delivered. */
  leadMs: Spread | undefined
  /** Time in which something was done: turns, gates, commits. */
  workMs: Spread | undefined
  /** Lead less work: waiting for people, limits, children, or for a program to run. */
  waitMs: Spread | undefined
  /** Work over lead, of all delivered tickets together. */
  flowEfficiency: number | undefined
  /** Share of attempts that were not the first at their phase. */
  reworkRate: number | undefined
  /** Lines added and removed by a delivered ticket. */
  batchLines: Spread | undefined
  /** Share of phases entered that no person entered. */
  unattendedShare: number | undefined
  /** How often each decision was taken, by its code. */
  decisions: Record<string, number>
}

export interface Spread {
  median: number
  min: number
  max: number
  count: number
}

/**
 * Returns the flow measures of tickets, folded from their logs alone.
 *
 * @param since ISO 8601; tickets whose last entry is older are left out
 */
export function flowReport(tickets: readonly FoundTicket[], { since }: { since?: string } = {}): FlowReport {
  const looked = tickets.filter(({ state }) => since === undefined || (state.ledger.at ?? '') >= since)
  const delivered = looked.filter(({ state }) => state.ledger.delivered !== undefined)
  const leads = delivered.map(({ state }) => span(state.ledger.openedAt, state.ledger.deliveredAt))
  const works = delivered.map(({ session }) => workTime(session.entries))
  const visits = looked.flatMap(({ state }) => state.ledger.visits)
  const attempts = looked.flatMap(({ state }) => Object.values(state.control.attempts))
  const total = sum(attempts)
  const times = looked.flatMap(({ state }) => [state.ledger.openedAt, state.ledger.at]).filter((at) => at !== undefined)
  const weeks = times.length > 1 ? span(times.reduce(earlier), times.reduce(later)) / WEEK_MS : 0
  const count = (status: string) => looked.filter(({ state }) => state.status === status).length
  return {
    since,
    tickets: {
      opened: looked.length,
      delivered: delivered.length,
      blocked: count('blocked'),
      aborted: count('aborted'),
      open: looked.length - delivered.length - count('blocked') - count('aborted'),
    },
    // A rate by the week from an hour's log would be a number about nothing.
    throughputPerWeek: weeks >= 1 / 7 ? delivered.length / weeks : undefined,
    leadMs: spread(leads),
    workMs: spread(works),
    waitMs: spread(leads.map((lead, index) => Math.max(0, lead - (works[index] ?? 0)))),
    flowEfficiency: sum(leads) > 0 ? Math.min(1, sum(works) / sum(leads)) : undefined,
    reworkRate: total > 0 ? (total - attempts.length) / total : undefined,
    batchLines: spread(delivered.map(({ state }) => sum(state.ledger.work.map(({ added, removed }) => added + removed)))),
    unattendedShare: visits.length > 0 ? visits.filter(({ by }) => by === 'agent').length / visits.length : undefined,
    decisions: tally(looked.flatMap(({ state }) => state.ledger.decisions.map(({ code }) => code))),
  }
}

const WEEK_MS = 7 * 24 * 3_600_000

/**
 * Returns the time in which a ticket was worked: from each entry to the next within a segment, without the spans in
 * which it waited, was paused, blocked, or in which no process had a segment open.
 */
function workTime(entries: readonly PlacedEntry[]): number {
  const idle = new Set(['WAITING_BEGUN', 'CHECK_IN_ASKED', 'PAUSED', 'ABORTED', 'DELIVERED'])
  let total = 0
  for (const [index, entry] of entries.entries()) {
    const next = entries[index + 1]
    const stops = idle.has(entry.type) || (entry.type === 'DECIDED' && entry.data?.outcome === 'block')
    if (next && next.segment === entry.segment && !stops) total += span(entry.ts, next.ts)
  }
  return total
}

function span(from: string | undefined, to: string | undefined): number {
  return from === undefined || to === undefined ? 0 : Math.max(0, Date.parse(to) - Date.parse(from))
}

function spread(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const median =
    sorted.length % 2 === 1
      ? (sorted[Math.floor(middle)] as number)
      : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
  return { median, min: sorted[0] as number, max: sorted.at(-1) as number, count: sorted.length }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of [...words].sort()) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

function earlier(a: string, b: string): string {
  return a < b ? a : b
}

function later(a: string, b: string): string {
  return a > b ? a : b
}
