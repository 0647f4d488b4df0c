/**
 * Proximal policy optimisation with a clipped objective, for environments with numbered actions.
 *
 * Gather a rollout with the present policy, estimate advantages, then move policy and value network for a few epochs
 * over shuffled minibatches, without letting an action's probability leave the clip range.
 *
 * @see Schulman et al. 2017, arXiv:1707.06347; Huang et al. 2022, "The 37 implementation details of PPO"
 */
import { ValuetrainError } from '../../core/errors.ts'
import type { Backend } from '../backend/backend.ts'
import { sizeOf } from '../env/space.ts'
import { exp, log } from '../math.ts'
import { softmax } from '../nn/loss.ts'
import { Mlp, openParameters, parameterLength } from '../nn/mlp.ts'
import { normalise, RunningMoments } from '../nn/normalise.ts'
import { adamOptimiser, diverged, put } from '../nn/optimiser.ts'
import { policyOf } from '../nn/policy.ts'
import { type Schedule, valueAt } from '../nn/schedule.ts'
import { randomFrom } from '../random.ts'
import type { Activation, Learner, Metrics, Normaliser, PolicyModel, TrainingState, VectorEnvironment } from '../types.ts'
import { advantages } from './advantage.ts'
import { configDigest, discreteActions, requireOwn, requireWhole, restoreRandom } from './learner.ts'

export interface PpoConfig {
  /** Environment steps of the whole run; the last rollout may go past it. */
  totalSteps: number
  /** Environments stepped side by side. More of them make rollouts more varied and kernels busier. */
  environments: number
  /** Steps of each environment between two updates. */
  rolloutSteps: number
  /** Steps in one gradient step; divides environments x rolloutSteps. */
  minibatch: number
  /** Passes over each rollout. */
  epochs: number
  /** Discount a step, in [0, 1]: how far ahead the policy looks. */
  gamma: number
  /** Bias-variance mix of the advantages, in [0, 1]: 1 trusts rewards only, 0 the value network. */
  lambda: number
  /** Adam's step size. */
  learningRate: Schedule
  /** How far an action's probability ratio may leave 1 before its gradient stops. */
  clip: Schedule
  /** Weight of the entropy in the objective: larger explores more. */
  entropyBonus: number
  /** Weight of the value network's squared error. */
  valueWeight: number
  /** Longer gradients, over both networks together, are scaled down to this norm. */
  maxGradientNorm: number
  /** An update stops early when the policy has moved further than 1.5 times this, in nats; null for never. */
  targetKl: number | null
  /** Widths of the hidden layers of each of the two networks. */
  hidden: readonly number[]
  activation: Activation
  /** Bring observations to zero mean and unit spread by running statistics. */
  normaliseObservations: boolean
  /** Divide rewards by the running spread of the discounted return. */
  normaliseRewards: boolean
}

export const PPO_DEFAULTS: PpoConfig = {
  totalSteps: 100_000,
  environments: 8,
  rolloutSteps: 256,
  minibatch: 256,
  epochs: 10,
  gamma: 0.99,
  lambda: 0.95,
  learningRate: 3e-4,
  clip: 0.2,
  entropyBonus: 0,
  valueWeight: 0.5,
  maxGradientNorm: 0.5,
  targetKl: null,
  hidden: [64, 64],
  activation: 'tanh',
  normaliseObservations: false,
  normaliseRewards: false,
}

const NORMALISER = { epsilon: 1e-8, clip: 10 }
/** Adam's; the usual 1e-8 makes early steps of PPO too large. */
const ADAM_EPSILON = 1e-5

/**
 * Returns a learner at its beginning. Its state between two steps is everything; nothing is kept elsewhere.
 *
 * @throws VT_TRAIN_CONFIG when sizes do not fit; VT_ENV_ACTIONS when actions are not numbered
 */
