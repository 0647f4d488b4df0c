/**
 * The router for one choice an issue: solved share and cost are learned apart, and put together by what a dollar is
 * worth. The share has the doubt and the cost has the price; a change of the price needs no new outcomes.
 */
import type { Json } from '../../core/canonical.ts'
import { type Context, mixIn } from '../bandit/bandit.ts'
import { chanceOfBest } from '../bandit/best.ts'
import { HierarchicalThompson } from '../bandit/thompson.ts'
import type { Outcome } from './table.ts'

export interface ChoiceRouterOptions {
  arms: number
  /** What a dollar counts for, in solved issues: reward = solved - price x usd. */
  price: number
  /** What is known of each arm beforehand, worth `weight` outcomes (10 to 20 is sensible); default nothing. */
  prior?: readonly { solves: number; usd: number; weight: number }[]
  /** Below 1 explores less than full Thompson sampling does, which pays over a few hundred issues; default 0.25. */
  exploration?: number
  /** Outcomes' worth by which arms are held to solve alike until they show otherwise; default 8. */
  pull?: number
  /** See ThompsonOptions; default 1. */
  discount?: number
  /** Share spread over all arms whatever is known; default 0.01. */
  mix?: number
}

export class ChoiceRouter {
  readonly arms: number
  readonly #price: number
  readonly #exploration: number
  readonly #mix: number
  readonly #solved: HierarchicalThompson
  readonly #cost: HierarchicalThompson

  constructor(options: ChoiceRouterOptions) {
    const { arms, prior, pull = 8, discount = 1 } = options
    this.arms = arms
    this.#price = options.price
    this.#exploration = options.exploration ?? 0.25
    this.#mix = options.mix ?? 0.01
    this.#solved = new HierarchicalThompson({
      arms,
      discount,
      pull,
      prior: Array.from({ length: arms }, (_, arm) => ({ mean: prior?.[arm]?.solves ?? 0.6, weight: prior?.[arm]?.weight ?? 1 })),
    })
    this.#cost = new HierarchicalThompson({
      arms,
      discount,
      variance: 0.02,
      prior: Array.from({ length: arms }, (_, arm) => ({ mean: prior?.[arm]?.usd ?? 0, weight: prior?.[arm]?.weight ?? 0.05 })),
    })
  }

  /** Returns the chance of each arm. */
  propensities(context: Context): Float64Array {
    const solved = this.#solved.beliefs(context)
    // Costs differ little between groups beside how they differ between arms; groups would only add doubt.
    const cost = this.#cost.beliefs({})
    const means = solved.map(({ mean }, arm) => mean - this.#price * (cost[arm]?.mean ?? 0))
    const deviations = solved.map(({ deviation }, arm) => {
      const priced = this.#price * (cost[arm]?.deviation ?? 0)
      return this.#exploration * Math.sqrt(deviation * deviation + priced * priced)
    })
    return mixIn(chanceOfBest(means, deviations), this.#mix)
  }

  update(context: Context, arm: number, outcome: Pick<Outcome, 'resolved' | 'usd'>): void {
    this.#solved.update(context, arm, outcome.resolved ? 1 : 0)
    this.#cost.update({}, arm, outcome.usd)
  }

  state(): Json {
    return { solved: this.#solved.state(), cost: this.#cost.state() }
  }

  restore(state: Json): void {
    const data = state as { solved?: Json; cost?: Json } | null
    this.#solved.restore(data?.solved ?? null)
    this.#cost.restore(data?.cost ?? null)
  }
}
