import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomFrom } from '../../training/random.ts'
import * as stats from '../../training/stats/index.ts'
import type { OutcomeRow, Random } from '../../training/types.ts'

const row = (id: string, score: number, seed = 0, infrastructureFault = false): OutcomeRow => ({
  case: id,
  seed,
  score,
  infrastructureFault,
})

const suite = (scores: readonly number[]): OutcomeRow[] => scores.map((score, i) => row(`c${i}`, score))

function judge(rules: stats.RuleInput[], candidate: stats.MeasuredRow[], champion?: stats.MeasuredRow[]) {
  return stats.judgeSuite({
    candidate,
    ...(champion === undefined ? {} : { champion }),
    rules: rules.map((rule) => stats.Rule.parse(rule)),
    random: randomFrom(7),
    resamples: 400,
  })
}

describe('distributions', () => {
  it('agree with published values', () => {
    expect(stats.normalCdf(1.96)).toBeCloseTo(0.9750021048517795, 14)
    expect(stats.normalCdf(-0.3)).toBeCloseTo(0.3820885778110474, 14)
    expect(stats.normalCdf(-6) / 9.865876450376981e-10).toBeCloseTo(1, 11)
    expect(stats.normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 13)
    expect(stats.normalQuantile(1e-6)).toBeCloseTo(-4.753424308822899, 11)
    expect(stats.studentQuantile(0.975, 4)).toBeCloseTo(2.7764451051977987, 10)
    expect(stats.studentQuantile(0.95, 30)).toBeCloseTo(1.6972608865939574, 10)
    expect(stats.binomialUpperTail(8, 10, 0.5)).toBeCloseTo(56 / 1024, 13)
  })

  it('have quantiles that undo the distribution function', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }), (p) => {
        expect(stats.normalCdf(stats.normalQuantile(p)) / p).toBeCloseTo(1, 9)
      }),
    )
  })
})

describe('intervals', () => {
  it('are those of the textbooks', () => {
    const { low, high } = stats.wilson(81, 263)
    expect([low, high].map((x) => Number(x.toFixed(4)))).toEqual([0.2553, 0.3662])
    expect(stats.wilson(0, 10).low).toBe(0)
    expect(stats.wilson(10, 10).high).toBe(1)
    const t = stats.studentInterval([1, 2, 3, 4, 5])
    expect([t.low, t.high].map((x) => Number(x.toFixed(4)))).toEqual([1.0368, 4.9632])
  })

  it('give the same numbers for the same seed and follow shift and scale', () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6]
    const once = stats.bootstrapT(values, { random: randomFrom(1), resamples: 300 })
    expect(stats.bootstrapT(values, { random: randomFrom(1), resamples: 300 })).toEqual(once)
    const moved = stats.bootstrapT(
      values.map((value) => 2 * value + 8),
      { random: randomFrom(1), resamples: 300 },
    )
    expect(moved.low).toBeCloseTo(2 * once.low + 8, 10)
    expect(moved.high).toBeCloseTo(2 * once.high + 8, 10)
  })

  it('refuse values outside the range they were promised, and nothing to measure', () => {
    expect(() => stats.empiricalBernstein([0.5, 1.2], 0, 1)).toThrow(expect.objectContaining({ code: 'VT_STATS_RANGE' }))
    expect(() => stats.interquartileMean([])).toThrow(expect.objectContaining({ code: 'VT_STATS_EMPTY' }))
    expect(() => stats.mean([])).toThrow(expect.objectContaining({ code: 'VT_STATS_EMPTY' }))
    expect(() => stats.wilson(5, 0)).toThrow(expect.objectContaining({ code: 'VT_STATS_EMPTY' }))
    expect(() => stats.wilson(5, 10, 95)).toThrow(expect.objectContaining({ code: 'VT_STATS_SHARE' }))
  })
})

describe('paired comparison', () => {
  it('asks of exact McNemar as many wins as the tables say', () => {
    expect([0, 1, 2, 3, 5, 10, 20].map((losses) => stats.winsNeeded(losses))).toEqual([6, 8, 10, 12, 15, 23, 36])
    expect(stats.mcnemarP(6, 0)).toBeCloseTo(0.03125, 14)
    expect(stats.mcnemarP(0, 0)).toBe(1)
  })

  it('pairs by case, averages rollouts, and leaves faults out', () => {
    const candidate = [row('a', 1), row('a', 0, 1), row('b', 1), row('b', 0, 1, true), row('only', 1)]
    const champion = [row('b', 0), row('a', 1)]
    expect(stats.pairCases(candidate, champion)).toEqual([
      { case: 'a', candidate: 0.5, champion: 1 },
      { case: 'b', candidate: 1, champion: 0 },
    ])
  })

  it('says what a ratio of costs is', () => {
    const pairs = Array.from({ length: 40 }, (_, i) => ({ case: `${i}`, candidate: 2 + (i % 3), champion: 1 + (i % 3) / 2 }))
    const ratio = stats.pairedRatio(pairs, { random: randomFrom(3), resamples: 300 })
    expect([ratio.estimate, ratio.low, ratio.high]).toEqual([2, 2, 2])
  })
})

