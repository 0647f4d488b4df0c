/**
 * Hierarchical Thompson sampling: each arm has a value for everything, one for each repository, one for each label in
 * it; a narrow value is believed as far as its own outcomes go and leans on the broader one for the rest. How far
 * groups differ from one another is taken from the outcomes (empirical Bayes).
 *
 * @see Thompson 1933; Russo et al. 2018, arXiv:1707.02038; Gelman and Hill 2007, chapter 12, for the shrinkage
 */
import type { Json } from '../../core/canonical.ts'
import { power } from '../math.ts'
import { type Bandit, type Context, foreignState, mixIn, requireOutcome } from './bandit.ts'
import { chanceOfBest } from './best.ts'

export interface ThompsonOptions {
  arms: number
  /** What is known of each arm before its first outcome, worth `weight` outcomes; default mean 0.5 and weight 1. */
  prior?: readonly { mean: number; weight: number }[]
  /**
   * Arms lean on the mean of all arms with the weight of this many outcomes, beside their own prior: arms are more
   * alike than one that knows nothing would think. Default 0, none.
   */
  pull?: number
  /** Variance of a single outcome before any was seen; default 0.25, the most that a share can have. */
  variance?: number
  /** Guess of the variance between groups, as a share of an outcome's, until groups have shown how they differ; default 0.02. */
  between?: number
  /** The guess of `between` weighs as much as this many groups; default 4. */
  groups?: number
  /** Each outcome's weight shrinks by this factor with every later one, so that drift is followed; default 1, none. */
  discount?: number
  /** Deviations are multiplied by this before arms are compared; below 1 explores less; default 1. */
  exploration?: number
  /** Share that is spread over all arms whatever is known; default 0. */
  mix?: number
}

/** Belief about one arm here. */
export interface Belief {
  mean: number
  /** Standard deviation of the mean, not of an outcome. */
  deviation: number
}

/** Discounted count, sum and sum of squares of outcomes, as of update `at`. */
interface Tally {
  n: number
  sum: number
  squares: number
  at: number
}

export class HierarchicalThompson implements Bandit {
  readonly arms: number
  readonly #prior: readonly { mean: number; weight: number }[]
  readonly #pull: number
  readonly #variance: number
  readonly #guess: { between: number; groups: number }
  readonly #discount: number
  readonly #exploration: number
  readonly #mix: number
  /** By `level/path` (level 0 is everything), one tally an arm. */
  readonly #tallies = new Map<string, Tally[]>()
  #updates = 0

  constructor(options: ThompsonOptions) {
    this.arms = options.arms
    this.#prior = options.prior ?? Array.from({ length: options.arms }, () => ({ mean: 0.5, weight: 1 }))
    this.#pull = options.pull ?? 0
    this.#variance = options.variance ?? 0.25
    this.#guess = { between: options.between ?? 0.02, groups: options.groups ?? 4 }
    this.#discount = options.discount ?? 1
    this.#exploration = options.exploration ?? 1
    this.#mix = options.mix ?? 0
  }