export function openPpo(options: { environment: VectorEnvironment; config: PpoConfig; backend: Backend; seed: number }): Learner {
  const { environment, config, backend, seed } = options
  const { rolloutSteps, minibatch, gamma } = config
  const count = environment.count
  const actions = discreteActions(environment.spec)
  const width = sizeOf(environment.spec.observation)
  const batch = rolloutSteps * count
  checkSizes(config, count)
  const digest = configDigest('ppo', config, environment.spec.id, seed)

  const origin = randomFrom(seed)
  const acting = origin.split('acting')
  const shuffling = origin.split('shuffling')

  const policyShape = { inputs: width, hidden: config.hidden, outputs: actions.n, activation: config.activation }
  const valueShape = { ...policyShape, outputs: 1 }
  const parameters = openParameters(backend, [policyShape, valueShape])
  const rows = Math.max(minibatch, count)
  const policyNet = new Mlp(backend, policyShape, rows, parameters)
  const valueNet = new Mlp(backend, valueShape, rows, parameters, parameterLength(policyShape))
  // A small last layer starts with an almost uniform policy.
  policyNet.initialise(origin.split('policy'), 0.01)
  valueNet.initialise(origin.split('value'), 1)
  const optimiser = adamOptimiser(backend, parameters, { epsilon: ADAM_EPSILON })

  const moments = new RunningMoments(width)
  const returnMoments = new RunningMoments(1)
  const normaliser: Normaliser = { mean: moments.mean, variance: moments.variance, ...NORMALISER }

  /** What the networks see now, [count x width]; empty until the first step begins the episodes. */
  let seen: Float32Array = new Float32Array(0)
  const discountedReturns = new Float64Array(count)
  let steps = 0

  const observations = new Float32Array(batch * width)
  const taken = new Int32Array(batch)
  const logProbabilities = new Float64Array(batch)
  const rewards = new Float64Array(batch)
  const ends = new Uint8Array(batch)
  const values = new Float64Array(batch)
  const lastValues = new Float64Array(count)
  const estimates = new Float64Array(batch)
  const order = new Int32Array(batch)
  const probabilities = new Float64Array(actions.n)

  /** Learns from raw observations and returns them as the networks see them. */
  function perceive(raw: Float32Array, learn: boolean): Float32Array {
    if (!config.normaliseObservations) return raw.slice()
    if (learn) moments.update(raw, raw.length / width)
    const out = new Float32Array(raw.length)
    normalise(normaliser, raw, raw.length / width, out)
    return out
  }

  function valuesOf(inputs: Float32Array, out: Float64Array): void {
    const total = inputs.length / width
    for (let from = 0; from < total; from += rows) {
      const some = Math.min(rows, total - from)
      valueNet.input.set(inputs.subarray(from * width, (from + some) * width))
      const result = valueNet.forward(some)
      for (let r = 0; r < some; r++) out[from + r] = result[r] as number
    }
  }

  async function gather(): Promise<{ returns: number[]; lengths: number[] }> {
    const returns: number[] = []
    const lengths: number[] = []
    const cutOff: { at: number; observation: Float32Array }[] = []
    const chosen: number[] = new Array(count).fill(0)
    for (let t = 0; t < rolloutSteps; t++) {
      observations.set(seen, t * count * width)
      policyNet.input.set(seen)
      const logits = policyNet.forward(count)
      for (let n = 0; n < count; n++) {
        softmax(logits, n * actions.n, actions.n, probabilities)
        const action = acting.categorical(probabilities)
        chosen[n] = action
        taken[t * count + n] = action
        logProbabilities[t * count + n] = log(probabilities[action] as number)
      }
      const answer = environment.step(chosen)
      const next = answer instanceof Promise ? await answer : answer
      for (let n = 0; n < count; n++) {
        const at = t * count + n
        const ended = next.terminated[n] === 1 || next.truncated[n] === 1
        ends[at] = ended ? 1 : 0
        rewards[at] = scaledReward(n, next.rewards[n] as number, ended)
      }
      seen = perceive(next.observations, true)
      for (let n = 0; n < count; n++) {
        if (next.truncated[n] !== 1) continue
        cutOff.push({
          at: t * count + n,
          observation: perceive(next.finalObservations.subarray(n * width, (n + 1) * width), false),
        })
      }
      for (const episode of next.finished) {
        returns.push(episode.return)
        lengths.push(episode.length)
      }
    }
    steps += batch
    valuesOf(observations, values)
    valuesOf(seen, lastValues)
    // An episode that was cut off would have gone on: the value of what followed stands for the rest.
    const rest = new Float64Array(1)
    for (const { at, observation } of cutOff) {
      valuesOf(observation, rest)
      rewards[at] = (rewards[at] as number) + gamma * (rest[0] as number)
    }
    return { returns, lengths }
  }

  function scaledReward(n: number, reward: number, ended: boolean): number {
    if (!config.normaliseRewards) return reward
    discountedReturns[n] = (discountedReturns[n] as number) * gamma + reward
    returnMoments.update(discountedReturns.subarray(n, n + 1), 1)
    if (ended) discountedReturns[n] = 0
    const scaled = reward / Math.sqrt((returnMoments.variance[0] as number) + NORMALISER.epsilon)
    return Math.min(Math.max(scaled, -NORMALISER.clip), NORMALISER.clip)
  }

  /** One gradient step over the rows order[from ..]. */
  function updateOn(from: number, rate: number, clip: number): Measured {
    for (let r = 0; r < minibatch; r++) {
      const at = (order[from + r] as number) * width
      for (let n = 0; n < width; n++) {
        const value = observations[at + n] as number
        policyNet.input[r * width + n] = value
        valueNet.input[r * width + n] = value
      }
    }
    const logits = policyNet.forward(minibatch)
    const predicted = valueNet.forward(minibatch)
    const { mean, spread } = momentsOf(estimates, order, from, minibatch)
    let policyLoss = 0
    let valueLoss = 0
    let entropy = 0
    let kl = 0
    let clipped = 0
    for (let r = 0; r < minibatch; r++) {
      const at = order[from + r] as number
      const advantage = ((estimates[at] as number) - mean) / (spread + 1e-8)
      const rowEntropy = softmax(logits, r * actions.n, actions.n, probabilities)
      const action = taken[at] as number
      const logRatio = log(probabilities[action] as number) - (logProbabilities[at] as number)
      const ratio = exp(logRatio)
      const bounded = Math.min(Math.max(ratio, 1 - clip), 1 + clip)
      const free = ratio * advantage <= bounded * advantage
      policyLoss -= free ? ratio * advantage : bounded * advantage
      const pull = free ? -ratio * advantage : 0
      for (let n = 0; n < actions.n; n++) {
        const p = probabilities[n] as number
        const towards = pull * ((n === action ? 1 : 0) - p)
        const spreading = p > 0 ? config.entropyBonus * p * (log(p) + rowEntropy) : 0
        policyNet.outputGradient[r * actions.n + n] = (towards + spreading) / minibatch
      }
      const error = (predicted[r] as number) - ((estimates[at] as number) + (values[at] as number))
      valueLoss += error * error
      valueNet.outputGradient[r] = (2 * config.valueWeight * error) / minibatch
      entropy += rowEntropy
      kl += ratio - 1 - logRatio
      if (Math.abs(ratio - 1) > clip) clipped++
    }
    policyNet.backward(minibatch)
    valueNet.backward(minibatch)
    const norm = optimiser.step(rate, config.maxGradientNorm)
    const share = 1 / minibatch
    return {
      policyLoss: policyLoss * share,
      valueLoss: valueLoss * share,
      entropy: entropy * share,
      kl: kl * share,
      clipped: clipped * share,
      norm,
    }
  }

  const learner: Learner = {
    algorithm: 'ppo',
    totalSteps: config.totalSteps,
    get steps() {
      return steps
    },
    get done() {
      return steps >= config.totalSteps
    },
    async step() {
      if (seen.length === 0) seen = perceive(await environment.reset(origin.split('environment').uint32()), true)
      // As in the reference results, schedules stand where the rollout ends.
      const episodes = await gather()
      const progress = Math.min(1, steps / config.totalSteps)
      const rate = valueAt(config.learningRate, progress)
      const clip = valueAt(config.clip, progress)
      advantages(rewards, values, lastValues, ends, gamma, config.lambda, estimates)
      const measured: Measured[] = []
      let epochs = 0
      while (epochs < config.epochs) {
        epochs++
        for (let n = 0; n < batch; n++) order[n] = n
        shuffling.shuffle(order)
        let kl = 0
        for (let from = 0; from < batch; from += minibatch) {
          const result = updateOn(from, rate, clip)
          measured.push(result)
          kl += result.kl / (batch / minibatch)
        }
        if (config.targetKl !== null && kl > 1.5 * config.targetKl) break
      }
      return metricsOf(measured, { ...episodes, rate, clip, epochs, explained: explainedVariance(values, estimates) })
    },
    policy: () => policyOf(learner.model()),
    model(): PolicyModel {
      const model: PolicyModel = {
        version: 1,
        head: 'categorical',
        environment: environment.spec.id,
        observation: environment.spec.observation,
        action: actions,
        layers: policyNet.layers(),
      }
      if (!config.normaliseObservations) return model
      return { ...model, normaliser: { ...normaliser, mean: moments.mean.slice(), variance: moments.variance.slice() } }
    },
    state: (): TrainingState => ({
      version: 1,
      algorithm: 'ppo',
      config: digest,
      steps,
      tensors: {
        parameters: parameters.values.slice(),
        seen: seen.slice(),
        discounted_returns: discountedReturns.slice(),
        'random.acting': acting.state(),
        'random.shuffling': shuffling.state(),
        ...optimiser.tensors('adam'),
        ...moments.tensors('observations'),
        ...returnMoments.tensors('returns'),
      },
      json: { environment: seen.length === 0 ? null : environment.state() },
    }),
    async restore(state) {
      requireOwn(state, 'ppo', digest)
      const next = new Float32Array(state.tensors.seen?.length === 0 ? 0 : count * width)
      put(state.tensors, 'seen', next)
      put(state.tensors, 'parameters', parameters.values)
      put(state.tensors, 'discounted_returns', discountedReturns)
      optimiser.restore('adam', state.tensors)
      moments.restore('observations', state.tensors)
      returnMoments.restore('returns', state.tensors)
      restoreRandom(state.tensors, 'random.acting', acting)
      restoreRandom(state.tensors, 'random.shuffling', shuffling)
      seen = next
      steps = state.steps
      const { environment: saved } = state.json as { environment: null | object }
      if (saved !== null) await environment.restore(saved as never)
    },
  }
  return learner
}

