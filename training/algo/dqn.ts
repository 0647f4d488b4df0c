/**
 * Deep Q-learning with double estimates: learn the value of every action from replayed transitions.
 *
 * Act by the largest value, at times at random; keep what happened; every so often take gradient steps on drawn
 * transitions towards reward + gamma * target(next, best action of the online network).
 *
 * @see Mnih et al. 2015, Human-level control through deep reinforcement learning; van Hasselt et al. 2016,
 *   arXiv:1509.06461
 */
import type { Backend } from '../backend/backend.ts'
import { discreteActions, sizeOf } from '../env/space.ts'
import { gradientSum } from '../nn/gradient-sum.ts'
import { huber, huberGradient } from '../nn/loss.ts'
import { Mlp, openParameters } from '../nn/mlp.ts'
import { type OptimiserConfig, openOptimiser, put } from '../nn/optimiser.ts'
import { boundedSight, plainSight } from '../nn/perception.ts'
import { largest } from '../nn/policy.ts'
import { type Schedule, valueAt } from '../nn/schedule.ts'
import { randomFrom } from '../random.ts'
import type { Activation, Learner, Metrics, Tensors, VectorEnvironment } from '../types.ts'
import { learnerOf, meanOf, requireWhole } from './learner.ts'
import { type LearnedReward, openRollout } from './rollout.ts'
import { savedArrays, savedAs, savedStreams } from './saved.ts'

export interface DqnConfig {
  /** Environment steps of the whole run; the last round may go past it. */
  totalSteps: number
  /** Environments stepped side by side. */
  environments: number
  /** Environment steps between two rounds of gradient steps; a multiple of `environments`. */
  trainEvery: number
  /** Gradient steps in a round. */
  gradientSteps: number
  /** Transitions kept; the oldest go first. */
  bufferSize: number
  /** Transitions gathered before the first gradient step. */
  learningStarts: number
  /** Transitions that go through the networks at once. */
  minibatch: number
  /** Minibatches in one gradient step; 1 unless told. */
  accumulate?: number
  /** Discount a step, in [0, 1]. */
  gamma: number
  /** What of a reward is learned from; all of it as it is, unless told. */
  reward?: LearnedReward
  /** The optimiser's step size. */
  learningRate: Schedule
  /** What moves the network; Adam unless told. */
  optimiser?: OptimiserConfig
  /** Share of actions drawn at random. */
  exploration: Schedule
  /** Environment steps between two copies of the online network into the target network. */
  targetEvery: number
  /** Longer gradients are scaled down to this norm. */
  maxGradientNorm: number
  /** Widths of the hidden layers. */
  hidden: readonly number[]
  activation: Activation
  /** Bring observations to [-1, 1] by the bounds of their space; all of them have to be finite. */
  scaleObservations: boolean
}

export const DQN_DEFAULTS: DqnConfig = {
  totalSteps: 50_000,
  environments: 1,
  trainEvery: 256,
  gradientSteps: 128,
  bufferSize: 100_000,
  learningStarts: 1_000,
  minibatch: 64,
  gamma: 0.99,
  learningRate: 2.3e-3,
  exploration: { kind: 'linear', from: 1, to: 0.04, over: 0.16 },
  targetEvery: 10,
  maxGradientNorm: 10,
  hidden: [256, 256],
  activation: 'relu',
  scaleObservations: false,
}

/**
 * Returns a learner at its beginning; the replay buffer is part of its state.
 *
 * @throws VT_TRAIN_CONFIG when a size is not a whole number or an observation to be scaled has no bounds; VT_ENV_ACTIONS when actions are not numbered
 */
