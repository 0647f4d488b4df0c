/**
 * REINFORCE with a learned baseline: the simplest policy gradient. Play whole episodes, then make every action that was
 * followed by more than expected more likely, once.
 *
 * @see Williams 1992; Sutton and Barto 2018, section 13.4
 */
import type { Json } from '../../core/canonical.ts'
import type { Backend } from '../backend/backend.ts'
import { sizeOf } from '../env/space.ts'
import { log } from '../math.ts'
import { softmax } from '../nn/loss.ts'
import { Mlp, openParameters, parameterLength } from '../nn/mlp.ts'
import { adamOptimiser, diverged, put } from '../nn/optimiser.ts'
import { policyOf } from '../nn/policy.ts'
import { type Schedule, valueAt } from '../nn/schedule.ts'
import { randomFrom } from '../random.ts'
import type { Activation, Learner, Metrics, PolicyModel, TrainingState, VectorEnvironment } from '../types.ts'
import { configDigest, discreteActions, requireOwn, requireWhole, restoreRandom } from './learner.ts'

export interface ReinforceConfig {
  /** Environment steps of the whole run; the last episodes may go past it. */
  totalSteps: number
  /** Environments stepped side by side. */
  environments: number
  /** Whole episodes in one update. */
  episodes: number
  /** Discount a step, in [0, 1]. */
  gamma: number
  /** Adam's step size. */
  learningRate: Schedule
  /** Weight of the entropy in the objective: larger explores more. */
  entropyBonus: number
  /** Weight of the baseline's squared error. */
  valueWeight: number
  /** Longer gradients, over both networks together, are scaled down to this norm. */
  maxGradientNorm: number
  /** Widths of the hidden layers of each of the two networks. */
  hidden: readonly number[]
  activation: Activation
}

export const REINFORCE_DEFAULTS: ReinforceConfig = {
  totalSteps: 100_000,
  environments: 4,
  episodes: 8,
  gamma: 0.99,
  learningRate: 5e-3,
  entropyBonus: 0,
  valueWeight: 0.5,
  maxGradientNorm: 0.5,
  hidden: [32, 32],
  activation: 'tanh',
}

/** Rows that go through the networks at once. */
const ROWS = 256

interface Step {
  observation: Float32Array
  action: number
  reward: number
}

/**
 * Returns a learner at its beginning. Steps of unfinished episodes are part of its state.
 *
 * @throws VT_TRAIN_CONFIG when a size is not a whole number; VT_ENV_ACTIONS when actions are not numbered
 */
