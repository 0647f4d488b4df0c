import { describe, expect, it, vi } from 'vitest'
import { randomFrom } from '../../training/random.ts'
import * as router from '../../training/router/index.ts'
import { byChance, FULL, shareOf } from './simulate.ts'

if (FULL) vi.setConfig({ testTimeout: 600_000 })

const POOL: router.GeneratedArm[] = [
  { id: 'opus', solves: 0.744, usd: 0.72 },
  { id: 'gemini', solves: 0.742, usd: 0.46 },
  { id: 'gpt', solves: 0.66, usd: 0.306 },
  { id: 'mini', solves: 0.598, usd: 0.035 },
  { id: 'cheap', solves: 0.6, usd: 0.028 },
]
const ISSUES = 500
const table = router.generateOutcomeTable({ arms: POOL, issues: ISSUES, groups: 12, seed: 1, alike: 0.8, leaning: 0.2 })
const ORDERS = FULL ? 30 : 4

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const over = (run: (seed: number) => number, n = ORDERS) => meanOf(Array.from({ length: n }, (_, seed) => run(seed)))
const csv = (...lines: string[]) => ['issue,a|resolved,a|usd,a|calls', ...lines].join('\n')

describe('an outcome table', () => {
  it('reads back what it writes, also with quotes and commas in names', () => {
    const odd = {
      arms: ['model "x", new', 'y|z'],
      rows: table.rows.slice(0, 3).map((row) => ({ ...row, outcomes: row.outcomes.slice(0, 2) })),
    }
    expect(router.parseOutcomeTable(router.renderOutcomeTable(odd), 't.csv')).toEqual(odd)
    expect(router.parseOutcomeTable(router.renderOutcomeTable(table).replaceAll('\n', '\r\n'), 't.csv')).toEqual(table)
  })

  it('takes the group of an issue from its id', () => {
    const groups = ['astropy__astropy-12907', 'web/api#4', 'alone'].map(
      (id) => router.parseOutcomeTable(csv(`${id},1,0,1`), 't').rows[0]?.group,
    )
    expect(groups).toEqual(['astropy__astropy', 'web/api', 'alone'])
  })

  it.each([
    ['a missing cell', csv('i1,1,,3'), 't.csv:2: a|usd is empty'],
    ['a missing column', csv('i1,1,0.5'), 't.csv:2: 3 cells, the header has 4'],
    ['a negative cost', csv('i1,1,-0.5,3'), 't.csv:2: a|usd is -0.5, below 0'],
    ['a cost that is no number', csv('i1,1,cheap,3'), 't.csv:2: a|usd is "cheap", not a number'],
    ['half a success', csv('i1,0.5,1,3'), 't.csv:2: a|resolved is 0.5, not 0 or 1'],
    ['an issue twice', csv('i1,1,1,3', 'i1,0,1,3'), 't.csv:3: issue i1 is there twice'],
    ['no issue column', 'id,a|resolved\n', 't.csv:1: the first column is "id", not "issue"'],
    ['an arm without its cost', 'issue,a|resolved,a|calls\ni,1,1', 't.csv:1: arm a has no column a|usd'],
    ['an unknown column', 'issue,a|price\ni,1', 't.csv:1: column "a|price" is not <arm>|resolved, <arm>|usd or <arm>|calls'],
    ['nothing in it', csv(), 't.csv:1: there is a header and no issue'],
  ])('is refused with %s', (_, text, message) => {
    expect(() => router.parseOutcomeTable(text, 't.csv')).toThrow(expect.objectContaining({ code: 'VT_TABLE', message }))
  })

  it('names the nearest arm to an unknown one', () => {
    expect(() => router.withArms(table, ['gemni'])).toThrow('the table has no arm "gemni" (did you mean "gemini"?)')
    expect(router.replayFixed(router.withArms(table, ['cheap']), 0)).toEqual(router.replayFixed(table, 4))
  })

  it('is generated with the shares and costs that were asked for', () => {
    const large = router.generateOutcomeTable({ arms: POOL, issues: 4000, groups: 12, seed: 3, leaning: 0.1 })
    for (const [arm, { solves, usd }] of POOL.entries()) {
      const result = router.replayFixed(large, arm)
      expect(Math.abs(result.resolved / 4000 - solves)).toBeLessThan(0.03)
      expect(Math.abs(result.usd / 4000 / usd - 1)).toBeLessThan(0.1)
    }
  })
})

