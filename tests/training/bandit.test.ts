import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../core/canonical.ts'
import {
  type Bandit,
  type Context,
  chanceOfBest,
  choose,
  HierarchicalThompson,
  LinThompson,
  LinUcb,
  LogisticThompson,
  mixIn,
  requirePropensities,
} from '../../training/bandit/index.ts'
import { Ridge } from '../../training/bandit/ridge.ts'
import { randomAt, randomFrom } from '../../training/random.ts'
import type { Random } from '../../training/types.ts'
import { FULL, tell } from './simulate.ts'

const FEATURES = 5
const bandits: [string, () => Bandit][] = [
  ['hierarchical Thompson', () => new HierarchicalThompson({ arms: 4, mix: 0.02 })],
  ['discounted Thompson', () => new HierarchicalThompson({ arms: 4, discount: 0.998 })],
  ['LinUCB', () => new LinUcb({ arms: 4, features: FEATURES, mix: 0.02 })],
  ['LinThompson', () => new LinThompson({ arms: 4, features: FEATURES })],
  ['logistic Thompson', () => new LogisticThompson({ arms: 4, features: FEATURES })],
]

/** Four kinds of cases, each best served by another arm; the right arm solves 85 %, the others 35 %. */
function drawCase(random: Random): Context & { kind: number } {
  const kind = random.below(4)
  return { kind, groups: [`kind-${kind}`], features: [1, ...Array.from({ length: 4 }, (_, i) => (i === kind ? 1 : 0))] }
}

const rewardOf = (random: Random, kind: number, arm: number) => (random.uniform() < (kind === arm ? 0.85 : 0.35) ? 1 : 0)

function play(
  bandit: Bandit,
  rounds: number,
  seed: string,
  teach: (reward: number, random: Random) => number | undefined,
): number {
  const random = randomFrom(seed)
  let sum = 0
  for (let i = 0; i < rounds; i++) {
    const context = drawCase(random)
    const { arm } = choose(bandit, context, random)
    const reward = rewardOf(random, context.kind, arm)
    const taught = teach(reward, random)
    if (taught !== undefined) bandit.update(context, arm, taught)
    if (i >= rounds / 2) sum += reward / (rounds / 2)
  }
  return sum
}