export function openReinforce(options: {
  environment: VectorEnvironment
  config: ReinforceConfig
  backend: Backend
  seed: number
}): Learner {
  const { environment, config, backend, seed } = options
  requireWhole('episodes', config.episodes)
  const count = environment.count
  const actions = discreteActions(environment.spec)
  const width = sizeOf(environment.spec.observation)
  const digest = configDigest('reinforce', config, environment.spec.id, seed)
  const origin = randomFrom(seed)
  const acting = origin.split('acting')

  const policyShape = { inputs: width, hidden: config.hidden, outputs: actions.n, activation: config.activation }
  const valueShape = { ...policyShape, outputs: 1 }
  const parameters = openParameters(backend, [policyShape, valueShape])
  const rows = Math.max(ROWS, count)
  const policyNet = new Mlp(backend, policyShape, rows, parameters)
  const valueNet = new Mlp(backend, valueShape, rows, parameters, parameterLength(policyShape))
  policyNet.initialise(origin.split('policy'), 0.01)
  valueNet.initialise(origin.split('value'), 1)
  const optimiser = adamOptimiser(backend, parameters)
  const total = backend.allocate(parameters.gradient.length)

  const running: Step[][] = Array.from({ length: count }, () => [])
  const probabilities = new Float64Array(actions.n)
  let seen: Float32Array = new Float32Array(0)
  let steps = 0

  /** Plays until enough episodes have ended and returns their steps with the discounted rewards that followed each. */
  async function play() {
    const done: { step: Step; following: number }[] = []
    const returns: number[] = []
    const lengths: number[] = []
    while (returns.length < config.episodes) {
      policyNet.input.set(seen)
      const logits = policyNet.forward(count)
      const chosen = Array.from({ length: count }, (_, n) => {
        softmax(logits, n * actions.n, actions.n, probabilities)
        return acting.categorical(probabilities)
      })
      const before = seen
      const answer = environment.step(chosen)
      const next = answer instanceof Promise ? await answer : answer
      steps += count
      for (let n = 0; n < count; n++) {
        const episode = running[n] as Step[]
        episode.push({
          observation: before.slice(n * width, (n + 1) * width),
          action: chosen[n] as number,
          reward: next.rewards[n] as number,
        })
        if (next.terminated[n] !== 1 && next.truncated[n] !== 1) continue
        let following = 0
        for (const step of episode.reverse()) {
          following = step.reward + config.gamma * following
          done.push({ step, following })
        }
        running[n] = []
      }
      for (const episode of next.finished) {
        returns.push(episode.return)
        lengths.push(episode.length)
      }
      seen = next.observations.slice()
    }
    return { done, returns, lengths }
  }

  /** Adds up the gradient over all steps, a batch of rows at a time, and moves once. */
  function update(done: readonly { step: Step; following: number }[], rate: number) {
    const values = done.map(() => 0)
    for (let from = 0; from < done.length; from += ROWS) {
      const some = fill(done, from)
      const predicted = valueNet.forward(some)
      for (let r = 0; r < some; r++) values[from + r] = predicted[r] as number
    }
    const surprises = done.map(({ following }, n) => following - (values[n] as number))
    const mean = surprises.reduce((sum, value) => sum + value, 0) / done.length
    const spread = Math.sqrt(surprises.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / done.length)
    let policyLoss = 0
    let valueLoss = 0
    let entropy = 0
    total.fill(0)
    for (let from = 0; from < done.length; from += ROWS) {
      const some = fill(done, from)
      const logits = policyNet.forward(some)
      const predicted = valueNet.forward(some)
      for (let r = 0; r < some; r++) {
        const { step, following } = done[from + r] as { step: Step; following: number }
        const weight = ((surprises[from + r] as number) - mean) / (spread + 1e-8)
        const rowEntropy = softmax(logits, r * actions.n, actions.n, probabilities)
        policyLoss -= (weight * log(probabilities[step.action] as number)) / done.length
        for (let n = 0; n < actions.n; n++) {
          const p = probabilities[n] as number
          const towards = -weight * ((n === step.action ? 1 : 0) - p)
          const spreading = p > 0 ? config.entropyBonus * p * (log(p) + rowEntropy) : 0
          policyNet.outputGradient[r * actions.n + n] = (towards + spreading) / done.length
        }
        const error = (predicted[r] as number) - following
        valueLoss += (error * error) / done.length
        entropy += rowEntropy / done.length
        valueNet.outputGradient[r] = (2 * config.valueWeight * error) / done.length
      }
      policyNet.backward(some)
      valueNet.backward(some)
      for (let n = 0; n < total.length; n++) total[n] = (total[n] as number) + (parameters.gradient[n] as number)
    }
    parameters.gradient.set(total)
    const norm = optimiser.step(rate, config.maxGradientNorm)
    return { loss_policy: policyLoss, loss_value: valueLoss, entropy_nats: entropy, gradient_norm: norm }
  }

  function fill(done: readonly { step: Step }[], from: number): number {
    const some = Math.min(ROWS, done.length - from)
    for (let r = 0; r < some; r++) {
      const { observation } = (done[from + r] as { step: Step }).step
      policyNet.input.set(observation, r * width)
      valueNet.input.set(observation, r * width)
    }
    return some
  }

  const learner: Learner = {
    algorithm: 'reinforce',
    totalSteps: config.totalSteps,
    get steps() {
      return steps
    },
    get done() {
      return steps >= config.totalSteps
    },
    async step() {
      if (seen.length === 0) seen = (await environment.reset(origin.split('environment').uint32())).slice()
      const { done, returns, lengths } = await play()
      const rate = valueAt(config.learningRate, Math.min(1, steps / config.totalSteps))
      const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length
      const metrics: Metrics = {
        ...update(done, rate),
        learning_rate: rate,
        episodes: returns.length,
        return_mean: mean(returns),
        length_mean_steps: mean(lengths),
      }
      for (const [name, value] of Object.entries(metrics)) if (!Number.isFinite(value)) throw diverged(name, value)
      return metrics
    },
    policy: () => policyOf(learner.model()),
    model: (): PolicyModel => ({
      version: 1,
      head: 'categorical',
      environment: environment.spec.id,
      observation: environment.spec.observation,
      action: actions,
      layers: policyNet.layers(),
    }),
    state: (): TrainingState => ({
      version: 1,
      algorithm: 'reinforce',
      config: digest,
      steps,
      tensors: {
        parameters: parameters.values.slice(),
        seen: seen.slice(),
        'random.acting': acting.state(),
        'running.observations': Float32Array.from(running.flat().flatMap(({ observation }) => [...observation])),
        'running.actions': Uint32Array.from(running.flat(), ({ action }) => action),
        'running.rewards': Float64Array.from(running.flat(), ({ reward }) => reward),
        ...optimiser.tensors('adam'),
      },
      json: { environment: seen.length === 0 ? null : environment.state(), running: running.map(({ length }) => length) },
    }),
    async restore(state) {
      requireOwn(state, 'reinforce', digest)
      const json = state.json as { environment: Json; running: number[] }
      const kept = json.running.reduce((sum, length) => sum + length, 0)
      const next = new Float32Array(state.tensors.seen?.length === 0 ? 0 : count * width)
      const observations = new Float32Array(kept * width)
      const taken = new Uint32Array(kept)
      const rewards = new Float64Array(kept)
      put(state.tensors, 'seen', next)
      put(state.tensors, 'parameters', parameters.values)
      put(state.tensors, 'running.observations', observations)
      put(state.tensors, 'running.actions', taken)
      put(state.tensors, 'running.rewards', rewards)
      optimiser.restore('adam', state.tensors)
      restoreRandom(state.tensors, 'random.acting', acting)
      let at = 0
      json.running.forEach((length, n) => {
        running[n] = Array.from({ length }, () => {
          const step = {
            observation: observations.slice(at * width, (at + 1) * width),
            action: taken[at] as number,
            reward: rewards[at] as number,
          }
          at++
          return step
        })
      })
      seen = next
      steps = state.steps
      if (json.environment !== null) await environment.restore(json.environment)
    },
  }
  return learner
}