interface Measured {
  policyLoss: number
  valueLoss: number
  entropy: number
  kl: number
  clipped: number
  norm: number
}

function checkSizes(config: PpoConfig, count: number): void {
  requireWhole('environments', config.environments)
  requireWhole('rolloutSteps', config.rolloutSteps)
  requireWhole('minibatch', config.minibatch)
  requireWhole('epochs', config.epochs)
  if (config.environments !== count) {
    throw new ValuetrainError(
      'VT_TRAIN_CONFIG',
      `${count} environments were opened where the configuration says ${config.environments}`,
      {
        kind: 'internal',
      },
    )
  }
  const batch = config.environments * config.rolloutSteps
  if (batch % config.minibatch !== 0) {
    throw new ValuetrainError(
      'VT_TRAIN_CONFIG',
      `a minibatch of ${config.minibatch} does not divide a rollout of ${config.environments} x ${config.rolloutSteps} = ${batch} steps`,
      { kind: 'config', hint: `Set minibatch to ${batch}, or to another divisor of it.` },
    )
  }
}

function momentsOf(values: Float64Array, order: Int32Array, from: number, count: number): { mean: number; spread: number } {
  let sum = 0
  for (let r = 0; r < count; r++) sum += values[order[from + r] as number] as number
  const mean = sum / count
  let squares = 0
  for (let r = 0; r < count; r++) {
    const apart = (values[order[from + r] as number] as number) - mean
    squares += apart * apart
  }
  return { mean, spread: Math.sqrt(squares / Math.max(1, count - 1)) }
}

