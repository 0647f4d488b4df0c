/**
 * REINFORCE with a learned baseline: the simplest policy gradient. Play whole episodes, then make every action that was
 * followed by more than expected more likely, once.
 *
 * @see Williams 1992; Sutton and Barto 2018, section 13.4
 */
import type { Backend } from '../backend/backend.ts'
import { discreteActions, sizeOf } from '../env/space.ts'
import { log } from '../math.ts'
import { gradientSum } from '../nn/gradient-sum.ts'
import { type OptimiserConfig, openOptimiser, put } from '../nn/optimiser.ts'
import { plainSight } from '../nn/perception.ts'
import { type Schedule, valueAt } from '../nn/schedule.ts'
import { randomFrom } from '../random.ts'
import type { Activation, Learner, Metrics, Tensors, VectorEnvironment } from '../types.ts'
import { openActor } from './actor.ts'
import { learnerOf, requireWhole } from './learner.ts'
import { type LearnedReward, openRollout } from './rollout.ts'
import { type Saved, savedArrays, savedAs, savedStreams } from './saved.ts'

export interface ReinforceConfig {
  /** Environment steps of the whole run; the last episodes may go past it. */
  totalSteps: number
  /** Environments stepped side by side. */
  environments: number
  /** Whole episodes in one update. */
  episodes: number
  /** Discount a step, in [0, 1]. */
  gamma: number
  /** What of a reward is learned from; all of it as it is, unless told. */
  reward?: LearnedReward
  /** The optimiser's step size. */
  learningRate: Schedule
  /** What moves the networks; Adam unless told. */
  optimiser?: OptimiserConfig
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

/** A step of an episode that has ended. */
interface Lived extends Step {
  /** Discounted sum of its reward and those after it. */
  following: number
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
  const { spec, count } = environment
  const width = sizeOf(spec.observation)
  const actions = discreteActions(spec).n

  const origin = randomFrom(seed)
  const acting = origin.split('acting')
  const rollout = openRollout({
    environment,
    perception: plainSight(),
    totalSteps: config.totalSteps,
    seed: origin.split('environment').uint32(),
    reward: config.reward,
  })
  const networks = { inputs: width, actions, hidden: config.hidden, activation: config.activation }
  const actor = openActor(backend, networks, Math.max(ROWS, count), origin)
  const optimiser = openOptimiser(backend, actor.parameters, config.optimiser)
  const total = gradientSum(actor.parameters)
  const logProbabilities = new Float64Array(count)
  const running: Step[][] = Array.from({ length: count }, () => [])

  /** Plays until enough episodes have ended and returns their steps with the discounted rewards that followed each. */
  async function play(): Promise<Lived[]> {
    const lived: Lived[] = []
    let episodes = 0
    while (episodes < config.episodes) {
      const before = rollout.seen
      const chosen = actor.draw(before, acting, logProbabilities, 0)
      const next = await rollout.step(chosen)
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
          lived.push({ ...step, following })
        }
        running[n] = []
        episodes++
      }
    }
    return lived
  }

  /** Adds up the gradient over all steps, a batch of rows at a time, and moves once. */
  function learn(lived: readonly Lived[], rate: number): Metrics {
    const seen = new Float32Array(lived.length * width)
    lived.forEach(({ observation }, n) => {
      seen.set(observation, n * width)
    })
    const values = new Float64Array(lived.length)
    actor.judge(seen, values)
    const surprises = lived.map(({ following }, n) => following - (values[n] as number))
    const mean = surprises.reduce((sum, value) => sum + value, 0) / lived.length
    const spread = Math.sqrt(surprises.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / lived.length)
    let policyLoss = 0
    let valueLoss = 0
    let entropy = 0
    for (let from = 0; from < lived.length; from += ROWS) {
      const some = Math.min(ROWS, lived.length - from)
      const rows = seen.subarray(from * width, (from + some) * width)
      actor.policy.input.set(rows)
      actor.value.input.set(rows)
      actor.policy.forward(some)
      const predicted = actor.value.forward(some)
      for (let r = 0; r < some; r++) {
        const { action, following } = lived[from + r] as Lived
        const weight = ((surprises[from + r] as number) - mean) / (spread + 1e-8)
        const rowEntropy = actor.weigh(r)
        policyLoss -= (weight * log(actor.probabilities[action] as number)) / lived.length
        actor.pull(r, action, -weight, rowEntropy, config.entropyBonus, lived.length)
        const error = (predicted[r] as number) - following
        valueLoss += (error * error) / lived.length
        entropy += rowEntropy / lived.length
        actor.value.outputGradient[r] = (2 * config.valueWeight * error) / lived.length
      }
      actor.policy.backward(some)
      actor.value.backward(some)
      total.add()
    }
    total.put()
    const norm = optimiser.step(rate, config.maxGradientNorm)
    return { loss_policy: policyLoss, loss_value: valueLoss, entropy_nats: entropy, gradient_norm: norm }
  }

  async function work(): Promise<Metrics> {
    const lived = await play()
    const rate = valueAt(config.learningRate, rollout.progress)
    return { ...learn(lived, rate), learning_rate: rate }
  }

  const saved = [
    savedArrays({ parameters: actor.parameters.values }),
    savedStreams({ acting }),
    savedAs(optimiser.kind, optimiser),
    savedEpisodes(running, width),
  ]
  return learnerOf({ algorithm: 'reinforce', config, seed, rollout, work, network: actor.policy, head: 'categorical', saved })
}

/** Returns the state of episodes that have not ended yet. */
function savedEpisodes(running: Step[][], width: number): Saved {
  return {
    tensors: () => ({
      'running.lengths': Uint32Array.from(running, ({ length }) => length),
      'running.observations': Float32Array.from(running.flat().flatMap(({ observation }) => [...observation])),
      'running.actions': Uint32Array.from(running.flat(), ({ action }) => action),
      'running.rewards': Float64Array.from(running.flat(), ({ reward }) => reward),
    }),
    restore(tensors: Tensors) {
      const lengths = new Uint32Array(running.length)
      put(tensors, 'running.lengths', lengths)
      const kept = lengths.reduce((sum, length) => sum + length, 0)
      const observations = new Float32Array(kept * width)
      const actions = new Uint32Array(kept)
      const rewards = new Float64Array(kept)
      put(tensors, 'running.observations', observations)
      put(tensors, 'running.actions', actions)
      put(tensors, 'running.rewards', rewards)
      let at = 0
      lengths.forEach((length, n) => {
        running[n] = Array.from({ length }, () => {
          const observation = observations.slice(at * width, (at + 1) * width)
          return { observation, action: actions[at] as number, reward: rewards[at++] as number }
        })
      })
    },
  }
}
