import { describe, expect, it } from 'vitest'
import { cartPole } from '../../training/env/cart-pole.ts'
import { policyOf } from '../../training/nn/policy.ts'
import {
  type ActionChances,
  cloneBehaviour,
  datasetOf,
  evaluateFitted,
  learnConservatively,
  type OfflineConfigInput,
  type RecordedEpisode,
  type RecordedStep,
  splitByTime,
} from '../../training/offline/index.ts'
import { randomFrom } from '../../training/random.ts'
import type { PolicyModel, Random } from '../../training/types.ts'
import { FULL } from './simulate.ts'

const env = cartPole()

/** A rule that balances, and what a share of random pushes makes of it. */
const rule = (o: ArrayLike<number>) => ((o[2] ?? 0) + 0.4 * (o[3] ?? 0) + 0.05 * (o[0] ?? 0) + 0.1 * (o[1] ?? 0) > 0 ? 1 : 0)
const noisy = (share: number) => (o: ArrayLike<number>, random: Random) => (random.uniform() < share ? random.below(2) : rule(o))

function record(act: (o: ArrayLike<number>, random: Random) => number, episodes: number, seed: string): RecordedEpisode[] {
  const random = randomFrom(seed)
  return Array.from({ length: episodes }, (_, e) => {
    const steps: RecordedStep[] = []
    let observation = env.reset(random.split(`${e}`).uint32()).slice()
    for (;;) {
      const action = act(observation, random)
      const transition = env.step(action)
      const next = transition.observation.slice()
      steps.push({ observation, action, reward: transition.reward, next, terminated: transition.terminated })
      if (transition.terminated || transition.truncated) return steps
      observation = next
    }
  })
}

function meanReturn(model: PolicyModel, episodes: number): number {
  const policy = policyOf(model)
  const random = randomFrom('greedy')
  const played = record((o) => policy.act(Float32Array.from(o), random, true).action, episodes, 'evaluation')
  return played.reduce((sum, steps) => sum + steps.length, 0) / episodes
}

/** A balancing hand with much noise, and one that only pushes at random: 30 % of each step's pushes are random or worse. */
const mixed = [...record(noisy(0.3), 30, 'mixed'), ...record(noisy(1), 100, 'random')]
const data = datasetOf(env.spec, mixed)
const UPDATES = FULL ? 6000 : 1500

describe('learning from records of mixed quality', () => {
  it('clones the balancing hand', () => {
    const { model, metrics } = cloneBehaviour(data, { updates: UPDATES })
    expect(metrics.loss_policy).toBeLessThan(0.6)
    expect(meanReturn(model, 10)).toBeGreaterThanOrEqual(475)
  })

  it('improves on it conservatively', () => {
    const { model } = learnConservatively(data, { updates: UPDATES })
    expect(meanReturn(model, 10)).toBeGreaterThanOrEqual(475)
  })

  it('learns conservatively from what was earned, and nothing from rewards that are shuffled', () => {
    const KINDS = 4
    const box = { kind: 'box' as const, shape: [KINDS], low: Array(KINDS).fill(0), high: Array(KINDS).fill(1) }
    const spec = { id: 'Answers-v1', observation: box, action: { kind: 'discrete' as const, n: KINDS }, maxSteps: 1 }
    const seen = (kind: number) => Float32Array.from({ length: KINDS }, (_, n) => (n === kind ? 1 : 0))
    const random = randomFrom('answers')
    // Answers drawn evenly: there is nothing to clone, only to earn.
    const answers = Array.from({ length: 600 }, (): RecordedEpisode => {
      const [kind, action] = [random.below(KINDS), random.below(KINDS)]
      return [{ observation: seen(kind), action, reward: action === kind ? 1 : 0, next: seen(kind), terminated: true }]
    })
    const given = datasetOf(spec, answers)
    const right = (rewards: Float64Array) => {
      const { model } = learnConservatively({ ...given, rewards }, { updates: 400, caution: 0.1, hidden: [16] })
      const policy = policyOf(model)
      const kinds = Array.from({ length: KINDS }, (_, kind) => kind)
      return kinds.filter((kind) => policy.act(seen(kind), random, true).action === kind).length
    }
    expect(right(given.rewards)).toBe(KINDS)
    const shuffled = given.rewards.slice()
    random.shuffle(shuffled)
    expect(right(shuffled)).toBeLessThan(KINDS - 1)
  })

  it('learns nothing when nothing is updated, when actions are permuted, and from random pushes alone', () => {
    expect(meanReturn(cloneBehaviour(data, { updates: 1, rate: 1e-12 }).model, 5)).toBeLessThan(200)
    const actions = data.actions.slice()
    randomFrom('permute').shuffle(actions)
    expect(meanReturn(cloneBehaviour({ ...data, actions }, { updates: UPDATES }).model, 5)).toBeLessThan(200)
    const pushes = datasetOf(env.spec, record(noisy(1), 60, 'pushes'))
    expect(meanReturn(cloneBehaviour(pushes, { updates: 800 }).model, 5)).toBeLessThan(200)
  })

  it('moves by the optimiser that is named: Adam by its name as without, others by steps of their own', () => {
    const weights = (optimiser?: OfflineConfigInput['optimiser']) =>
      [cloneBehaviour, learnConservatively].map((learn) => {
        return learn(data, { updates: 20, ...(optimiser === undefined ? {} : { optimiser }) }).model.layers[0]?.weights
      })
    expect(weights({ kind: 'adam' })).toEqual(weights())
    for (const kind of ['adamw', 'rmsprop', 'sgd'] as const) expect(weights({ kind })).not.toEqual(weights())
    const plain = cloneBehaviour(data, { updates: 600, rate: 0.5, optimiser: { kind: 'sgd', momentum: 0.9 } })
    expect(meanReturn(plain.model, 5)).toBeGreaterThanOrEqual(400)
  })

  it('gives the same weights for the same seed and others for another', () => {
    const weights = (seed: number) => learnConservatively(data, { updates: 20, seed }).model.layers[0]?.weights
    expect(weights(3)).toEqual(weights(3))
    expect(weights(3)).not.toEqual(weights(4))
  })
})

