/**
 * Deep Q-learning with double estimates: learn the value of every action from replayed transitions.
 *
 * Act by the largest value, at times at random; keep what happened; every so often take gradient steps on drawn
 * transitions towards reward + gamma * target(next, best action of the online network).
 *
 * @see Mnih et al. 2015, Human-level control through deep reinforcement learning; van Hasselt et al. 2016,
 *   arXiv:1509.06461
 */
import type { Json } from '../../core/canonical.ts'
import type { Backend } from '../backend/backend.ts'
import { sizeOf } from '../env/space.ts'
import { huber, huberGradient } from '../nn/loss.ts'
import { Mlp, openParameters } from '../nn/mlp.ts'
import { adamOptimiser, diverged, put } from '../nn/optimiser.ts'
import { largest, policyOf } from '../nn/policy.ts'
import { type Schedule, valueAt } from '../nn/schedule.ts'
import { randomFrom } from '../random.ts'
import type { Activation, Learner, Metrics, PolicyModel, TrainingState, VectorEnvironment } from '../types.ts'
import { configDigest, discreteActions, requireOwn, requireWhole, restoreRandom } from './learner.ts'

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
  /** Transitions in one gradient step. */
  minibatch: number
  /** Discount a step, in [0, 1]. */
  gamma: number
  /** Adam's step size. */
  learningRate: Schedule
  /** Share of actions drawn at random. */
  exploration: Schedule
  /** Environment steps between two copies of the online network into the target network. */
  targetEvery: number
  /** Longer gradients are scaled down to this norm. */
  maxGradientNorm: number
  /** Widths of the hidden layers. */
  hidden: readonly number[]
  activation: Activation
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
}

/**
 * Returns a learner at its beginning; the replay buffer is part of its state.
 *
 * @throws VT_TRAIN_CONFIG when a size is not a whole number; VT_ENV_ACTIONS when actions are not numbered
 */
