import { describe, expect, it } from 'vitest'
import { DQN_DEFAULTS, type DqnConfig, openDqn } from '../../training/algo/dqn.ts'
import { openPpo, PPO_DEFAULTS, type PpoConfig } from '../../training/algo/ppo.ts'
import { openReinforce, REINFORCE_DEFAULTS } from '../../training/algo/reinforce.ts'
import type { LearnedReward } from '../../training/algo/rollout.ts'
import type { Backend } from '../../training/backend/backend.ts'
import { jsBackend } from '../../training/backend/js.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { decodeCheckpoint, encodeCheckpoint, stateDigest } from '../../training/checkpoint.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import { vectorise } from '../../training/env/vector.ts'
import { type OptimiserConfig, openOptimiser } from '../../training/nn/optimiser.ts'
import type { Learner } from '../../training/types.ts'

const BYTES = 1 << 22

/** One of each, with everything it can be told. */
const OPTIMISERS: readonly OptimiserConfig[] = [
  { kind: 'adam', beta1: 0.8, beta2: 0.99, epsilon: 1e-6 },
  { kind: 'adamw', beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1 },
  { kind: 'rmsprop', decay: 0.9, epsilon: 1e-6, momentum: 0.7, weightDecay: 0.1 },
  { kind: 'sgd', momentum: 0.7, weightDecay: 0.1 },
]

