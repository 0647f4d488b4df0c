/**
 * A sweep as a pure function of its results: ask for the next trial, tell what it gave. With p trials at a time, trial k
 * is proposed from the results of trials 0 to k - p, and those on their way count as the worst seen so far; so the same
 * trials come out however long each of them takes, and a sweep that was stopped goes on from its results.
 */
import * as z from 'zod'
import { ValuetrainError } from '../../core/errors.ts'
import { randomFrom } from '../random.ts'
import { goesOn, rungsOf } from './asha.ts'
import { drawPoint, gridOf, type Parameters, parseSearchSpace, type SearchSpace } from './space.ts'
import { type Scored, suggestTpe } from './tpe.ts'

export const SweepConfig = z.strictObject({
  space: z.unknown(),
  method: z.enum(['grid', 'random', 'tpe']).default('tpe'),
  trials: z.int().min(1).default(50),
  /** Whether the metric is to be small or large. */
  direction: z.enum(['minimize', 'maximize']).default('maximize'),
  seed: z.int().default(0),
  /** Trials at a time; part of the result, as each sees fewer before it. */
  parallel: z.int().min(1).default(1),
  /** Places of a range in a grid. */
  gridSteps: z.int().min(1).default(5),
  /** Stop the worse trials early. */
  halving: z.strictObject({ least: z.int().min(1), most: z.int().min(1), keep: z.number().gt(1).default(3) }).optional(),
})
export type SweepConfig = z.infer<typeof SweepConfig>
export type SweepConfigInput = z.input<typeof SweepConfig>

export interface TrialResult {
  trial: number
  parameters: Parameters
  /** The metric at each rung that was reached, by steps; without halving one entry at 0. */
  values: readonly { steps: number; value: number }[]
  /** Why there is no value: the trial failed. It counts as the worst and stops nobody. */
  failed?: string
}

/** What to run: all of it, or up to the next rung. */
export interface Trial {
  trial: number
  parameters: Parameters
  /** Seed for the trial's own run. */
  seed: number
}

export class Sweep {
  readonly config: SweepConfig
  readonly space: SearchSpace
  readonly rungs: readonly number[] | undefined
  readonly #grid: readonly Parameters[]
  readonly #results = new Map<number, TrialResult>()
  readonly #asked = new Map<number, Parameters>()

  /** @throws VT_SWEEP_CONFIG, VT_SWEEP_SPACE, VT_SWEEP_HALVING */
  constructor(config: SweepConfigInput) {
    const parsed = SweepConfig.safeParse(config)
    if (!parsed.success) {
      const places = parsed.error.issues.map((issue) => `${['sweep', ...issue.path].join('.')}: ${issue.message}`)
      throw new ValuetrainError('VT_SWEEP_CONFIG', places.join('; '), { kind: 'config' })
    }
    this.config = parsed.data
    this.space = parseSearchSpace(parsed.data.space)
    this.rungs = parsed.data.halving === undefined ? undefined : rungsOf(parsed.data.halving)
    this.#grid = parsed.data.method === 'grid' ? gridOf(this.space, parsed.data.gridSteps) : []
  }