describe('planning', () => {
  it('prints the detectable differences of the reference table', () => {
    const table = [30, 100, 270, 500].map((n) =>
      [0.05, 0.1, 0.3].map((psi) => Number((100 * stats.detectableDifference(n, psi)).toFixed(1))),
    )
    expect(table).toEqual([
      [11.4, 16.2, 28.0],
      [6.3, 8.9, 15.3],
      [3.8, 5.4, 9.3],
      [2.8, 4.0, 6.9],
    ])
    expect(stats.casesNeeded(0.05, 0.1)).toBe(314)
  })

  it('sums the exact power of McNemar over all outcomes', () => {
    // With 6 cases of which all are discordant and won, only 6:0 is significant.
    expect(stats.mcnemarPower(6, 0.9, 0.1)).toBeCloseTo(0.9 ** 6, 10)
    expect(stats.mcnemarPower(5, 0.9, 0.1)).toBe(0)
  })
})

describe('families', () => {
  it('are corrected by Holm step by step', () => {
    const ps = [0.01, 0.04, 0.03, 0.005].map((p, i) => ({ id: `h${i}`, p }))
    expect(stats.holm(ps).map(({ id, adjusted, rejected }) => [id, Number(adjusted.toFixed(6)), rejected])).toEqual([
      ['h0', 0.03, true],
      ['h1', 0.06, false],
      ['h2', 0.06, false],
      ['h3', 0.02, true],
    ])
  })

  it('never reject more than the raw p-values do, nor less than Bonferroni', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }), (ps) => {
        const adjusted = stats.holm(ps.map((p, i) => ({ id: `${i}`, p })))
        adjusted.forEach(({ p, adjusted: value }) => {
          expect(value).toBeGreaterThanOrEqual(p)
          expect(value).toBeLessThanOrEqual(
            Math.min(1, p * ps.length) + 1e-15 + Math.max(...ps.filter((q) => q <= p).map((q) => q * ps.length)),
          )
        })
      }),
    )
  })
})

describe('interquartile mean', () => {
  it('is the mean of the middle half, borders by share', () => {
    expect(stats.interquartileMean([1, 2, 3, 100])).toBe(2.5)
    expect(stats.interquartileMean([0, 10, 20, 30, 1000])).toBeCloseTo((0.75 * 10 + 20 + 0.75 * 30) / 2.5, 12)
  })

  it('is not moved by one lucky seed, and refuses one seed alone', () => {
    const plain = stats.stratifiedInterquartileMean([[100, 101, 99, 100, 100]], { random: randomFrom(1), resamples: 200 })
    const lucky = stats.stratifiedInterquartileMean([[100, 101, 99, 100, 500]], { random: randomFrom(1), resamples: 200 })
    expect(lucky.estimate - plain.estimate).toBeLessThan(1)
    expect(() => stats.stratifiedInterquartileMean([[1]], { random: randomFrom(1) })).toThrow(
      expect.objectContaining({ code: 'VT_STATS_SEEDS' }),
    )
  })
})

describe('confidence sequence', () => {
  it('goes on from its state as if it had not stopped, and refuses what is outside', () => {
    const whole = new stats.ConfidenceSequence({ least: -1, most: 1 })
    const first = new stats.ConfidenceSequence({ least: -1, most: 1 })
    const second = new stats.ConfidenceSequence({ least: -1, most: 1 })
    const random = randomFrom('sequence')
    for (let i = 0; i < 60; i++) {
      const value = 2 * random.uniform() - 1
      whole.add(value)
      if (i === 30) second.restore(first.state())
      const part = i < 30 ? first : second
      part.add(value)
    }
    expect(second.bounds()).toEqual(whole.bounds())
    expect(() => whole.add(1.5)).toThrow(expect.objectContaining({ code: 'VT_STATS_RANGE' }))
    expect(() => whole.restore([1, 2])).toThrow(expect.objectContaining({ code: 'VT_STATS_STATE' }))
  })

  it('shrinks around the truth', () => {
    const sequence = new stats.ConfidenceSequence({ least: 0, most: 1 })
    const random = randomFrom('shrink')
    const widths: number[] = []
    for (let i = 1; i <= 4000; i++) {
      sequence.add(random.uniform() < 0.3 ? 1 : 0)
      if (i === 40 || i === 400 || i === 4000) {
        const { low, high } = sequence.bounds()
        widths.push(high - low)
        expect(low <= 0.3 && high >= 0.3).toBe(true)
      }
    }
    expect(widths[1]).toBeLessThan((widths[0] as number) / 2)
    expect(widths[2]).toBeLessThan(0.1)
  })
})