describe('the choice router on 500 issues in one pass', () => {
  const tables = [201, 202, 203].map((seed) =>
    router.generateOutcomeTable({ arms: POOL, issues: ISSUES, groups: 12, seed, alike: 0.8, leaning: 0.2 }),
  )

  /** Reward as a share of the best arm's, which is known only afterwards: a mean over tables and orders. */
  function shareOfBest(price: number, run: (one: router.OutcomeTable, seed: number) => router.ReplayResult): number {
    return meanOf(
      tables.map((one) => {
        const best = router.rewardOfReplay(router.bestFixed(one, price).result, price)
        return over((seed) => router.rewardOfReplay(run(one, seed), price)) / best
      }),
    )
  }

  // Where a dollar counts little, two arms are nearly as good as the best and 500 outcomes hardly tell them apart.
  it.each([
    [0.1, 0.97],
    [0.5, 0.97],
    [1, 0.97],
  ])('at %f issues a dollar reaches %f of the best arm, and beats plain Thompson sampling', (price, bound) => {
    const learned = shareOfBest(price, (one, seed) => router.replayChoice(one, { price }, randomFrom(seed)))
    const plain = shareOfBest(price, (one, seed) => router.replayThompson(one, price, randomFrom(seed)))
    const random = shareOfBest(price, (one, seed) => router.replayRandom(one, randomFrom(seed)))
    if (process.env.VALUETRAIN_SHOW === '1')
      console.log(`choice router, price ${price}: ${JSON.stringify({ learned, plain, random })}`)
    expect(learned).toBeGreaterThan(bound)
    expect(learned).toBeGreaterThan(plain)
    expect(plain).toBeGreaterThan(random)
  })

  it('knows nothing when outcomes are given to the wrong arms', () => {
    const price = 1
    const best = router.rewardOfReplay(router.bestFixed(table, price).result, price)
    const permuted = (seed: number) => {
      const random = randomFrom(`permuted ${seed}`)
      const choice = new router.ChoiceRouter({ arms: 5, price })
      let reward = 0
      for (const row of table.rows) {
        const arm = random.categorical(choice.propensities({ groups: [row.group] }))
        const outcome = row.outcomes[arm]
        reward += (outcome?.resolved ? 1 : 0) - price * (outcome?.usd ?? 0)
        choice.update({ groups: [row.group] }, random.below(5), outcome ?? { resolved: false, usd: 0 })
      }
      return reward / best
    }
    // What one of them keeps to by chance may be a good arm; all together they are no better than drawing.
    expect(over(permuted, 8)).toBeLessThan(0.9)
  })

  it('goes on from its state', () => {
    const [one, two] = [0, 1].map(() => new router.ChoiceRouter({ arms: 5, price: 0.5 })) as [
      router.ChoiceRouter,
      router.ChoiceRouter,
    ]
    for (const [i, row] of table.rows.slice(0, 60).entries())
      one.update({ groups: [row.group] }, i % 5, row.outcomes[i % 5] ?? { resolved: false, usd: 0 })
    two.restore(JSON.parse(JSON.stringify(one.state())))
    expect(two.propensities({ groups: ['group-1'] })).toEqual(one.propensities({ groups: ['group-1'] }))
    expect(() => two.restore({})).toThrow(expect.objectContaining({ code: 'VT_BANDIT_STATE' }))
  })
})