/** Share of the returns' variance that the value network foresaw: 1 is all, 0 none, negative is worse than a constant. */
function explainedVariance(values: Float64Array, estimates: Float64Array): number {
  const all = Int32Array.from(values, (_, n) => n)
  const errors = momentsOf(estimates, all, 0, values.length).spread
  const returns = momentsOf(
    values.map((value, n) => value + (estimates[n] as number)),
    all,
    0,
    values.length,
  ).spread
  return returns === 0 ? 0 : 1 - (errors * errors) / (returns * returns)
}

function metricsOf(
  measured: readonly Measured[],
  run: { returns: number[]; lengths: number[]; rate: number; clip: number; epochs: number; explained: number },
): Metrics {
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length
  const over = (key: keyof Measured) => mean(measured.map((one) => one[key]))
  const metrics: Metrics = {
    loss_policy: over('policyLoss'),
    loss_value: over('valueLoss'),
    entropy_nats: over('entropy'),
    kl_nats: over('kl'),
    clip_share: over('clipped'),
    gradient_norm: over('norm'),
    explained_variance: run.explained,
    learning_rate: run.rate,
    clip_range: run.clip,
    epochs: run.epochs,
    episodes: run.returns.length,
  }
  for (const [name, value] of Object.entries(metrics)) if (!Number.isFinite(value)) throw diverged(name, value)
  if (run.returns.length === 0) return metrics
  return { ...metrics, return_mean: mean(run.returns), length_mean_steps: mean(run.lengths) }
}
