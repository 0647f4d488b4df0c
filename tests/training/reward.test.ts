import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DEFAULT_REWARD,
  parseRewardSamples,
  parseRewardSpec,
  type RewardSpecInput,
  rewardOf,
  testReward,
} from '../../training/reward/index.ts'

const measures = (score: number, seconds: number, usd: number) => ({ id: 'r1', measures: { score, seconds, usd } })
const spec = (changes: Partial<RewardSpecInput>) => parseRewardSpec({ ...DEFAULT_REWARD, ...changes })

describe('a reward', () => {
  it('is the weighted sum of its parts when the answer is right', () => {
    const reward = rewardOf(DEFAULT_REWARD, measures(1, 150, 0.5))
    expect(reward).toEqual({
      scalar: 0.7 + 0.2 * 0.75 + 0.1 * 0.75,
      combined: 0.7 + 0.2 * 0.75 + 0.1 * 0.75,
      right: true,
      parts: [
        { name: 'accuracy', value: 1, weight: 0.7, contribution: 0.7, measured: 1 },
        { name: 'speed', value: 0.75, weight: 0.2, contribution: 0.2 * 0.75, measured: 150 },
        { name: 'cost', value: 0.75, weight: 0.1, contribution: 0.1 * 0.75, measured: 0.5 },
      ],
      feedback: 'accuracy 1 (score 1), speed 0.75 (seconds 150), cost 0.75 (usd 0.5). Most is left to win in speed: 0.05.',
    })
  })

  it('gives a wrong answer nothing for being fast and cheap, and says so', () => {
    const reward = rewardOf(DEFAULT_REWARD, measures(0.5, 0, 0))
    expect(reward.scalar).toBe(0.35)
    expect(reward.feedback).toBe('accuracy 0.5 (score 0.5): below 1, so wrong; speed and cost do not count until it is right.')
  })

  it('never lets a fast wrong answer outrank a slow right one, whatever the weights, scale and clip', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        share,
        share,
        share,
        fc.integer({ min: 1, max: 98 }),
        fc.double({ min: 0.1, max: 5, noNaN: true }),
        (low, x, y, percent, scale) => {
          const first = percent / 100
          const reward = parseRewardSpec({
            components: [
              { name: 'accuracy', weight: first, measure: 'score' },
              { name: 'speed', weight: 1 - first, measure: 'seconds', by: 'under', limit: 10 },
            ],
            scale,
            clip: [0, scale],
          })
          const wrong = rewardOf(reward, { id: 'wrong', measures: { score: low * 0.999999, seconds: 10 * x } })
          const right = rewardOf(reward, { id: 'right', measures: { score: 1, seconds: 10 + 1000 * y } })
          expect(right.scalar).toBeGreaterThan(wrong.scalar)
        },
      ),
    )
  })

  it('stays in [0, 1] before scaling, rises with accuracy, and is linear in the weights', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        share,
        share,
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        (a, b, seconds, usd) => {
          const low = rewardOf(DEFAULT_REWARD, measures(Math.min(a, b), seconds, usd))
          const high = rewardOf(DEFAULT_REWARD, measures(Math.max(a, b), seconds, usd))
          expect(low.scalar).toBeLessThanOrEqual(high.scalar)
          expect(low.combined >= 0 && high.combined <= 1 + 1e-12).toBe(true)
          expect(high.combined).toBeCloseTo(
            high.parts.reduce((sum, { weight, value }, i) => sum + (i === 0 || high.right ? weight * value : 0), 0),
            12,
          )
        },
      ),
    )
  })

  it('is scaled, shifted and then cut', () => {
    expect(rewardOf(spec({ scale: 10, shift: -2 }), measures(1, 600, 2)).scalar).toBeCloseTo(5, 12)
    expect(rewardOf(spec({ scale: 10, shift: -2, clip: [-1, 5.5] }), measures(1, 0, 0)).scalar).toBe(5.5)
    expect(rewardOf(spec({ scale: 10, shift: -2, clip: [-1, 5.5] }), measures(0, 0, 0)).scalar).toBe(-1)
    expect(rewardOf(spec({ combine: 'weighted' }), measures(0, 0, 0)).scalar).toBeCloseTo(0.3, 12)
  })

  it('is an error, never a zero, when something was not measured', () => {
    expect(() => rewardOf(DEFAULT_REWARD, { id: 'r9', measures: { score: 1, second: 3, usd: 1 } })).toThrow(
      expect.objectContaining({
        code: 'VT_REWARD_MISSING',
        message: 'rollout r9 has no reward: speed reads seconds, which is not measured (did you mean "second"?)',
      }),
    )
    expect(() => rewardOf(DEFAULT_REWARD, measures(Number.NaN, 1, 1))).toThrow(
      expect.objectContaining({ code: 'VT_REWARD_MISSING' }),
    )
    expect(() => rewardOf(DEFAULT_REWARD, measures(1.2, 1, 1))).toThrow(expect.objectContaining({ code: 'VT_REWARD_RANGE' }))
    expect(() => rewardOf(DEFAULT_REWARD, measures(1, -1, 1))).toThrow(expect.objectContaining({ code: 'VT_REWARD_RANGE' }))
  })

  it('takes components made by functions of the caller', () => {
    const own = parseRewardSpec({ components: [{ name: 'tests', weight: 1, measure: 'failed', by: 'halving' }] })
    expect(rewardOf(own, { id: 'r', measures: { failed: 2 } }, { halving: (failed) => 1 / 2 ** failed }).scalar).toBe(0.25)
    expect(() => rewardOf(own, { id: 'r', measures: { failed: 2 } })).toThrow(
      expect.objectContaining({ code: 'VT_REWARD_FUNCTION', hint: 'Known: share, under.' }),
    )
  })
})