  /** Number of trials in all; a grid has as many as it has points, up to `trials`. */
  get size(): number {
    return this.config.method === 'grid' ? Math.min(this.config.trials, this.#grid.length) : this.config.trials
  }

  /** Points of the grid that `trials` leaves out; 0 for the other methods. */
  get leftOut(): number {
    return Math.max(0, this.#grid.length - this.size)
  }

  /** Returns the trials that can run now: unfinished ones whose predecessors are far enough. Asking changes nothing. */
  ask(): Trial[] {
    const ready: Trial[] = []
    for (let trial = 0; trial < this.size && ready.length < this.config.parallel; trial++) {
      if (this.#results.has(trial)) continue
      if (!this.#knownUpTo(trial - this.config.parallel)) break
      ready.push({ trial, parameters: this.#proposal(trial), seed: trialSeed(this.config.seed, trial) })
    }
    return ready
  }

  /**
   * Returns whether a trial goes on past a rung; undefined while trials begun before it have not been there and not
   * ended either: wait, so that the answer does not depend on who was faster. Only trials `parallel` before count.
   */
  goesOn(trial: number, rung: number, value: number): boolean | undefined {
    if (this.rungs === undefined || rung >= this.rungs.length - 1) return false
    const steps = this.rungs[rung] as number
    if (!this.#knownUpTo(trial - this.config.parallel)) return undefined
    const before: number[] = []
    for (let other = 0; other <= trial - this.config.parallel; other++) {
      const there = this.#results.get(other)?.values.find((entry) => entry.steps === steps)
      if (there !== undefined) before.push(this.#loss(there.value))
    }
    return goesOn(this.#loss(value), before, this.config.halving?.keep)
  }

  /**
   * Takes a finished trial.
   *
   * @throws VT_SWEEP_RESULT when the trial is unknown or told already, its parameters are not those that were proposed
   *   (the configuration changed), or a value is not finite
   */
  tell(result: TrialResult): void {
    const { trial, values } = result
    const wrong = (why: string) =>
      new ValuetrainError('VT_SWEEP_RESULT', `trial ${trial}: ${why}`, {
        hint: 'Results belong to one configuration; begin a new sweep when it changes.',
        details: { trial },
      })
    if (!(Number.isInteger(trial) && trial >= 0 && trial < this.size)) throw wrong(`the sweep has trials 0 to ${this.size - 1}`)
    if (this.#results.has(trial)) throw wrong('was told already')
    if (!this.#knownUpTo(trial - this.config.parallel)) throw wrong('was not to run yet')
    if (values.some(({ value }) => !Number.isFinite(value))) throw wrong('its metric is not finite; tell it as failed')
    if (values.length === 0 && result.failed === undefined) throw wrong('it has no value')
    if (JSON.stringify(sorted(result.parameters)) !== JSON.stringify(sorted(this.#proposal(trial)))) {
      throw wrong('its parameters are not those that were proposed')
    }
    this.#results.set(trial, result)
  }

  /** Takes results of an earlier process, in the order of their trials. @throws VT_SWEEP_RESULT */
  resume(results: readonly TrialResult[]): void {
    for (const result of [...results].sort((a, b) => a.trial - b.trial)) this.tell(result)
  }

  get done(): boolean {
    return this.#results.size === this.size
  }

  /** Returns the finished trials in their order. */
  results(): TrialResult[] {
    return [...this.#results.values()].sort((a, b) => a.trial - b.trial)
  }

  /** Returns the best finished trial, of those that got furthest; the earlier of two alike. */
  best(): (TrialResult & { value: number }) | undefined {
    const furthest = Math.max(...this.results().map(stepsOf))
    let best: (TrialResult & { value: number }) | undefined
    for (const result of this.results()) {
      const last = result.values.at(-1)
      if (result.failed !== undefined || last === undefined || last.steps < furthest) continue
      if (best === undefined || this.#loss(last.value) < this.#loss(best.value)) best = { ...result, value: last.value }
    }
    return best
  }

  #knownUpTo(trial: number): boolean {
    for (let i = 0; i <= trial; i++) if (!this.#results.has(i)) return false
    return true
  }

  #proposal(trial: number): Parameters {
    const known = this.#asked.get(trial)
    if (known !== undefined) return known
    const proposed = this.#propose(trial)
    this.#asked.set(trial, proposed)
    return proposed
  }

  #propose(trial: number): Parameters {
    const random = randomFrom(this.config.seed).split(`trial ${trial}`)
    if (this.config.method === 'grid') return this.#grid[trial] as Parameters
    if (this.config.method === 'random') return drawPoint(this.space, random)
    const known: Scored[] = []
    for (let other = 0; other <= trial - this.config.parallel; other++) {
      const result = this.#results.get(other) as TrialResult
      const last = result.values.at(-1)
      known.push({
        parameters: result.parameters,
        loss: result.failed !== undefined || last === undefined ? Number.POSITIVE_INFINITY : this.#loss(last.value),
      })
    }
    // Those on their way are said to be bad, so that the next one looks elsewhere (the constant liar).
    const liars: Scored[] = []
    for (let other = Math.max(0, trial - this.config.parallel + 1); other < trial; other++) {
      liars.push({ parameters: this.#proposal(other), loss: Number.POSITIVE_INFINITY })
    }
    return suggestTpe(this.space, known.length < 10 ? known : [...known, ...liars], random)
  }

  #loss(value: number): number {
    return this.config.direction === 'minimize' ? value : -value
  }
}

function trialSeed(seed: number, trial: number): number {
  return randomFrom(seed).split(`seed ${trial}`).uint32()
}

function stepsOf({ values }: TrialResult): number {
  return values.at(-1)?.steps ?? -1
}

function sorted(parameters: Parameters): [string, unknown][] {
  return Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))
}
