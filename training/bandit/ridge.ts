/** Ridge regression that takes one outcome at a time and keeps the inverse it needs. */
import type { Json } from '../../core/canonical.ts'
import { foreignState } from './bandit.ts'

/** Rank-one updates lose digits slowly; after this many the inverse is computed anew. */
const RESOLVE_EVERY = 500

export class Ridge {
  readonly size: number
  readonly weights: Float64Array
  /** [size x size], symmetric: inverse of ridge I + sum of h x x'. */
  readonly inverse: Float64Array
  readonly #matrix: Float64Array
  readonly #right: Float64Array
  readonly #product: Float64Array
  #updates = 0

  /** @param ridge penalty on squared weights, above 0 */
  constructor(size: number, ridge = 1) {
    this.size = size
    this.weights = new Float64Array(size)
    this.inverse = new Float64Array(size * size)
    this.#matrix = new Float64Array(size * size)
    this.#right = new Float64Array(size)
    this.#product = new Float64Array(size)
    for (let i = 0; i < size; i++) {
      this.inverse[i * size + i] = 1 / ridge
      this.#matrix[i * size + i] = ridge
    }
  }

  predict(x: ArrayLike<number>): number {
    let sum = 0
    for (let i = 0; i < this.size; i++) sum += (this.weights[i] as number) * (x[i] as number)
    return sum
  }

  /** Returns x' inverse x: the variance of the prediction for outcomes of variance 1. */
  doubt(x: ArrayLike<number>): number {
    const { size, inverse } = this
    let sum = 0
    for (let i = 0; i < size; i++) {
      const xi = x[i] as number
      if (xi === 0) continue
      let row = 0
      for (let j = 0, at = i * size; j < size; j++, at++) row += (inverse[at] as number) * (x[j] as number)
      sum += xi * row
    }
    return sum
  }

  /** Takes an outcome for least squares. */
  add(x: ArrayLike<number>, y: number): void {
    this.addCurvature(x, 1)
    for (let i = 0; i < this.size; i++) this.#right[i] = (this.#right[i] as number) + y * (x[i] as number)
    multiply(this.inverse, this.#right, this.weights)
  }

  /** Adds h x x' to the matrix and brings the inverse after it. @see Sherman and Morrison 1950 */
  addCurvature(x: ArrayLike<number>, h: number): void {
    const { size, inverse } = this
    const product = this.#product
    multiply(inverse, x, product)
    let share = 1
    for (let i = 0; i < size; i++) share += h * (x[i] as number) * (product[i] as number)
    for (let i = 0; i < size; i++) {
      const factor = (h * (product[i] as number)) / share
      const grown = h * (x[i] as number)
      for (let j = 0, at = i * size; j < size; j++, at++) {
        inverse[at] = (inverse[at] as number) - factor * (product[j] as number)
        this.#matrix[at] = (this.#matrix[at] as number) + grown * (x[j] as number)
      }
    }
    if (++this.#updates % RESOLVE_EVERY === 0) invert(this.#matrix, inverse, size)
  }

  /** Moves the weights by inverse x times `amount`: one Newton step on an outcome. */
  step(x: ArrayLike<number>, amount: number): void {
    multiply(this.inverse, x, this.#product)
    for (let i = 0; i < this.size; i++) this.weights[i] = (this.weights[i] as number) + amount * (this.#product[i] as number)
  }

  state(): Json {
    return {
      updates: this.#updates,
      weights: Array.from(this.weights),
      inverse: Array.from(this.inverse),
      matrix: Array.from(this.#matrix),
      right: Array.from(this.#right),
    }
  }

  restore(state: Json): void {
    const data = state as { updates?: number } & Record<string, number[]>
    const parts = [
      ['weights', this.weights],
      ['inverse', this.inverse],
      ['matrix', this.#matrix],
      ['right', this.#right],
    ] as const
    const whole =
      data !== null &&
      Number.isInteger(data.updates) &&
      parts.every(([name, target]) => data[name]?.length === target.length && data[name].every((value) => Number.isFinite(value)))
    if (!whole) throw foreignState(`a regression on ${this.size} features`)
    for (const [name, target] of parts) target.set(data[name] as number[])
    this.#updates = data.updates as number
  }
}

function multiply(matrix: Float64Array, x: ArrayLike<number>, out: Float64Array): void {
  const size = out.length
  for (let i = 0; i < size; i++) {
    let sum = 0
    for (let j = 0, at = i * size; j < size; j++, at++) sum += (matrix[at] as number) * (x[j] as number)
    out[i] = sum
  }
}

/** Writes the inverse of a symmetric positive matrix, by Cholesky. */
function invert(matrix: Float64Array, out: Float64Array, size: number): void {
  const lower = new Float64Array(size * size)
  const get = (from: Float64Array, i: number, j: number) => from[i * size + j] as number
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = get(matrix, i, j)
      for (let k = 0; k < j; k++) sum -= get(lower, i, k) * get(lower, j, k)
      lower[i * size + j] = i === j ? Math.sqrt(sum) : sum / get(lower, j, j)
    }
  }
  const column = new Float64Array(size)
  for (let c = 0; c < size; c++) {
    for (let i = 0; i < size; i++) {
      let sum = i === c ? 1 : 0
      for (let k = 0; k < i; k++) sum -= get(lower, i, k) * (column[k] as number)
      column[i] = sum / get(lower, i, i)
    }
    for (let i = size - 1; i >= 0; i--) {
      let sum = column[i] as number
      for (let k = i + 1; k < size; k++) sum -= get(lower, k, i) * (column[k] as number)
      column[i] = sum / get(lower, i, i)
      out[i * size + c] = column[i] as number
    }
  }
}
