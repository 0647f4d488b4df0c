/** Policies replayed over an outcome table, every issue counted, learning included. */
import { choose } from '../bandit/bandit.ts'
import { HierarchicalThompson } from '../bandit/thompson.ts'
import type { Random } from '../types.ts'
import { Cascade, type CascadeOptions } from './cascade.ts'
import { ChoiceRouter, type ChoiceRouterOptions } from './choice.ts'
import { type GateRates, gateSays } from './gate.ts'
import type { Outcome, OutcomeTable, OutcomeTableRow } from './table.ts'

export interface ReplayResult {
  /** Issues that were solved and let pass. */
  resolved: number
  usd: number
  calls: number
  issues: number
}

/** Returns solved - price x dollars. */
export function rewardOfReplay({ resolved, usd }: ReplayResult, price: number): number {
  return resolved - price * usd
}

/** Returns one arm on everything. */
export function replayFixed(table: OutcomeTable, arm: number): ReplayResult {
  return replay(table.rows, (row) => [row.outcomes[arm] as Outcome])
}

/** Returns the arm that gives the most, known only afterwards, and what it gives. */
export function bestFixed(table: OutcomeTable, price: number): { arm: number; result: ReplayResult } {
  const results = table.arms.map((_, arm) => ({ arm, result: replayFixed(table, arm) }))
  return results.reduce((best, next) => (rewardOfReplay(next.result, price) > rewardOfReplay(best.result, price) ? next : best))
}

/** Returns an arm drawn evenly for each issue. */
export function replayRandom(table: OutcomeTable, random: Random): ReplayResult {
  return replay(table.rows, (row) => [row.outcomes[random.below(table.arms.length)] as Outcome])
}

/** Returns plain Thompson sampling: one normal an arm on the whole reward, no groups. */
export function replayThompson(table: OutcomeTable, price: number, random: Random): ReplayResult {
  const bandit = new HierarchicalThompson({ arms: table.arms.length })
  return replay(shuffled(table, random), (row) => {
    const { arm } = choose(bandit, {}, random)
    const outcome = row.outcomes[arm] as Outcome
    bandit.update({}, arm, (outcome.resolved ? 1 : 0) - price * outcome.usd)
    return [outcome]
  })
}

/** Returns the choice router, learning as it goes. */
export function replayChoice(table: OutcomeTable, options: Omit<ChoiceRouterOptions, 'arms'>, random: Random): ReplayResult {
  const router = new ChoiceRouter({ ...options, arms: table.arms.length })
  return replay(shuffled(table, random), (row) => {
    const context = { groups: [row.group] }
    const { arm } = choose(router, context, random)
    const outcome = row.outcomes[arm] as Outcome
    router.update(context, arm, outcome)
    return [outcome]
  })
}

/** Returns arms tried in a fixed order until the gate lets one pass. */
export function replayOrder(table: OutcomeTable, order: readonly number[], gate: GateRates, random: Random): ReplayResult {
  return replay(table.rows, (row) => {
    const tried: (Outcome & { passed: boolean })[] = []
    for (const arm of order) {
      const outcome = row.outcomes[arm] as Outcome
      const passed = gateSays(gate, outcome.resolved, random)
      tried.push({ ...outcome, passed })
      if (passed) break
    }
    return tried
  })
}

/** Returns the learned cascade, learning as it goes; it sees gate verdicts and costs, never the truth. */
export function replayCascade(table: OutcomeTable, options: Omit<CascadeOptions, 'arms'>, random: Random): ReplayResult {
  const cascade = new Cascade({ ...options, arms: table.arms.map((id) => ({ id })) })
  return replay(shuffled(table, random), (row) => {
    const steps: { arm: number; passed: boolean; usd: number }[] = []
    const tried: (Outcome & { passed: boolean })[] = []
    while (steps.length < table.arms.length && !(steps.at(-1)?.passed ?? false)) {
      const { action } = cascade.choose(
        steps.map(({ arm }) => arm),
        random,
      )
      if (action === table.arms.length) break
      const outcome = row.outcomes[action] as Outcome
      const passed = gateSays(options.gate, outcome.resolved, random)
      steps.push({ arm: action, passed, usd: outcome.usd })
      tried.push({ ...outcome, passed })
    }
    cascade.learn({ steps })
    return tried
  })
}

/**
 * Returns every fixed order of one to `most` arms with what it gives in expectation over the gate's errors, for telling whether
 * something is dominated. Of so many orders some would look good by the luck of one replay.
 */
export function expectOrders(
  table: OutcomeTable,
  gate: GateRates,
  most = table.arms.length,
): { order: readonly number[]; result: Omit<ReplayResult, 'calls'> }[] {
  const issues = table.rows.length
  const expected: { order: readonly number[]; result: Omit<ReplayResult, 'calls'> }[] = []
  // Each issue's chance of coming to the next arm of the order.
  const grow = (order: readonly number[], reach: Float64Array, resolved: number, usd: number) => {
    if (order.length > 0) expected.push({ order, result: { resolved, usd, issues } })
    if (order.length === most) return
    for (const arm of table.arms.keys()) {
      if (order.includes(arm)) continue
      const after = new Float64Array(issues)
      let [right, dollars] = [resolved, usd]
      for (const [i, { outcomes }] of table.rows.entries()) {
        const outcome = outcomes[arm] as Outcome
        const chance = reach[i] as number
        const pass = outcome.resolved ? 1 - gate.falseFail : gate.falsePass
        dollars += chance * outcome.usd
        if (outcome.resolved) right += chance * pass
        after[i] = chance * (1 - pass)
      }
      grow([...order, arm], after, right, dollars)
    }
  }
  grow([], new Float64Array(issues).fill(1), 0, 0)
  return expected
}

/** Returns what each group's best arm gives there, known only afterwards: no choice of one arm by group gives more. */
export function bestByGroup(table: OutcomeTable, price: number): ReplayResult {
  const groups = new Map<string, OutcomeTableRow[]>()
  for (const row of table.rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row])
  const best = [...groups.values()].map((rows) => bestFixed({ arms: table.arms, rows }, price).result)
  return best.reduce((sum, one) => ({
    resolved: sum.resolved + one.resolved,
    usd: sum.usd + one.usd,
    calls: sum.calls + one.calls,
    issues: sum.issues + one.issues,
  }))
}

function replay(
  rows: readonly OutcomeTableRow[],
  work: (row: OutcomeTableRow) => readonly (Outcome & { passed?: boolean })[],
): ReplayResult {
  const result = { resolved: 0, usd: 0, calls: 0, issues: rows.length }
  for (const row of rows) {
    const tried = work(row)
    const last = tried.at(-1)
    if (last?.resolved && last.passed !== false) result.resolved++
    for (const { usd, calls } of tried) {
      result.usd += usd
      result.calls += calls
    }
  }
  return result
}

function shuffled(table: OutcomeTable, random: Random): OutcomeTableRow[] {
  const rows = [...table.rows]
  random.shuffle(rows)
  return rows
}