describe('a reward specification', () => {
  it.each([
    ['weights that do not sum to 1', { components: [{ name: 'a', weight: 0.5, measure: 'x' }] }, 'weights sum to 0.5, not to 1'],
    ['an unknown key', { weigths: {} }, 'Unrecognized key'],
    ['a component under no limit', { components: [{ name: 'a', weight: 1, measure: 'x', by: 'under' }] }, 'needs a limit'],
    ['a limit that is not read', { components: [{ name: 'a', weight: 1, measure: 'x', limit: 3 }] }, 'does not read'],
    [
      'one name twice',
      { components: [1, 2].map(() => ({ name: 'a', weight: 0.5, measure: 'x' })) },
      'component a is there twice',
    ],
    ['a clip that makes right and wrong equal', { clip: [0, 0.5] }, 'makes right and wrong answers equal'],
    ['a clip without room', { clip: [1, 1] }, 'leaves no room'],
  ])('is refused with %s', (_, changes, message) => {
    expect(() => parseRewardSpec({ ...DEFAULT_REWARD, ...changes })).toThrow(
      expect.objectContaining({ code: 'VT_REWARD_SPEC', message: expect.stringContaining(message) }),
    )
  })
})

describe('testing a reward on sample episodes', () => {
  const episodes = [
    { id: 'slow-right', measures: { score: 1, seconds: 900, usd: 3 }, above: ['fast-wrong'] },
    { id: 'fast-wrong', measures: { score: 0.6, seconds: 5, usd: 0.01 }, expect: 0.42 },
  ]

  it('finds nothing wrong with the default', () => {
    const result = testReward(parseRewardSamples({ episodes }, 'samples.yaml'))
    expect(result.problems).toEqual([])
    expect(result.rows.map(({ id, reward }) => [id, reward.scalar])).toEqual([
      ['slow-right', 0.7],
      ['fast-wrong', 0.42],
    ])
  })

  it('names each expectation that is missed and the wrong answer that outranks a right one', () => {
    const result = testReward(
      parseRewardSamples({ reward: { ...DEFAULT_REWARD, combine: 'weighted' }, episodes }, 'samples.yaml'),
    )
    expect(result.problems).toEqual([
      'slow-right gets 0.7, which is not above fast-wrong with 0.717833',
      'fast-wrong gets 0.717833, expected 0.42',
      'fast-wrong is wrong and outranks or equals slow-right, which is right; combine: lexicographic prevents this',
    ])
  })

  it('says that rewards which are all alike teach nothing', () => {
    const same = ['a', 'b'].map((id) => ({ id, measures: { score: 0, seconds: 1, usd: 1 } }))
    expect(testReward(parseRewardSamples({ episodes: same }, 'f')).problems).toEqual([
      'all 2 episodes get 0: nothing can be learned from rewards that are alike',
    ])
  })

  it('refuses a file that names an episode twice or one that is not there', () => {
    const twice = [...episodes, episodes[1]]
    expect(() => parseRewardSamples({ episodes: twice }, 'f.yaml')).toThrow('f.yaml: episode fast-wrong is there twice')
    expect(() => parseRewardSamples({ episodes: [episodes[0]] }, 'f.yaml')).toThrow(
      'slow-right is above fast-wrong, which is no episode',
    )
    expect(() => parseRewardSamples({ episode: [] }, 'f.yaml')).toThrow(expect.objectContaining({ code: 'VT_REWARD_SAMPLES' }))
  })
})
