import type { ModelCall } from '../core/contracts/model.ts'
import { picoOf, usdOf } from '../core/money.ts'
import type { FoundTicket } from './sources.ts'

/** What costs can be told apart by. */
export const COST_KEYS = ['ticket', 'mode', 'role', 'agent', 'model', 'day'] as const
export type CostKey = (typeof COST_KEYS)[number]

/** What one group of calls came to; tokens in are all that went in, from a cache or not. */
export interface CostGroup {
  key: string
  calls: number
  tokensIn: number
  tokensOut: number
  cacheRead: number
  cacheWrite: number
  reasoning: number
  costUsd: number
  /** Part of the cost that is the most it can have been. */
  estimatedUsd: number
  /** Calls whose cost nobody knows; they are not in the sums of money. */
  unknown: number
  /** Calls that were refused before they were sent. */
  refused: number
}

export interface CostReport {
  by: CostKey
  since: string | undefined
  groups: CostGroup[]
  total: CostGroup
}

/** Returns every metered call of tickets, in the order in which they began. */
export function callsOf(tickets: readonly FoundTicket[], { since }: { since?: string } = {}): ModelCall[] {
  const calls = tickets.flatMap(({ session }) =>
    session.entries.flatMap((entry) => (entry.type === 'MODEL_CALLED' && entry.data !== null ? [entry.data] : [])),
  )
  return calls
    .filter(({ startedAt }) => since === undefined || startedAt >= since)
    .sort((a, b) => (a.startedAt === b.startedAt ? (a.call < b.call ? -1 : 1) : a.startedAt < b.startedAt ? -1 : 1))
}

/** What turns took of logins' quotas, by the agents' own count; no money, and in no sum of money. */
export interface QuotaUse {
  runtime: string
  turns: number
  tokensIn: number
  tokensOut: number
}

/** Returns what turns by a login took, by runtime. */
export function quotaOf(tickets: readonly FoundTicket[], { since }: { since?: string } = {}): QuotaUse[] {
  const used = new Map<string, QuotaUse>()
  for (const { session } of tickets) {
    const runtimes = new Map<string, string>()
    for (const entry of session.entries) {
      if (entry.data === null || (since !== undefined && entry.ts < since)) continue
      if (entry.type === 'TURN_STARTED') runtimes.set(entry.data.turn, entry.data.runtime)
      if (entry.type !== 'TURN_ENDED' || entry.data.quota !== true) continue
      const runtime = runtimes.get(entry.data.turn) ?? 'unknown'
      const { turns, tokensIn, tokensOut } = used.get(runtime) ?? { turns: 0, tokensIn: 0, tokensOut: 0 }
      const { usage } = entry.data
      used.set(runtime, {
        runtime,
        turns: turns + 1,
        tokensIn: tokensIn + (usage?.tokensIn ?? 0),
        tokensOut: tokensOut + (usage?.tokensOut ?? 0),
      })
    }
  }
  return [...used.values()]
}

/** Returns what calls came to, by one of their tags; the groups add up to the total, exactly. */
export function costReport(calls: readonly ModelCall[], by: CostKey, since?: string): CostReport {
  const groups = new Map<string, ModelCall[]>()
  for (const call of calls) {
    const key = keyOf(call, by)
    groups.set(key, [...(groups.get(key) ?? []), call])
  }
  const summed = [...groups].map(([key, members]) => sumOf(key, members))
  const order = (a: CostGroup, b: CostGroup) => (by === 'day' ? 0 : b.costUsd - a.costUsd) || (a.key < b.key ? -1 : 1)
  return { by, since, groups: summed.sort(order), total: sumOf('total', calls) }
}

function keyOf(call: ModelCall, by: CostKey): string {
  switch (by) {
    case 'agent':
      return call.runtime
    case 'model':
      return `${call.provider}/${call.model}`
    case 'day':
      return call.startedAt.slice(0, 10)
    default:
      return call[by]
  }
}

function sumOf(key: string, calls: readonly ModelCall[]): CostGroup {
  const tokens = (pick: (call: ModelCall['tokens']) => number) => calls.reduce((sum, call) => sum + pick(call.tokens), 0)
  const money = (of: readonly ModelCall[]) => usdOf(of.reduce((sum, { costUsd }) => sum + picoOf(costUsd ?? 0), 0n))
  return {
    key,
    calls: calls.length,
    tokensIn: tokens((t) => t.input + t.cacheRead + t.cacheWrite + t.cacheWriteLong),
    tokensOut: tokens((t) => t.output),
    cacheRead: tokens((t) => t.cacheRead),
    cacheWrite: tokens((t) => t.cacheWrite + t.cacheWriteLong),
    reasoning: tokens((t) => t.reasoning),
    costUsd: money(calls),
    estimatedUsd: money(calls.filter(({ estimated }) => estimated)),
    unknown: calls.filter(({ costUsd }) => costUsd === null).length,
    refused: calls.filter(({ outcome }) => outcome === 'refused').length,
  }
}