describe.each(bandits)('%s', (name, make) => {
  it('learns which arm serves which cases, and does not when it is not told or told at random', () => {
    expect(play(make(), 1600, name, (reward) => reward)).toBeGreaterThan(0.76)
    expect(play(make(), 800, name, () => undefined)).toBeLessThan(0.6)
    expect(play(make(), 800, name, (_, random) => random.below(2))).toBeLessThan(0.65)
  })

  it('gives propensities that sum to 1 and draws by them', () => {
    const bandit = make()
    play(bandit, 60, name, (reward) => reward)
    const random = randomFrom('draws')
    const context = drawCase(random)
    const propensities = bandit.propensities(context)
    requirePropensities(propensities, 'test')
    const counts = [0, 0, 0, 0]
    for (let i = 0; i < 4000; i++) {
      const { arm } = choose(bandit, context, random)
      counts[arm] = (counts[arm] ?? 0) + 1 / 4000
    }
    for (const [arm, count] of counts.entries()) expect(Math.abs(count - (propensities[arm] as number))).toBeLessThan(0.03)
  })

  it('goes on exactly from its state, through JSON', () => {
    const whole = make()
    const first = make()
    const random = randomFrom('resume')
    const outcomes = Array.from({ length: 80 }, () => ({
      context: drawCase(random),
      arm: random.below(4),
      reward: random.below(2),
    }))
    for (const { context, arm, reward } of outcomes) whole.update(context, arm, reward)
    for (const { context, arm, reward } of outcomes.slice(0, 37)) first.update(context, arm, reward)
    const second = make()
    second.restore(JSON.parse(JSON.stringify(first.state())))
    for (const { context, arm, reward } of outcomes.slice(37)) second.update(context, arm, reward)
    expect(second.state()).toEqual(whole.state())
    const context = drawCase(random)
    expect(second.propensities(context)).toEqual(whole.propensities(context))
  })

  it('ends with the same state and the same choices wherever it was interrupted', () => {
    const rounds = FULL ? 50 : 5
    const [length, random] = [120, randomFrom(`interrupt ${name}`)]
    /** Chooses and learns from what came of it; at each cut all that goes on is what was written down. */
    const ran = (cuts: ReadonlySet<number>) => {
      let [bandit, draws] = [make(), randomFrom(name)]
      const chosen: number[] = []
      for (let n = 0; n < length; n++) {
        if (cuts.has(n)) {
          const written = JSON.stringify({ bandit: bandit.state(), draws: [...draws.state()] })
          const { bandit: state, draws: words } = JSON.parse(written)
          bandit = make()
          bandit.restore(state)
          draws = randomAt(Uint32Array.from(words))
        }
        const context = drawCase(draws)
        const { arm } = choose(bandit, context, draws)
        bandit.update(context, arm, rewardOf(draws, context.kind, arm))
        chosen.push(arm)
      }
      return digestOf({ state: bandit.state(), chosen })
    }
    const due = ran(new Set())
    for (let round = 0; round < rounds; round++) {
      const cuts = new Set(Array.from({ length: 1 + random.below(3) }, () => random.below(length)))
      expect({ cuts: [...cuts], digest: ran(cuts) }).toEqual({ cuts: [...cuts], digest: due })
    }
    tell(`G6 ${name}: ${rounds} of ${rounds} interruptions end with ${due.slice(0, 12)}`)
  })

  it('refuses what is no outcome and no state of its own', () => {
    const bandit = make()
    const context = drawCase(randomFrom(1))
    expect(() => bandit.update(context, 4, 1)).toThrow(expect.objectContaining({ code: 'VT_BANDIT_ARM' }))
    expect(() => bandit.update(context, 0, Number.NaN)).toThrow(expect.objectContaining({ code: 'VT_BANDIT_REWARD' }))
    expect(() => bandit.restore({ kind: 'other' })).toThrow(expect.objectContaining({ code: 'VT_BANDIT_STATE' }))
    expect(() => bandit.restore(null)).toThrow(expect.objectContaining({ code: 'VT_BANDIT_STATE' }))
  })
})

describe('the chance of being best', () => {
  it('agrees with a known case and with draws', () => {
    const two = chanceOfBest([0.3, 0], [0.4, 0.3])
    expect(two[0]).toBeCloseTo(0.7257468822499265, 6) // Phi(0.3 / 0.5)
    const means = [0.5, 0.45, 0.2, 0.6]
    const deviations = [0.1, 0.2, 0.05, 0.15]
    const random = randomFrom('best')
    const counts = new Float64Array(4)
    for (let i = 0; i < 40_000; i++) {
      const draws = means.map((mean, arm) => mean + (deviations[arm] as number) * random.normal())
      const first = draws.indexOf(Math.max(...draws))
      counts[first] = (counts[first] ?? 0) + 1 / 40_000
    }
    for (const [arm, chance] of chanceOfBest(means, deviations).entries())
      expect(Math.abs(chance - (counts[arm] as number))).toBeLessThan(0.01)
  })

  it('always sums to 1, and orders arms of equal doubt by their means', () => {
    const value = fc.double({ min: -100, max: 100, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 9 }),
        fc.double({ min: 0, max: 10, noNaN: true }),
        (means, deviation) => {
          const chances = chanceOfBest(
            means,
            means.map(() => deviation),
          )
          requirePropensities(chances, 'property')
          const best = means.indexOf(Math.max(...means))
          for (const chance of chances) expect(chance).toBeLessThanOrEqual((chances[best] as number) + 1e-9)
        },
      ),
    )
  })
})

