/**
 * What another policy would have earned on logged choices.
 *
 * @see Horvitz and Thompson 1952 (IPS); Swaminathan and Joachims 2015 (SNIPS); Dudik, Langford and Li 2011,
 *   arXiv:1103.4601 (DR); Wang, Agarwal and Dudik 2017, arXiv:1612.01205 (switch)
 */
import { normalQuantile } from '../stats/distributions.ts'
import { bootstrapT, empiricalBernstein, type Interval, mean, quantileOf } from '../stats/interval.ts'
import type { Random } from '../types.ts'
import { type LoggedChoice, requireLogged } from './logged.ts'
import { crossFit } from './model.ts'
import { refitInterval } from './refit.ts'

export const ESTIMATORS = ['ips', 'snips', 'dm', 'dr', 'switch-dr'] as const
export type Estimator = (typeof ESTIMATORS)[number]

export interface OpeOptions {
  random: Random
  /** Default 0.95. */
  level?: number
  /** Default 1,000. */
  resamples?: number
  /** Weights above this are cut to it, which is reported; default none. */
  clip?: number
  /** Switch-DR trusts the model alone where the weight is above this; default the 95th percentile of the weights, at least 2. */
  switchAt?: number
  /**
   * Expected rewards of each arm for each row; default means by group, cross-fitted. The intervals of `dm` and `switch-dr`
   * hold the doubt of the default model in them; predictions that are given are taken for the truth.
   */
  predictions?: readonly ArrayLike<number>[]
  /** `bootstrap` (t, default) or `bernstein`, which needs rewards in [0, 1] and holds for every n. */
  interval?: 'bootstrap' | 'bernstein'
}

export interface OpeEstimate extends Interval {
  estimator: Estimator
}

export interface OpeReport {
  n: number
  /** (sum of weights)^2 / sum of squares: how many choices of the target's own the log is worth. */
  effectiveN: number
  largestWeight: number
  /** Number of weights that were cut. */
  clipped: number
  /** Mean weight, 1 in expectation; far from it says that the logged chances are not those that were drawn by. */
  meanWeight: number
  estimates: Readonly<Record<Estimator, OpeEstimate>>
}

/** Returns all estimates with their intervals. @throws VT_OPE, VT_PROPENSITIES; VT_STATS_RANGE for `bernstein` outside [0, 1] */
export function estimateOffPolicy(rows: readonly LoggedChoice[], options: OpeOptions): OpeReport {
  requireLogged(rows)
  const arms = rows[0]?.target.length ?? 0
  const raw = rows.map(({ arm, propensity, target }) => (target[arm] as number) / propensity)
  const clip = options.clip ?? Number.POSITIVE_INFINITY
  const weights = raw.map((weight) => Math.min(weight, clip))
  const predictions = options.predictions ?? crossFit(rows, arms)
  const switchAt = options.switchAt ?? switchDefault(weights)
  const terms = termsOf(rows, weights, predictions, switchAt)
  const sum = weights.reduce((a, b) => a + b, 0)
  const squares = weights.reduce((a, b) => a + b * b, 0)
  const effectiveN = squares === 0 ? 0 : (sum * sum) / squares
  const fitted = options.predictions === undefined ? { rows, weights, switchAt, effectiveN } : undefined
  const estimates = Object.fromEntries(
    ESTIMATORS.map((estimator) => [estimator, { estimator, ...intervalOf(estimator, terms, options, raw, fitted) }]),
  ) as Record<Estimator, OpeEstimate>
  return {
    n: rows.length,
    effectiveN,
    largestWeight: raw.reduce((a, b) => Math.max(a, b), 0),
    clipped: raw.filter((weight) => weight > clip).length,
    meanWeight: sum / rows.length,
    estimates,
  }
}

/** One number a row and estimator, whose mean is the estimate; for SNIPS the rewards that are weighted. */
interface Terms {
  weights: readonly number[]
  rewards: readonly number[]
  means: Readonly<Record<'ips' | 'dm' | 'dr' | 'switch-dr', Float64Array>>
}