describe('what a router is measured by', () => {
  const gate = { falsePass: 0.2, falseFail: 0.05 }

  it('holds each fixed cascade in expectation, which many replays of it come to', () => {
    const fixed = router.expectOrders(table, gate)
    expect(fixed).toHaveLength(325)
    const one = fixed.find(({ order }) => order.join() === '4,3,1')?.result
    const replays = Array.from({ length: 60 }, (_, seed) => router.replayOrder(table, [4, 3, 1], gate, randomFrom(seed)))
    // Deviations of one replay: about 7 issues and 6 dollars; of the mean of 60 an eighth of that.
    expect(Math.abs(meanOf(replays.map(({ resolved }) => resolved)) - (one?.resolved ?? 0))).toBeLessThan(4)
    expect(Math.abs(meanOf(replays.map(({ usd }) => usd)) - (one?.usd ?? 0))).toBeLessThan(4)
    const alone = router.expectOrders(table, router.PERFECT_GATE, 1)
    expect(alone.map(({ result }) => result.resolved)).toEqual(POOL.map((_, arm) => router.replayFixed(table, arm).resolved))
  })

  it('holds the best arm of each group, which is at least the best for all', () => {
    const split = router.parseOutcomeTable(
      ['issue,a|resolved,a|usd,a|calls,b|resolved,b|usd,b|calls', 'x#1,1,1,1,0,1,1', 'x#2,1,1,1,0,1,1', 'y#1,0,1,1,1,1,1'].join(
        '\n',
      ),
      't',
    )
    expect(router.bestFixed(split, 0.1).result.resolved).toBe(2)
    expect(router.bestByGroup(split, 0.1)).toEqual({ resolved: 3, usd: 3, calls: 3, issues: 3 })
  })
})

