/**
 * Elementary functions whose every bit is ours.
 *
 * A run's hash covers numbers that went through exp, log, tanh, sin and cos, and the language lets each engine round
 * those its own way: they differ between versions of Node. Here they are built from + - * /, comparisons and exact
 * scaling by powers of two, which IEEE 754 fixes, so they give equal bits on every machine and version.
 *
 * Errors, in units in the last place (ulp) of the true value: exp, log, log1p, sin and cos at most 1.5, expm1 at
 * most 2.5, tanh at most 4.5, power at most 2 + 2 |y ln x|. The polynomials are Taylor series on intervals short enough
 * for 53 bits.
 */

/** ln 2 in two parts; the first has 32 bits, so that its product with an exponent is exact. */
const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
const INVERSE_LN2 = Math.LOG2E

/** pi / 2 in four parts; the first three have 33 bits, so that products with integers below 2^20 are exact. */
const HALF_PI_1 = 1.5707963267341256
const HALF_PI_2 = 6.077100506303966e-11
const HALF_PI_3 = 2.0222662487111665e-21
const HALF_PI_4 = 8.4784276603689e-32
const TWO_OVER_PI = 0.6366197723675814

export const PI = Math.PI

/** 2^k for k in [-1022, 1023], at k + 1022; doubling and halving are exact. */
const POWERS_OF_TWO = Float64Array.from({ length: 2046 }, () => 1)
for (let k = 1; k <= 1023; k++) POWERS_OF_TWO[k + 1022] = (POWERS_OF_TWO[k + 1021] as number) * 2
for (let k = -1; k >= -1022; k--) POWERS_OF_TWO[k + 1022] = (POWERS_OF_TWO[k + 1023] as number) / 2

const bits = new DataView(new ArrayBuffer(8))

/** One number and its two halves; of a view with an order of its own, engines read both more slowly. */
const whole = new Float64Array(1)
const halves = new Uint32Array(whole.buffer)
const UPPER = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0

/** Returns e^x. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY
  if (x < -745.1332191019412) return 0
  const k = Math.floor(x * INVERSE_LN2 + 0.5)
  const high = x - k * LN2_HIGH
  const low = k * LN2_LOW
  const r = high - low
  const lost = high - r - low
  return scale(1 + (r + (lost + r * r * expTail(r))), k)
}

/** Returns e^x - 1 without the cancellation near 0. */
export function expm1(x: number): number {
  if (Number.isNaN(x)) return x
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY
  if (x < -40) return -1
  const k = Math.floor(x * INVERSE_LN2 + 0.5)
  if (k === 0) return x + x * x * expTail(x)
  const high = x - k * LN2_HIGH
  const low = k * LN2_LOW
  const r = high - low
  const lost = high - r - low
  const fraction = r + (lost + r * r * expTail(r))
  if (k > 56) return scale(1 + fraction, k)
  const power = scale(1, k)
  // For k = -1 and 1 the two terms are of one size: adding the exact difference last keeps the bits.
  return power * fraction + (power - 1)
}

/** Returns the natural logarithm; NaN below 0, -Infinity at 0. */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN
  if (x === 0) return Number.NEGATIVE_INFINITY
  if (x === Number.POSITIVE_INFINITY) return x
  if (x < 2.2250738585072014e-308) return logOfNormal(x * 18014398509481984, -54)
  return logOfNormal(x, 0)
}

/** ln(normal * 2^shift) for a positive number that is not denormal. */
function logOfNormal(normal: number, shift: number): number {
  whole[0] = normal
  let k = ((halves[UPPER] as number) >>> 20) - 1023
  // Exact: powers of two only move the exponent.
  let m = k === 1023 ? (normal / 2) * (POWERS_OF_TWO[0] as number) : normal * (POWERS_OF_TWO[1022 - k] as number)
  if (m > Math.SQRT2) {
    m = m / 2
    k++
  }
  k += shift
  const f = m - 1
  const half = 0.5 * f * f
  const s = f / (2 + f)
  const correction = s * (half + logTail(s * s))
  return k * LN2_HIGH - (half - (correction + k * LN2_LOW) - f)
}

/** Returns ln(1 + x) without the cancellation near 0. */
export function log1p(x: number): number {
  const u = 1 + x
  if (!(u > 0) || u === Number.POSITIVE_INFINITY) return log(u)
  // What 1 + x lost is worth its share of the derivative.
  const lost = x >= 1 ? 1 - (u - x) : x - (u - 1)
  return u === 1 ? x : log(u) + lost / u
}

