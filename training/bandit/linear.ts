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

/**
 * The arm with the highest upper confidence bound.
 *
 * It is deterministic but for `mix`, so without it all propensities are 0 or 1 and the log supports no other policy.
 *
 * @see Li et al. 2010, arXiv:1003.0146, algorithm 1 (disjoint models)
 */
export class LinUcb implements Bandit {
  readonly arms: number
  readonly #models: Ridge[]
  readonly #alpha: number
  readonly #mix: number

  constructor(options: LinearOptions) {
    this.arms = options.arms
    this.#models = modelsFor(options)
    this.#alpha = options.alpha ?? 0.3
    this.#mix = options.mix ?? 0
  }

  propensities(context: Context): Float64Array {
    const x = requireFeatures(context, sizeOf(this.#models))
    let best = 0
    let highest = Number.NEGATIVE_INFINITY
    this.#models.forEach((model, arm) => {
      const bound = model.predict(x) + this.#alpha * Math.sqrt(Math.max(0, model.doubt(x)))
      if (bound > highest) {
        highest = bound
        best = arm
      }
    })
    const chances = new Float64Array(this.arms)
    chances[best] = 1
    return mixIn(chances, this.#mix)
  }

  update(context: Context, arm: number, reward: number): void {
    learn(this.#models, context, arm, reward)
  }

  state(): Json {
    return { kind: 'linucb', models: this.#models.map((model) => model.state()) }
  }

  restore(state: Json): void {
    restoreModels(this.#models, state, 'linucb')
  }
}

/**
 * Thompson sampling from each arm's linear posterior. Only the value at the present features matters, and that is one
 * normal an arm; so the propensities are its chance of being the best.
 *
 * @see Agrawal and Goyal 2013, arXiv:1209.3352
 */
export class LinThompson implements Bandit {
  readonly arms: number
  readonly #models: Ridge[]
  readonly #alpha: number
  readonly #mix: number

  constructor(options: LinearOptions) {
    this.arms = options.arms
    this.#models = modelsFor(options)
    this.#alpha = options.alpha ?? 0.3
    this.#mix = options.mix ?? 0
  }

  propensities(context: Context): Float64Array {
    return mixIn(thompson(this.#models, context, this.#alpha), this.#mix)
  }

  update(context: Context, arm: number, reward: number): void {
    learn(this.#models, context, arm, reward)
  }

  state(): Json {
    return { kind: 'lints', models: this.#models.map((model) => model.state()) }
  }

  restore(state: Json): void {
    restoreModels(this.#models, state, 'lints')
  }
}

/**
 * Thompson sampling for rewards that are 0 or 1 (or a share): a logistic regression an arm, its posterior approximated
 * by a normal that takes one Newton step an outcome. Arms are compared on the log-odds, which have the same order.
 *
 * @see Chapelle and Li 2011, An empirical evaluation of Thompson sampling, algorithm 3; here with the full covariance
 */
export class LogisticThompson implements Bandit {
  readonly arms: number
  readonly #models: Ridge[]
  readonly #alpha: number
  readonly #mix: number

  constructor(options: LinearOptions) {
    this.arms = options.arms
    this.#models = modelsFor(options)
    this.#alpha = options.alpha ?? 1
    this.#mix = options.mix ?? 0
  }

  /** Returns each arm's chance of reward 1 by its mean weights. */
  chances(context: Context): Float64Array {
    const x = requireFeatures(context, sizeOf(this.#models))
    return Float64Array.from(this.#models, (model) => sigmoid(model.predict(x)))
  }

  propensities(context: Context): Float64Array {
    return mixIn(thompson(this.#models, context, this.#alpha), this.#mix)
  }

  update(context: Context, arm: number, reward: number): void {
    requireOutcome(this.arms, arm, reward)
    if (!(reward >= 0 && reward <= 1)) {
      throw new ValuetrainError('VT_BANDIT_REWARD', `reward ${reward} of arm ${arm} is not in [0, 1]`, {
        hint: 'A logistic bandit learns shares; use hierarchical or linear Thompson for rewards with costs in them.',
      })
    }
    const model = this.#models[arm] as Ridge
    const x = requireFeatures(context, model.size)
    const chance = sigmoid(model.predict(x))
    model.addCurvature(x, Math.max(0.02, chance * (1 - chance)))
    model.step(x, reward - chance)
  }

  state(): Json {
    return { kind: 'logistic', models: this.#models.map((model) => model.state()) }
  }

  restore(state: Json): void {
    restoreModels(this.#models, state, 'logistic')
  }
}

function modelsFor({ arms, features, ridge }: LinearOptions): Ridge[] {
  return Array.from({ length: arms }, () => new Ridge(features, ridge))
}

function sizeOf(models: readonly Ridge[]): number {
  return models[0]?.size ?? 0
}

function thompson(models: readonly Ridge[], context: Context, alpha: number): Float64Array {
  const x = requireFeatures(context, sizeOf(models))
  return chanceOfBest(
    models.map((model) => model.predict(x)),
    models.map((model) => alpha * Math.sqrt(Math.max(0, model.doubt(x)))),
  )
}

function learn(models: readonly Ridge[], context: Context, arm: number, reward: number): void {
  requireOutcome(models.length, arm, reward)
  const model = models[arm] as Ridge
  model.add(requireFeatures(context, model.size), reward)
}

function restoreModels(models: readonly Ridge[], state: Json, kind: string): void {
  const data = state as { kind?: string; models?: Json[] } | null
  if (data?.kind !== kind || data.models?.length !== models.length)
    throw foreignState(`a ${kind} bandit with ${models.length} arms`)
  for (const [i, model] of models.entries()) model.restore(data.models?.[i] ?? null)
}