describe('the learned cascade', () => {
  it('follows one plan where no doubt is drawn, and asks for no chance to make it', () => {
    const cascade = new router.Cascade({ arms: POOL.map(({ id }) => ({ id })), gate: router.PERFECT_GATE, mix: 0 })
    for (let i = 0; i < 20; i++) cascade.learn({ steps: [{ arm: i % 5, passed: i % 3 > 0, usd: 0.1 + (i % 5) / 10 }] })
    const random = randomFrom('untouched')
    const chances = cascade.propensities(0, random)
    expect(Array.from(chances).filter((chance) => chance > 0)).toEqual([1])
    expect(random.uniform()).toBe(randomFrom('untouched').uniform())
  })

  it('takes arms of which nothing is known with equal chances, wherever they stand in the list', () => {
    const cascade = new router.Cascade({ arms: POOL.map(({ id }) => ({ id })), gate: router.PERFECT_GATE, mix: 0 })
    const chances = (mask: number) => Array.from(cascade.propensities(mask, randomFrom(1)))
    expect(chances(0)).toEqual([0.2, 0.2, 0.2, 0.2, 0.2, 0])
    expect(chances(0b00101)).toEqual([0, 1 / 3, 0, 1 / 3, 1 / 3, 0])
    cascade.learn({ steps: [{ arm: 1, passed: false, usd: 0.5 }] })
    expect(chances(0)).toEqual([0.25, 0, 0.25, 0.25, 0.25, 0])
  })

  const spend = (gate: router.GateRates, budget: number) => {
    const runs = Array.from({ length: FULL ? 30 : 2 }, (_, seed) =>
      router.replayCascade(table, { gate, budget: { usd: budget, issues: ISSUES } }, randomFrom(seed)),
    )
    return { resolved: meanOf(runs.map(({ resolved }) => resolved)) / ISSUES, usd: meanOf(runs.map(({ usd }) => usd)) }
  }
  const strongest = router.bestFixed(table, 0).result

  it('solves more than the strongest arm alone for less, behind a gate that can be trusted', () => {
    const learned = spend(router.PERFECT_GATE, 225)
    if (process.env.VALUETRAIN_SHOW === '1') console.log({ learned, strongest })
    expect(learned.resolved).toBeGreaterThan(strongest.resolved / ISSUES + 0.05)
    expect(learned.usd).toBeLessThanOrEqual(225)
  })

  it('keeps its budget and still solves as much as the strongest arm behind a gate that lets 20 % of bad work pass', () => {
    const learned = spend({ falsePass: 0.2, falseFail: 0.05 }, 145)
    if (process.env.VALUETRAIN_SHOW === '1') console.log({ learned, strongest })
    expect(learned.resolved).toBeGreaterThan(strongest.resolved / ISSUES - 0.01)
    expect(learned.usd).toBeLessThanOrEqual(145 * 1.01)
  })

  it('spends less the less there is', () => {
    const small = spend(router.PERFECT_GATE, 40)
    expect(small.usd).toBeLessThanOrEqual(41)
    expect(small.resolved).toBeGreaterThan(0.6)
  })

  it('puts arms in an order that fits what it saw: the cheap one first, then the strong one', () => {
    const cascade = new router.Cascade({ arms: [{ id: 'strong' }, { id: 'cheap' }], gate: router.PERFECT_GATE, price: 0.2 })
    const random = randomFrom('plan')
    for (let i = 0; i < 150; i++) {
      const first = random.uniform() < 0.6
      if (i % 2 === 0) cascade.learn({ steps: [{ arm: 0, passed: random.uniform() < 0.75, usd: 1 }] })
      else
        cascade.learn({
          steps: [{ arm: 1, passed: first, usd: 0.02 }, ...(first ? [] : [{ arm: 0, passed: random.uniform() < 0.5, usd: 1 }])],
        })
    }
    const { next } = cascade.plan()
    expect([next[0], next[2], next[3]]).toEqual([1, 0, 2])
  })

  it('tries a retry only after the first try, and hands over when that is worth more', () => {
    const arms = [
      { id: 'a', usd: 0.1 },
      { id: 'a again', after: 'a', usd: 0.1 },
    ]
    const cascade = new router.Cascade({ arms, gate: router.PERFECT_GATE, mix: 0.3 })
    const random = randomFrom(1)
    expect(cascade.propensities(0b00, random)[1]).toBe(0)
    expect(cascade.propensities(0b01, random)[1]).toBeGreaterThan(0)
    expect(Array.from(cascade.propensities(0b11, random))).toEqual([0, 0, expect.closeTo(1, 12)])
    const person = new router.Cascade({ arms, gate: router.PERFECT_GATE, handOver: 0.99, price: 1, mix: 0 })
    expect(person.choose([0], random).action).toBe(2)
  })

  it('logs chances that sum to 1 and none for what is not open', () => {
    const cascade = new router.Cascade({ arms: POOL.map(({ id }) => ({ id })), gate: router.PERFECT_GATE })
    const { action, propensities } = cascade.choose([1, 3], randomFrom(4))
    expect(meanOf(Array.from(propensities)) * 6).toBeCloseTo(1, 12)
    expect([propensities[1], propensities[3]]).toEqual([0, 0])
    expect(propensities[action]).toBeGreaterThan(0)
  })

  it('goes on from its state, through JSON', () => {
    const make = () =>
      new router.Cascade({
        arms: [{ id: 'a' }, { id: 'b' }],
        gate: { falsePass: 0.1, falseFail: 0.1 },
        budget: { usd: 10, issues: 50 },
      })
    const [whole, first, second] = [make(), make(), make()]
    const random = randomFrom('episodes')
    const episodes = Array.from({ length: 40 }, () => ({
      steps: [{ arm: random.below(2), passed: random.uniform() < 0.6, usd: random.uniform() / 10 }],
    }))
    for (const episode of episodes) whole.learn(episode)
    for (const episode of episodes.slice(0, 17)) first.learn(episode)
    second.restore(JSON.parse(JSON.stringify(first.state())))
    for (const episode of episodes.slice(17)) second.learn(episode)
    expect(second.state()).toEqual(whole.state())
    expect(second.plan()).toEqual(whole.plan())
    expect(() => second.restore({ arms: ['a'] })).toThrow(expect.objectContaining({ code: 'VT_CASCADE_STATE' }))
  })

  it('refuses arms it cannot plan and episodes that cannot be', () => {
    const make = (arms: router.CascadeArm[]) => () => new router.Cascade({ arms, gate: router.PERFECT_GATE })
    expect(make([])).toThrow(expect.objectContaining({ code: 'VT_CASCADE_ARMS' }))
    expect(make(Array.from({ length: 11 }, (_, i) => ({ id: `${i}` })))).toThrow(
      'a cascade over 11 arms cannot be planned; 1 to 10 can',
    )
    expect(make([{ id: 'a', after: 'b' }])).toThrow('arm a comes after b, which is no other arm')
    expect(() => new router.Cascade({ arms: [{ id: 'a' }], gate: { falsePass: 0.6, falseFail: 0.4 } })).toThrow(
      expect.objectContaining({ code: 'VT_GATE_RATES' }),
    )
    const cascade = make([{ id: 'a' }, { id: 'b' }])()
    const step = (arm: number, passed: boolean, usd = 1) => ({ arm, passed, usd })
    for (const steps of [
      [step(0, true), step(1, true)],
      [step(0, false), step(0, false)],
      [step(2, true)],
      [step(0, true, -1)],
    ]) {
      expect(() => cascade.learn({ steps })).toThrow(expect.objectContaining({ code: 'VT_CASCADE_EPISODE' }))
    }
  })
})