describe('fitted Q evaluation', () => {
  it('ranks policies by what they return', () => {
    const shares = [0, 0.25, 0.5, 0.75, 1]
    const chances =
      (share: number): ActionChances =>
      (observations, rows, out) => {
        for (let i = 0; i < rows; i++) {
          const right = rule(observations.subarray(4 * i, 4 * i + 4))
          out[2 * i + right] = 1 - share / 2
          out[2 * i + 1 - right] = share / 2
        }
      }
    const logged = datasetOf(env.spec, [...record(noisy(0.4), 20, 'fqe'), ...record(noisy(1), 150, 'fqe random')])
    const values = shares.map(
      (share) => evaluateFitted(logged, chances(share), { updates: FULL ? 5000 : 2000, gamma: 0.97, follow: 0.05 }).value,
    )
    const truth = shares.map((share) => {
      const played = record(noisy(share), 30, `truth ${share}`)
      return played.reduce((sum, steps) => sum + (1 - 0.97 ** steps.length) / 0.03, 0) / played.length
    })
    if (process.env.VALUETRAIN_SHOW === '1') console.log({ values, truth })
    expect(spearman(values, truth)).toBeGreaterThanOrEqual(0.8)
  })
})

describe('records', () => {
  it('are split by time', () => {
    const { train, held } = splitByTime(mixed.slice(0, 10), 0.8)
    expect([train.length, held.length]).toEqual([8, 2])
    expect(held[0]).toBe(mixed[8])
    expect(() => splitByTime(mixed.slice(0, 1))).toThrow(expect.objectContaining({ code: 'VT_OFFLINE_DATA' }))
  })

  it.each([
    ['an observation of another size', { observation: new Float32Array(3) }, 'episode 1, step 0: 3 and 4 numbers, 4 are seen'],
    ['an unknown action', { action: 2 }, 'episode 1, step 0: 2 is no action of 2'],
    [
      'an infinite number',
      { next: Float32Array.of(1, Number.POSITIVE_INFINITY, 0, 0) },
      'episode 1, step 0: a number is not finite',
    ],
    ['a reward that is not a number', { reward: Number.NaN }, 'episode 1, step 0: a number is not finite'],
  ])('are refused with %s', (_, changes, message) => {
    const good = mixed[0]?.[0] as RecordedStep
    expect(() => datasetOf(env.spec, [[good], [{ ...good, ...changes }]])).toThrow(
      expect.objectContaining({ code: 'VT_OFFLINE_DATA', message }),
    )
  })

  it('that are empty, and settings that cannot be, are refused', () => {
    expect(() => datasetOf(env.spec, [])).toThrow('there are no steps')
    expect(() => cloneBehaviour(data, { batch: 0 })).toThrow(expect.objectContaining({ code: 'VT_OFFLINE_CONFIG' }))
    expect(() => cloneBehaviour(data, { gamma: 1 })).toThrow(expect.objectContaining({ code: 'VT_OFFLINE_CONFIG' }))
  })
})

function spearman(a: readonly number[], b: readonly number[]): number {
  const ranks = (values: readonly number[]) => values.map((value) => values.filter((other) => other < value).length)
  const [ra, rb] = [ranks(a), ranks(b)]
  const n = a.length
  return 1 - (6 * ra.reduce((sum, rank, i) => sum + (rank - (rb[i] ?? 0)) ** 2, 0)) / (n * (n * n - 1))
}
