import { createHash } from 'node:crypto'
import { canonicalJson } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { put } from '../nn/optimiser.ts'
import type { DiscreteSpace, EnvironmentSpec, Random, Tensors, TrainingState } from '../types.ts'

/** Returns the digest that ties a state to what it was made with. */
export function configDigest(algorithm: string, config: object, environment: string, seed: number): string {
  return createHash('sha256').update(canonicalJson({ algorithm, config, environment, seed })).digest('hex')
}

/** @throws VT_ENV_ACTIONS when the environment's actions are not numbered */
export function discreteActions({ id, action }: EnvironmentSpec): DiscreteSpace {
  if (action.kind === 'discrete') return action
  throw new ValuetrainError(
    'VT_ENV_ACTIONS',
    `${id} takes real numbers as actions, and this algorithm chooses among numbered ones`,
    {
      kind: 'config',
      hint: 'Choose an environment with numbered actions, or divide the range into a few of them.',
    },
  )
}

/** @throws VT_CHECKPOINT_FOREIGN when a state is of another algorithm or configuration */
export function requireOwn(state: TrainingState, algorithm: string, config: string): void {
  if (state.algorithm === algorithm && state.config === config) return
  const why =
    state.algorithm === algorithm
      ? `it belongs to the configuration ${state.config.slice(0, 12)}, not ${config.slice(0, 12)}`
      : `it was written by ${state.algorithm}, not ${algorithm}`
  throw new ValuetrainError('VT_CHECKPOINT_FOREIGN', `this checkpoint cannot be resumed here: ${why}`, {
    hint: 'Resume with the configuration, environment and seed that it was made with, or start anew.',
  })
}

/** @throws VT_TRAIN_CONFIG when a setting is not a whole number from `least` */
export function requireWhole(name: string, value: number, least = 1): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new ValuetrainError('VT_TRAIN_CONFIG', `${name} is ${value}`, {
    kind: 'config',
    hint: `Give a whole number from ${least}.`,
    details: { key: name },
  })
}

/** Puts a stream where it was saved. @throws VT_CHECKPOINT_FOREIGN or VT_RANDOM_STATE when it is not there whole */
export function restoreRandom(tensors: Tensors, name: string, random: Random): void {
  const words = random.state()
  put(tensors, name, words)
  random.restore(words)
}