/** Returns the hyperbolic tangent. */
export function tanh(x: number): number {
  if (Number.isNaN(x)) return x
  const a = Math.abs(x)
  let y = 1
  if (a < 22) {
    const t = expm1(2 * a)
    y = t / (t + 2)
  }
  return x < 0 || Object.is(x, -0) ? -y : y
}

/** Returns 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + exp(-x))
  const e = exp(x)
  return e / (1 + e)
}

/** Returns the sine of x radians; NaN for infinities. */
export function sin(x: number): number {
  const quadrant = reduce(x)
  const r = reduced
  const low = reducedLow
  const value = (quadrant & 1) === 0 ? sinNear(r, low) : cosNear(r, low)
  return (quadrant & 2) === 0 ? value : -value
}

/** Returns the cosine of x radians; NaN for infinities. */
export function cos(x: number): number {
  const quadrant = reduce(x)
  const r = reduced
  const low = reducedLow
  const value = (quadrant & 1) === 0 ? cosNear(r, low) : sinNear(r, low)
  return ((quadrant + 1) & 2) === 0 ? value : -value
}

/**
 * Returns x^y for x >= 0: by repeated squaring for whole y up to 1024, else e^(y ln x).
 *
 * NaN for negative x with a y that is not whole.
 */
export function power(x: number, y: number): number {
  if (Number.isInteger(y) && Math.abs(y) <= 1024) return y < 0 ? 1 / wholePower(x, -y) : wholePower(x, y)
  if (x === 0) return y > 0 ? 0 : Number.POSITIVE_INFINITY
  return exp(y * log(x))
}

/** Returns ln(sum of e^v) over `values`, safe against overflow; -Infinity for none. */
export function logSumExp(values: ArrayLike<number>, from = 0, to = values.length): number {
  let largest = Number.NEGATIVE_INFINITY
  for (let i = from; i < to; i++) if ((values[i] as number) > largest) largest = values[i] as number
  if (largest === Number.NEGATIVE_INFINITY) return largest
  let sum = 0
  for (let i = from; i < to; i++) sum += exp((values[i] as number) - largest)
  return largest + log(sum)
}

/** The remainder of the last `reduce`, and what did not fit into it: two results without an object a call. */
let reduced = 0
let reducedLow = 0

/** Takes whole quarter turns from x, leaves the rest in [-pi/4, pi/4] in `reduced`, and returns the quadrant 0 to 3. */
function reduce(x: number): number {
  if (Math.abs(x) <= 0.7853981633974483) {
    reduced = x
    reducedLow = 0
    return 0
  }
  if (!(Math.abs(x) < 1_000_000)) return reduceLarge(x)
  const n = Math.floor(x * TWO_OVER_PI + 0.5)
  const first = x - n * HALF_PI_1
  const second = n * HALF_PI_2
  const a = first - second
  const back = first - a
  const lostA = first - (a + back) + (back - second)
  const third = n * HALF_PI_3
  const b = a - third
  const backB = a - b
  const lostB = a - (b + backB) + (backB - third)
  const tail = lostA + lostB - n * HALF_PI_4
  reduced = b + tail
  reducedLow = b - reduced + tail
  return n & 3
}

/** 2^1160 / (pi/2) is more than any double needs; computed when the first angle beyond 10^6 comes. */
let wideHalfPi: bigint | undefined
const WIDE = 1200n

/** The exact way for angles so large that pi/2 in four parts is too short: whole numbers of any length. */
function reduceLarge(x: number): number {
  if (!Number.isFinite(x)) {
    reduced = Number.NaN
    reducedLow = 0
    return 0
  }
  wideHalfPi ??= halfPi(WIDE)
  const a = Math.abs(x)
  // a is a whole multiple of 2^-33 at least, as it is above 10^6.
  bits.setFloat64(0, a)
  const exponent = (bits.getUint32(0) >>> 20) - 1075
  const mantissa = (BigInt((bits.getUint32(0) & 0xfffff) | 0x100000) << 32n) | BigInt(bits.getUint32(4))
  const scaled = mantissa << (WIDE + BigInt(exponent))
  const twice = 2n * wideHalfPi
  let n = scaled / wideHalfPi
  let rest = scaled - n * wideHalfPi
  if (2n * rest > wideHalfPi) {
    n++
    rest = (2n * rest - twice) / 2n
  }
  const sign = x < 0 ? -1 : 1
  const upper = bigToNumber(rest)
  reduced = sign * upper.value
  reducedLow = sign * bigToNumber(rest - upper.whole).value
  const quadrant = Number(n & 3n)
  return x < 0 ? (4 - quadrant) & 3 : quadrant
}

