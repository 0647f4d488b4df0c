/**
 * What the parts of training share: spaces, environments, policies, learners, their state, and the rows that
 * statistics are made from. Types only, so that nobody loads an engine to speak about one.
 */
import type { Json } from '../core/canonical.ts'

/** A finite set of actions or observations, numbered from 0. */
export interface DiscreteSpace {
  kind: 'discrete'
  n: number
  /** What each number means, for people; as long as `n` when there. */
  names?: readonly string[]
}

/** A box of real numbers, flat in row-major order of `shape`; bounds may be infinite. */
export interface BoxSpace {
  kind: 'box'
  shape: readonly number[]
  /** Lowest value of each element, length = product of `shape`. */
  low: readonly number[]
  high: readonly number[]
}

export type Space = DiscreteSpace | BoxSpace

/** One observation, flat; length = product of the observation space's shape. */
export type Observation = Float32Array

/** An index for a discrete space, the flat values for a box. */
export type Action = number | readonly number[]

/** What a learner has to know about a problem before its first step. */
export interface EnvironmentSpec {
  /** Name and version of the dynamics, e.g. `CartPole-v1`; it enters the run hash. */
  id: string
  observation: BoxSpace
  action: Space
  /** Steps after which an episode is cut off (`truncated`); Infinity for none. */
  maxSteps: number
  /** Mean return from which the problem counts as solved, where its source names one. */
  solvedAt?: number
}

/** The answer to one action. */
export interface Transition {
  observation: Observation
  reward: number
  /** The episode reached an end of its own: the value of what follows is 0. */
  terminated: boolean
  /** The episode was cut off: what follows has a value that nobody will see. */
  truncated: boolean
  /** Named numbers beside the reward, for records only; a learner never reads them. */
  info?: Readonly<Record<string, number>>
}

/** One episode at a time. Everything random inside comes from the seed given to `reset`. */
export interface Environment {
  readonly spec: EnvironmentSpec
  /** Begins an episode. The same seed begins the same episode. */
  reset(seed: number): Observation
  /**
   * @throws VT_ENV_ACTION when the action is outside the action space
   * @throws VT_ENV_ENDED when the episode is over or was never begun
   */
  step(action: Action): Transition
  /** Returns everything needed to go on exactly from here, as data. */
  state(): Json
  /** @throws VT_ENV_STATE when the data is not a state of this environment */
  restore(state: Json): void
}

/** An environment behind a process or a network: the same words, awaited. */
export interface RemoteEnvironment {
  readonly spec: EnvironmentSpec
  reset(seed: number): Promise<Observation>
  step(action: Action): Promise<Transition>
  state(): Json
  restore(state: Json): Promise<void>
  close(): Promise<void>
}

/** The answers of several environments to one action each. Arrays are reused by the next step. */
export interface VectorTransition {
  /** [count x observation]: what to act on next; where an episode ended, the first one of the next episode. */
  observations: Float32Array
  rewards: Float64Array
  terminated: Uint8Array
  truncated: Uint8Array
  /** [count x observation]: what the step led to, also where the episode ended with it. */
  finalObservations: Float32Array
  /** Episodes that ended with this step, in the order of their environments. */
  finished: readonly FinishedEpisode[]
}

export interface FinishedEpisode {
  /** Index of the environment in the vector. */
  index: number
  /** Sum of rewards, undiscounted and unscaled. */
  return: number
  /** Steps. */
  length: number
}

/** Several environments stepped together; an ended episode is begun anew with a seed drawn from the vector's own stream. */
export interface VectorEnvironment {
  readonly spec: EnvironmentSpec
  readonly count: number
  reset(seed: number): Float32Array | Promise<Float32Array>
  /** @param actions one for each environment */
  step(actions: readonly Action[]): VectorTransition | Promise<VectorTransition>
  state(): Json
  restore(state: Json): void | Promise<void>
  close(): Promise<void>
}