function termsOf(
  rows: readonly LoggedChoice[],
  weights: readonly number[],
  predictions: readonly ArrayLike<number>[],
  switchAt: number,
): Terms {
  const make = (term: (row: LoggedChoice, weight: number, direct: number, predicted: number) => number) =>
    Float64Array.from(rows, (row, i) => {
      const predicted = predictions[i] as ArrayLike<number>
      let direct = 0
      for (let arm = 0; arm < row.target.length; arm++) direct += (row.target[arm] as number) * (predicted[arm] as number)
      return term(row, weights[i] as number, direct, predicted[row.arm] as number)
    })
  return {
    weights,
    rewards: rows.map(({ reward }) => reward),
    means: {
      ips: make(({ reward }, weight) => weight * reward),
      dm: make((_, __, direct) => direct),
      dr: make(({ reward }, weight, direct, predicted) => direct + weight * (reward - predicted)),
      'switch-dr': make(
        ({ reward }, weight, direct, predicted) => direct + (weight <= switchAt ? weight * (reward - predicted) : 0),
      ),
    },
  }
}

/** @param fitted what the model was fitted to; undefined for predictions that were given, which are taken as they are */
function intervalOf(
  estimator: Estimator,
  terms: Terms,
  options: OpeOptions,
  raw: readonly number[],
  fitted: { rows: readonly LoggedChoice[]; weights: readonly number[]; switchAt: number; effectiveN: number } | undefined,
): Interval {
  const { random, level = 0.95, resamples = 1000, interval = 'bootstrap' } = options
  const stream = random.split(estimator)
  if (estimator === 'snips') return selfNormalised(terms, { random: stream, level, resamples })
  const values = terms.means[estimator]
  const leansOnModel = estimator === 'dm' || estimator === 'switch-dr'
  if (interval === 'bootstrap') {
    if (!leansOnModel || fitted === undefined) return bootstrapT(values, { random: stream, level, resamples })
    const { rows, weights, effectiveN } = fitted
    const switchAt = estimator === 'dm' ? 0 : fitted.switchAt
    return refitInterval(rows, weights, mean(values), { random: stream, level, resamples, effectiveN, switchAt })
  }
  // How far a model is off is bounded by nothing but the range of the rewards.
  if (leansOnModel) return { estimate: mean(values), low: 0, high: 1, level }
  const largest = raw.reduce((a, b) => Math.max(a, b), 0)
  // With rewards and predictions in [0, 1], a correction is at most the largest weight either way.
  const [least, most] = estimator === 'ips' ? [0, largest] : [-largest, 1 + largest]
  return empiricalBernstein(values, least, most, level)
}

/**
 * The weighted mean, with a bootstrap-t interval whose standard errors are those of a ratio (by its linear part).
 */
function selfNormalised({ weights, rewards }: Terms, options: { random: Random; level: number; resamples: number }): Interval {
  const n = weights.length
  const total = weights.reduce((a, b) => a + b, 0)
  const { level, random, resamples } = options
  if (total === 0) return { estimate: Number.NaN, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, level }
  const estimate = weights.reduce((sum, weight, i) => sum + weight * (rewards[i] as number), 0) / total
  const error =
    Math.sqrt(weights.reduce((sum, weight, i) => sum + (weight * ((rewards[i] as number) - estimate)) ** 2, 0)) / total
  if (error === 0) return { estimate, low: estimate, high: estimate, level }
  const t: number[] = []
  const drawn = new Uint32Array(n)
  for (let b = 0; b < resamples; b++) {
    let sum = 0
    let weighted = 0
    for (let i = 0; i < n; i++) {
      const at = random.below(n)
      drawn[i] = at
      const weight = weights[at] as number
      sum += weight
      weighted += weight * (rewards[at] as number)
    }
    if (sum === 0) continue
    const value = weighted / sum
    let squares = 0
    for (let i = 0; i < n; i++) {
      const at = drawn[i] as number
      squares += ((weights[at] as number) * ((rewards[at] as number) - value)) ** 2
    }
    // A resample with few of the heavy weights has next to no spread of its own and would make t explode.
    t.push((value - estimate) / Math.max(Math.sqrt(squares) / sum, error * 0.45))
  }
  if (t.length === 0) {
    const half = normalQuantile((1 + level) / 2) * error
    return { estimate, low: estimate - half, high: estimate + half, level }
  }
  const sorted = Float64Array.from(t).sort()
  const tail = (1 - level) / 2
  return {
    estimate,
    low: estimate - quantileOf(sorted, 1 - tail) * error,
    high: estimate - quantileOf(sorted, tail) * error,
    level,
  }
}

function switchDefault(weights: readonly number[]): number {
  return Math.max(2, quantileOf(Float64Array.from(weights).sort(), 0.95))
}

/** Returns the mean reward of the log itself, which the policy is held against when there is no better champion. */
export function loggedValue(rows: readonly LoggedChoice[]): number {
  return mean(rows.map(({ reward }) => reward))
}
