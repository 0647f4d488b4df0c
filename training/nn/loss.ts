/**
 * Losses with their gradients. Everything is computed in 64 bits by our own elementary functions and rounded once when
 * it is stored, so that it is the same on every backend.
 */
import { exp, log, logSumExp } from '../math.ts'

/**
 * Writes the softmax of one row of logits and returns its entropy in nats.
 *
 * @param out takes `count` probabilities
 */
export function softmax(logits: Float32Array, from: number, count: number, out: Float64Array): number {
  let largest = logits[from] as number
  for (let n = 1; n < count; n++) {
    const value = logits[from + n] as number
    if (value > largest) largest = value
  }
  let sum = 0
  for (let n = 0; n < count; n++) {
    const below = (logits[from + n] as number) - largest
    const e = below === 0 ? 1 : exp(below)
    out[n] = e
    sum += e
  }
  const logSum = log(sum)
  let entropy = 0
  for (let n = 0; n < count; n++) {
    const p = (out[n] as number) / sum
    out[n] = p
    entropy -= p * ((logits[from + n] as number) - largest - logSum)
  }
  return entropy
}

/** Returns the logarithm of one class's softmax probability. */
export function logProbability(logits: Float32Array, from: number, count: number, index: number): number {
  return (logits[from + index] as number) - logSumExp(logits, from, from + count)
}

/**
 * Returns the mean cross-entropy of `rows` rows against class indices, in nats, and writes its gradient.
 *
 * @param weights one a row, default 1; the mean is over rows, not over weights
 */
export function crossEntropy(
  logits: Float32Array,
  classes: ArrayLike<number>,
  rows: number,
  count: number,
  gradient: Float32Array,
  weights?: ArrayLike<number>,
): number {
  const p = new Float64Array(count)
  let loss = 0
  for (let r = 0; r < rows; r++) {
    const chosen = classes[r] as number
    const weight = weights === undefined ? 1 : (weights[r] as number)
    softmax(logits, r * count, count, p)
    loss -= weight * logProbability(logits, r * count, count, chosen)
    for (let n = 0; n < count; n++) {
      gradient[r * count + n] = (weight * ((p[n] as number) - (n === chosen ? 1 : 0))) / rows
    }
  }
  return loss / rows
}

/** Returns the mean of (y - target)^2 over `length` numbers and writes its gradient. */
export function squaredError(y: Float32Array, targets: ArrayLike<number>, length: number, gradient: Float32Array): number {
  let loss = 0
  for (let n = 0; n < length; n++) {
    const error = (y[n] as number) - (targets[n] as number)
    loss += error * error
    gradient[n] = (2 * error) / length
  }
  return loss / length
}

/** Returns Huber's loss of an error: quadratic up to `delta`, then straight. @see Huber 1964 */
export function huber(error: number, delta = 1): number {
  const size = Math.abs(error)
  return size <= delta ? 0.5 * error * error : delta * (size - 0.5 * delta)
}

/** Returns the derivative of `huber`. */
export function huberGradient(error: number, delta = 1): number {
  return error > delta ? delta : error < -delta ? -delta : error
}
