/** What a suite can tell, before anything is spent on it. */
import { ValuetrainError } from '../../core/errors.ts'
import { binomialProbability, normalCdf, normalQuantile } from './distributions.ts'
import { mcnemarP } from './paired.ts'

export interface PowerOptions {
  /** Two-sided level; default 0.05. */
  level?: number
  /** Default 0.8. */
  power?: number
}

/**
 * Returns the smallest true difference in pass rate that a paired comparison finds with the wished power.
 *
 * @param n cases
 * @param discordant share of cases on which the two differ, in (0, 1]
 * @returns a share: 0.05 is five points
 */
export function detectableDifference(n: number, discordant: number, options: PowerOptions = {}): number {
  requireCases(n)
  return quantiles(options) * Math.sqrt(discordant / n)
}

/** Returns the same for scores: `deviation` is the standard deviation of the paired differences. */
export function detectableMeanDifference(n: number, deviation: number, options: PowerOptions = {}): number {
  requireCases(n)
  return (quantiles(options) * deviation) / Math.sqrt(n)
}

/** Returns the number of cases with which a difference is found with the wished power. */
export function casesNeeded(difference: number, discordant: number, options: PowerOptions = {}): number {
  return Math.ceil((quantiles(options) / difference) ** 2 * discordant)
}

/**
 * Returns the chance that exact McNemar finds the candidate better, summed over all outcomes.
 *
 * @param win  share of cases that only the candidate passes
 * @param loss share that only the champion passes
 */
export function mcnemarPower(n: number, win: number, loss: number, level = 0.05): number {
  requireCases(n)
  const discordant = win + loss
  let power = 0
  for (let m = 1; m <= n; m++) {
    const chance = binomialProbability(m, n, discordant)
    if (chance < 1e-12) continue
    const needed = winsNeededOf(m, level)
    let better = 0
    for (let wins = needed; wins <= m; wins++) better += binomialProbability(wins, m, win / discordant)
    power += chance * better
  }
  return power
}

/** Returns the chance that a test of a mean paired difference at a two-sided level finds a true one, by the normal law. */
export function differencePower(n: number, difference: number, deviation: number, level = 0.05): number {
  return normalCdf((difference * Math.sqrt(n)) / deviation - normalQuantile(1 - level / 2))
}

/** Returns how many wins exact McNemar asks for beside that many losses. */
export function winsNeeded(losses: number, level = 0.05): number {
  let wins = losses + 1
  while (mcnemarP(wins, losses) > level) wins++
  return wins
}

/** Returns the fewest wins among m discordant cases that are significant; m + 1 when none are. */
function winsNeededOf(m: number, level: number): number {
  let low = Math.floor(m / 2) + 1
  let high = m + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (mcnemarP(middle, m - middle) <= level) high = middle
    else low = middle + 1
  }
  return low
}

function quantiles({ level = 0.05, power = 0.8 }: PowerOptions): number {
  return normalQuantile(1 - level / 2) + normalQuantile(power)
}

function requireCases(n: number): void {
  if (!(Number.isInteger(n) && n > 0)) {
    throw new ValuetrainError('VT_STATS_EMPTY', `a suite of ${n} cases can tell nothing`, { kind: 'config' })
  }
}
