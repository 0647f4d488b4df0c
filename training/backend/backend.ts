/**
 * The arithmetic a network needs, over flat Float32Array, behind one interface.
 *
 * Backends marked `exact` give equal bits, whatever the machine: every product and every sum is rounded to 32 bits, in
 * the order written at each method. They are `wasm` and `js`; the second is the oracle of the tests and the fallback.
 * The promise holds for every method here and for finite numbers; where a NaN comes out, its sign and payload are free.
 * `tfjs` sums in the order of whatever library is below it and is held to a tolerance instead.
 */
import { ValuetrainError } from '../../core/errors.ts'
import type { Activation } from '../types.ts'

export type BackendName = 'wasm' | 'js' | 'tfjs'

/** One dense layer over a batch: [rows x inputs] to [rows x outputs]. */
export interface DenseShape {
  rows: number
  inputs: number
  outputs: number
}

export interface AdamStep {
  /** Step size with the first moment's bias correction in it: rate / (1 - beta1^t). */
  rate: number
  beta1: number
  beta2: number
  epsilon: number
  /** 1 / sqrt(1 - beta2^t), the second moment's bias correction. */
  root: number
  /** Every gradient is multiplied by it first (clipping by norm); 1 for none. */
  scale: number
}

export interface Backend {
  readonly name: BackendName
  /** Whether results equal the oracle's bit by bit. */
  readonly exact: boolean
  /**
   * Returns zeros to compute with; every array given to the methods below comes from here. Lives as long as the
   * backend; the lengths that elementwise methods see are rounded up to four, so arrays have room for that.
   *
   * @throws VT_BACKEND_MEMORY when the backend's memory is used up
   */
  allocate(length: number): Float32Array
  /** out[r, o] = activation(bias[o] + x[r, 0] w[0, o] + x[r, 1] w[1, o] + …), added in this order. */
  dense(
    x: Float32Array,
    weights: Float32Array,
    bias: Float32Array,
    out: Float32Array,
    shape: DenseShape,
    activation: Activation,
  ): void
  /** out[i, o] = 0 + x[0, i] d[0, o] + x[1, i] d[1, o] + …, added in this order. */
  weightGradient(x: Float32Array, d: Float32Array, out: Float32Array, shape: DenseShape): void
  /** out[o] = 0 + d[0, o] + d[1, o] + …, added in this order. */
  biasGradient(d: Float32Array, out: Float32Array, shape: DenseShape): void
  /**
   * out[r, i] = (0 + d[r, 0] w[i, 0] + d[r, 1] w[i, 1] + …) activation'(y[r, i]), where `y` [rows x inputs] is what the
   * activation before this layer gave and tells its derivative: 1 - y^2 for tanh, 1 or 0 for relu.
   */
  inputGradient(
    d: Float32Array,
    weights: Float32Array,
    out: Float32Array,
    shape: DenseShape,
    y: Float32Array,
    activation: Activation,
  ): void
  /** m = b1 m + (1-b1) g, v = b2 v + ((1-b2) g) g, w = w - (rate m) / (sqrt(v) root + epsilon), with g = scale * gradient. */
  adam(
    weights: Float32Array,
    gradient: Float32Array,
    first: Float32Array,
    second: Float32Array,
    length: number,
    step: AdamStep,
  ): void
  /** w = w - rate (g scale). */
  sgd(weights: Float32Array, gradient: Float32Array, length: number, rate: number, scale: number): void
  /** Four running sums over x[n]^2, one for each n mod 4, then (s0 + s1) + (s2 + s3). Missing elements count as 0. */
  sumOfSquares(x: Float32Array, length: number): number
}

/** Bytes of memory a backend has unless told: room for networks 512 wide with batches of thousands. */
export const DEFAULT_BACKEND_BYTES = 64 * 1024 * 1024

/** Returns a length rounded up to whole vectors of four. */
export function padded(length: number): number {
  return (length + 3) & ~3
}

export function outOfMemory(wanted: number, bytes: number): ValuetrainError {
  return new ValuetrainError('VT_BACKEND_MEMORY', `${wanted * 4} bytes more do not fit into a backend of ${bytes} bytes`, {
    kind: 'config',
    hint: 'Make the batch or the layers smaller, or give the backend more bytes.',
    details: { wantedBytes: wanted * 4, bytes },
  })
}
