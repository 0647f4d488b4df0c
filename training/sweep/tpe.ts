/**
 * The tree-structured Parzen estimator: good trials and the rest each get a density, and the next point is the one,
 * of those drawn near good trials, that is likeliest good against the rest.
 *
 * One density over all dimensions together (a mixture with one component a trial), so that what belongs together stays
 * together.
 *
 * @see Bergstra et al. 2011; Watanabe 2023, arXiv:2304.11127, for the parts and their defaults
 */
import { log, logSumExp, power } from '../math.ts'
import { normalCdf } from '../stats/distributions.ts'
import type { Random } from '../types.ts'
import { type Dimension, drawPoint, fromUnit, namesOf, type Parameters, type SearchSpace, toUnit, type Value } from './space.ts'

/** A trial with its loss; lower is better. */
export interface Scored {
  parameters: Parameters
  loss: number
}

/** Trials drawn evenly before densities say anything. */
const STARTUP = 10
const CANDIDATES = 48
/** Width of a component against the range, before the number of trials and their spread narrow it. */
const WIDTH = 0.12
const WIDTH_LEAST = 0.01
const EVEN_VARIANCE = 1 / 12
/** As many trials' worth an even spread is taken for granted. */
const SPREAD_WEIGHT = 3
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
  // Bandwidths fall with the number of trials as Scott's rule has it, and follow the spread of the trials in each
  // dimension once there are enough to have one; the prior is one component as wide as the range.
  const rule = power(trials.length, -1 / (names.length + 4))
  const axes = names.map((name) =>
    axisOf(
      space[name] as Dimension,
      trials.map(({ parameters }) => parameters[name] as Value),
      rule,
    ),
  )
  const components = trials.length + 1
  return {
    draw(random) {
      const component = random.below(components)
      return Object.fromEntries(names.map((name, i) => [name, (axes[i] as Axis).draw(component, random)]))
    },
    logDensity(point) {
      const terms = new Float64Array(components)
      for (const [i, name] of names.entries()) (axes[i] as Axis).addLogDensities(point[name] as Value, terms)
      return logSumExp(terms) - log(components)
    },
  }
}

/** One dimension of a density. The component after the trials' own is the prior. */
interface Axis {
  draw(component: number, random: Random): Value
  addLogDensities(value: Value, terms: Float64Array): void
}

function axisOf(dimension: Dimension, values: readonly Value[], rule: number): Axis {
  return dimension.kind === 'choice' ? choiceAxis(dimension, values) : rangeAxis(dimension, values as readonly number[], rule)
}

function choiceAxis(dimension: Extract<Dimension, { kind: 'choice' }>, values: readonly Value[]): Axis {
  const count = dimension.values.length
  const loyal = values.length / (values.length + count)
  const [same, other, even] = [log(loyal + (1 - loyal) / count), log((1 - loyal) / count), log(1 / count)]
  return {
    draw(component, random) {
      const own = values[component]
      return own === undefined || random.uniform() >= loyal ? fromUnit(dimension, random.uniform()) : own
    },
    addLogDensities(value, terms) {
      for (let i = 0; i < terms.length; i++) {
        const own = values[i]
        terms[i] = (terms[i] as number) + (own === undefined ? even : own === value ? same : other)
      }
    },
  }
}

function rangeAxis(dimension: Exclude<Dimension, { kind: 'choice' }>, values: readonly number[], rule: number): Axis {
  const units = values.map((value) => toUnit(dimension, value))
  const width = Math.max(WIDTH_LEAST, WIDTH * rule * spreadOf(units))
  // Normals are cut to the range, so each has its own mass.
  const heights = units.map((unit) => -log(ROOT_2_PI * width * (normalCdf((1 - unit) / width) - normalCdf(-unit / width))))
  return {
    draw(component, random) {
      const middle = units[component]
      if (middle === undefined) return fromUnit(dimension, random.uniform())
      let unit = middle + width * random.normal()
      while (unit < 0 || unit >= 1) unit = middle + width * random.normal()
      return fromUnit(dimension, unit)
    },
    addLogDensities(value, terms) {
      const x = toUnit(dimension, value as number)
      for (const [i, unit] of units.entries()) {
        const z = (x - unit) / width
        terms[i] = (terms[i] as number) - 0.5 * z * z + (heights[i] as number)
      }
    },
  }
}

/** Spread against that of an even spread, held towards 1 while values are few. */
function spreadOf(units: readonly number[]): number {
  const mean = units.reduce((a, b) => a + b, 0) / units.length
  const variance = units.reduce((a, b) => a + (b - mean) ** 2, 0) / EVEN_VARIANCE
  return Math.min(1, Math.sqrt((SPREAD_WEIGHT + variance) / (SPREAD_WEIGHT + units.length)))
}