export function openDqn(options: { environment: VectorEnvironment; config: DqnConfig; backend: Backend; seed: number }): Learner {
  const { environment, config, backend, seed } = options
  for (const key of ['trainEvery', 'gradientSteps', 'bufferSize', 'minibatch', 'targetEvery'] as const)
    requireWhole(key, config[key])
  requireWhole('learningStarts', config.learningStarts, 0)
  const { minibatch, accumulate = 1 } = config
  requireWhole('accumulate', accumulate)
  const { spec, count } = environment
  const width = sizeOf(spec.observation)
  const actions = discreteActions(spec).n

  const origin = randomFrom(seed)
  const exploring = origin.split('exploring')
  const drawing = origin.split('drawing')
  const rollout = openRollout({
    environment,
    perception: config.scaleObservations ? boundedSight(spec.observation, spec.id) : plainSight(),
    totalSteps: config.totalSteps,
    seed: origin.split('environment').uint32(),
    reward: config.reward,
  })

  const shape = { inputs: width, hidden: config.hidden, outputs: actions, activation: config.activation }
  const rows = Math.max(config.minibatch, count)
  const parameters = openParameters(backend, [shape])
  const online = new Mlp(backend, shape, rows, parameters)
  const targetParameters = openParameters(backend, [shape])
  const target = new Mlp(backend, shape, rows, targetParameters)
  online.initialiseUniform(origin.split('network'))
  targetParameters.values.set(parameters.values)
  const optimiser = openOptimiser(backend, parameters, config.optimiser)
  const total = gradientSum(parameters)
  const replay = openReplay(config.bufferSize, width)
  /** Environment steps since the target network was brought up to date. */
  const sinceCopy = Float64Array.of(0)

  async function act(): Promise<void> {
    const before = rollout.seen
    online.input.set(before)
    const scores = online.forward(count)
    const share = valueAt(config.exploration, rollout.progress)
    const chosen = Array.from({ length: count }, (_, n) =>
      exploring.uniform() < share ? exploring.below(actions) : largest(scores, n * actions, actions),
    )
    const next = await rollout.step(chosen)
    for (let n = 0; n < count; n++) {
      // Only an end of its own has the value 0; a cut-off episode would have gone on.
      replay.add({
        before: before.subarray(n * width, (n + 1) * width),
        action: chosen[n] as number,
        reward: next.rewards[n] as number,
        after: next.ledTo(n),
        ended: next.terminated[n] === 1,
      })
    }
    sinceCopy[0] = (sinceCopy[0] as number) + count
    if (sinceCopy[0] < config.targetEvery) return
    sinceCopy[0] = 0
    targetParameters.values.set(parameters.values)
  }

  /** One gradient step, on as many minibatches as are told. */
  function learn(rate: number): { loss: number; norm: number; value: number } {
    let loss = 0
    let value = 0
    for (let part = 0; part < accumulate; part++) {
      const seen = pass()
      loss += seen.loss / accumulate
      value += seen.value / accumulate
      if (accumulate > 1) total.add()
    }
    if (accumulate > 1) total.put()
    return { loss, value, norm: optimiser.step(rate, config.maxGradientNorm) }
  }

  /** Draws a minibatch and leaves its share of the step's gradient. */
  function pass(): { loss: number; value: number } {
    const drawn = Array.from({ length: minibatch }, () => drawing.below(replay.length()))
    const fill = (input: Float32Array, from: Float32Array) => {
      drawn.forEach((at, r) => {
        for (let n = 0; n < width; n++) input[r * width + n] = from[at * width + n] as number
      })
    }
    fill(online.input, replay.after)
    fill(target.input, replay.after)
    const nextScores = online.forward(minibatch)
    const nextValues = target.forward(minibatch)
    const targets = drawn.map((at, r) => {
      const best = largest(nextScores, r * actions, actions)
      const follows = replay.ended[at] === 1 ? 0 : (nextValues[r * actions + best] as number)
      return (replay.rewards[at] as number) + config.gamma * follows
    })
    fill(online.input, replay.before)
    const scores = online.forward(minibatch)
    online.outputGradient.fill(0)
    let loss = 0
    let value = 0
    drawn.forEach((at, r) => {
      const place = r * actions + (replay.actions[at] as number)
      const error = (scores[place] as number) - (targets[r] as number)
      loss += huber(error) / minibatch
      value += (scores[place] as number) / minibatch
      online.outputGradient[place] = huberGradient(error) / (minibatch * accumulate)
    })
    online.backward(minibatch)
    return { loss, value }
  }

  async function work(): Promise<Metrics> {
    const until = rollout.steps + config.trainEvery
    while (rollout.steps < until) await act()
    const rate = valueAt(config.learningRate, rollout.progress)
    const ready = replay.length() >= Math.max(1, config.learningStarts)
    const measured = Array.from({ length: ready ? config.gradientSteps : 0 }, () => learn(rate))
    return {
      learning_rate: rate,
      exploration_share: valueAt(config.exploration, rollout.progress),
      buffer_transitions: replay.length(),
      ...(ready
        ? {
            loss_huber: meanOf(measured, 'loss'),
            gradient_norm: meanOf(measured, 'norm'),
            value_mean: meanOf(measured, 'value'),
          }
        : {}),
    }
  }

  const saved = [
    savedArrays({ parameters: parameters.values, target: targetParameters.values, since_copy: sinceCopy }),
    savedStreams({ exploring, drawing }),
    savedAs(optimiser.kind, optimiser),
    replay,
  ]
  return learnerOf({ algorithm: 'dqn', config, seed, rollout, work, network: online, head: 'greedy', saved })
}

interface Transition {
  before: Float32Array
  action: number
  reward: number
  after: Float32Array
  ended: boolean
}

/** A ring of transitions. Its arrays grow with what is in them, so that a short run keeps a short checkpoint. */
function openReplay(capacity: number, width: number) {
  const before = new Float32Array(capacity * width)
  const after = new Float32Array(capacity * width)
  const rewards = new Float64Array(capacity)
  const actions = new Uint32Array(capacity)
  const ended = new Uint32Array(capacity)
  let added = 0
  const length = () => Math.min(added, capacity)
  return {
    before,
    after,
    rewards,
    actions,
    ended,
    length,
    add(transition: Transition) {
      const at = added % capacity
      before.set(transition.before, at * width)
      after.set(transition.after, at * width)
      rewards[at] = transition.reward
      actions[at] = transition.action
      ended[at] = transition.ended ? 1 : 0
      added++
    },
    tensors: () => ({
      'replay.before': before.slice(0, length() * width),
      'replay.after': after.slice(0, length() * width),
      'replay.rewards': rewards.slice(0, length()),
      'replay.actions': actions.slice(0, length()),
      'replay.ended': ended.slice(0, length()),
      'replay.added': Float64Array.of(added),
    }),
    restore(tensors: Tensors) {
      const total = new Float64Array(1)
      put(tensors, 'replay.added', total)
      added = total[0] as number
      put(tensors, 'replay.before', before.subarray(0, length() * width))
      put(tensors, 'replay.after', after.subarray(0, length() * width))
      put(tensors, 'replay.rewards', rewards.subarray(0, length()))
      put(tensors, 'replay.actions', actions.subarray(0, length()))
      put(tensors, 'replay.ended', ended.subarray(0, length()))
    },
  }
}