describe('rules', () => {
  const ones = (n: number) => suite(Array.from({ length: n }, () => 1))
  const share = (n: number, passed: number) => suite(Array.from({ length: n }, (_, i) => (i < passed ? 1 : 0)))

  it('fail when a must-pass case fails one rollout, and say nothing when it was not measured', () => {
    const rule: stats.RuleInput = { rule: 'must-pass', cases: ['c0', 'c1'] }
    expect(judge([rule], ones(2)).verdict).toBe('pass')
    expect(judge([rule], [...ones(2), row('c1', 0, 1)])).toMatchObject({
      verdict: 'fail',
      reasons: ['must-pass cases failed: c1'],
    })
    expect(judge([rule], ones(1)).verdict).toBe('inconclusive')
  })

  it('hold a threshold against the lower bound, not the mean', () => {
    const rule = { rule: 'threshold', at: 0.8 } as const
    expect(judge([rule], share(100, 85)).findings[0]).toMatchObject({ verdict: 'fail', interval: { estimate: 0.85 } })
    expect(judge([rule], share(400, 340)).verdict).toBe('pass')
  })

  it('let a candidate that is not shown to be no worse fail non-inferiority', () => {
    const champion = share(300, 200)
    const same = judge([{ rule: 'non-inferiority' }], share(300, 200), champion)
    expect(same).toMatchObject({ verdict: 'pass' })
    const lower = judge([{ rule: 'non-inferiority' }], share(300, 190), champion)
    expect(lower.verdict).toBe('fail')
    // Three cases that are all alike prove nothing.
    expect(judge([{ rule: 'non-inferiority' }], ones(3), ones(3)).verdict).toBe('fail')
  })

  it('find superiority by McNemar with six wins and no loss, and tell what the suite can show when not', () => {
    const champion = share(50, 30)
    expect(judge([{ rule: 'superiority' }], share(50, 36), champion).findings[0]).toMatchObject({
      verdict: 'pass',
      wins: 6,
      losses: 0,
    })
    const five = judge([{ rule: 'superiority' }], share(50, 35), champion)
    expect(five.verdict).toBe('fail')
    expect(five.reasons[0]).toBe('5 wins, 0 losses, 45 ties, p 0.0625 above 0.05; 50 cases show 12.5 % or more')
  })

  it('see no superiority in the rounding of sums', () => {
    const sums = (order: (a: number[]) => number[]) =>
      suite(Array.from({ length: 60 }, (_, n) => order([0.1, 0.2, 0.3 + n / 1000]).reduce((sum, each) => sum + each, 0)))
    const [there, back] = [sums((a) => a), sums((a) => a.toReversed())]
    expect(there.some((one, n) => one.score !== back[n]?.score)).toBe(true)
    const best = there.map((one, n) => ({ ...one, score: Math.max(one.score, back[n]?.score ?? 0) }))
    const worst = there.map((one, n) => ({ ...one, score: Math.min(one.score, back[n]?.score ?? 0) }))
    expect(judge([{ rule: 'superiority' }], best, worst)).toMatchObject({
      verdict: 'fail',
      reasons: ['as good as the champion on each of 60 cases'],
    })
  })

  it('hold cost and time against the champion as ratios', () => {
    const priced = (usd: number) => ones(30).map((r, i) => ({ ...r, usd: usd * (1 + (i % 5) / 10) }))
    expect(judge([{ rule: 'ratio', of: 'usd' }], priced(1.05), priced(1)).verdict).toBe('pass')
    expect(judge([{ rule: 'ratio', of: 'usd' }], priced(1.2), priced(1)).verdict).toBe('fail')
    expect(judge([{ rule: 'ratio', of: 'seconds' }], priced(1), priced(1)).verdict).toBe('inconclusive')
  })

  it('fail on anything forbidden, also in a rollout that died', () => {
    const rows = ones(30).map((r, i) => (i === 4 ? { ...r, infrastructureFault: true, forbidden: ['used the network'] } : r))
    expect(judge([{ rule: 'forbidden' }], rows)).toMatchObject({
      verdict: 'fail',
      reasons: ['1 rollouts did what is forbidden (used the network), first in case c4'],
    })
  })

  it('want five seeds', () => {
    const seeds = (n: number) => Array.from({ length: n }, (_, seed) => [row('a', 490 + seed, seed), row('b', 500, seed)]).flat()
    expect(judge([{ rule: 'seeds', at: 480 }], seeds(4)).verdict).toBe('inconclusive')
    expect(judge([{ rule: 'seeds', at: 480 }], seeds(5)).verdict).toBe('pass')
    expect(judge([{ rule: 'seeds', at: 497 }], seeds(5)).verdict).toBe('fail')
  })

  it('give no verdict above five per cent of infrastructure faults, and never count a fault as a score', () => {
    const faulty = (n: number) => ones(100).map((r, i) => (i < n ? { ...r, score: 0, infrastructureFault: true } : r))
    expect(judge([{ rule: 'threshold', at: 0.9 }], faulty(5))).toMatchObject({ verdict: 'pass', faults: 5 })
    expect(judge([{ rule: 'threshold', at: 0.9 }], faulty(6))).toMatchObject({ verdict: 'inconclusive', faults: 6 })
    expect(judge([{ rule: 'threshold', at: 0.9 }], []).verdict).toBe('inconclusive')
  })

  it('are not applicable without a champion, and nothing applicable is no pass', () => {
    expect(judge([{ rule: 'superiority' }], ones(10)).verdict).toBe('inconclusive')
    expect(judge([{ rule: 'superiority' }, { rule: 'threshold', at: 0.5 }], ones(10)).verdict).toBe('pass')
  })

  it('hold the faults of each side against the limit by itself', () => {
    const faulty = (n: number) => ones(100).map((r, i) => (i < n ? { ...r, infrastructureFault: true } : r))
    expect(judge([{ rule: 'non-inferiority' }], faulty(8), ones(100))).toMatchObject({
      verdict: 'inconclusive',
      reasons: ['no verdict: 8 of 100 rollouts died of infrastructure (8 %, allowed 5 %)'],
      faults: 8,
    })
    expect(judge([{ rule: 'non-inferiority' }], ones(100), faulty(8)).verdict).toBe('inconclusive')
    expect(judge([{ rule: 'threshold', at: 0.9 }], faulty(5), faulty(5)).verdict).toBe('pass')
  })

  it('give no verdict on two cases, nor on a few that are all alike, by whatever rule', () => {
    const scores = (n: number, score: (i: number) => number) => suite(Array.from({ length: n }, (_, i) => score(i)))
    const verdicts = (n: number, better: (i: number) => number) =>
      judge(
        [
          { rule: 'threshold', at: 10 },
          { rule: 'non-inferiority' },
          { rule: 'superiority' },
          { rule: 'ratio', of: 'usd' },
          { rule: 'seeds', at: 10, least: 2 },
        ],
        scores(n, (i) => 20 + better(i)).map((r, seed) => ({ ...r, seed, usd: 1 })),
        scores(n, () => 15).map((r, seed) => ({ ...r, seed, usd: 1 })),
      ).findings.map(({ rule, verdict }) => `${rule} ${verdict}`)
    const all = (verdict: string) =>
      ['threshold', 'non-inferiority', 'superiority', 'ratio', 'seeds'].map((rule) => `${rule} ${verdict}`)
    expect(verdicts(2, (i) => i / 10)).toEqual(all('inconclusive'))
    expect(verdicts(4, () => 0)).toEqual(all('inconclusive'))
    // Five alike are a surprise of 3 %: enough for a bound of 5 %, not for the 2.5 % of a side of two.
    expect(verdicts(5, () => 0)).toEqual(all('pass').with(2, 'superiority inconclusive'))
    expect(verdicts(6, () => 0)).toEqual(all('pass'))
  })

  it('take two that cost nothing for equally dear, and a candidate that alone costs something for dearer', () => {
    const priced = (usd: number) => ones(10).map((r) => ({ ...r, usd }))
    const judged = (candidate: number) => judge([{ rule: 'ratio', of: 'usd' }], priced(candidate), priced(0)).findings[0]
    expect(judged(0)).toMatchObject({ verdict: 'pass', interval: { estimate: 1, low: 1, high: 1 } })
    expect(judged(0.01)).toMatchObject({ verdict: 'fail', interval: { estimate: Number.POSITIVE_INFINITY } })
  })

  it('refuse a score that is not a number', () => {
    expect(() => judge([{ rule: 'threshold', at: 0 }], [row('a', Number.NaN)])).toThrow(
      expect.objectContaining({ code: 'VT_STATS_SCORE', message: 'score of case a, seed 0 is NaN' }),
    )
  })

  it('give the same verdict for the same seed', () => {
    const scores = (random: Random) => suite(Array.from({ length: 40 }, () => random.normal()))
    const [a, b] = [scores(randomFrom('a')), scores(randomFrom('b'))]
    const rules: stats.RuleInput[] = [{ rule: 'superiority' }, { rule: 'non-inferiority' }, { rule: 'threshold', at: 0 }]
    expect(judge(rules, a, b)).toEqual(judge(rules, a, b))
  })
})
