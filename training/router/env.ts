/** Escalation as an environment: an outcome table replayed issue by issue, for algorithms that learn sequences. */
import type { Json } from '../../core/canonical.ts'
import { digestOf } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { randomFrom } from '../random.ts'
import type { Action, Environment, EnvironmentSpec, Observation, Transition } from '../types.ts'
import { type GateRates, gateSays, requireRates } from './gate.ts'
import type { Outcome, OutcomeTable, OutcomeTableRow } from './table.ts'

export interface RouterEnvOptions {
  gate: GateRates
  /** What a dollar counts for, in solved issues. */
  price: number
  /** Value of handing over, in solved issues; default 0. */
  handOver?: number
}

/**
 * One episode is one issue, drawn by the seed. An action is an arm, or the number of arms for handing over. What is
 * seen: 1, for each arm whether the gate refused it, and the dollars spent. The reward of a step is minus its price;
 * the one that passes brings 1 if the work is right and 0 if the gate was fooled.
 *
 * The truth enters the reward alone, never what is seen.
 */
export class RouterEnv implements Environment {
  readonly spec: EnvironmentSpec
  readonly #table: OutcomeTable
  readonly #options: Required<RouterEnvOptions>
  #seed = 0
  #row: OutcomeTableRow | undefined
  #refused: number[] = []
  #spentUsd = 0
  #tries = 0

  constructor(table: OutcomeTable, options: RouterEnvOptions) {
    requireRates(options.gate)
    this.#table = table
    this.#options = { handOver: 0, ...options }
    const size = table.arms.length + 2
    this.spec = {
      id: `Router-${digestOf({ table, options: this.#options }).slice(0, 12)}`,
      observation: {
        kind: 'box',
        shape: [size],
        low: Array.from({ length: size }, () => 0),
        high: Array.from({ length: size }, (_, i) => (i === size - 1 ? Number.POSITIVE_INFINITY : 1)),
      },
      action: { kind: 'discrete', n: table.arms.length + 1, names: [...table.arms, 'hand-over'] },
      maxSteps: table.arms.length + 1,
    }
  }

  reset(seed: number): Observation {
    this.#seed = seed
    this.#row = this.#table.rows[randomFrom(seed).split('issue').below(this.#table.rows.length)]
    this.#refused = []
    this.#spentUsd = 0
    this.#tries = 0
    return this.#observe()
  }

  step(action: Action): Transition {
    const row = this.#row
    if (row === undefined) {
      throw new ValuetrainError('VT_ENV_ENDED', 'the episode is over or was never begun', { hint: 'Call reset first.' })
    }
    const arms = this.#table.arms.length
    if (typeof action !== 'number' || !Number.isInteger(action) || action < 0 || action > arms) {
      throw new ValuetrainError('VT_ENV_ACTION', `${String(action)} is no action of the router; 0 to ${arms} are`)
    }
    if (action === arms) return this.#end(this.#options.handOver, { resolved: 0, usd: 0 })
    const outcome = row.outcomes[action] as Outcome
    const price = this.#options.price * outcome.usd
    this.#spentUsd += outcome.usd
    this.#tries++
    // The gate's word on one piece of work stays what it was: trying the arm again only costs again.
    const passed = gateSays(this.#options.gate, outcome.resolved, randomFrom(this.#seed).split(`gate ${action}`))
    if (passed) return this.#end((outcome.resolved ? 1 : 0) - price, { resolved: outcome.resolved ? 1 : 0, usd: outcome.usd })
    if (!this.#refused.includes(action)) this.#refused.push(action)
    // Whoever tries refused arms again and again is cut off; nothing else would end it.
    const truncated = this.#tries >= this.spec.maxSteps
    const observation = this.#observe()
    if (truncated) this.#row = undefined
    return {
      observation,
      reward: -price,
      terminated: false,
      truncated,
      info: { resolved: 0, usd: outcome.usd },
    }
  }

  state(): Json {
    return {
      seed: this.#seed,
      issue: this.#row?.issue ?? null,
      refused: [...this.#refused],
      spentUsd: this.#spentUsd,
      tries: this.#tries,
    }
  }

  restore(state: Json): void {
    const data = state as { seed?: number; issue?: string | null; refused?: number[]; spentUsd?: number; tries?: number } | null
    const row = this.#table.rows.find(({ issue }) => issue === data?.issue)
    if (!Number.isSafeInteger(data?.seed) || !Array.isArray(data?.refused) || (row === undefined && data?.issue !== null)) {
      throw new ValuetrainError('VT_ENV_STATE', 'the data is no state of a router over this table', { kind: 'environment' })
    }
    this.#seed = data.seed as number
    this.#row = row
    this.#refused = [...data.refused]
    this.#spentUsd = data.spentUsd ?? 0
    this.#tries = data.tries ?? data.refused.length
  }

  #end(reward: number, info: Readonly<Record<string, number>>): Transition {
    const observation = this.#observe()
    this.#row = undefined
    return { observation, reward, terminated: true, truncated: false, info }
  }

  #observe(): Observation {
    const observation = new Float32Array(this.#table.arms.length + 2)
    observation[0] = 1
    for (const arm of this.#refused) observation[1 + arm] = 1
    observation[observation.length - 1] = this.#spentUsd
    return observation
  }
}
