/**
 * The learned cascade: which agent first, and after a refusal by the gate whether to retry, escalate, or hand to a
 * person, under a budget.
 *
 * Thompson sampling over plans: abilities are drawn from what is believed, each draw is planned to its end, and the
 * share of draws in which an action is the next one is its propensity. The budget is a knapsack: the price of a dollar
 * is raised until the plan spends no more an issue than is left.
 */
import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Random } from '../types.ts'
import { DifficultyModel, type Plan, planFrom } from './difficulty.ts'
import type { GateRates } from './gate.ts'

export interface CascadeArm {
  id: string
  /** Only after this arm was refused: a retry of the same agent, or one that needs its work. */
  after?: string
  /** What is thought to be its cost before any was seen; default 0, so that it is tried. */
  usd?: number
}

export interface CascadeOptions {
  arms: readonly CascadeArm[]
  gate: GateRates
  /** What a dollar counts for, in solved issues, when the budget does not make it dearer; default 0.02. */
  price?: number
  /** Dollars for a number of issues. */
  budget?: { usd: number; issues: number }
  /** Value of handing to a person instead, in solved issues, its price taken off; default 0. */
  handOver?: number
  /**
   * Multiplies the doubt that is drawn from; default 0, the best guess: refusals explore by themselves, and an arm that nobody
   * tried is believed to cost nothing. At the price that just spends the budget two plans are equally good, so that the least drawn
   * doubt chooses between them evenly, whatever share of each the budget can pay: 0 solved about a hundredth more than 0.1 did.
   */
  exploration?: number
  /** Share spread over all actions that are open; default 0.01. */
  mix?: number
}

/** An action is the index of an arm, or the number of arms for handing over. */
export interface CascadeChoice {
  action: number
  propensities: Float64Array
}

/** What was tried on one issue, in order; at most the last one passed. */
export interface CascadeEpisode {
  steps: readonly { arm: number; passed: boolean; usd: number }[]
}

const MOST_ARMS = 10
/** Costs after a refusal lean on the arm's costs at the start with this weight. */
const COST_WEIGHT = 3
/** Multiples of it, their whole parts dropped, spread evenly over [0, 1). */
const GOLDEN = (Math.sqrt(5) - 1) / 2

export class Cascade {
  readonly arms: readonly CascadeArm[]
  readonly #model: DifficultyModel
  readonly #after: Int8Array
  readonly #options: Required<Omit<CascadeOptions, 'arms' | 'gate' | 'budget'>>
  /** [start and later] x arms: counts and sums of dollars. */
  readonly #costs: { n: Float64Array; usd: Float64Array }
  #leftUsd: number
  #leftIssues: number