/** Returns rest / 2^WIDE cut to 53 bits, and what was kept as a whole number. */
function bigToNumber(rest: bigint): { value: number; whole: bigint } {
  if (rest === 0n) return { value: 0, whole: 0n }
  const size = rest < 0n ? -rest : rest
  const length = size.toString(16).length * 4
  const shift = BigInt(Math.max(0, length - 52))
  const kept = size >> shift
  const exponent = Number(shift) - Number(WIDE)
  const value = exponent < -1022 ? 0 : Number(kept) * (POWERS_OF_TWO[exponent + 1022] as number)
  return rest < 0n ? { value: -value, whole: -(kept << shift) } : { value, whole: kept << shift }
}

/** pi/2 times 2^bits by Machin's formula: pi/4 = 4 arctan(1/5) - arctan(1/239). */
function halfPi(bitCount: bigint): bigint {
  const guard = 32n
  const one = 1n << (bitCount + guard)
  const arctanOfInverse = (n: bigint) => {
    let term = one / n
    let sum = term
    for (let k = 3n; term !== 0n; k += 2n) {
      term = -term / (n * n)
      sum += term / k
    }
    return sum
  }
  return (2n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n))) >> guard
}

/** (e^r - 1 - r) / r^2 for |r| <= ln(2)/2. The terms are paired, which modern processors compute side by side. */
function expTail(r: number): number {
  const r2 = r * r
  const r4 = r2 * r2
  const low = 1 / 2 + r * (1 / 6) + r2 * (1 / 24 + r * (1 / 120))
  const middle = 1 / 720 + r * (1 / 5040) + r2 * (1 / 40320 + r * (1 / 362880))
  const high = 1 / 3628800 + r * (1 / 39916800) + r2 * (1 / 479001600 + r * (1 / 6227020800))
  return low + r4 * (middle + r4 * high)
}

/** (ln((1 + s) / (1 - s)) - 2 s) / s for s^2 = t, |s| <= 0.172. */
function logTail(t: number): number {
  const t2 = t * t
  const t4 = t2 * t2
  const low = 2 / 3 + t * (2 / 5) + t2 * (2 / 7 + t * (2 / 9))
  const middle = 2 / 11 + t * (2 / 13) + t2 * (2 / 15 + t * (2 / 17))
  return t * (low + t4 * (middle + t4 * (2 / 19 + t * (2 / 21))))
}

/** sin(r + low) for |r| <= pi/4. */
function sinNear(r: number, low: number): number {
  const t = r * r
  const t2 = t * t
  const first = -1 / 6 + t * (1 / 120) + t2 * (-1 / 5040 + t * (1 / 362880))
  const second = -1 / 39916800 + t * (1 / 6227020800) + t2 * (-1 / 1307674368000 + t * (1 / 355687428096000))
  return r + (r * t * (first + t2 * t2 * second) + low * (1 - 0.5 * t))
}

/** cos(r + low) for |r| <= pi/4. */
function cosNear(r: number, low: number): number {
  const t = r * r
  const t2 = t * t
  const first = 1 / 24 + t * (-1 / 720) + t2 * (1 / 40320 + t * (-1 / 3628800))
  const second = 1 / 479001600 + t * (-1 / 87178291200) + t2 * (1 / 20922789888000)
  const half = 0.5 * t
  const main = 1 - half
  return main + (1 - main - half + (t2 * (first + t2 * t2 * second) - r * low))
}

function wholePower(x: number, n: number): number {
  let result = 1
  let square = x
  for (let rest = n; rest > 0; rest >>>= 1) {
    if ((rest & 1) === 1) result *= square
    square *= square
  }
  return result
}

/** Returns x * 2^k, in two steps where 2^k alone is no normal number. */
function scale(x: number, k: number): number {
  if (k > 1023) return x * 2 * (POWERS_OF_TWO[k + 1021] as number)
  if (k < -1022) return x * (POWERS_OF_TWO[k + 1022 + 54] as number) * 5.551115123125783e-17
  return x * (POWERS_OF_TWO[k + 1022] as number)
}
