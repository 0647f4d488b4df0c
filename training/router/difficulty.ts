/**
 * What an arm's failure says about the next arm: issues have a difficulty that all arms share, arms an ability. Solved
 * has chance sigmoid(ability - slope x difficulty), difficulty is standard normal, and a gate with known error rates
 * stands between the work and what is seen.
 *
 * Abilities are learned from gate verdicts by expectation and maximisation, one step an issue, over the counts of what
 * happened; so the price of a step does not grow with the number of issues.
 *
 * @see Rasch 1960; Bock and Aitkin 1981 for marginal maximum likelihood over a quadrature
 */
import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { sigmoid } from '../math.ts'
import { normalDensity } from '../stats/distributions.ts'
import { type GateRates, requireRates } from './gate.ts'

const NODES = 15
const DIFFICULTY = Float64Array.from({ length: NODES }, (_, i) => -3 + (6 * i) / (NODES - 1))
const DENSITIES = DIFFICULTY.map((d) => normalDensity(d))
const WEIGHTS = DENSITIES.map((w) => w / DENSITIES.reduce((a, b) => a + b, 0))

const ABILITY = { mean: 0.5, variance: 2 }
const SLOPE = { mean: 1.5, variance: 0.5, least: 0.2, most: 6 }

/** Chances of passing the gate (`pass`) and of being right (`right`), each [arms x NODES]. */
export interface Chances {
  pass: Float64Array
  right: Float64Array
}

export class DifficultyModel {
  readonly arms: number
  readonly #gate: GateRates
  readonly #abilities: Float64Array
  readonly #information: Float64Array
  #slope = SLOPE.mean
  /** Count of issues by `failed mask` and passing arm (-1 for none). */
  readonly #patterns = new Map<string, { mask: number; passed: number; count: number }>()

  constructor(arms: number, gate: GateRates) {
    requireRates(gate)
    this.arms = arms
    this.#gate = gate
    this.#abilities = new Float64Array(arms).fill(ABILITY.mean)
    this.#information = new Float64Array(arms).fill(1 / ABILITY.variance)
  }

  /** Posterior standard deviation of each ability. */
  deviations(): Float64Array {
    return this.#information.map((information) => 1 / Math.sqrt(information))
  }