describe('hierarchical beliefs', () => {
  it('lean on the whole while a group is new and on the group when it has spoken', () => {
    const bandit = new HierarchicalThompson({ arms: 1 })
    for (let i = 0; i < 200; i++) bandit.update({ groups: ['common'] }, 0, i % 5 === 0 ? 0 : 1)
    const fresh = bandit.beliefs({ groups: ['new'] })[0]
    for (let i = 0; i < 200; i++) bandit.update({ groups: ['hard'] }, 0, i % 5 === 0 ? 1 : 0)
    const hard = bandit.beliefs({ groups: ['hard'] })[0]
    const common = bandit.beliefs({ groups: ['common'] })[0]
    expect(fresh?.mean).toBeCloseTo(0.8, 1)
    expect(hard?.mean).toBeLessThan(0.27)
    expect(common?.mean).toBeGreaterThan(0.73)
    expect(fresh?.deviation).toBeGreaterThan(hard?.deviation ?? 1)
  })

  it('start from a prior table that is worth a limited number of outcomes', () => {
    const bandit = new HierarchicalThompson({
      arms: 2,
      prior: [
        { mean: 0.9, weight: 10 },
        { mean: 0.3, weight: 10 },
      ],
    })
    expect(bandit.propensities({})[0]).toBeGreaterThan(0.95)
    for (let i = 0; i < 60; i++) bandit.update({}, 0, 0)
    expect(bandit.propensities({})[0]).toBeLessThan(0.2)
  })

  it('follow drift when old outcomes are discounted', () => {
    const meanAfter = (discount: number) => {
      const bandit = new HierarchicalThompson({ arms: 1, discount })
      for (let i = 0; i < 400; i++) bandit.update({}, 0, i < 300 ? 1 : 0)
      return bandit.beliefs({})[0]?.mean ?? 1
    }
    expect(meanAfter(0.97)).toBeLessThan(0.1)
    expect(meanAfter(1)).toBeGreaterThan(0.7)
  })
})

describe('the regression behind linear bandits', () => {
  it('keeps the inverse exact over thousands of updates', () => {
    const ridge = new Ridge(6, 1)
    const truth = [0.5, -1, 2, 0, 0.25, 3]
    const random = randomFrom('ridge')
    for (let i = 0; i < 3000; i++) {
      const x = truth.map(() => random.normal())
      ridge.add(
        x,
        truth.reduce((sum, weight, j) => sum + weight * (x[j] as number), 0),
      )
    }
    for (const [i, weight] of truth.entries()) expect(ridge.weights[i]).toBeCloseTo(weight, 2)
    const asked = [1, 0, 0, 0, 0, 0]
    expect(ridge.doubt(asked) * 3000).toBeCloseTo(1, 0)
  })
})

describe('propensities', () => {
  it('that do not sum to 1 or are no chances are refused by name', () => {
    expect(() => requirePropensities([0.5, 0.4], 'decision 7')).toThrow('decision 7: propensities sum to 0.9, not to 1')
    expect(() => requirePropensities([1.5, -0.5], 'decision 7')).toThrow(expect.objectContaining({ code: 'VT_PROPENSITIES' }))
    expect(() => requirePropensities([Number.NaN, 1], 'decision 7')).toThrow(expect.objectContaining({ code: 'VT_PROPENSITIES' }))
  })

  it('mixed with a share of everything leave no arm at 0', () => {
    expect(Array.from(mixIn(Float64Array.of(1, 0, 0, 0), 0.1))).toEqual([0.925, 0.025, 0.025, 0.025])
  })

  it('need the features that were promised', () => {
    const bandit = new LinUcb({ arms: 2, features: 3 })
    expect(() => bandit.propensities({ features: [1, 2] })).toThrow('2 features, 3 are needed')
    expect(() => bandit.propensities({ features: [1, Number.POSITIVE_INFINITY, 0] })).toThrow(
      expect.objectContaining({ code: 'VT_BANDIT_FEATURES', message: 'feature 1 is Infinity' }),
    )
  })
})
