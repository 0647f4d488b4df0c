/**
 * Acting in several environments side by side, the same for every algorithm: what the networks see now, what came of a
 * step, which episodes ended, and how all of it goes on from a checkpoint.
 */
import type { Json } from '../../core/canonical.ts'
import { discreteActions, sizeOf } from '../env/space.ts'
import { put } from '../nn/optimiser.ts'
import type { Perception } from '../nn/perception.ts'
import type { DiscreteSpace, Metrics, Tensors, TrainingState, VectorEnvironment } from '../types.ts'

/** What came of one step of all environments. Arrays are reused by the next step. */
export interface Stepped {
  rewards: Float64Array
  /** 1 where the episode reached an end of its own: what follows is worth 0. */
  terminated: Uint8Array
  /** 1 where the episode was cut off: what follows would have had a value. */
  truncated: Uint8Array
  /** Returns what the step of environment `n` led to, as networks see it, also where its episode ended there. */
  ledTo(n: number): Float32Array
}

/** What of a reward is learned from: first `scale` times it, then cut to `clip`. Returns are told as they were. */
export interface LearnedReward {
  /** Above 0; default 1. */
  scale?: number
  /** Least and most; default none. */
  clip?: readonly [number, number]
}

export interface Rollout {
  readonly environment: VectorEnvironment
  readonly perception: Perception
  readonly actions: DiscreteSpace
  /** Environments. */
  readonly count: number
  /** Numbers of one observation. */
  readonly width: number
  /** Environment steps done, those of all environments counted. */
  readonly steps: number
  /** Share of the run that is done, in [0, 1]: where schedules stand. */
  readonly progress: number
  /** [count x width], what to act on next; an array of its own after every step. */
  readonly seen: Float32Array
  /** Begins the episodes when they have not begun. */
  begin(): Promise<void>
  /** @param actions one for each environment */
  step(actions: readonly number[]): Promise<Stepped>
  /** Returns how many episodes ended since the last call, and their means where there were any. */
  takeEpisodes(): Metrics
  tensors(): Tensors
  /** Returns where the environments are; null before they have begun. */
  environments(): Json
  /** @param environments as `environments` said */
  restore(state: TrainingState, environments: Json): Promise<void>
}

/**
 * Returns a rollout at its beginning.
 *
 * @param seed decides how episodes begin
 * @throws VT_ENV_ACTIONS when actions are not numbered
 */
export function openRollout(options: {
  environment: VectorEnvironment
  perception: Perception
  totalSteps: number
  seed: number
  /** As they are, unless told. */
  reward?: LearnedReward | undefined
}): Rollout {
  const { environment, perception, totalSteps, seed, reward } = options
  const actions = discreteActions(environment.spec)
  const width = sizeOf(environment.spec.observation)
  const { count } = environment
  /** Empty until the episodes have begun. */
  let seen: Float32Array = new Float32Array(0)
  let steps = 0
  let ended: { return: number; length: number }[] = []
  return {
    environment,
    perception,
    actions,
    count,
    width,
    get steps() {
      return steps
    },
    get progress() {
      return Math.min(1, steps / totalSteps)
    },
    get seen() {
      return seen
    },
    async begin() {
      if (seen.length === 0) seen = perception.see(await environment.reset(seed), true)
    },
    async step(chosen) {
      const next = await environment.step(chosen)
      steps += count
      ended.push(...next.finished)
      seen = perception.see(next.observations, true)
      const { rewards, terminated, truncated, finalObservations } = next
      const ledTo = (n: number) => perception.see(finalObservations.subarray(n * width, (n + 1) * width), false)
      return { rewards: reward === undefined ? rewards : learned(rewards, reward), terminated, truncated, ledTo }
    },
    takeEpisodes() {
      const episodes = ended
      ended = []
      const mean = (of: 'return' | 'length') => episodes.reduce((sum, one) => sum + one[of], 0) / episodes.length
      const none: Metrics = { episodes: 0 }
      if (episodes.length === 0) return none
      return { episodes: episodes.length, return_mean: mean('return'), length_mean_steps: mean('length') }
    },
    tensors: () => ({ seen: seen.slice(), ...perception.tensors() }),
    environments: () => (seen.length === 0 ? null : environment.state()),
    async restore(state, environments) {
      const next = new Float32Array(state.tensors.seen?.length === 0 ? 0 : count * width)
      put(state.tensors, 'seen', next)
      perception.restore(state.tensors)
      if (environments !== null) await environment.restore(environments)
      seen = next
      steps = state.steps
      ended = []
    },
  }
}

function learned(
  rewards: Float64Array,
  { scale = 1, clip = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] }: LearnedReward,
) {
  const [least, most] = clip
  return rewards.map((reward) => Math.min(Math.max(scale * reward, least), most))
}