export function openDqn(options: { environment: VectorEnvironment; config: DqnConfig; backend: Backend; seed: number }): Learner {
  const { environment, config, backend, seed } = options
  for (const key of ['trainEvery', 'gradientSteps', 'bufferSize', 'minibatch', 'targetEvery'] as const)
    requireWhole(key, config[key])
  requireWhole('learningStarts', config.learningStarts, 0)
  const count = environment.count
  const actions = discreteActions(environment.spec)
  const width = sizeOf(environment.spec.observation)
  const digest = configDigest('dqn', config, environment.spec.id, seed)

  const origin = randomFrom(seed)
  const exploring = origin.split('exploring')
  const drawing = origin.split('drawing')

  const shape = { inputs: width, hidden: config.hidden, outputs: actions.n, activation: config.activation }
  const rows = Math.max(config.minibatch, count)
  const parameters = openParameters(backend, [shape])
  const online = new Mlp(backend, shape, rows, parameters)
  const targetParameters = openParameters(backend, [shape])
  const target = new Mlp(backend, shape, rows, targetParameters)
  online.initialiseUniform(origin.split('network'))
  targetParameters.values.set(parameters.values)
  const optimiser = adamOptimiser(backend, parameters)

  const replay = openReplay(config.bufferSize, width)
  let seen: Float32Array = new Float32Array(0)
  let steps = 0
  let sinceCopy = 0

  async function act(measured: { returns: number[]; lengths: number[] }): Promise<void> {
    online.input.set(seen)
    const scores = online.forward(count)
    const share = valueAt(config.exploration, Math.min(1, steps / config.totalSteps))
    const chosen = Array.from({ length: count }, (_, n) =>
      exploring.uniform() < share ? exploring.below(actions.n) : largest(scores, n * actions.n, actions.n),
    )
    const before = seen
    const answer = environment.step(chosen)
    const next = answer instanceof Promise ? await answer : answer
    for (let n = 0; n < count; n++) {
      const after = next.finalObservations.subarray(n * width, (n + 1) * width)
      // Only an end of its own has the value 0; a cut-off episode would have gone on.
      replay.add(
        before.subarray(n * width, (n + 1) * width),
        chosen[n] as number,
        next.rewards[n] as number,
        after,
        next.terminated[n] === 1,
      )
    }
    for (const episode of next.finished) {
      measured.returns.push(episode.return)
      measured.lengths.push(episode.length)
    }
    seen = next.observations.slice()
    steps += count
    sinceCopy += count
    if (sinceCopy >= config.targetEvery) {
      sinceCopy = 0
      targetParameters.values.set(parameters.values)
    }
  }

  function learn(rate: number): { loss: number; norm: number; value: number } {
    const drawn = Array.from({ length: config.minibatch }, () => drawing.below(replay.length()))
    const fill = (input: Float32Array, from: Float32Array) => {
      drawn.forEach((at, r) => {
        for (let n = 0; n < width; n++) input[r * width + n] = from[at * width + n] as number
      })
    }
    fill(online.input, replay.after)
    fill(target.input, replay.after)
    const nextScores = online.forward(config.minibatch)
    const nextValues = target.forward(config.minibatch)
    const targets = drawn.map((at, r) => {
      const best = largest(nextScores, r * actions.n, actions.n)
      const follows = replay.ended[at] === 1 ? 0 : (nextValues[r * actions.n + best] as number)
      return (replay.rewards[at] as number) + config.gamma * follows
    })
    fill(online.input, replay.before)
    const scores = online.forward(config.minibatch)
    online.outputGradient.fill(0)
    let loss = 0
    let value = 0
    drawn.forEach((at, r) => {
      const place = r * actions.n + (replay.actions[at] as number)
      const error = (scores[place] as number) - (targets[r] as number)
      loss += huber(error) / config.minibatch
      value += (scores[place] as number) / config.minibatch
      online.outputGradient[place] = huberGradient(error) / config.minibatch
    })
    online.backward(config.minibatch)
    return { loss, value, norm: optimiser.step(rate, config.maxGradientNorm) }
  }

  const learner: Learner = {
    algorithm: 'dqn',
    totalSteps: config.totalSteps,
    get steps() {
      return steps
    },
    get done() {
      return steps >= config.totalSteps
    },
    async step() {
      if (seen.length === 0) seen = (await environment.reset(origin.split('environment').uint32())).slice()
      const measured = { returns: [] as number[], lengths: [] as number[] }
      const until = steps + config.trainEvery
      while (steps < until) await act(measured)
      const progress = Math.min(1, steps / config.totalSteps)
      const rate = valueAt(config.learningRate, progress)
      const results = []
      if (replay.length() >= Math.max(1, config.learningStarts)) {
        for (let n = 0; n < config.gradientSteps; n++) results.push(learn(rate))
      }
      return metricsOf(results, measured, { rate, exploration: valueAt(config.exploration, progress), buffer: replay.length() })
    },
    policy: () => policyOf(learner.model()),
    model: (): PolicyModel => ({
      version: 1,
      head: 'greedy',
      environment: environment.spec.id,
      observation: environment.spec.observation,
      action: actions,
      layers: online.layers(),
    }),
    state: (): TrainingState => ({
      version: 1,
      algorithm: 'dqn',
      config: digest,
      steps,
      tensors: {
        parameters: parameters.values.slice(),
        target: targetParameters.values.slice(),
        seen: seen.slice(),
        'random.exploring': exploring.state(),
        'random.drawing': drawing.state(),
        ...optimiser.tensors('adam'),
        ...replay.tensors(),
      },
      json: { environment: seen.length === 0 ? null : environment.state(), sinceCopy },
    }),
    async restore(state) {
      requireOwn(state, 'dqn', digest)
      const next = new Float32Array(state.tensors.seen?.length === 0 ? 0 : count * width)
      put(state.tensors, 'seen', next)
      put(state.tensors, 'parameters', parameters.values)
      put(state.tensors, 'target', targetParameters.values)
      optimiser.restore('adam', state.tensors)
      replay.restore(state.tensors)
      restoreRandom(state.tensors, 'random.exploring', exploring)
      restoreRandom(state.tensors, 'random.drawing', drawing)
      const json = state.json as { environment: Json; sinceCopy: number }
      seen = next
      steps = state.steps
      sinceCopy = json.sinceCopy
      if (json.environment !== null) await environment.restore(json.environment)
    },
  }
  return learner
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
    add(from: Float32Array, action: number, reward: number, to: Float32Array, end: boolean) {
      const at = added % capacity
      before.set(from, at * width)
      after.set(to, at * width)
      rewards[at] = reward
      actions[at] = action
      ended[at] = end ? 1 : 0
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
    restore(tensors: TrainingState['tensors']) {
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

function metricsOf(
  results: readonly { loss: number; norm: number; value: number }[],
  { returns, lengths }: { returns: number[]; lengths: number[] },
  run: { rate: number; exploration: number; buffer: number },
): Metrics {
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length
  const metrics: Metrics = {
    learning_rate: run.rate,
    exploration_share: run.exploration,
    buffer_transitions: run.buffer,
    episodes: returns.length,
  }
  if (results.length > 0) {
    metrics.loss_huber = mean(results.map(({ loss }) => loss))
    metrics.gradient_norm = mean(results.map(({ norm }) => norm))
    metrics.value_mean = mean(results.map(({ value }) => value))
  }
  if (returns.length > 0) {
    metrics.return_mean = mean(returns)
    metrics.length_mean_steps = mean(lengths)
  }
  for (const [name, value] of Object.entries(metrics)) if (!Number.isFinite(value)) throw diverged(name, value)
  return metrics
}
