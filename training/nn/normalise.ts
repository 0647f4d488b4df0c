import type { Normaliser, Tensors } from '../types.ts'
import { put } from './optimiser.ts'

/**
 * Mean and variance of a stream of rows, kept exactly as it goes.
 *
 * @see Chan, Golub and LeVeque 1979, updating formulae for sample variances
 */
export class RunningMoments {
  readonly mean: Float64Array
  readonly variance: Float64Array
  readonly #count = Float64Array.of(1e-4)
  readonly #width: number

  constructor(width: number) {
    this.#width = width
    this.mean = new Float64Array(width)
    this.variance = new Float64Array(width).fill(1)
  }

  /** Takes in a batch of rows. */
  update(rows: ArrayLike<number>, count: number): void {
    const before = this.#count[0] as number
    const total = before + count
    for (let n = 0; n < this.#width; n++) {
      let sum = 0
      for (let r = 0; r < count; r++) sum += rows[r * this.#width + n] as number
      const mean = sum / count
      let squares = 0
      for (let r = 0; r < count; r++) {
        const apart = (rows[r * this.#width + n] as number) - mean
        squares += apart * apart
      }
      const shift = mean - (this.mean[n] as number)
      this.mean[n] = (this.mean[n] as number) + (shift * count) / total
      this.variance[n] = ((this.variance[n] as number) * before + squares + (shift * shift * before * count) / total) / total
    }
    this.#count[0] = total
  }

  tensors(prefix: string): Tensors {
    return {
      [`${prefix}.mean`]: this.mean.slice(),
      [`${prefix}.variance`]: this.variance.slice(),
      [`${prefix}.count`]: this.#count.slice(),
    }
  }

  restore(prefix: string, tensors: Tensors): void {
    put(tensors, `${prefix}.mean`, this.mean)
    put(tensors, `${prefix}.variance`, this.variance)
    put(tensors, `${prefix}.count`, this.#count)
  }
}

/** Brings rows to zero mean and unit spread, into `out`. */
export function normalise(
  { mean, variance, epsilon, clip }: Normaliser,
  rows: ArrayLike<number>,
  count: number,
  out: Float32Array,
): void {
  const width = mean.length
  for (let n = 0; n < width; n++) {
    const centre = mean[n] as number
    const root = Math.sqrt((variance[n] as number) + epsilon)
    for (let r = 0; r < count; r++) {
      const value = ((rows[r * width + n] as number) - centre) / root
      out[r * width + n] = value > clip ? clip : value < -clip ? -clip : value
    }
  }
}

const REWARDS = { epsilon: 1e-8, clip: 10 }

/** Rewards divided by the running spread of the discounted return, so that a step size means the same in every environment. */
export interface RewardScale {
  /** Takes in the reward of environment `n` and returns it scaled, cut to [-10, 10]. @param ended its episode ended with it */
  scale(n: number, reward: number, ended: boolean): number
  tensors(prefix: string): Tensors
  restore(prefix: string, tensors: Tensors): void
}

/** Returns the scale of `count` environments. @see Engstrom et al. 2020, arXiv:2005.12729, section 3 */
export function rewardScale(count: number, gamma: number): RewardScale {
  const discounted = new Float64Array(count)
  const moments = new RunningMoments(1)
  return {
    scale(n, reward, ended) {
      discounted[n] = (discounted[n] as number) * gamma + reward
      moments.update(discounted.subarray(n, n + 1), 1)
      if (ended) discounted[n] = 0
      const scaled = reward / Math.sqrt((moments.variance[0] as number) + REWARDS.epsilon)
      return Math.min(Math.max(scaled, -REWARDS.clip), REWARDS.clip)
    },
    tensors: (prefix) => ({ [`${prefix}.discounted`]: discounted.slice(), ...moments.tensors(prefix) }),
    restore(prefix, tensors) {
      put(tensors, `${prefix}.discounted`, discounted)
      moments.restore(prefix, tensors)
    },
  }
}