  /** @throws VT_CASCADE_ARMS when there are none, more than ten, or one comes after an unknown one */
  constructor(options: CascadeOptions) {
    const { arms } = options
    if (arms.length === 0 || arms.length > MOST_ARMS) {
      throw new ValuetrainError(
        'VT_CASCADE_ARMS',
        `a cascade over ${arms.length} arms cannot be planned; 1 to ${MOST_ARMS} can`,
        {
          kind: 'config',
          hint: 'Choose the arms that matter: cheap ones, strong ones, and few between.',
        },
      )
    }
    this.arms = arms
    this.#model = new DifficultyModel(arms.length, options.gate)
    this.#after = Int8Array.from(arms, ({ id, after }) => {
      const place = after === undefined ? -1 : arms.findIndex((arm) => arm.id === after)
      if (after !== undefined && (place < 0 || after === id)) {
        throw new ValuetrainError('VT_CASCADE_ARMS', `arm ${id} comes after ${after}, which is no other arm`, { kind: 'config' })
      }
      return place
    })
    const { price = 0.02, handOver = 0, exploration = 0, mix = 0.01 } = options
    this.#options = { price, handOver, exploration, mix }
    const guessed = arms.map(({ usd = 0 }) => usd)
    this.#costs = { n: new Float64Array(2 * arms.length), usd: Float64Array.from([...guessed, ...guessed.map(() => 0)]) }
    for (const [arm, { usd }] of arms.entries()) this.#costs.n[arm] = usd === undefined ? 0 : 1
    this.#leftUsd = options.budget?.usd ?? Number.POSITIVE_INFINITY
    this.#leftIssues = options.budget?.issues ?? 1
  }

  /** Returns what to do next after these refusals, and the chance it had. */
  choose(refused: readonly number[], random: Random): CascadeChoice {
    let mask = 0
    for (const arm of refused) mask |= 1 << arm
    const propensities = this.propensities(mask, random)
    return { action: random.categorical(propensities), propensities }
  }

  /** Returns the chance of each arm, and of handing over as the last. @param mask of arms that were refused */
  propensities(mask: number, random: Random): Float64Array {
    const count = this.arms.length
    const { exploration, mix, handOver } = this.#options
    const usd = this.#expectedUsd()
    const price = this.#price(usd)
    const open = this.#open(usd)
    const deviations = this.#model.deviations()
    // Without drawn doubt all plans are the same one.
    const draws = exploration === 0 ? 1 : Math.max(8, Math.min(24, Math.floor(6000 / (count << count))))
    const allowed = [...this.arms.keys()].filter((arm) => ((mask >> arm) & 1) === 0 && open(arm, mask))
    const shift = new Float64Array(count)
    const propensities = new Float64Array(count + 1)
    for (let draw = 0; draw < draws; draw++) {
      for (let arm = 0; exploration > 0 && arm < count; arm++) {
        shift[arm] = exploration * (deviations[arm] as number) * random.normal()
      }
      const action = planFrom(this.#model.chances(shift), usd, price, open, handOver).next[mask] as number
      const equals = allowed.filter((arm) => this.#isLike(arm, action))
      for (const arm of equals) propensities[arm] = (propensities[arm] as number) + 1 / equals.length
      if (equals.length === 0) propensities[action] = (propensities[action] as number) + 1
    }
    const actions = [...allowed, count]
    for (const action of actions)
      propensities[action] = ((1 - mix) * (propensities[action] as number)) / draws + mix / actions.length
    return propensities
  }

  /** Returns the plan by the best guess as it is now, the budget's price included. */
  plan(): Plan & { price: number } {
    const usd = this.#expectedUsd()
    const price = this.#price(usd)
    return { ...planFrom(this.#model.chances(), usd, price, this.#open(usd), this.#options.handOver), price }
  }

  /** Takes what happened on one issue. @throws VT_CASCADE_EPISODE when a step follows one that passed */
  learn({ steps }: CascadeEpisode): void {
    const passedAt = steps.findIndex(({ passed }) => passed)
    const wrong = steps.some(
      ({ arm, usd }) =>
        !(Number.isInteger(arm) && arm >= 0 && arm < this.arms.length && usd >= 0 && usd < Number.POSITIVE_INFINITY),
    )
    if (wrong || (passedAt >= 0 && passedAt !== steps.length - 1) || new Set(steps.map(({ arm }) => arm)).size !== steps.length) {
      throw new ValuetrainError(
        'VT_CASCADE_EPISODE',
        'an episode tries each arm at most once, ends when one passes, and costs no less than 0',
        {
          details: { steps },
        },
      )
    }
    for (const [place, { arm, usd }] of steps.entries()) {
      const at = place === 0 ? arm : this.arms.length + arm
      this.#costs.n[at] = (this.#costs.n[at] as number) + 1
      this.#costs.usd[at] = (this.#costs.usd[at] as number) + usd
      this.#leftUsd -= usd
    }
    this.#leftIssues = Math.max(1, this.#leftIssues - 1)
    if (steps.length === 0) return
    this.#model.learn(
      steps.flatMap(({ arm, passed }) => (passed ? [] : [arm])),
      passedAt < 0 ? undefined : steps[passedAt]?.arm,
    )
  }

  state(): Json {
    return {
      arms: this.arms.map(({ id }) => id),
      model: this.#model.state(),
      n: Array.from(this.#costs.n),
      usd: Array.from(this.#costs.usd),
      leftUsd: Number.isFinite(this.#leftUsd) ? this.#leftUsd : null,
      leftIssues: this.#leftIssues,
    }
  }

  /** @throws VT_CASCADE_STATE */
  restore(state: Json): void {
    const data = state as {
      arms?: string[]
      model?: Json
      n?: number[]
      usd?: number[]
      leftUsd?: number | null
      leftIssues?: number
    } | null
    const same = JSON.stringify(data?.arms) === JSON.stringify(this.arms.map(({ id }) => id))
    if (!same || data?.n?.length !== this.#costs.n.length || data.usd?.length !== this.#costs.n.length) {
      throw new ValuetrainError('VT_CASCADE_STATE', 'the data is no state of a cascade over these arms', { kind: 'environment' })
    }
    this.#model.restore(data.model ?? null)
    this.#costs.n.set(data.n)
    this.#costs.usd.set(data.usd)
    this.#leftUsd = data.leftUsd ?? Number.POSITIVE_INFINITY
    this.#leftIssues = data.leftIssues ?? 1
  }

  /** Whether nothing that is known tells two arms apart: then the place in the list must not decide. */
  #isLike(arm: number, other: number): boolean {
    if (arm === other) return true
    const count = this.arms.length
    const { n, usd } = this.#costs
    const untried = (one: number) => n[one] === 0 && n[count + one] === 0 && usd[one] === 0
    return other < count && untried(arm) && untried(other) && this.#after[arm] === this.#after[other]
  }

  #expectedUsd(): Float64Array {
    const count = this.arms.length
    const { n, usd } = this.#costs
    const expected = new Float64Array(2 * count)
    for (let arm = 0; arm < count; arm++) {
      const tries = (n[arm] as number) + (n[count + arm] as number)
      const whole = tries === 0 ? 0 : ((usd[arm] as number) + (usd[count + arm] as number)) / tries
      for (const at of [arm, count + arm]) {
        expected[at] = (COST_WEIGHT * whole + (usd[at] as number)) / (COST_WEIGHT + (n[at] as number))
      }
    }
    return expected
  }

  #open(usd: ArrayLike<number>): (arm: number, mask: number) => boolean {
    const count = this.arms.length
    return (arm, mask) => {
      const after = this.#after[arm] as number
      return (after < 0 || ((mask >> after) & 1) === 1) && (usd[mask === 0 ? arm : count + arm] as number) <= this.#leftUsd
    }
  }

  /**
   * The configured price where its plan can be paid for. Else the least at which the plan spends no more than is left an issue, or
   * for a share of the issues the one just below: between plans there are jumps, and one price alone would leave money over.
   * Which of the two it is depends on the number of the issue, so that all steps of one issue follow one plan.
   */
  #price(usd: ArrayLike<number>): number {
    const { price, handOver } = this.#options
    if (!Number.isFinite(this.#leftUsd)) return price
    const chances = this.#model.chances()
    const allowed = Math.max(0, this.#leftUsd) / this.#leftIssues
    const spends = (at: number) => planFrom(chances, usd, at, this.#open(usd), handOver).usd
    if (spends(price) <= allowed) return price
    let low = price
    let high = Math.max(2 * price, 0.1)
    while (spends(high) > allowed && high < 1e6) high *= 4
    for (let i = 0; i < 12; i++) {
      const middle = (low + high) / 2
      if (spends(middle) > allowed) low = middle
      else high = middle
    }
    const [more, less] = [spends(low), spends(high)]
    const share = more > less ? (allowed - less) / (more - less) : 0
    return (this.#leftIssues * GOLDEN) % 1 < share ? low : high
  }
}
