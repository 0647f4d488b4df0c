import type { Activation } from '../types.ts'
import { tanh32 } from './activation.ts'
import { type AdamStep, type Backend, padded } from './backend.ts'

const fround = Math.fround

/**
 * Returns the backend in plain JavaScript: the oracle that the kernels are tested against, and the fallback where
 * WebAssembly has no SIMD. Rounding a 64-bit sum or product of 32-bit floats to 32 bits gives what a 32-bit unit gives.
 */
export function jsBackend(): Backend {
  let transposed = new Float32Array(0)
  return {
    name: 'js',
    exact: true,
    allocate: (length) => new Float32Array(padded(length) + 4).subarray(0, length),
    dense(x, weights, bias, out, { rows, inputs, outputs }, activation) {
      multiply(x, inputs, 1, weights, bias, out, rows, inputs, outputs)
      activate(out, rows * outputs, activation)
    },
    weightGradient(x, d, out, { rows, inputs, outputs }) {
      multiply(x, 1, inputs, d, undefined, out, inputs, rows, outputs)
    },
    biasGradient(d, out, { rows, outputs }) {
      for (let o = 0; o < outputs; o++) {
        let sum = 0
        for (let r = 0; r < rows; r++) sum = fround(sum + (d[r * outputs + o] as number))
        out[o] = sum
      }
    },
    inputGradient(d, weights, out, { rows, inputs, outputs }, y, activation) {
      if (transposed.length < inputs * outputs) transposed = new Float32Array(inputs * outputs)
      for (let i = 0; i < inputs; i++) {
        for (let o = 0; o < outputs; o++) transposed[o * inputs + i] = weights[i * outputs + o] as number
      }
      multiply(d, outputs, 1, transposed, undefined, out, rows, outputs, inputs)
      slope(y, out, rows * inputs, activation)
    },
    adam,
    sgd(weights, gradient, length, rate, scale) {
      const r = fround(rate)
      const s = fround(scale)
      for (let n = 0; n < length; n++) {
        weights[n] = (weights[n] as number) - fround(r * fround((gradient[n] as number) * s))
      }
    },
    sumOfSquares(x, length) {
      const sums = [0, 0, 0, 0]
      for (let n = 0; n < length; n++) {
        const value = x[n] as number
        sums[n & 3] = fround((sums[n & 3] as number) + fround(value * value))
      }
      const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = sums
      return fround(fround(s0 + s1) + fround(s2 + s3))
    },
  }
}

/** out[r, c] = bias[c] + sum over k of a[r aRow + k aStep] b[k, c]; four columns at a time stay in registers. */
function multiply(
  a: Float32Array,
  aRow: number,
  aStep: number,
  b: Float32Array,
  bias: Float32Array | undefined,
  out: Float32Array,
  rows: number,
  depth: number,
  columns: number,
): void {
  const whole = columns & ~3
  for (let r = 0; r < rows; r++) {
    const from = r * aRow
    const to = r * columns
    for (let c = 0; c < whole; c += 4) {
      let s0 = bias === undefined ? 0 : (bias[c] as number)
      let s1 = bias === undefined ? 0 : (bias[c + 1] as number)
      let s2 = bias === undefined ? 0 : (bias[c + 2] as number)
      let s3 = bias === undefined ? 0 : (bias[c + 3] as number)
      let at = c
      let ak = from
      for (let k = 0; k < depth; k++) {
        const value = a[ak] as number
        s0 = fround(s0 + fround(value * (b[at] as number)))
        s1 = fround(s1 + fround(value * (b[at + 1] as number)))
        s2 = fround(s2 + fround(value * (b[at + 2] as number)))
        s3 = fround(s3 + fround(value * (b[at + 3] as number)))
        at += columns
        ak += aStep
      }
      out[to + c] = s0
      out[to + c + 1] = s1
      out[to + c + 2] = s2
      out[to + c + 3] = s3
    }
    for (let c = whole; c < columns; c++) {
      let sum = bias === undefined ? 0 : (bias[c] as number)
      for (let k = 0; k < depth; k++) sum = fround(sum + fround((a[from + k * aStep] as number) * (b[k * columns + c] as number)))
      out[to + c] = sum
    }
  }
}

function activate(x: Float32Array, length: number, activation: Activation): void {
  if (activation === 'tanh') for (let n = 0; n < length; n++) x[n] = tanh32(x[n] as number)
  else if (activation === 'relu') for (let n = 0; n < length; n++) x[n] = (x[n] as number) > 0 ? (x[n] as number) : 0
}

/** d = d activation'(y). */
export function slope(y: Float32Array, d: Float32Array, length: number, activation: Activation): void {
  if (activation === 'tanh') {
    for (let n = 0; n < length; n++) {
      const value = y[n] as number
      d[n] = (d[n] as number) * fround(1 - fround(value * value))
    }
  } else if (activation === 'relu') {
    for (let n = 0; n < length; n++) if (!((y[n] as number) > 0)) d[n] = 0
  }
}

function adam(
  weights: Float32Array,
  gradient: Float32Array,
  first: Float32Array,
  second: Float32Array,
  length: number,
  step: AdamStep,
): void {
  const rate = fround(step.rate)
  const beta1 = fround(step.beta1)
  const beta2 = fround(step.beta2)
  const keep1 = fround(1 - step.beta1)
  const keep2 = fround(1 - step.beta2)
  const epsilon = fround(step.epsilon)
  const root = fround(step.root)
  const scale = fround(step.scale)
  for (let n = 0; n < length; n++) {
    const g = fround((gradient[n] as number) * scale)
    const m = fround(fround(beta1 * (first[n] as number)) + fround(keep1 * g))
    const v = fround(fround(beta2 * (second[n] as number)) + fround(fround(keep2 * g) * g))
    first[n] = m
    second[n] = v
    const size = fround(fround(fround(Math.sqrt(v)) * root) + epsilon)
    weights[n] = (weights[n] as number) - fround(fround(rate * m) / size)
  }
}
