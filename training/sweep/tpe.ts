/**
 * The tree-structured Parzen estimator: good trials and the rest each get a density, and the next point is the one,
 * of those drawn near good trials, that is likeliest good against the rest.
 *
 * One density over all dimensions together (a mixture with one component a trial), so that what belongs together stays
 * together.
 *
 * @see Bergstra et al. 2011; Watanabe 2023, arXiv:2304.11127, for the parts and their defaults
 */
import { exp, log, logSumExp, power } from '../math.ts'
import { normalCdf } from '../stats/distributions.ts'
import type { Random } from '../types.ts'
import { type Dimension, drawPoint, fromUnit, namesOf, type Parameters, type SearchSpace, toUnit } from './space.ts'

/** A trial with its loss; lower is better. */
export interface Scored {
  parameters: Parameters
  loss: number
}

/** Trials drawn evenly before densities say anything. */
const STARTUP = 10
const CANDIDATES = 48
const ROOT_2_PI = 2.5066282746310002

/** Returns the next point to try. */
export function suggestTpe(space: SearchSpace, trials: readonly Scored[], random: Random): Parameters {
  if (trials.length < STARTUP) return drawPoint(space, random)
  const sorted = trials.map((trial, i) => ({ trial, i })).sort((a, b) => a.trial.loss - b.trial.loss || a.i - b.i)
  const good = Math.max(2, Math.min(25, Math.ceil(0.1 * trials.length)))
  const names = namesOf(space)
  const better = densityOf(
    space,
    names,
    sorted.slice(0, good).map(({ trial }) => trial),
  )
  const worse = densityOf(
    space,
    names,
    sorted.slice(good).map(({ trial }) => trial),
  )
  let best: Parameters | undefined
  let highest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < CANDIDATES; i++) {
    const point = better.draw(random)
    const gain = better.logDensity(point) - worse.logDensity(point)
    if (gain > highest) {
      highest = gain
      best = point
    }
  }
  return best ?? drawPoint(space, random)
}

interface Density {
  draw(random: Random): Parameters
  logDensity(point: Parameters): number
}

function densityOf(space: SearchSpace, names: readonly string[], trials: readonly Scored[]): Density {
  // Bandwidth falls with the number of trials as Scott's rule has it; the prior is one component as wide as the range.
  const width = Math.max(0.02, 0.45 * power(trials.length, -1 / (names.length + 4)) * spreadFactor(space, names, trials))
  const components = trials.length + 1
  const centre = (component: number, name: string) => (trials[component] as Scored | undefined)?.parameters[name]
  const logOf = (component: number, name: string, value: Parameters[string]) => {
    const dimension = space[name] as Dimension
    const at = centre(component, name)
    if (dimension.kind === 'choice') {
      const even = 1 / dimension.values.length
      if (at === undefined) return log(even)
      const loyal = 1 / (1 + 1 / Math.max(1, trials.length / dimension.values.length))
      return log((at === value ? loyal : 0) + (1 - loyal) * even)
    }
    if (at === undefined) return 0
    return logTruncated(toUnit(dimension, value as number), toUnit(dimension, at as number), width)
  }
  return {
    draw(random) {
      const component = random.below(components)
      return Object.fromEntries(
        names.map((name) => {
          const dimension = space[name] as Dimension
          const at = centre(component, name)
          if (at === undefined) return [name, fromUnit(dimension, random.uniform())]
          if (dimension.kind === 'choice') {
            const loyal = 1 / (1 + 1 / Math.max(1, trials.length / dimension.values.length))
            return [name, random.uniform() < loyal ? at : fromUnit(dimension, random.uniform())]
          }
          const middle = toUnit(dimension, at as number)
          let unit = middle + width * random.normal()
          while (unit < 0 || unit >= 1) unit = middle + width * random.normal()
          return [name, fromUnit(dimension, unit)]
        }),
      )
    },
    logDensity(point) {
      const terms = new Float64Array(components)
      for (let component = 0; component < components; component++) {
        let sum = 0
        for (const name of names) sum += logOf(component, name, point[name] as Parameters[string])
        terms[component] = sum
      }
      return logSumExp(terms) - log(components)
    },
  }
}

/** Geometric mean over ranges of the spread of the trials, against that of an even spread: a narrow good set is looked at closely. */
function spreadFactor(space: SearchSpace, names: readonly string[], trials: readonly Scored[]): number {
  let sum = 0
  let count = 0
  for (const name of names) {
    const dimension = space[name] as Dimension
    if (dimension.kind === 'choice') continue
    const units = trials.map(({ parameters }) => toUnit(dimension, parameters[name] as number))
    const mean = units.reduce((a, b) => a + b, 0) / units.length
    const deviation = Math.sqrt(units.reduce((a, b) => a + (b - mean) ** 2, 0) / units.length)
    sum += log(Math.max(0.01, deviation / 0.2887))
    count++
  }
  return count === 0 ? 1 : Math.min(1, exp(sum / count))
}

/** Log density at x of a normal around `middle`, cut to [0, 1]. */
function logTruncated(x: number, middle: number, width: number): number {
  const z = (x - middle) / width
  const mass = normalCdf((1 - middle) / width) - normalCdf(-middle / width)
  return -0.5 * z * z - log(ROOT_2_PI * width * mass)
}
