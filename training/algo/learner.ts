/** What every learner is besides its update: where it stands, its policy as data, its state as one checkpoint. */
import { createHash } from 'node:crypto'
import { canonicalJson, type Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Mlp } from '../nn/mlp.ts'
import { diverged } from '../nn/optimiser.ts'
import { policyOf } from '../nn/policy.ts'
import type { Learner, Metrics, PolicyModel, TrainingState } from '../types.ts'
import type { Rollout } from './rollout.ts'
import type { Saved } from './saved.ts'

/** What an algorithm brings. */
export interface LearnerParts {
  algorithm: string
  /** All of it is tied to a checkpoint, with the environment and the seed. */
  config: { readonly totalSteps: number }
  seed: number
  rollout: Rollout
  /** Acts and learns once; returns what it measured, episodes aside. */
  work(): Promise<Metrics>
  /** The network the policy is read from, and how. */
  network: Mlp
  head: PolicyModel['head']
  /** Everything with state besides the rollout. */
  saved: readonly Saved[]
}

/** Returns an algorithm as a learner. */
export function learnerOf({ algorithm, config, seed, rollout, work, network, head, saved }: LearnerParts): Learner {
  const { spec } = rollout.environment
  const digest = configDigest(algorithm, config, spec.id, seed)
  const learner: Learner = {
    algorithm,
    totalSteps: config.totalSteps,
    get steps() {
      return rollout.steps
    },
    get done() {
      return rollout.steps >= config.totalSteps
    },
    async step() {
      await rollout.begin()
      const metrics = { ...(await work()), ...rollout.takeEpisodes() }
      for (const [name, value] of Object.entries(metrics)) if (!Number.isFinite(value)) throw diverged(name, value)
      return metrics
    },
    policy: () => policyOf(learner.model()),
    model() {
      const normaliser = rollout.perception.normaliser()
      return {
        version: 1,
        head,
        environment: spec.id,
        observation: spec.observation,
        action: rollout.actions,
        ...(normaliser === undefined ? {} : { normaliser }),
        layers: network.layers(),
      }
    },
    state: () => ({
      version: 1,
      algorithm,
      config: digest,
      steps: rollout.steps,
      tensors: Object.assign({}, rollout.tensors(), ...saved.map((part) => part.tensors())),
      json: { environment: rollout.environments() },
    }),
    async restore(state) {
      requireOwn(state, algorithm, digest)
      for (const part of saved) part.restore(state.tensors)
      await rollout.restore(state, (state.json as { environment: Json }).environment)
    },
  }
  return learner
}

/** Returns the mean of one measurement over several. */
export function meanOf<K extends string>(rows: readonly Readonly<Record<K, number>>[], key: K): number {
  return rows.reduce((sum, row) => sum + row[key], 0) / rows.length
}

/** Returns the digest that ties a state to what it was made with. */
export function configDigest(algorithm: string, config: object, environment: string, seed: number): string {
  return createHash('sha256').update(canonicalJson({ algorithm, config, environment, seed })).digest('hex')
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