/** The published steps of one number, in 64 bits. @returns the number after each step */
function published(optimiser: OptimiserConfig, rate: number, gradients: readonly number[], begin: number): number[] {
  let [w, m, v] = [begin, 0, 0]
  const step = (gradient: number, t: number): number => {
    if (optimiser.kind === 'adam' || optimiser.kind === 'adamw') {
      const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = optimiser
      if (optimiser.kind === 'adamw') w -= rate * (optimiser.weightDecay ?? 0.01) * w
      m = beta1 * m + (1 - beta1) * gradient
      v = beta2 * v + (1 - beta2) * gradient * gradient
      return (rate * (m / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon)
    }
    const { momentum = 0, weightDecay = 0 } = optimiser
    const g = gradient + weightDecay * w
    if (optimiser.kind === 'sgd') {
      m = momentum * m + g
      return rate * m
    }
    const { decay = 0.99, epsilon = 1e-8 } = optimiser
    v = decay * v + (1 - decay) * g * g
    m = momentum * m + g / (Math.sqrt(v) + epsilon)
    return rate * m
  }
  return gradients.map((gradient, n) => {
    const moved = step(gradient, n + 1)
    w -= moved
    return w
  })
}

/** The steps taken over four equal parameters, the last of which is returned after each. */
function taken(
  backend: Backend,
  optimiser: OptimiserConfig,
  rate: number,
  gradients: readonly number[],
  begin: number,
): number[] {
  const parameters = { values: backend.allocate(4), gradient: backend.allocate(4) }
  const moved = openOptimiser(backend, parameters, optimiser)
  parameters.values.fill(begin)
  return gradients.map((gradient) => {
    parameters.gradient.fill(gradient)
    moved.step(rate, Number.POSITIVE_INFINITY)
    return parameters.values[3] as number
  })
}

const GRADIENTS = Array.from({ length: 20 }, (_, n) => Math.cos(n + 1))

describe.each([...OPTIMISERS, ...OPTIMISERS.map(({ kind }) => ({ kind }) as OptimiserConfig)])('%o', (optimiser) => {
  it('takes the published steps, the same bits on both exact backends', () => {
    const steps = taken(wasmBackend(BYTES), optimiser, 0.01, GRADIENTS, 0.5)
    published(optimiser, 0.01, GRADIENTS, 0.5).forEach((due, n) => {
      expect(steps[n]).toBeCloseTo(due, 5)
    })
    expect(taken(jsBackend(), optimiser, 0.01, GRADIENTS, 0.5)).toEqual(steps)
  })
})

const PPO: PpoConfig = { ...PPO_DEFAULTS, environments: 4, rolloutSteps: 64, minibatch: 256, epochs: 2, hidden: [8], gamma: 0.9 }
const DQN: DqnConfig = {
  ...DQN_DEFAULTS,
  trainEvery: 128,
  gradientSteps: 2,
  minibatch: 256,
  learningStarts: 256,
  hidden: [8],
}

const ppo = (change: Partial<PpoConfig> = {}, backend: Backend = wasmBackend(BYTES)) =>
  openPpo({ environment: vectorise(cartPole, 4), config: { ...PPO, ...change }, backend, seed: 5 })
const dqn = (change: Partial<DqnConfig> = {}) =>
  openDqn({ environment: vectorise(cartPole, 1), config: { ...DQN, ...change }, backend: wasmBackend(BYTES), seed: 5 })

async function parametersAfter(learner: Learner, updates: number): Promise<number[]> {
  for (let n = 0; n < updates; n++) await learner.step()
  return [...(learner.state().tensors.parameters as Float32Array)]
}

describe('a learner with an optimiser of its own', () => {
  it('goes another way with each of them, and the usual way with Adam by name', async () => {
    const usual = await parametersAfter(ppo(), 2)
    expect(await parametersAfter(ppo({ optimiser: { kind: 'adam' } }), 2)).toEqual(usual)
    const ways = await Promise.all(OPTIMISERS.map(async (optimiser) => String(await parametersAfter(ppo({ optimiser }), 2))))
    expect(new Set([...ways, String(usual)]).size).toBe(OPTIMISERS.length + 1)
  })

  it.each(OPTIMISERS)('%o goes on from a checkpoint as if it had never stopped, and from no other', async (optimiser) => {
    const whole = ppo({ optimiser }, jsBackend())
    await parametersAfter(whole, 2)
    const first = ppo({ optimiser })
    await parametersAfter(first, 1)
    const saved = decodeCheckpoint(encodeCheckpoint(first.state()), 'memory')
    const second = ppo({ optimiser })
    await second.restore(saved)
    await second.step()
    expect(stateDigest(second.state())).toBe(stateDigest(whole.state()))
    await expect(ppo().restore(saved)).rejects.toMatchObject({ code: 'VT_CHECKPOINT_FOREIGN' })
    const without = Object.fromEntries(Object.entries(saved.tensors).filter(([name]) => !name.startsWith(`${optimiser.kind}.`)))
    await expect(ppo({ optimiser }).restore({ ...saved, tensors: without })).rejects.toMatchObject({
      code: 'VT_CHECKPOINT_FOREIGN',
    })
  })
})

describe('gradients added up over minibatches', () => {
  // Plain descent is linear in the gradient: what rounding leaves apart stays small.
  const optimiser: OptimiserConfig = { kind: 'sgd' }
  const apart = (a: readonly number[], b: readonly number[]) =>
    Math.max(...a.map((value, n) => Math.abs(value - (b[n] as number))))

  it.each([
    ['ppo', (change: object) => ppo({ optimiser, learningRate: 0.1, ...change })],
    ['dqn', (change: object) => dqn({ optimiser, learningRate: 0.1, ...change })],
  ] as const)('move %s as one large minibatch does', async (_, open) => {
    const large = await parametersAfter(open({}), 3)
    const added = await parametersAfter(open({ minibatch: 64, accumulate: 4 }), 3)
    const small = await parametersAfter(open({ minibatch: 64 }), 3)
    expect(apart(added, large)).toBeLessThan(1e-5)
    expect(apart(small, large)).toBeGreaterThan(1e-3)
    expect(added).not.toEqual(large)
  })

  it('measure the same as one large minibatch', async () => {
    const [large, added] = [await ppo({ optimiser }).step(), await ppo({ optimiser, minibatch: 64, accumulate: 4 }).step()]
    for (const [name, value] of Object.entries(large)) expect([name, added[name]]).toEqual([name, expect.closeTo(value, 5)])
  })

  it('have to divide the rollout', () => {
    expect(() => ppo({ minibatch: 64, accumulate: 3 })).toThrowError(/3 minibatches of 64 do not divide a rollout/)
    for (const open of [() => ppo({ accumulate: 0 }), () => dqn({ accumulate: 1.5 })]) {
      expect(open).toThrowError(expect.objectContaining({ code: 'VT_TRAIN_CONFIG', details: { key: 'accumulate' } }))
    }
  })
})

describe('rewards that are scaled and clipped', () => {
  /** The same pole, whose every step is worth so much. */
  const paying = (worth: number) => () => {
    const pole = cartPole()
    return Object.assign(Object.create(pole) as typeof pole, {
      reset: (seed: number) => pole.reset(seed),
      step: (action: number) => ({ ...pole.step(action), reward: worth }),
    })
  }
  const open: Record<string, (reward: LearnedReward | undefined, worth: number) => Learner> = {
    ppo: (reward, worth) =>
      openPpo({
        environment: vectorise(paying(worth), 4),
        config: { ...PPO, ...(reward && { reward }) },
        backend: wasmBackend(BYTES),
        seed: 5,
      }),
    dqn: (reward, worth) =>
      openDqn({
        environment: vectorise(paying(worth), 1),
        config: { ...DQN, ...(reward && { reward }) },
        backend: wasmBackend(BYTES),
        seed: 5,
      }),
    reinforce: (reward, worth) =>
      openReinforce({
        environment: vectorise(paying(worth), 4),
        config: { ...REINFORCE_DEFAULTS, ...(reward && { reward }) },
        backend: wasmBackend(BYTES),
        seed: 5,
      }),
  }

  it.each(Object.keys(open))('teach %s what an environment teaches that pays as much', async (name) => {
    const way = open[name] as (typeof open)['ppo']
    const due = await parametersAfter(way(undefined, 0.5), 3)
    expect(await parametersAfter(way({ scale: 0.5 }, 1), 3)).toEqual(due)
    expect(await parametersAfter(way({ scale: 2, clip: [-0.5, 0.5] }, 1), 3)).toEqual(due)
    expect(await parametersAfter(way({ scale: 2, clip: [0.5, 9] }, -1), 3)).toEqual(due)
    expect(await parametersAfter(way(undefined, 1), 3)).not.toEqual(due)
  })

  it('leave the returns that are told as they were', async () => {
    const [told, plain] = [await ppo({ reward: { scale: 0.01 } }).step(), await ppo().step()]
    expect(told.return_mean).toBe(plain.return_mean)
  })
})

describe('schedules', () => {
  it('stand where they say at the end of each rollout', async () => {
    const learningRate = { kind: 'linear', from: 0.01, to: 0.002 } as const
    const clip = { kind: 'cosine', from: 0.3, to: 0.1 } as const
    const learner = ppo({ totalSteps: 1024, learningRate, clip })
    for (const share of [0.25, 0.5, 0.75, 1]) {
      const { learning_rate, clip_range } = await learner.step()
      expect(learning_rate).toBeCloseTo(0.01 - 0.008 * share, 12)
      expect(clip_range).toBeCloseTo(0.2 + 0.1 * Math.cos(Math.PI * share), 12)
    }
  })
})
