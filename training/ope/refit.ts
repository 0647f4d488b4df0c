/**
 * The doubt of estimates that lean on a model which was fitted to the same choices: the whole way is gone again on choices
 * drawn anew, the fit included. An interval of the predictions alone would take the model for the truth.
 */
import { normalQuantile, studentQuantile } from '../stats/distributions.ts'
import { type Interval, quantileOf } from '../stats/interval.ts'
import type { Random } from '../types.ts'
import type { LoggedChoice } from './logged.ts'
import { FOLDS, LEAN } from './model.ts'

export interface RefitOptions {
  random: Random
  level: number
  resamples: number
  /** How many choices of the target's own the log is worth; few of them stretch the interval. */
  effectiveN: number
  /** A choice is corrected by what it gave where its weight is at most this; 0 corrects none. */
  switchAt: number
}

/**
 * Returns the interval of the direct method, or of switch-DR, around its estimate.
 *
 * Deviations are stretched by t / z x sqrt(m / (m - 1)), m being what the log is worth: the factor that makes percentiles
 * exact for normal means (Hesterberg 2015, arXiv:1411.5279, section 4.1.3). Where the log is worth less than two choices,
 * nothing is known and the interval is infinite.
 */
export function refitInterval(
  rows: readonly LoggedChoice[],
  weights: readonly number[],
  estimate: number,
  { random, level, resamples, effectiveN, switchAt }: RefitOptions,
): Interval {
  if (!(effectiveN >= 2)) return { estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, level }
  const again = openRefit(rows, weights, switchAt)
  const drawn = new Uint32Array(rows.length)
  const values = Float64Array.from({ length: resamples }, () => {
    for (let i = 0; i < drawn.length; i++) drawn[i] = random.below(drawn.length)
    return again(drawn)
  }).sort()
  const tail = (1 - level) / 2
  const stretch =
    (studentQuantile(1 - tail, effectiveN - 1) / normalQuantile(1 - tail)) * Math.sqrt(effectiveN / (effectiveN - 1))
  return {
    estimate,
    low: estimate + stretch * (quantileOf(values, tail) - estimate),
    high: estimate + stretch * (quantileOf(values, 1 - tail) - estimate),
    level,
  }
}

/** Returns what gives the estimate on choices by their indices; the model is that of `crossFit`, in tables. */
export function openRefit(
  rows: readonly LoggedChoice[],
  weights: readonly number[],
  switchAt: number,
): (drawn: Uint32Array) => number {
  const arms = rows[0]?.target.length ?? 0
  const names = new Map<string | undefined, number>()
  // Choices without a group lean on the whole alone: what is learned of their cells stays out of the groups.
  const nobody = 0
  const group = Uint32Array.from(rows, (row) => {
    if (row.group === undefined) return nobody
    const known = names.get(row.group)
    if (known === undefined) names.set(row.group, names.size + 1)
    return known ?? names.size
  })
  const cells = (names.size + 1) * arms
  const arm = Uint32Array.from(rows, (row) => row.arm)
  const reward = Float64Array.from(rows, (row) => row.reward)
  const target = Float64Array.from(rows.flatMap((row) => Array.from(row.target)))
  // A table for each fold and one of all; a fold's model is learned from what all have and it has not.
  const [count, sum, model] = [0, 0, 0].map(() => new Float64Array(FOLDS * cells)) as [Float64Array, Float64Array, Float64Array]
  const [allCount, allSum] = [new Float64Array(cells), new Float64Array(cells)]
  const [armCount, armSum, ofArm] = [new Float64Array(arms), new Float64Array(arms), new Float64Array(arms)]

  function tally(drawn: Uint32Array): void {
    for (const table of [count, sum, allCount, allSum]) table.fill(0)
    for (let k = 0, fold = 0; k < drawn.length; k++, fold = fold + 1 === FOLDS ? 0 : fold + 1) {
      const i = drawn[k] as number
      const cell = (group[i] as number) * arms + (arm[i] as number)
      count[fold * cells + cell] = (count[fold * cells + cell] as number) + 1
      sum[fold * cells + cell] = (sum[fold * cells + cell] as number) + (reward[i] as number)
    }
    for (let fold = 0; fold < FOLDS; fold++) {
      for (let cell = 0; cell < cells; cell++) {
        allCount[cell] = (allCount[cell] as number) + (count[fold * cells + cell] as number)
        allSum[cell] = (allSum[cell] as number) + (sum[fold * cells + cell] as number)
      }
    }
  }

  function learn(fold: number): void {
    armCount.fill(0)
    armSum.fill(0)
    let [n, whole] = [0, 0]
    for (let cell = 0, a = 0; cell < cells; cell++, a = a + 1 === arms ? 0 : a + 1) {
      const seen = (allCount[cell] as number) - (count[fold * cells + cell] as number)
      const total = (allSum[cell] as number) - (sum[fold * cells + cell] as number)
      n += seen
      whole += total
      armCount[a] = (armCount[a] as number) + seen
      armSum[a] = (armSum[a] as number) + total
    }
    const mean = whole / Math.max(1, n)
    for (let a = 0; a < arms; a++) ofArm[a] = (LEAN * mean + (armSum[a] as number)) / (LEAN + (armCount[a] as number))
    for (let cell = 0, a = 0; cell < cells; cell++, a = a + 1 === arms ? 0 : a + 1) {
      const at = fold * cells + cell
      const seen = cell < arms ? 0 : (allCount[cell] as number) - (count[at] as number)
      const total = cell < arms ? 0 : (allSum[cell] as number) - (sum[at] as number)
      model[at] = (LEAN * (ofArm[a] as number) + total) / (LEAN + seen)
    }
  }

  return (drawn) => {
    tally(drawn)
    for (let fold = 0; fold < FOLDS; fold++) learn(fold)
    let total = 0
    for (let k = 0, fold = 0; k < drawn.length; k++, fold = fold + 1 === FOLDS ? 0 : fold + 1) {
      const i = drawn[k] as number
      const at = fold * cells + (group[i] as number) * arms
      for (let a = 0; a < arms; a++) total += (target[i * arms + a] as number) * (model[at + a] as number)
      const weight = weights[i] as number
      if (weight <= switchAt) total += weight * ((reward[i] as number) - (model[at + (arm[i] as number)] as number))
    }
    return total / drawn.length
  }
}
