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
import { discreteActions, sizeOf } from '../env/space.ts'
import { exp, log } from '../math.ts'
import { gradientSum } from '../nn/gradient-sum.ts'
import { rewardScale } from '../nn/normalise.ts'
import { type OptimiserConfig, openOptimiser } from '../nn/optimiser.ts'
import { plainSight, runningSight } from '../nn/perception.ts'
import { type Schedule, valueAt } from '../nn/schedule.ts'
import { randomFrom } from '../random.ts'
import type { Activation, Learner, Metrics, VectorEnvironment } from '../types.ts'
import { openActor } from './actor.ts'
import { advantages, explainedVariance, momentsOf } from './advantage.ts'
import { learnerOf, meanOf, requireWhole } from './learner.ts'
import { type LearnedReward, openRollout } from './rollout.ts'
import { savedArrays, savedAs, savedStreams } from './saved.ts'

export interface PpoConfig {
  /** Environment steps of the whole run; the last rollout may go past it. */
  totalSteps: number
  /** Environments stepped side by side. More of them make rollouts more varied and kernels busier. */
  environments: number
  /** Steps of each environment between two updates. */
  rolloutSteps: number
  /** Steps that go through the networks at once; divides environments x rolloutSteps. */
  minibatch: number
  /** Minibatches in one gradient step, over all of which advantages are normalised; 1 unless told. */
  accumulate?: number
  /** Passes over each rollout. */
  epochs: number
  /** Discount a step, in [0, 1]: how far ahead the policy looks. */
  gamma: number
  /** Bias-variance mix of the advantages, in [0, 1]: 1 trusts rewards only, 0 the value network. */
  lambda: number
  /** What of a reward is learned from; all of it as it is, unless told. */
  reward?: LearnedReward
  /** The optimiser's step size. */
  learningRate: Schedule
  /** What moves the networks; Adam unless told. */
  optimiser?: OptimiserConfig
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

/** Adam's; the usual 1e-8 makes early steps of PPO too large. */
const ADAM_EPSILON = 1e-5

/**
 * Returns a learner at its beginning. Its state between two steps is everything; nothing is kept elsewhere.
 *
 * @throws VT_TRAIN_CONFIG when sizes do not fit; VT_ENV_ACTIONS when actions are not numbered
 */
export function openPpo(options: { environment: VectorEnvironment; config: PpoConfig; backend: Backend; seed: number }): Learner {
  const { environment, config, backend, seed } = options
  const { rolloutSteps, minibatch, accumulate = 1, gamma } = config
  const { count } = environment
  checkSizes(config, count)
  const batch = rolloutSteps * count
  /** Rows of one gradient step. */
  const together = minibatch * accumulate
  const width = sizeOf(environment.spec.observation)
  const actions = discreteActions(environment.spec).n

  const origin = randomFrom(seed)
  const acting = origin.split('acting')
  const shuffling = origin.split('shuffling')
  const rollout = openRollout({
    environment,
    perception: config.normaliseObservations ? runningSight(width) : plainSight(),
    totalSteps: config.totalSteps,
    seed: origin.split('environment').uint32(),
    reward: config.reward,
  })
  const rewardsSeen = rewardScale(count, gamma)
  const networks = { inputs: width, actions, hidden: config.hidden, activation: config.activation }
  const actor = openActor(backend, networks, Math.max(minibatch, count), origin)
  const optimiser = openOptimiser(backend, actor.parameters, config.optimiser, { epsilon: ADAM_EPSILON })
  const total = gradientSum(actor.parameters)

  // One rollout, [rolloutSteps x count]: what was seen, done and had, and what the value network made of it.
  const observations = new Float32Array(batch * width)
  const taken = new Int32Array(batch)
  const logProbabilities = new Float64Array(batch)
  const rewards = new Float64Array(batch)
  const ends = new Uint8Array(batch)
  const values = new Float64Array(batch)
  const lastValues = new Float64Array(count)
  const estimates = new Float64Array(batch)
  const order = new Int32Array(batch)

  async function gather(): Promise<void> {
    const cutOff: { at: number; observation: Float32Array }[] = []
    for (let t = 0; t < rolloutSteps; t++) {
      observations.set(rollout.seen, t * count * width)
      const chosen = actor.draw(rollout.seen, acting, logProbabilities, t * count)
      taken.set(chosen, t * count)
      const next = await rollout.step(chosen)
      for (let n = 0; n < count; n++) {
        const at = t * count + n
        const ended = next.terminated[n] === 1 || next.truncated[n] === 1
        const reward = next.rewards[n] as number
        ends[at] = ended ? 1 : 0
        rewards[at] = config.normaliseRewards ? rewardsSeen.scale(n, reward, ended) : reward
        if (next.truncated[n] === 1) cutOff.push({ at, observation: next.ledTo(n) })
      }
    }
    actor.judge(observations, values)
    actor.judge(rollout.seen, lastValues)
    // An episode that was cut off would have gone on: the value of what followed stands for the rest.
    const rest = new Float64Array(1)
    for (const { at, observation } of cutOff) {
      actor.judge(observation, rest)
      rewards[at] = (rewards[at] as number) + gamma * (rest[0] as number)
    }
    advantages(rewards, values, lastValues, ends, gamma, config.lambda, estimates)
  }

  /** Moves both networks for some epochs over the rollout, each a pass in an order drawn anew. */
  function learn(rate: number, clip: number): { measured: Measured[]; epochs: number } {
    const measured: Measured[] = []
    for (let epochs = 1; ; epochs++) {
      for (let n = 0; n < batch; n++) order[n] = n
      shuffling.shuffle(order)
      let kl = 0
      for (let from = 0; from < batch; from += together) {
        const result = learnFrom(from, rate, clip)
        measured.push(result)
        kl += result.kl / (batch / together)
      }
      const farEnough = config.targetKl !== null && kl > 1.5 * config.targetKl
      if (farEnough || epochs >= config.epochs) return { measured, epochs }
    }
  }

  /** One gradient step over the rows order[from ..], a minibatch at a time. */
  function learnFrom(from: number, rate: number, clip: number): Measured {
    const moments = momentsOf(estimates, order, from, together)
    const sum = { policyLoss: 0, valueLoss: 0, entropy: 0, kl: 0, clipped: 0 }
    for (let at = from; at < from + together; at += minibatch) {
      const seen = pass(at, clip, moments)
      for (const key of MEASURES) sum[key] += seen[key]
      if (accumulate > 1) total.add()
    }
    if (accumulate > 1) total.put()
    const norm = optimiser.step(rate, config.maxGradientNorm)
    const share = 1 / together
    return {
      policyLoss: sum.policyLoss * share,
      valueLoss: sum.valueLoss * share,
      entropy: sum.entropy * share,
      kl: sum.kl * share,
      clipped: sum.clipped * share,
      norm,
    }
  }

  /** Leaves one minibatch's share of the step's gradient and returns sums over its rows. */
  function pass(from: number, clip: number, { mean, spread }: { mean: number; spread: number }): Omit<Measured, 'norm'> {
    for (let r = 0; r < minibatch; r++) {
      const at = (order[from + r] as number) * width
      for (let n = 0; n < width; n++) {
        const value = observations[at + n] as number
        actor.policy.input[r * width + n] = value
        actor.value.input[r * width + n] = value
      }
    }
    actor.policy.forward(minibatch)
    const predicted = actor.value.forward(minibatch)
    let policyLoss = 0
    let valueLoss = 0
    let entropy = 0
    let kl = 0
    let clipped = 0
    for (let r = 0; r < minibatch; r++) {
      const at = order[from + r] as number
      const advantage = ((estimates[at] as number) - mean) / (spread + 1e-8)
      const rowEntropy = actor.weigh(r)
      const action = taken[at] as number
      const logRatio = log(actor.probabilities[action] as number) - (logProbabilities[at] as number)
      const ratio = exp(logRatio)
      const bounded = Math.min(Math.max(ratio, 1 - clip), 1 + clip)
      const free = ratio * advantage <= bounded * advantage
      policyLoss -= free ? ratio * advantage : bounded * advantage
      actor.pull(r, action, free ? -ratio * advantage : 0, rowEntropy, config.entropyBonus, together)
      const error = (predicted[r] as number) - ((estimates[at] as number) + (values[at] as number))
      valueLoss += error * error
      actor.value.outputGradient[r] = (2 * config.valueWeight * error) / together
      entropy += rowEntropy
      kl += ratio - 1 - logRatio
      if (Math.abs(ratio - 1) > clip) clipped++
    }
    actor.policy.backward(minibatch)
    actor.value.backward(minibatch)
    return { policyLoss, valueLoss, entropy, kl, clipped }
  }

  async function work(): Promise<Metrics> {
    // As in the reference results, schedules stand where the rollout ends.
    await gather()
    const rate = valueAt(config.learningRate, rollout.progress)
    const clip = valueAt(config.clip, rollout.progress)
    const { measured, epochs } = learn(rate, clip)
    return {
      loss_policy: meanOf(measured, 'policyLoss'),
      loss_value: meanOf(measured, 'valueLoss'),
      entropy_nats: meanOf(measured, 'entropy'),
      kl_nats: meanOf(measured, 'kl'),
      clip_share: meanOf(measured, 'clipped'),
      gradient_norm: meanOf(measured, 'norm'),
      explained_variance: explainedVariance(values, estimates),
      learning_rate: rate,
      clip_range: clip,
      epochs,
    }
  }

  const saved = [
    savedArrays({ parameters: actor.parameters.values }),
    savedStreams({ acting, shuffling }),
    savedAs(optimiser.kind, optimiser),
    savedAs('returns', rewardsSeen),
  ]
  return learnerOf({ algorithm: 'ppo', config, seed, rollout, work, network: actor.policy, head: 'categorical', saved })
}

/** What one gradient step says of itself, each a mean over its rows. */
interface Measured {
  policyLoss: number
  valueLoss: number
  /** Nats. */
  entropy: number
  /** How far the policy has moved from the one that gathered, nats. */
  kl: number
  /** Share of rows whose ratio left the clip range. */
  clipped: number
  /** Of the gradient, before it was shortened. */
  norm: number
}

const MEASURES = ['policyLoss', 'valueLoss', 'entropy', 'kl', 'clipped'] as const

function checkSizes(config: PpoConfig, count: number): void {
  requireWhole('environments', config.environments)
  requireWhole('rolloutSteps', config.rolloutSteps)
  requireWhole('minibatch', config.minibatch)
  requireWhole('epochs', config.epochs)
  requireWhole('accumulate', config.accumulate ?? 1)
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
  const { minibatch, accumulate = 1 } = config
  if (batch % (minibatch * accumulate) !== 0) {
    const step = accumulate === 1 ? `a minibatch of ${minibatch} does` : `${accumulate} minibatches of ${minibatch} do`
    throw new ValuetrainError(
      'VT_TRAIN_CONFIG',
      `${step} not divide a rollout of ${config.environments} x ${config.rolloutSteps} = ${batch} steps`,
      { kind: 'config', hint: `Set minibatch to ${batch / accumulate}, or to another divisor of it.` },
    )
  }
}
