/** Bandits whose arms' values are linear or logistic in the features; one regression an arm. */
import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { sigmoid } from '../math.ts'
import { type Bandit, type Context, foreignState, mixIn, requireFeatures, requireOutcome } from './bandit.ts'
import { chanceOfBest } from './best.ts'
import { Ridge } from './ridge.ts'

export interface LinearOptions {
  arms: number
  /** Length of the feature vector; a constant 1 among them is the caller's. */
  features: number
  /** Penalty on squared weights; default 1. */
  ridge?: number
  /** Width of the doubt: standard deviations above the mean for LinUCB, of a draw for the others; default 0.3, for logistic 1. */
  alpha?: number
  /** Share that is spread over all arms whatever is known; default 0. */
  mix?: number
}

/** What the three have in common: a regression an arm, checked features and outcomes, state. They differ in how they choose. */
abstract class LinearBandit implements Bandit {
  readonly arms: number
  protected readonly models: readonly Ridge[]
  protected readonly alpha: number
  readonly #mix: number
  readonly #kind: string

  constructor(kind: string, { arms, features, ridge, alpha = 0.3, mix = 0 }: LinearOptions) {
    this.arms = arms
    this.models = Array.from({ length: arms }, () => new Ridge(features, ridge))
    this.alpha = alpha
    this.#mix = mix
    this.#kind = kind
  }

  propensities(context: Context): Float64Array {
    return mixIn(this.chancesAt(requireFeatures(context, this.size)), this.#mix)
  }

  update(context: Context, arm: number, reward: number): void {
    requireOutcome(this.arms, arm, reward)
    this.learn(this.models[arm] as Ridge, requireFeatures(context, this.size), reward, arm)
  }

  state(): Json {
    return { kind: this.#kind, models: this.models.map((model) => model.state()) }
  }

  restore(state: Json): void {
    const data = state as { kind?: string; models?: Json[] } | null
    if (data?.kind !== this.#kind || data.models?.length !== this.arms)
      throw foreignState(`a ${this.#kind} bandit with ${this.arms} arms`)
    for (const [i, model] of this.models.entries()) model.restore(data.models[i] ?? null)
  }

  protected get size(): number {
    return this.models[0]?.size ?? 0
  }

  /** Returns the chance of each arm before the mix. */
  protected abstract chancesAt(x: ArrayLike<number>): Float64Array

  protected learn(model: Ridge, x: ArrayLike<number>, reward: number, _arm: number): void {
    model.add(x, reward)
  }

  /** Returns each arm's predicted value and the deviation it is drawn with. */
  protected beliefsAt(x: ArrayLike<number>): { means: number[]; deviations: number[] } {
    return {
      means: this.models.map((model) => model.predict(x)),
      deviations: this.models.map((model) => this.alpha * Math.sqrt(Math.max(0, model.doubt(x)))),
    }
  }
}

/**
 * The arm with the highest upper confidence bound.
 *
 * It is deterministic but for `mix`, so without it all propensities are 0 or 1 and the log supports no other policy.
 *
 * @see Li et al. 2010, arXiv:1003.0146, algorithm 1 (disjoint models)
 */
export class LinUcb extends LinearBandit {
  constructor(options: LinearOptions) {
    super('linucb', options)
  }

  protected chancesAt(x: ArrayLike<number>): Float64Array {
    const { means, deviations } = this.beliefsAt(x)
    const bounds = means.map((mean, arm) => mean + (deviations[arm] as number))
    const chances = new Float64Array(this.arms)
    chances[bounds.indexOf(Math.max(...bounds))] = 1
    return chances
  }
}

/**
 * Thompson sampling from each arm's linear posterior. Only the value at the present features matters, and that is one
 * normal an arm; so the propensities are its chance of being the best.
 *
 * @see Agrawal and Goyal 2013, arXiv:1209.3352
 */
export class LinThompson extends LinearBandit {
  constructor(options: LinearOptions) {
    super('lints', options)
  }

  protected chancesAt(x: ArrayLike<number>): Float64Array {
    const { means, deviations } = this.beliefsAt(x)
    return chanceOfBest(means, deviations)
  }
}

/**
 * Thompson sampling for rewards that are 0 or 1 (or a share): a logistic regression an arm, its posterior approximated
 * by a normal that takes one Newton step an outcome. Arms are compared on the log-odds, which have the same order.
 *
 * @see Chapelle and Li 2011, An empirical evaluation of Thompson sampling, algorithm 3; here with the full covariance
 */
export class LogisticThompson extends LinearBandit {
  constructor(options: LinearOptions) {
    super('logistic', { alpha: 1, ...options })
  }

  /** Returns each arm's chance of reward 1 by its mean weights. */
  chances(context: Context): Float64Array {
    const x = requireFeatures(context, this.size)
    return Float64Array.from(this.models, (model) => sigmoid(model.predict(x)))
  }

  protected chancesAt(x: ArrayLike<number>): Float64Array {
    const { means, deviations } = this.beliefsAt(x)
    return chanceOfBest(means, deviations)
  }

  protected override learn(model: Ridge, x: ArrayLike<number>, reward: number, arm: number): void {
    if (!(reward >= 0 && reward <= 1)) {
      throw new ValuetrainError('VT_BANDIT_REWARD', `reward ${reward} of arm ${arm} is not in [0, 1]`, {
        hint: 'A logistic bandit learns shares; use hierarchical or linear Thompson for rewards with costs in them.',
      })
    }
    const chance = sigmoid(model.predict(x))
    model.addCurvature(x, Math.max(0.02, chance * (1 - chance)))
    model.step(x, reward - chance)
  }
}