describe('a measured gate', () => {
  it('has rates with intervals, and none that says never', () => {
    const record = [
      ...Array.from({ length: 40 }, (_, i) => ({ passed: i < 8, right: false })),
      ...Array.from({ length: 60 }, () => ({ passed: true, right: true })),
    ]
    const measured = router.measureGate(record)
    expect(measured.falsePass).toBeCloseTo(9 / 42, 12)
    expect(measured.falseFail).toBeCloseTo(1 / 62, 12)
    expect(measured.intervals.falsePass.low).toBeGreaterThan(0.1)
    expect(router.measureGate([]).intervals.falsePass).toMatchObject({ low: 0, high: 1 })
  })
})

describe('the router environment', () => {
  const gate = { falsePass: 0.2, falseFail: 0.05 }
  const make = () => new router.RouterEnv(table, { gate, price: 0.1 })

  it('gives the same episode for the same seed and pays what the table says', () => {
    const env = make()
    let solved = 0
    let dollars = 0
    for (let seed = 0; seed < 60; seed++) {
      env.reset(seed)
      const first = env.step(4)
      env.reset(seed)
      expect(env.step(4)).toEqual(first)
      solved += first.info?.resolved ?? 0
      dollars += first.info?.usd ?? 0
      expect(first.reward).toBeCloseTo((first.info?.resolved ?? 0) - 0.1 * (first.info?.usd ?? 0), 12)
    }
    expect(solved).toBeGreaterThan(20)
    expect(dollars).toBeGreaterThan(0.5)
  })

  it('shows refusals and dollars, never the truth, and ends at the hand-over', () => {
    const env = make()
    let seed = 0
    for (;;) {
      env.reset(seed++)
      const transition = env.step(3)
      if (transition.terminated) continue
      expect(Array.from(transition.observation.slice(0, 6))).toEqual([1, 0, 0, 0, 1, 0])
      expect(transition.observation[6]).toBeCloseTo(transition.info?.usd ?? Number.NaN, 5)
      const saved = env.state()
      const again = env.step(0)
      env.restore(saved)
      expect(env.step(0)).toEqual(again)
      break
    }
    env.reset(1)
    expect(env.step(5)).toMatchObject({ reward: 0, terminated: true })
    expect(() => env.step(0)).toThrow(expect.objectContaining({ code: 'VT_ENV_ENDED' }))
    env.reset(1)
    expect(() => env.step(6)).toThrow(expect.objectContaining({ code: 'VT_ENV_ACTION' }))
    expect(() => env.restore({ seed: 1, issue: 'none', refused: [] })).toThrow(expect.objectContaining({ code: 'VT_ENV_STATE' }))
  })
})