/** Seeded randomness as an argument; see random.ts. */
export interface Random {
  /** Returns an integer in [0, 2^32). */
  uint32(): number
  /** Returns a number in [0, 1) with 53 random bits. */
  uniform(): number
  /** Returns an integer in [0, n), without bias. @throws VT_RANDOM_RANGE when n is not an integer in [1, 2^32] */
  below(n: number): number
  /** Returns a draw from the standard normal distribution. */
  normal(): number
  /** Returns an index drawn with the given weights, at least 0, not all 0; they need not sum to 1. */
  categorical(weights: ArrayLike<number>): number
  /** Shuffles in place. */
  shuffle(items: { length: number; [index: number]: unknown }): void
  /** Returns an independent stream that depends on this stream's origin and the label alone, not on draws made so far. */
  split(label: string): Random
  /** Returns everything needed to go on with the same draws. */
  state(): Uint32Array
  restore(state: Uint32Array): void
}

/** One choice, with what an off-policy estimate needs later. */
export interface Decision<A extends Action = Action> {
  action: A
  /** Probability (density for a box) with which the policy takes this action here, exploration included; 1 when greedy. */
  propensity: number
  /** One score an action, before the softmax; for a policy over a box its means. */
  logits: Float32Array
}

export interface Policy<A extends Action = Action> {
  /** @param greedy take the best action instead of drawing one; default false */
  act(observation: Observation, random: Random, greedy?: boolean): Decision<A>
}

/** Names to numbers, units in the names: `loss_policy`, `learning_rate`, `steps_per_cpu_s`, `return_mean`. */
export type Metrics = Record<string, number>

/** Flat numbers by name; the name says whose, e.g. `policy.0.weights`. */
export type Tensors = Record<string, Float32Array | Float64Array | Uint32Array>

/** Everything a learner needs to go on as if it had never stopped. */
export interface TrainingState {
  /** Format version. */
  version: 1
  /** What wrote it, e.g. `ppo`; only the same algorithm restores it. */
  algorithm: string
  /** Digest of the configuration it belongs to, 64 hex digits. */
  config: string
  /** Environment steps done. */
  steps: number
  tensors: Tensors
  /** Counters, schedules, environment states: all that is not flat numbers. */
  json: Json
}

/**
 * An algorithm at work on an environment. It is advanced step by step, so that a caller can stop, save, measure and
 * show between any two.
 */
export interface Learner {
  readonly algorithm: string
  /** Environment steps done so far. */
  readonly steps: number
  /** Environment steps after which it is done. */
  readonly totalSteps: number
  readonly done: boolean
  /**
   * Does the smallest piece of work that a checkpoint may stand after (a rollout and its update, or a few steps of
   * replay) and returns what it measured.
   *
   * @throws VT_TRAIN_DIVERGED when a loss, a weight, a reward or an observation is not finite
   */
  step(): Promise<Metrics>
  /** Returns the policy as it is now; it does not change when the learner goes on. */
  policy(): Policy
  /** Returns the policy as layers and numbers, for export. */
  model(): PolicyModel
  state(): TrainingState
  /** @throws VT_CHECKPOINT_FOREIGN when the state is of another algorithm or configuration */
  restore(state: TrainingState): Promise<void>
}

export type Activation = 'linear' | 'tanh' | 'relu'

/** One dense layer: out = activation(in · weights + bias). */
export interface DenseLayer {
  inputs: number
  outputs: number
  activation: Activation
  /** [inputs x outputs], row-major: weights[i * outputs + o]. */
  weights: Float32Array
  bias: Float32Array
}

/** Statistics that observations are brought to zero mean and unit spread with, before the first layer. */
export interface Normaliser {
  mean: Float64Array
  variance: Float64Array
  /** Added to the variance under the root. */
  epsilon: number
  /** Results are cut to [-clip, clip]. */
  clip: number
}

/** A trained policy as data: what export writes and `policyOf` of nn/policy.ts runs. */
export interface PolicyModel {
  version: 1
  /** `categorical`: the outputs are logits of a softmax. `greedy`: the outputs are action values, the largest is taken. */
  head: 'categorical' | 'greedy'
  environment: string
  observation: BoxSpace
  action: DiscreteSpace
  normaliser?: Normaliser
  layers: readonly DenseLayer[]
}

/** One measured case for statistics: a scenario, or an episode of an environment. */
export interface OutcomeRow {
  /** Scenario or episode, the unit that pairs a candidate with a champion. */
  case: string
  /** Training seed, or the rollout's number inside the case. */
  seed: number
  /** In the unit of the suite: 0 or 1 for pass/fail, a return for an environment. */
  score: number
  /** The rollout died of something that is not the policy; its score is not a score. */
  infrastructureFault: boolean
}