  /** Returns count and sum of each arm's outcomes, discounted. */
  given(): { n: number; sum: number }[] {
    return Array.from({ length: this.arms }, (_, arm) => this.#today(this.#tallies.get('0')?.[arm]))
  }

  /**
   * Returns what is believed of each arm in the context's narrowest group.
   *
   * @param tops beliefs about the arms over all groups, in place of those from `prior` and `pull`
   */
  beliefs(context: Context, tops?: readonly Belief[]): Belief[] {
    const paths = pathsOf(context)
    const common = this.#common()
    return Array.from({ length: this.arms }, (_, arm) => this.#belief(paths, arm, common, tops?.[arm]))
  }

  propensities(context: Context): Float64Array {
    const beliefs = this.beliefs(context)
    const chances = chanceOfBest(
      beliefs.map(({ mean }) => mean),
      beliefs.map(({ deviation }) => this.#exploration * deviation),
    )
    return this.#mix === 0 ? chances : mixIn(chances, this.#mix)
  }

  update(context: Context, arm: number, reward: number): void {
    requireOutcome(this.arms, arm, reward)
    this.#updates++
    for (const path of pathsOf(context)) {
      let tallies = this.#tallies.get(path)
      if (tallies === undefined) {
        tallies = Array.from({ length: this.arms }, () => ({ n: 0, sum: 0, squares: 0, at: 0 }))
        this.#tallies.set(path, tallies)
      }
      const { n, sum, squares } = this.#today(tallies[arm])
      tallies[arm] = { n: n + 1, sum: sum + reward, squares: squares + reward * reward, at: this.#updates }
    }
  }

  state(): Json {
    const tallies = [...this.#tallies].map(
      ([path, list]): Json => [path, list.map(({ n, sum, squares, at }) => [n, sum, squares, at])],
    )
    return { arms: this.arms, updates: this.#updates, tallies }
  }

  restore(state: Json): void {
    const data = state as { arms?: number; updates?: number; tallies?: [string, [number, number, number, number][]][] } | null
    const whole =
      data?.arms === this.arms &&
      Number.isInteger(data.updates) &&
      Array.isArray(data.tallies) &&
      data.tallies.every(([, list]) => list.length === this.arms && list.flat().every((value) => Number.isFinite(value)))
    if (!whole) throw foreignState(`a hierarchical Thompson bandit with ${this.arms} arms`)
    this.#updates = data.updates as number
    this.#tallies.clear()
    for (const [path, list] of data.tallies as [string, [number, number, number, number][]][]) {
      this.#tallies.set(
        path,
        list.map(([n, sum, squares, at]) => ({ n, sum, squares, at })),
      )
    }
  }

  /** Mean over arms of what each gave, prior included, each arm counting by its outcomes up to the pull's weight. */
  #common(): number {
    let sum = 0
    let total = 0
    for (const [arm, { mean, weight }] of this.#prior.entries()) {
      const { n, sum: given } = this.#today(this.#tallies.get('0')?.[arm])
      const share = (weight + n) / (weight + n + this.#pull)
      sum += (share * (weight * mean + given)) / (weight + n)
      total += share
    }
    return sum / total
  }

  #belief(paths: readonly string[], arm: number, common: number, given: Belief | undefined): Belief {
    const top = this.#today(this.#tallies.get(paths[0] as string)?.[arm])
    const own = this.#prior[arm] ?? { mean: 0.5, weight: 1 }
    const weight = own.weight + this.#pull
    const guess = (own.weight * own.mean + this.#pull * common) / weight
    const within = this.#within(top, guess)
    let mean = given?.mean ?? (weight * guess + top.sum) / (weight + top.n)
    let doubt = given === undefined ? within / (weight + top.n) : given.deviation * given.deviation
    for (let level = 1; level < paths.length; level++) {
      const tally = this.#today(this.#tallies.get(paths[level] as string)?.[arm])
      const between = this.#between(level, arm, within)
      // The group's own value is the broader one plus its difference, of variance `between`.
      const before = doubt + between
      const gain = tally.n === 0 ? 0 : before / (before + within / tally.n)
      mean += gain * (tally.n === 0 ? 0 : tally.sum / tally.n - mean)
      doubt = (1 - gain) * before
    }
    return { mean, deviation: Math.sqrt(doubt) }
  }

  /** Variance of one outcome of the arm; the guess counts as two outcomes. */
  #within(top: Tally, guess: number): number {
    if (top.n === 0) return this.#variance
    const centre = (guess + top.sum) / (1 + top.n)
    const seen = Math.max(0, top.squares - 2 * centre * top.sum + top.n * centre * centre)
    return (2 * this.#variance + seen) / (2 + top.n)
  }

  /** Variance between the groups of a level, by moments, held towards a guess while there are few. */
  #between(level: number, arm: number, within: number): number {
    const guessed = this.#guess
    let groups = 0
    let surplus = 0
    const top = this.#today(this.#tallies.get('0')?.[arm])
    const centre = top.n === 0 ? 0 : top.sum / top.n
    for (const [path, tallies] of this.#tallies) {
      if (!path.startsWith(`${level}/`)) continue
      const tally = this.#today(tallies[arm])
      if (tally.n < 2) continue
      groups++
      surplus += (tally.sum / tally.n - centre) ** 2 - within / tally.n
    }
    return Math.max(within * 1e-4, (guessed.groups * guessed.between * within + surplus) / (guessed.groups + groups))
  }

  #today(tally: Tally | undefined): Tally {
    if (tally === undefined) return { n: 0, sum: 0, squares: 0, at: this.#updates }
    if (this.#discount === 1 || tally.at === this.#updates) return tally
    const factor = power(this.#discount, this.#updates - tally.at)
    return { n: tally.n * factor, sum: tally.sum * factor, squares: tally.squares * factor, at: this.#updates }
  }
}

function pathsOf({ groups = [] }: Context): string[] {
  return ['0', ...groups.map((_, i) => `${i + 1}/${JSON.stringify(groups.slice(0, i + 1))}`)]
}
