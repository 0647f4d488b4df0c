/** Recorded steps to learn from without acting. */
import { ValuetrainError } from '../../core/errors.ts'
import type { BoxSpace, DiscreteSpace, EnvironmentSpec, Observation } from '../types.ts'

/** One recorded step. */
export interface RecordedStep {
  observation: Observation
  action: number
  reward: number
  next: Observation
  /** The value of what follows is 0. */
  terminated: boolean
}

/** Steps of one episode, in order. */
export type RecordedEpisode = readonly RecordedStep[]

/** Steps as flat arrays. */
export interface OfflineDataset {
  environment: string
  space: BoxSpace
  action: DiscreteSpace
  /** Numbers of one observation. */
  size: number
  steps: number
  /** [steps x size]. */
  observations: Float32Array
  actions: Int32Array
  rewards: Float64Array
  /** [steps x size]. */
  next: Float32Array
  terminated: Uint8Array
  /** Indices of the steps that begin an episode. */
  starts: readonly number[]
}

/** @throws VT_OFFLINE_DATA naming episode and step: a wrong size, an unknown action, a number that is not finite, no steps */
export function datasetOf(
  spec: Pick<EnvironmentSpec, 'id' | 'observation' | 'action'>,
  episodes: readonly RecordedEpisode[],
): OfflineDataset {
  if (spec.action.kind !== 'discrete') throw wrong(`${spec.id} has no numbered actions`)
  const size = spec.observation.shape.reduce((a, b) => a * b, 1)
  const steps = episodes.reduce((sum, episode) => sum + episode.length, 0)
  if (steps === 0) throw wrong('there are no steps')
  const dataset = {
    environment: spec.id,
    space: spec.observation,
    action: spec.action,
    size,
    steps,
    observations: new Float32Array(steps * size),
    actions: new Int32Array(steps),
    rewards: new Float64Array(steps),
    next: new Float32Array(steps * size),
    terminated: new Uint8Array(steps),
    starts: [] as number[],
  }
  let at = 0
  for (const [e, episode] of episodes.entries()) {
    if (episode.length > 0) dataset.starts.push(at)
    for (const [s, { observation, action, reward, next, terminated }] of episode.entries()) {
      const where = `episode ${e}, step ${s}`
      if (observation.length !== size || next.length !== size)
        throw wrong(`${where}: ${observation.length} and ${next.length} numbers, ${size} are seen`)
      if (!(Number.isInteger(action) && action >= 0 && action < spec.action.n))
        throw wrong(`${where}: ${action} is no action of ${spec.action.n}`)
      if (!Number.isFinite(reward) || !observation.every(Number.isFinite) || !next.every(Number.isFinite))
        throw wrong(`${where}: a number is not finite`)
      dataset.observations.set(observation, at * size)
      dataset.next.set(next, at * size)
      dataset.actions[at] = action
      dataset.rewards[at] = reward
      dataset.terminated[at] = terminated ? 1 : 0
      at++
    }
  }
  return dataset
}

/**
 * Returns earlier episodes to learn from and later ones to judge by. Never at random: what comes later is what a policy
 * will meet, and neighbours in time are too alike to judge by.
 */
export function splitByTime(
  episodes: readonly RecordedEpisode[],
  share = 0.8,
): { train: RecordedEpisode[]; held: RecordedEpisode[] } {
  const cut = Math.min(episodes.length - 1, Math.max(1, Math.floor(share * episodes.length)))
  if (episodes.length < 2) throw wrong(`${episodes.length} episodes cannot be split`)
  return { train: episodes.slice(0, cut), held: episodes.slice(cut) }
}

function wrong(why: string): ValuetrainError {
  return new ValuetrainError('VT_OFFLINE_DATA', why, {
    kind: 'config',
    hint: 'Record observation, action, reward, next observation and end of each step, as the environment gave them.',
  })
}
