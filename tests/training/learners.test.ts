import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { DQN_DEFAULTS, type DqnConfig, openDqn } from '../../training/algo/dqn.ts'
import { openPpo, PPO_DEFAULTS, type PpoConfig } from '../../training/algo/ppo.ts'
import { PPO_PRESETS } from '../../training/algo/presets.ts'
import { openReinforce, REINFORCE_DEFAULTS } from '../../training/algo/reinforce.ts'
import { jsBackend } from '../../training/backend/js.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { stateDigest } from '../../training/checkpoint.ts'
import { acrobot } from '../../training/env/acrobot.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import { mountainCar } from '../../training/env/mountain-car.ts'
import { pendulum } from '../../training/env/pendulum.ts'
import { vectorise } from '../../training/env/vector.ts'
import { evaluate, evaluateRandom, meanScore } from '../../training/evaluate.ts'
import type { Environment, Learner, PolicyModel } from '../../training/types.ts'
import { permutedActions, quiz, shuffledRewards } from './problems.ts'

const FULL = process.env.VALUETRAIN_FULL === '1'

async function trained(learner: Learner, steps: number): Promise<Learner> {
  while (learner.steps < steps) await learner.step()
  return learner
}

async function scoreOf(model: PolicyModel, open: () => Environment, episodes = 50): Promise<number> {
  return meanScore(await evaluate(model, { open, episodes, seed: 1_000 }))
}

const quizPpo: PpoConfig = {
  ...PPO_DEFAULTS,
  totalSteps: 20_000,
  rolloutSteps: 64,
  minibatch: 128,
  gamma: 0.5,
  learningRate: 3e-3,
  hidden: [32],
}
const quizDqn: DqnConfig = {
  ...DQN_DEFAULTS,
  totalSteps: 10_000,
  trainEvery: 64,
  gradientSteps: 32,
  bufferSize: 10_000,
  learningStarts: 256,
  gamma: 0.5,
  targetEvery: 256,
  hidden: [64],
}
const quizReinforce = { ...REINFORCE_DEFAULTS, totalSteps: 80_000, gamma: 0.5, learningRate: 0.01, episodes: 16, hidden: [32] }

/** Each algorithm on the same small problem; `rate` takes the place of its learning rate when given. */
const ALGORITHMS: Record<string, (open: () => Environment, rate?: number) => Learner> = {
  ppo: (open, rate = 3e-3) =>
    openPpo({ environment: vectorise(open, 8), config: { ...quizPpo, learningRate: rate }, backend: wasmBackend(), seed: 1 }),
  dqn: (open, rate = 2.3e-3) =>
    openDqn({ environment: vectorise(open, 1), config: { ...quizDqn, learningRate: rate }, backend: wasmBackend(), seed: 1 }),
  reinforce: (open, rate = 0.01) =>
    openReinforce({
      environment: vectorise(open, 4),
      config: { ...quizReinforce, learningRate: rate },
      backend: wasmBackend(),
      seed: 1,
    }),
}

describe.each(Object.keys(ALGORITHMS))('%s', (name) => {
  const open = ALGORITHMS[name] as (open: () => Environment, rate?: number) => Learner

  it('learns the quiz: more than 9 of 10, where a random policy gets 3.3', async () => {
    const learner = open(quiz)
    expect(await scoreOf((await trained(learner, learner.totalSteps)).model(), quiz)).toBeGreaterThan(9)
    expect(meanScore(await evaluateRandom({ open: quiz, episodes: 200, seed: 1 }))).toBeCloseTo(3.33, 0)
  })

  it('learns nothing when its update moves nothing', async () => {
    const learner = open(quiz, 0)
    const before = learner.model().layers
    expect(await scoreOf((await trained(learner, 5_000)).model(), quiz)).toBeLessThan(6)
    expect(learner.model().layers).toEqual(before)
  })

  it('learns nothing from shuffled rewards', async () => {
    const learner = open(shuffledRewards(quiz))
    expect(await scoreOf((await trained(learner, learner.totalSteps)).model(), quiz)).toBeLessThan(6)
  })

  it('learns nothing when its actions are permuted', async () => {
    const learner = open(permutedActions(quiz))
    // Always the same answer is right half of the time; noise may settle on a little more.
    expect(await scoreOf((await trained(learner, learner.totalSteps / 2)).model(), quiz)).toBeLessThan(7)
  })

  it('gives the same bits again, and others with another problem', async () => {
    const digest = async (make: () => Environment) => stateDigest((await trained(open(make), 2_000)).state())
    expect(await digest(quiz)).toBe(await digest(quiz))
    expect(await digest(shuffledRewards(quiz))).not.toBe(await digest(quiz))
  })

  it('keeps a policy that was taken from it as it was', async () => {
    const learner = open(quiz)
    await trained(learner, 1_500)
    const model = learner.model()
    const kept = JSON.stringify(model.layers.map(({ weights }) => [...weights]))
    await trained(learner, 3_000)
    expect(JSON.stringify(model.layers.map(({ weights }) => [...weights]))).toBe(kept)
    expect(JSON.stringify(learner.model().layers.map(({ weights }) => [...weights]))).not.toBe(kept)
  })

  it('refuses an environment whose actions are real numbers', () => {
    expect(() => open(pendulum)).toThrowError(expect.objectContaining({ code: 'VT_ENV_ACTIONS' }))
  })

  it('stops with a code when it leaves the numbers', async () => {
    const learner = open(quiz, 1e30)
    await expect(trained(learner, 100_000)).rejects.toMatchObject({ code: 'VT_TRAIN_DIVERGED' })
  })
})

