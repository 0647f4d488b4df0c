/** Comparisons of a candidate with a champion on the same cases. */
import type { OutcomeRow } from '../types.ts'
import { binomialUpperTail } from './distributions.ts'
import { type BootstrapOptions, bootstrapT, type Interval, mean } from './interval.ts'

/** Mean scores of one case under both. */
export interface Pair {
  case: string
  candidate: number
  champion: number
}

export interface McNemar {
  wins: number
  losses: number
  /** Cases with the same outcome under both. */
  ties: number
  /** Two-sided: the chance of a split at least this uneven when both are equally good. */
  p: number
}

/**
 * Returns the cases that both have, in the candidate's order, with their mean score over rollouts.
 *
 * Rollouts that died of infrastructure are not scores and are left out.
 */
export function pairCases(candidate: readonly OutcomeRow[], champion: readonly OutcomeRow[]): Pair[] {
  const theirs = caseMeans(champion)
  return [...caseMeans(candidate)].flatMap(([id, score]) => {
    const other = theirs.get(id)
    return other === undefined ? [] : [{ case: id, candidate: score, champion: other }]
  })
}

/** Returns the mean score of each case that has at least one rollout without an infrastructure fault. */
export function caseMeans(rows: readonly OutcomeRow[]): Map<string, number> {
  const scores = new Map<string, number[]>()
  for (const row of rows) {
    if (row.infrastructureFault) continue
    const list = scores.get(row.case)
    if (list === undefined) scores.set(row.case, [row.score])
    else list.push(row.score)
  }
  return new Map([...scores].map(([id, list]) => [id, mean(list)]))
}

/**
 * Returns the exact McNemar test on outcomes by majority: a case is passed when more than half of its rollouts are.
 *
 * @see McNemar 1947, Psychometrika 12; exact form by the binomial distribution on discordant cases
 */
export function mcnemar(pairs: readonly Pair[]): McNemar {
  let wins = 0
  let losses = 0
  for (const pair of pairs) {
    const better = pair.candidate > 0.5
    const worse = pair.champion > 0.5
    if (better && !worse) wins++
    if (worse && !better) losses++
  }
  return { wins, losses, ties: pairs.length - wins - losses, p: mcnemarP(wins, losses) }
}

/** Returns the two-sided exact p-value of a split of discordant cases. */
export function mcnemarP(wins: number, losses: number): number {
  return Math.min(1, 2 * binomialUpperTail(Math.max(wins, losses), wins + losses, 0.5))
}

/** Of the larger score, what a sum in another order may differ by and means nothing. */
const ROUNDING = 1e-12

/**
 * Returns how much better the candidate did on a case. Scores that differ only by rounding are equal: the same dollars added up in
 * another order would otherwise look like a tiny improvement that every case agrees on.
 */
export function gainOf({ candidate, champion }: Pair): number {
  const gain = candidate - champion
  return Math.abs(gain) <= ROUNDING * Math.max(Math.abs(candidate), Math.abs(champion)) ? 0 : gain
}

/**
 * Returns the mean paired difference (candidate minus champion) with a bootstrap-t interval. The cluster is the case:
 * its rollouts are averaged first, as more rollouts of one case are not more cases.
 */
export function pairedDifference(pairs: readonly Pair[], options: BootstrapOptions): Interval {
  return bootstrapT(pairs.map(gainOf), options)
}

/**
 * Returns the ratio of means, candidate over champion, for costs or times. The interval is that of the paired
 * differences candidate - r x champion: the ratios at which 0 is no surprise (Fieller's way).
 *
 * A ratio of 1.1 says the candidate costs 10 % more. Infinite when only the champion costs nothing, 1 when both do.
 */
export function pairedRatio(pairs: readonly Pair[], options: BootstrapOptions): Interval {
  const level = options.level ?? 0.95
  const base = mean(pairs.map((pair) => pair.champion))
  if (pairs.every(({ candidate, champion }) => candidate === 0 && champion === 0)) {
    return { estimate: 1, low: 1, high: 1, level }
  }
  const estimate = mean(pairs.map((pair) => pair.candidate)) / base
  if (!(base > 0)) return { estimate: Number.POSITIVE_INFINITY, low: 0, high: Number.POSITIVE_INFINITY, level }
  const spread = bootstrapT(
    pairs.map((pair) => pair.candidate - estimate * pair.champion),
    options,
  )
  return { estimate, low: Math.max(0, estimate + spread.low / base), high: estimate + spread.high / base, level }
}
