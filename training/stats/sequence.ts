/** Statistics that may be looked at after every observation. */

import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { log, log1p } from '../math.ts'

/** The sequence after some observations: with `level` the truth is inside at all times together. */
export interface SequenceBounds {
  observations: number
  estimate: number
  low: number
  high: number
  level: number
}

/**
 * A confidence sequence for the mean of observations in [least, most]: looking after each one, and stopping when one
 * likes what one sees, does not raise the error rate.
 *
 * The observations need not be alike: what is bounded is the weighted mean of their expectations, each given what came
 * before.
 *
 * @see Waudby-Smith and Ramdas 2024, arXiv:2010.09686, theorem 2 (predictable plug-in empirical Bernstein)
 */
export class ConfidenceSequence {
  readonly level: number
  readonly #least: number
  readonly #width: number
  #count = 0
  #sum = 0
  #squares = 0
  #weights = 0
  #weighted = 0
  #spread = 0

  constructor(options: { least: number; most: number; level?: number }) {
    this.level = options.level ?? 0.95
    this.#least = options.least
    this.#width = options.most - options.least
    if (!(this.#width > 0 && Number.isFinite(this.#width) && this.level > 0 && this.level < 1)) {
      throw new ValuetrainError('VT_STATS_RANGE', `[${options.least}, ${options.most}] at level ${this.level} bounds nothing`, {
        kind: 'config',
      })
    }
  }

  /** @throws VT_STATS_RANGE when the value is outside the range; nothing is taken then */
  add(value: number): void {
    const x = (value - this.#least) / this.#width
    // What arithmetic put beyond the border by rounding is taken as the border.
    if (!(x >= -1e-9 && x <= 1 + 1e-9)) {
      throw new ValuetrainError('VT_STATS_RANGE', `observation ${value} is outside the range of its sequence`, {
        kind: 'internal',
      })
    }
    const count = this.#count + 1
    const meanBefore = (0.5 + this.#sum) / count
    const varianceBefore = (0.25 + this.#squares) / count
    const bet = Math.min(0.75, Math.sqrt((2 * log(2 / (1 - this.level))) / (varianceBefore * count * log1p(count))))
    this.#weights += bet
    this.#weighted += bet * x
    this.#spread += (x - meanBefore) ** 2 * (-log1p(-bet) - bet)
    this.#count = count
    this.#sum += x
    this.#squares += (x - (0.5 + this.#sum) / (count + 1)) ** 2
  }

  bounds(): SequenceBounds {
    const most = this.#least + this.#width
    if (this.#count === 0) return { observations: 0, estimate: Number.NaN, low: this.#least, high: most, level: this.level }
    const centre = this.#weighted / this.#weights
    const half = (log(2 / (1 - this.level)) + this.#spread) / this.#weights
    return {
      observations: this.#count,
      estimate: this.#least + this.#width * (this.#sum / this.#count),
      low: this.#least + this.#width * Math.max(0, centre - half),
      high: this.#least + this.#width * Math.min(1, centre + half),
      level: this.level,
    }
  }

  state(): Json {
    return [this.#count, this.#sum, this.#squares, this.#weights, this.#weighted, this.#spread]
  }

  /** @throws VT_STATS_STATE when the data is no state of a sequence */
  restore(state: Json): void {
    if (!Array.isArray(state) || state.length !== 6 || !state.every((value) => Number.isFinite(value))) {
      throw new ValuetrainError('VT_STATS_STATE', 'the data is no state of a confidence sequence', { kind: 'environment' })
    }
    ;[this.#count, this.#sum, this.#squares, this.#weights, this.#weighted, this.#spread] = state as number[] as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
  }
}
