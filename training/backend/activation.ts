import type { Activation } from '../types.ts'

/** Numbers of the activations in the kernels. */
export const ACTIVATION_CODES: Readonly<Record<Activation, number>> = { linear: 0, tanh: 1, relu: 2 }

/**
 * tanh in 32 bits: x P(x^2) / Q(x^2) on [-8.5, 8.5], the result cut to [-1, 1]. Fitted for the least relative error
 * (iteratively reweighted least squares on Chebyshev points, 64 bits); with rounding it stays below 4e-7.
 */
export const TANH_CUT = 8.5
export const TANH_NUMERATOR = [1, 0.13413241505622864, 0.003534020623192191, 2.125094033544883e-5, 1.4269083692397544e-8]
export const TANH_DENOMINATOR = [1, 0.4674656391143799, 0.02602272666990757, 0.00033488543704152107, 8.145064498421561e-7]

const fround = Math.fround
const [p0 = 0, p1 = 0, p2 = 0, p3 = 0, p4 = 0] = TANH_NUMERATOR
const [q0 = 0, q1 = 0, q2 = 0, q3 = 0, q4 = 0] = TANH_DENOMINATOR

/** Returns tanh of a 32-bit float as the kernels compute it, bit by bit. */
export function tanh32(value: number): number {
  const x = Math.max(Math.min(value, TANH_CUT), -TANH_CUT)
  const t = fround(x * x)
  const top = fround(fround(fround(fround(fround(fround(fround(fround(p4 * t) + p3) * t) + p2) * t) + p1) * t) + p0)
  const bottom = fround(fround(fround(fround(fround(fround(fround(fround(q4 * t) + q3) * t) + q2) * t) + q1) * t) + q0)
  const y = fround(fround(x * top) / bottom)
  return Math.max(Math.min(y, 1), -1)
}