describe('PPO', () => {
  const cart = (config: PpoConfig, seed: number, backend = wasmBackend()) =>
    openPpo({ environment: vectorise(cartPole, config.environments), config, backend, seed })

  it('balances the pole, which neither an untrained nor a random policy does', async () => {
    const learner = cart(PPO_PRESETS.cartPoleFast, 1)
    const untrained = await scoreOf(learner.model(), cartPole)
    const random = meanScore(await evaluateRandom({ open: cartPole, episodes: 50, seed: 1_000 }))
    const score = await scoreOf((await trained(learner, 40_000)).model(), cartPole)
    expect(score).toBeGreaterThan(475)
    expect([untrained, random].every((value) => value < 100)).toBe(true)
  })

  it('gives equal bits with the kernels and with the oracle', async () => {
    const config = { ...PPO_PRESETS.cartPole, normaliseObservations: true, normaliseRewards: true, epochs: 3 }
    const digest = async (backend: ReturnType<typeof jsBackend>) =>
      stateDigest((await trained(cart(config, 3, backend), 2_000)).state())
    expect(await digest(wasmBackend())).toBe(await digest(jsBackend()))
  })

  it('stops an update early when the policy has moved far enough', async () => {
    const learner = cart({ ...PPO_PRESETS.cartPole, learningRate: 0.05, targetKl: 0.01 }, 1)
    const epochs = []
    for (let n = 0; n < 5; n++) epochs.push((await learner.step()).epochs)
    expect(Math.min(...epochs.map(Number))).toBeLessThan(20)
  })

  it('refuses sizes that do not fit, and names them', () => {
    expect(() => cart({ ...PPO_PRESETS.cartPole, minibatch: 100 }, 1)).toThrowError(/100 does not divide .* = 256/)
    for (const change of [{ epochs: 0 }, { minibatch: 0.5 }, { rolloutSteps: -1 }]) {
      expect(() => cart({ ...PPO_PRESETS.cartPole, ...change }, 1)).toThrowError(
        expect.objectContaining({ code: 'VT_TRAIN_CONFIG' }),
      )
    }
  })

  it.runIf(FULL)(
    'solves CartPole to 500.0 over 100 episodes within 50,000 steps with the published settings, ten seeds',
    async () => {
      const solved: number[] = []
      for (let seed = 1; seed <= 10; seed++) {
        const learner = cart(PPO_PRESETS.cartPole, seed)
        for (let steps = 5_000; steps <= 50_000; steps += 5_000) {
          await trained(learner, steps)
          if ((await scoreOf(learner.model(), cartPole, 100)) === 500) {
            solved.push(learner.steps)
            break
          }
        }
      }
      expect(solved).toHaveLength(10)
    },
    300_000,
  )

  it.runIf(FULL)(
    'reaches the floors on Acrobot and MountainCar',
    async () => {
      const run = async (config: PpoConfig, open: () => Environment, steps: number) => {
        const learner = openPpo({ environment: vectorise(open, config.environments), config, backend: wasmBackend(), seed: 1 })
        return scoreOf((await trained(learner, steps)).model(), open, 100)
      }
      expect(await run(PPO_PRESETS.acrobot, acrobot, 1_000_000)).toBeGreaterThanOrEqual(-85)
      expect(await run(PPO_PRESETS.mountainCar, mountainCar, 1_000_000)).toBeGreaterThanOrEqual(-120)
    },
    600_000,
  )
})
