/**
 * Distribution functions that the rules need, on our own elementary functions, so that a verdict has the same bits
 * on every machine.
 */
import { ValuetrainError } from '../../core/errors.ts'
import { exp, log, log1p } from '../math.ts'

const ROOT_PI = 1.772453850905516
const ROOT_2_PI = 2.5066282746310002

/**
 * Returns P(Z <= z) for a standard normal Z, relative error about 1e-14.
 *
 * @see Cody 1969, Rational Chebyshev approximations for the error function, Math. Comp. 23
 */
export function normalCdf(z: number): number {
  if (Number.isNaN(z)) return z
  const x = Math.abs(z) / Math.SQRT2
  const tail = x > 27 ? 0 : 0.5 * erfcOfPositive(x)
  return z > 0 ? 1 - tail : tail
}

/** Returns the density of the standard normal at z. */
export function normalDensity(z: number): number {
  return exp(-0.5 * z * z) / ROOT_2_PI
}

/**
 * Returns the z with P(Z <= z) = p; infinite at 0 and 1.
 *
 * Acklam's rational approximation, sharpened by one step of Halley's method.
 */
export function normalQuantile(p: number): number {
  requireShare('probability', p)
  if (p === 0) return Number.NEGATIVE_INFINITY
  if (p === 1) return Number.POSITIVE_INFINITY
  const z = p > 0.5 ? -roughQuantile(1 - p) : roughQuantile(p)
  const error = (normalCdf(z) - p) / normalDensity(z)
  return Number.isFinite(error) ? z - error / (1 + (z * error) / 2) : z
}

/** Returns ln Gamma(x) for x > 0. @see Lanczos 1964; coefficients for g = 7, n = 9 */
export function logGamma(x: number): number {
  const t = x + 6.5
  let sum = 0.9999999999998099
  for (let i = 0; i < LANCZOS.length; i++) sum += (LANCZOS[i] as number) / (x + i)
  return 0.5 * log(2 * Math.PI) + (x - 0.5) * log(t) - t + log(sum)
}

/** Returns the regularised incomplete beta function I_x(a, b). @see Lentz's continued fraction; Press et al., section 6.4 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log1p(-x))
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(x, a, b)) / a
  return 1 - (front * betaFraction(1 - x, b, a)) / b
}

/** Returns P(X >= k) for X ~ Binomial(n, p). */
export function binomialUpperTail(k: number, n: number, p: number): number {
  if (k <= 0) return 1
  if (k > n) return 0
  return incompleteBeta(p, k, n - k + 1)
}

/** Returns P(X = k) for X ~ Binomial(n, p). */
export function binomialProbability(k: number, n: number, p: number): number {
  if (p <= 0) return k === 0 ? 1 : 0
  if (p >= 1) return k === n ? 1 : 0
  const choose = logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1)
  return exp(choose + k * log(p) + (n - k) * log1p(-p))
}

/** Returns P(T <= t) for Student's t with `df` degrees of freedom. */
export function studentCdf(t: number, df: number): number {
  const tail = 0.5 * incompleteBeta(df / (df + t * t), df / 2, 0.5)
  return t > 0 ? 1 - tail : tail
}

/** Returns the t with P(T <= t) = p for Student's t with `df` degrees of freedom. */
export function studentQuantile(p: number, df: number): number {
  requireShare('probability', p)
  if (p === 0.5) return 0
  if (p < 0.5) return -studentQuantile(1 - p, df)
  let low = 0
  let high = 1
  while (studentCdf(high, df) < p && high < 1e12) high *= 2
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2
    if (studentCdf(middle, df) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** @throws VT_STATS_SHARE when `value` is not in [0, 1] */
export function requireShare(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) {
    throw new ValuetrainError('VT_STATS_SHARE', `${name} is ${value}, which is not between 0 and 1`, {
      kind: 'config',
      hint: 'Give a share: 0.05, not 5.',
    })
  }
}

const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905, -0.13857109526572012,
  9.984369578019572e-6, 1.5056327351493116e-7,
]

const ERF_A = [3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694, 0.18577770618460315]
const ERF_B = [23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171]
const ERF_C = [
  0.5641884969886701, 8.883149794388375, 66.11919063714163, 298.6351381974001, 881.952221241769, 1712.0476126340707,
  2051.0783778260716, 1230.3393547979972, 2.1531153547440383e-8,
]
const ERF_D = [
  15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597, 4362.619090143247,
  3439.3676741437216, 1230.3393548037495,
]
const ERF_P = [
  0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275, 0.0006587491615298378,
  0.016315387137302097,
]
const ERF_Q = [2.568520192289822, 1.8729528499234604, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918]

/** erfc(x) for x >= 0. */
function erfcOfPositive(x: number): number {
  if (x <= 0.46875) {
    const t = x * x
    let top = (ERF_A[4] as number) * t
    let bottom = t
    for (let i = 0; i < 3; i++) {
      top = (top + (ERF_A[i] as number)) * t
      bottom = (bottom + (ERF_B[i] as number)) * t
    }
    return 1 - (x * (top + (ERF_A[3] as number))) / (bottom + (ERF_B[3] as number))
  }
  if (x <= 4) {
    let top = (ERF_C[8] as number) * x
    let bottom = x
    for (let i = 0; i < 7; i++) {
      top = (top + (ERF_C[i] as number)) * x
      bottom = (bottom + (ERF_D[i] as number)) * x
    }
    return exp(-x * x) * ((top + (ERF_C[7] as number)) / (bottom + (ERF_D[7] as number)))
  }
  const t = 1 / (x * x)
  let top = (ERF_P[5] as number) * t
  let bottom = t
  for (let i = 0; i < 4; i++) {
    top = (top + (ERF_P[i] as number)) * t
    bottom = (bottom + (ERF_Q[i] as number)) * t
  }
  const series = (t * (top + (ERF_P[4] as number))) / (bottom + (ERF_Q[4] as number))
  return (exp(-x * x) * (1 / ROOT_PI - series)) / x
}

/** For p <= 1/2; relative error 1.2e-9. */
function roughQuantile(p: number): number {
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * log(p))
    return (
      (((((-7.784894002430293e-3 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q +
        4.374664141464968) *
        q +
        2.938163982698783) /
      ((((7.784695709041462e-3 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
    )
  }
  const q = p - 0.5
  const r = q * q
  return (
    ((((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r - 30.66479806614716) *
      r +
      2.506628277459239) *
      q) /
    (((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r - 13.28068155288572) *
      r +
      1)
  )
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300
  const guarded = (value: number) => (Math.abs(value) < tiny ? tiny : value)
  let c = 1
  let d = 1 / guarded(1 - ((a + b) * x) / (a + 1))
  let h = d
  for (let m = 1; m <= 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / guarded(1 + even * d)
    c = guarded(1 + even / c)
    h *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / guarded(1 + odd * d)
    c = guarded(1 + odd / c)
    const change = d * c
    h *= change
    if (Math.abs(change - 1) < 1e-15) break
  }
  return h
}