describe('a policy that tries the same arm for ever', () => {
  it('is cut off after as many tries as there are arms and one', () => {
    const env = new router.RouterEnv(table, { gate: { falsePass: 0, falseFail: 0 }, price: 0.1 })
    let seed = 0
    do env.reset(seed++)
    while (env.step(3).terminated)
    const ends = Array.from({ length: 5 }, () => env.step(3).truncated)
    expect(ends).toEqual([false, false, false, false, true])
  })
})

describe('lanes', () => {
  it('are sticky, split by share within a point at 10,000 cases, and only ever grow', () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `issue-${i}`)
    const challengers = (share: number) => new Set(keys.filter((key) => router.laneOf(key, share, 'e1') === 'challenger'))
    const [tenth, third] = [challengers(0.1), challengers(0.3)]
    expect(Math.abs(tenth.size / 10_000 - 0.1)).toBeLessThan(0.01)
    expect(Math.abs(third.size / 10_000 - 0.3)).toBeLessThan(0.01)
    expect([...tenth].every((key) => third.has(key))).toBe(true)
    const other = keys.filter((key) => router.laneOf(key, 0.1, 'e2') === 'challenger' && tenth.has(key))
    expect(other.length).toBeLessThan(200)
  })

  it('decide who routes and who only watches', () => {
    expect(router.ROUTER_STAGES.map((stage) => router.routeAt(stage, 'challenger'))).toEqual([
      { decides: 'champion', watches: undefined },
      { decides: 'champion', watches: 'challenger' },
      { decides: 'challenger', watches: undefined },
      { decides: 'challenger', watches: undefined },
    ])
  })
})

describe('a canary', () => {
  const watch = (random: ReturnType<typeof randomFrom>, champion: number, challenger: number, cases: number) => {
    const canary = new router.Canary({ share: 0.2 })
    for (let i = 0; i < cases; i++) {
      // All grow harder with time, which must not count against either.
      const drift = 0.2 * (i / cases)
      const lane = random.uniform() < 0.2 ? 'challenger' : 'champion'
      canary.add(lane, random.uniform() < (lane === 'champion' ? champion : challenger) - drift ? 1 : 0)
      const { verdict } = canary.report()
      if (verdict !== 'continue') return verdict
    }
    return 'continue'
  }

  it('on two that are alike says something else than that in at most 5 %, looked at after every outcome', () => {
    const runs = FULL ? 2000 : 60
    const share = shareOf('A/A canary share=0.2, 600 looks', runs, (random) => watch(random, 0.7, 0.7, 600) !== 'continue')
    expect(share).toBeLessThanOrEqual(FULL ? 0.05 : 0.05 + byChance(0.05, runs) / 3)
  })

  it('rolls back by itself what does harm and promotes what helps', () => {
    const runs = FULL ? 400 : 20
    expect(
      shareOf('canary rolls back 0.8 -> 0.35', runs, (random) => watch(random, 0.8, 0.35, 1500) === 'roll-back'),
    ).toBeGreaterThan(0.9)
    expect(shareOf('canary promotes 0.5 -> 0.9', runs, (random) => watch(random, 0.5, 0.9, 1500) === 'promote')).toBeGreaterThan(
      0.9,
    )
  })

  it('goes on from its state and refuses what it cannot compare', () => {
    const [whole, half] = [new router.Canary({ share: 0.5 }), new router.Canary({ share: 0.5 })]
    for (let i = 0; i < 30; i++) {
      whole.add(i % 2 === 0 ? 'champion' : 'challenger', (i % 3) / 2)
      if (i === 20) half.restore(JSON.parse(JSON.stringify(whole.state())))
      else if (i > 20) half.add(i % 2 === 0 ? 'champion' : 'challenger', (i % 3) / 2)
    }
    expect(half.report()).toEqual(whole.report())
    expect(() => new router.Canary({ share: 0 })).toThrow(expect.objectContaining({ code: 'VT_CANARY' }))
    expect(() => whole.add('champion', 1.5)).toThrow('reward 1.5 of the champion is not in [0, 1]')
  })
})
