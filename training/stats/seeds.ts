/** Scores over training seeds: what a method gives, not what its luckiest run gave. */
import { ValuetrainError } from '../../core/errors.ts'
import { normalQuantile, studentQuantile } from './distributions.ts'
import { type BootstrapOptions, type Interval, quantileOf, requireValues } from './interval.ts'

/**
 * Returns the interquartile mean: the mean of the middle half, the quarters' borders counted by their share.
 *
 * @throws VT_STATS_EMPTY
 * @see Agarwal et al. 2021, Deep RL at the edge of the statistical precipice, arXiv:2108.13264
 */
export function interquartileMean(values: ArrayLike<number>): number {
  requireValues(values)
  const sorted = Float64Array.from(values).sort()
  return middleMean(sorted)
}

/**
 * Returns the interquartile mean over tasks and seeds with a stratified bootstrap interval: seeds are drawn anew within
 * each task.
 *
 * With five seeds the plain percentile interval is far too short. Its deviations are therefore stretched by
 * t / z x sqrt(n / (n - 1)), the factor that makes it exact for normal means (Hesterberg 2015, arXiv:1411.5279,
 * section 4.1.3).
 *
 * @param strata one list of seed scores a task, at least two seeds each
 * @throws VT_STATS_SEEDS when a task has fewer than two seeds
 */
export function stratifiedInterquartileMean(strata: readonly ArrayLike<number>[], options: BootstrapOptions): Interval {
  const { random, level = 0.95, resamples = 2000 } = options
  const least = Math.min(...strata.map(({ length }) => length))
  if (!(least >= 2)) {
    throw new ValuetrainError('VT_STATS_SEEDS', `a task has ${strata.length === 0 ? 'no' : least} seeds; an interval needs two`, {
      kind: 'config',
      hint: 'Train with --seeds 5 or more.',
    })
  }
  const all = Float64Array.from(strata.flatMap((scores) => Array.from(scores)))
  const estimate = interquartileMean(all)
  const drawn = new Float64Array(all.length)
  const statistics = new Float64Array(resamples)
  for (let b = 0; b < resamples; b++) {
    let place = 0
    for (const scores of strata)
      for (let i = 0; i < scores.length; i++) drawn[place++] = scores[random.below(scores.length)] as number
    statistics[b] = middleMean(drawn.sort())
  }
  statistics.sort()
  const freedom = all.length - strata.length
  const tail = (1 - level) / 2
  const stretch = (studentQuantile(1 - tail, freedom) / normalQuantile(1 - tail)) * Math.sqrt(least / (least - 1))
  return {
    estimate,
    low: estimate + stretch * (quantileOf(statistics, tail) - estimate),
    high: estimate + stretch * (quantileOf(statistics, 1 - tail) - estimate),
    level,
  }
}

function middleMean(sorted: Float64Array): number {
  const n = sorted.length
  const from = n / 4
  const to = n - from
  let sum = 0
  let weight = 0
  for (let i = 0; i < n; i++) {
    const share = Math.max(0, Math.min(i + 1, to) - Math.max(i, from))
    sum += share * (sorted[i] as number)
    weight += share
  }
  return sum / weight
}
