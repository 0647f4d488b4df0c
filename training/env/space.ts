import { ValuetrainError } from '../../core/errors.ts'
import type { Action, BoxSpace, DiscreteSpace, EnvironmentSpec, Random, Space } from '../types.ts'

/** Returns a box whose elements all have the given bounds. */
export function box(low: readonly number[], high: readonly number[]): BoxSpace {
  return { kind: 'box', shape: [low.length], low, high }
}

export function discrete(n: number, names?: readonly string[]): DiscreteSpace {
  return names === undefined ? { kind: 'discrete', n } : { kind: 'discrete', n, names }
}

/** Returns how many numbers one value of the space has. */
export function sizeOf(space: Space): number {
  return space.kind === 'discrete' ? 1 : space.shape.reduce((product, side) => product * side, 1)
}

/** Returns a value drawn uniformly from a space; unbounded elements are drawn from the standard normal distribution. */
export function sample(space: Space, random: Random): Action {
  if (space.kind === 'discrete') return random.below(space.n)
  return space.low.map((low, n) => {
    const high = space.high[n] as number
    return Number.isFinite(low) && Number.isFinite(high) ? low + (high - low) * random.uniform() : random.normal()
  })
}

/** Returns the actions of an environment that numbers them. @throws VT_ENV_ACTIONS when it does not */
export function discreteActions({ id, action }: EnvironmentSpec): DiscreteSpace {
  if (action.kind === 'discrete') return action
  throw new ValuetrainError(
    'VT_ENV_ACTIONS',
    `${id} takes real numbers as actions, and this algorithm chooses among numbered ones`,
    {
      kind: 'config',
      hint: `Choose an environment with numbered actions, or divide the range into a few, as in ${id}/5.`,
    },
  )
}

/** @throws VT_ENV_ACTION when the action is not in the environment's action space */
export function requireAction({ id, action: space }: EnvironmentSpec, action: Action): void {
  const fits =
    space.kind === 'discrete'
      ? Number.isInteger(action) && (action as number) >= 0 && (action as number) < space.n
      : Array.isArray(action) && action.length === sizeOf(space) && action.every(Number.isFinite)
  if (fits) return
  const wanted = space.kind === 'discrete' ? `a whole number from 0 to ${space.n - 1}` : `${sizeOf(space)} finite numbers`
  throw new ValuetrainError('VT_ENV_ACTION', `${id} takes ${wanted}, not ${JSON.stringify(action)}`, { kind: 'internal' })
}

/** @throws VT_ENV_OBSERVATION when an observation has another length or a number that is not finite */
export function requireObservation({ id, observation: space }: EnvironmentSpec, observation: ArrayLike<number>): void {
  const size = sizeOf(space)
  if (observation.length !== size) {
    throw new ValuetrainError('VT_ENV_SHAPE', `${id} gave ${observation.length} numbers instead of ${size}`, {
      kind: 'environment',
      hint: 'Its observation must keep the shape that it announced.',
    })
  }
  for (let n = 0; n < size; n++) {
    if (!Number.isFinite(observation[n])) {
      throw new ValuetrainError('VT_ENV_OBSERVATION', `${id} gave ${observation[n]} as element ${n} of an observation`, {
        kind: 'environment',
        hint: 'Observations are finite numbers; look at the environment.',
        details: { element: n },
      })
    }
  }
}

/** Returns a reward that is one. @throws VT_ENV_REWARD when it is missing or not a finite number */
export function requireReward({ id }: EnvironmentSpec, reward: number | null | undefined): number {
  if (typeof reward === 'number' && Number.isFinite(reward)) return reward
  const what = reward === undefined || reward === null ? `answered a step without a reward` : `gave the reward ${reward}`
  throw new ValuetrainError('VT_ENV_REWARD', `${id} ${what}`, {
    kind: 'environment',
    hint: 'A reward is a finite number; a missing one is never counted as 0.',
  })
}