  /** Returns the chances by abilities shifted by `shift` (one an arm; none for the best guess). */
  chances(shift?: ArrayLike<number>): Chances {
    const pass = new Float64Array(this.arms * NODES)
    const right = new Float64Array(this.arms * NODES)
    const { falsePass, falseFail } = this.#gate
    for (let arm = 0; arm < this.arms; arm++) {
      const ability = (this.#abilities[arm] as number) + (shift?.[arm] ?? 0)
      for (let d = 0; d < NODES; d++) {
        const solved = sigmoid(ability - this.#slope * (DIFFICULTY[d] as number))
        right[arm * NODES + d] = solved
        pass[arm * NODES + d] = solved * (1 - falseFail) + (1 - solved) * falsePass
      }
    }
    return { pass, right }
  }

  /** Takes what happened on one issue: the arms whose work the gate refused, and the one it let pass, if any. */
  learn(refused: readonly number[], passed: number | undefined): void {
    let mask = 0
    for (const arm of refused) mask |= 1 << arm
    const key = `${mask} ${passed ?? -1}`
    const pattern = this.#patterns.get(key)
    if (pattern === undefined) this.#patterns.set(key, { mask, passed: passed ?? -1, count: 1 })
    else pattern.count++
    this.#step()
  }

  state(): Json {
    return {
      abilities: Array.from(this.#abilities),
      information: Array.from(this.#information),
      slope: this.#slope,
      patterns: [...this.#patterns.values()].map(({ mask, passed, count }) => [mask, passed, count]),
    }
  }

  restore(state: Json): void {
    const data = state as {
      abilities?: number[]
      information?: number[]
      slope?: number
      patterns?: [number, number, number][]
    } | null
    if (data?.abilities?.length !== this.arms || data.information?.length !== this.arms || !Number.isFinite(data.slope)) {
      throw new ValuetrainError('VT_CASCADE_STATE', `the data is no state of a cascade over ${this.arms} arms`, {
        kind: 'environment',
      })
    }
    this.#abilities.set(data.abilities)
    this.#information.set(data.information)
    this.#slope = data.slope as number
    this.#patterns.clear()
    for (const [mask, passed, count] of data.patterns ?? []) this.#patterns.set(`${mask} ${passed}`, { mask, passed, count })
  }

  #step(): void {
    const { pass, right } = this.chances()
    const passes = new Float64Array(this.arms * NODES)
    const refusals = new Float64Array(this.arms * NODES)
    const posterior = new Float64Array(NODES)
    for (const { mask, passed, count } of this.#patterns.values()) {
      let total = 0
      for (let d = 0; d < NODES; d++) {
        let weight = WEIGHTS[d] as number
        for (let arm = 0; arm < this.arms; arm++) if ((mask >> arm) & 1) weight *= 1 - (pass[arm * NODES + d] as number)
        if (passed >= 0) weight *= pass[passed * NODES + d] as number
        posterior[d] = weight
        total += weight
      }
      for (let d = 0; d < NODES; d++) {
        const share = (count * (posterior[d] as number)) / total
        for (let arm = 0; arm < this.arms; arm++) {
          const at = arm * NODES + d
          if ((mask >> arm) & 1) refusals[at] = (refusals[at] as number) + share
        }
        if (passed >= 0) passes[passed * NODES + d] = (passes[passed * NODES + d] as number) + share
      }
    }
    const trust = 1 - this.#gate.falsePass - this.#gate.falseFail
    let slopeGradient = (SLOPE.mean - this.#slope) / SLOPE.variance
    let slopeInformation = 1 / SLOPE.variance
    for (let arm = 0; arm < this.arms; arm++) {
      let gradient = (ABILITY.mean - (this.#abilities[arm] as number)) / ABILITY.variance
      let information = 1 / ABILITY.variance
      for (let d = 0; d < NODES; d++) {
        const at = arm * NODES + d
        const seen = (passes[at] as number) + (refusals[at] as number)
        if (seen === 0) continue
        const p = Math.min(1 - 1e-9, Math.max(1e-9, pass[at] as number))
        const change = trust * (right[at] as number) * (1 - (right[at] as number))
        const score = (change * ((passes[at] as number) - seen * p)) / (p * (1 - p))
        const fisher = (seen * change * change) / (p * (1 - p))
        const lean = -(DIFFICULTY[d] as number)
        gradient += score
        information += fisher
        slopeGradient += lean * score
        slopeInformation += lean * lean * fisher
      }
      this.#abilities[arm] = (this.#abilities[arm] as number) + gradient / information
      this.#information[arm] = information
    }
    this.#slope = Math.min(SLOPE.most, Math.max(SLOPE.least, this.#slope + slopeGradient / slopeInformation))
  }
}

export interface Plan {
  /** By mask of refused arms: the arm to try next, or `arms` for stopping. */
  next: Int8Array
  /** Expected dollars from the empty mask on. */
  usd: number
  /** Expected share solved from the empty mask on. */
  solved: number
}

/**
 * Returns the best plan by dynamic programming over the sets of arms that have been refused.
 *
 * @param usd   expected cost of each arm, first at the start and then after a refusal: [2 x arms]
 * @param price what a dollar counts for, in solved issues
 * @param open  whether an arm may be tried after a set of refusals
 * @param handOver value of stopping, e.g. of a person's work less its price
 */
export function planFrom(
  chances: Chances,
  usd: ArrayLike<number>,
  price: number,
  open: (arm: number, mask: number) => boolean,
  handOver: number,
): Plan {
  const arms = chances.pass.length / NODES
  const masks = 1 << arms
  const { value, spend, solves, weights } = roomFor(masks)
  const next = new Int8Array(masks).fill(arms)
  weights.set(WEIGHTS)
  for (let mask = 1; mask < masks; mask++) {
    const lowest = 31 - Math.clz32(mask & -mask)
    const before = (mask & (mask - 1)) * NODES
    for (let d = 0; d < NODES; d++) {
      weights[mask * NODES + d] = (weights[before + d] as number) * (1 - (chances.pass[lowest * NODES + d] as number))
    }
  }
  for (let mask = masks - 1; mask >= 0; mask--) {
    let reach = 0
    for (let d = 0; d < NODES; d++) reach += weights[mask * NODES + d] as number
    let best = handOver
    spend[mask] = 0
    solves[mask] = 0
    for (let arm = 0; arm < arms; arm++) {
      if ((mask >> arm) & 1 || !open(arm, mask)) continue
      let passes = 0
      let right = 0
      for (let d = 0; d < NODES; d++) {
        const weight = weights[mask * NODES + d] as number
        passes += weight * (chances.pass[arm * NODES + d] as number)
        right += weight * (chances.right[arm * NODES + d] as number)
      }
      const pass = reach === 0 ? 0 : passes / reach
      const solved = reach === 0 ? 0 : right / reach
      const cost = usd[mask === 0 ? arm : arms + arm] as number
      const after = mask | (1 << arm)
      // A false alarm leaves the pass to the chances; what passes and is right is right x (1 - false-fail).
      const rightAndPassed = solved * passOfRight(chances, arm)
      const candidate = -price * cost + rightAndPassed + (1 - pass) * (value[after] as number)
      if (candidate > best + 1e-12) {
        best = candidate
        next[mask] = arm
        spend[mask] = cost + (1 - pass) * (spend[after] as number)
        solves[mask] = rightAndPassed + (1 - pass) * (solves[after] as number)
      }
    }
    value[mask] = best
  }
  return { next, usd: spend[0] as number, solved: solves[0] as number }
}

interface Room {
  value: Float64Array
  spend: Float64Array
  solves: Float64Array
  weights: Float64Array
}

/** Memory of plans by number of masks: a decision makes dozens of plans, and new arrays for each cost more than the plan. */
const rooms = new Map<number, Room>()

function roomFor(masks: number): Room {
  let room = rooms.get(masks)
  if (room === undefined) {
    const take = (length: number) => new Float64Array(length)
    room = { value: take(masks), spend: take(masks), solves: take(masks), weights: take(masks * NODES) }
    rooms.set(masks, room)
  }
  return room
}

/** The chance that right work passes, read back from the chances: they are linear in it. */
function passOfRight({ pass, right }: Chances, arm: number): number {
  const low = arm * NODES + NODES - 1
  const high = arm * NODES
  const rise = (right[high] as number) - (right[low] as number)
  if (rise < 1e-12) return pass[high] as number
  const slope = ((pass[high] as number) - (pass[low] as number)) / rise
  return (pass[high] as number) + slope * (1 - (right[high] as number))
}
