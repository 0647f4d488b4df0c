/** Confidence intervals for one mean or share. */
import { ValuetrainError } from '../../core/errors.ts'
import { log } from '../math.ts'
import type { Random } from '../types.ts'
import { normalQuantile, requireShare, studentQuantile } from './distributions.ts'

/** A two-sided interval around an estimate. A one-sided bound at level 1 - a is the end of an interval at 1 - 2 a. */
export interface Interval {
  estimate: number
  low: number
  high: number
  /** Share of repetitions in which such an interval holds the truth, e.g. 0.95. */
  level: number
}

export interface BootstrapOptions {
  random: Random
  /** Default 0.95. */
  level?: number
  /** Default 2,000. */
  resamples?: number
}

/** Returns the arithmetic mean. @throws VT_STATS_EMPTY */
export function mean(values: ArrayLike<number>): number {
  requireValues(values)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] as number
  return sum / values.length
}

/** Returns the sample variance (divided by n - 1); 0 for a single value. */
export function variance(values: ArrayLike<number>): number {
  const centre = mean(values)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += ((values[i] as number) - centre) ** 2
  return values.length < 2 ? 0 : sum / (values.length - 1)
}

/**
 * Returns Wilson's score interval for a share.
 *
 * @param successes in [0, n]
 * @see Wilson 1927, J. Am. Stat. Assoc. 22
 */
export function wilson(successes: number, n: number, level = 0.95): Interval {
  requireShare('level', level)
  if (!(n > 0 && successes >= 0 && successes <= n)) throw noValues(`${successes} of ${n}`)
  const z = normalQuantile((1 + level) / 2)
  const share = successes / n
  const weight = 1 + (z * z) / n
  const centre = (share + (z * z) / (2 * n)) / weight
  const half = (z / weight) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))
  return {
    estimate: share,
    low: successes === 0 ? 0 : centre - half,
    high: successes === n ? 1 : centre + half,
    level,
  }
}

/** Returns Student's t interval for a mean; a single value gives an infinite one. */
export function studentInterval(values: ArrayLike<number>, level = 0.95): Interval {
  const estimate = mean(values)
  if (values.length < 2) return { estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, level }
  const half = studentQuantile((1 + level) / 2, values.length - 1) * Math.sqrt(variance(values) / values.length)
  return { estimate, low: estimate - half, high: estimate + half, level }
}

/**
 * Returns the bootstrap-t interval for a mean: the distribution of (mean - truth) / standard error is taken from
 * resamples, so that skewed scores get an interval that leans the right way.
 *
 * Of values that are all equal no resample differs; the interval is then the point itself, as wide as what was seen.
 *
 * @see Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 12.5
 */
export function bootstrapT(values: ArrayLike<number>, options: BootstrapOptions): Interval {
  const { random, level = 0.95, resamples = 2000 } = options
  requireShare('level', level)
  const n = values.length
  const estimate = mean(values)
  const spread = variance(values)
  if (spread === 0) return { estimate, low: estimate, high: estimate, level }
  const centred = Float64Array.from({ length: n }, (_, i) => (values[i] as number) - estimate)
  // A resample that missed nearly all of the rare values has next to no spread and would make t explode.
  const least = spread * 0.05
  const t = new Float64Array(resamples)
  for (let b = 0; b < resamples; b++) {
    let sum = 0
    let squares = 0
    for (let i = 0; i < n; i++) {
      const value = centred[random.below(n)] as number
      sum += value
      squares += value * value
    }
    const shift = sum / n
    t[b] = shift / Math.sqrt(Math.max(least, (squares - n * shift * shift) / (n - 1)) / n)
  }
  t.sort()
  const error = Math.sqrt(spread / n)
  const tail = (1 - level) / 2
  return { estimate, low: estimate - quantileOf(t, 1 - tail) * error, high: estimate - quantileOf(t, tail) * error, level }
}

/**
 * Returns Maurer and Pontil's empirical-Bernstein interval for the mean of values in [least, most]. It holds for every
 * n and every distribution on that range, and is wider for it.
 *
 * @throws VT_STATS_RANGE when a value is outside the range
 * @see Maurer and Pontil 2009, arXiv:0907.3740, theorem 4
 */
export function empiricalBernstein(values: ArrayLike<number>, least: number, most: number, level = 0.95): Interval {
  requireShare('level', level)
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (!(value >= least && value <= most)) {
      throw new ValuetrainError('VT_STATS_RANGE', `value ${value} is outside [${least}, ${most}]`, { kind: 'config' })
    }
  }
  const n = values.length
  const estimate = mean(values)
  if (n < 2) return { estimate, low: least, high: most, level }
  // Two sides, each with two events in the theorem's union bound.
  const weight = log(4 / (1 - level))
  const half = Math.sqrt((2 * variance(values) * weight) / n) + (7 * (most - least) * weight) / (3 * (n - 1))
  return { estimate, low: Math.max(least, estimate - half), high: Math.min(most, estimate + half), level }
}

/** Returns the q-quantile of ascending values, between neighbours by straight line. */
export function quantileOf(sorted: ArrayLike<number>, q: number): number {
  requireValues(sorted)
  const place = q * (sorted.length - 1)
  const below = Math.floor(place)
  const low = sorted[below] as number
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return low + (high - low) * (place - below)
}

/** @throws VT_STATS_EMPTY */
export function requireValues(values: ArrayLike<number>): void {
  if (values.length === 0) throw noValues('no values')
}

function noValues(what: string): ValuetrainError {
  return new ValuetrainError('VT_STATS_EMPTY', `${what}: nothing to estimate from`, {
    kind: 'config',
    hint: 'Give the suite at least one case that was measured.',
  })
}
