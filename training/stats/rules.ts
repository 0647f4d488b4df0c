/**
 * The rules by which a trained thing is judged. Each gives a line that says why; together they are one verdict.
 *
 * What died of infrastructure is no score. When too much did, nothing is said at all.
 */
import * as z from 'zod'
import type { Verdict } from '../../core/contracts/gate.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { power } from '../math.ts'
import type { OutcomeRow, Random } from '../types.ts'
import { bootstrapT, type Interval, mean, wilson } from './interval.ts'
import { caseMeans, gainOf, mcnemar, type Pair, pairCases, pairedDifference, pairedRatio } from './paired.ts'
import { detectableDifference, detectableMeanDifference } from './power.ts'
import { stratifiedInterquartileMean } from './seeds.ts'

const level = z.number().gt(0.5).lt(1).default(0.95)

/** One rule as configuration writes it. */
export const Rule = z.discriminatedUnion('rule', [
  /** Every rollout of these cases passes (score 1). */
  z.strictObject({ rule: z.literal('must-pass'), cases: z.array(z.string()).min(1) }),
  /** The lower bound of the mean score is at least `at`: Wilson for pass/fail, bootstrap-t for other scores. */
  z.strictObject({ rule: z.literal('threshold'), at: z.number(), level }),
  /** The paired difference to the champion is above -margin, one-sided. */
  z.strictObject({ rule: z.literal('non-inferiority'), margin: z.number().min(0).default(0.03), level }),
  /** Better than the champion; `auto` takes McNemar for pass/fail and the paired bootstrap for other scores. */
  z.strictObject({ rule: z.literal('superiority'), method: z.enum(['auto', 'mcnemar', 'bootstrap']).default('auto'), level }),
  /** Cost or time is at most `most` times the champion's, one-sided. */
  z.strictObject({ rule: z.literal('ratio'), of: z.enum(['usd', 'seconds']), most: z.number().gt(0).default(1.1), level }),
  /** Nothing forbidden was done: test files edited, network or history used. */
  z.strictObject({ rule: z.literal('forbidden') }),
  /** Over training seeds, at least `least` of them: the lower bound of the interquartile mean is at least `at`. */
  z.strictObject({ rule: z.literal('seeds'), least: z.int().min(2).default(5), at: z.number(), level }),
])
export type Rule = z.infer<typeof Rule>
export type RuleInput = z.input<typeof Rule>

/** A rollout with what some rules look at beside the score. */
export interface MeasuredRow extends OutcomeRow {
  usd?: number
  seconds?: number
  /** What it did that is not allowed, each in a few words. */
  forbidden?: readonly string[]
}

export interface RuleFinding {
  rule: Rule['rule']
  verdict: Verdict
  /** One sentence with the numbers. */
  reason: string
  interval?: Interval
  p?: number
  wins?: number
  losses?: number
  n: number
}

export interface Judgement {
  /** `inconclusive` is "no verdict": too many faults, or too little to judge by. */
  verdict: Verdict
  reasons: readonly string[]
  findings: readonly RuleFinding[]
  rollouts: number
  faults: number
}

export interface JudgeInput {
  candidate: readonly MeasuredRow[]
  /** Absent where there is no champion yet; rules that compare are then not applicable. */
  champion?: readonly MeasuredRow[]
  rules: readonly Rule[]
  random: Random
  /** Largest share of rollouts that may have died of infrastructure; default 0.05. */
  faultsAllowed?: number
  /** Default 2,000. */
  resamples?: number
}

/**
 * Returns the verdict of all rules together: fail when one fails, else inconclusive when one is, else pass.
 *
 * @throws VT_STATS_SCORE when a score, cost or time is not finite
 */
export function judgeSuite(input: JudgeInput): Judgement {
  const rows = [...input.candidate, ...(input.champion ?? [])]
  for (const row of rows) requireFinite(row)
  const isFault = ({ infrastructureFault }: MeasuredRow) => infrastructureFault
  const faults = rows.filter(isFault).length
  const allowed = input.faultsAllowed ?? 0.05
  // Each side by itself: what died on one of them is not made up for by a sound other.
  const sides = [input.candidate, input.champion ?? []].map((side) => ({ died: side.filter(isFault).length, of: side.length }))
  const reason =
    rows.length === 0
      ? 'no verdict: nothing was measured'
      : sides
          .filter(({ died, of }) => died > allowed * of)
          .map(
            ({ died, of }) =>
              `no verdict: ${died} of ${of} rollouts died of infrastructure (${points(died / of)}, allowed ${points(allowed)})`,
          )[0]
  if (reason !== undefined) {
    return { verdict: 'inconclusive', reasons: [reason], findings: [], rollouts: rows.length, faults }
  }
  const findings = input.rules.map((rule, i) => judgeRule(rule, input, input.random.split(`rule ${i} ${rule.rule}`)))
  const verdict = worst(findings.map((finding) => finding.verdict))
  return { verdict, reasons: findings.map((finding) => finding.reason), findings, rollouts: rows.length, faults }
}

function judgeRule(rule: Rule, input: JudgeInput, random: Random): RuleFinding {
  const candidate = input.candidate.filter((row) => !row.infrastructureFault)
  const { resamples } = input
  const bootstrap = (boundLevel: number) => ({
    random,
    level: 2 * boundLevel - 1,
    ...(resamples === undefined ? {} : { resamples }),
  })
  switch (rule.rule) {
    case 'must-pass':
      return mustPass(rule.cases, candidate)
    case 'forbidden':
      return nothingForbidden(input.candidate)
    case 'seeds':
      return overSeeds(rule, candidate, bootstrap(rule.level))
    case 'threshold': {
      const scores = [...caseMeans(candidate).values()]
      if (scores.length === 0) return nothing(rule.rule, 'no case was measured')
      const interval = isPassFail(scores)
        ? wilson(scores.filter((score) => score === 1).length, scores.length, 2 * rule.level - 1)
        : distrustful(scores, bootstrap(rule.level))
      const little = isPassFail(scores) ? undefined : tooLittle(scores.length, interval, 1 - rule.level)
      if (little !== undefined) return nothing(rule.rule, little)
      const passed = interval.low >= rule.at
      return {
        rule: rule.rule,
        verdict: passed ? 'pass' : 'fail',
        reason: `mean ${show(interval.estimate)}, lower bound ${show(interval.low)}, ${passed ? 'at least' : 'below'} ${show(rule.at)}`,
        interval,
        n: scores.length,
      }
    }
    default:
      break
  }
  if (input.champion === undefined) {
    return { rule: rule.rule, verdict: 'not-applicable', reason: `${rule.rule}: there is no champion to compare with`, n: 0 }
  }
  const champion = input.champion.filter((row) => !row.infrastructureFault)
  if (rule.rule === 'ratio') return ratio(rule, candidate, champion, bootstrap(rule.level))
  const pairs = pairCases(candidate, champion)
  if (pairs.length < 2) return nothing(rule.rule, `${pairs.length} cases were measured for both`)
  if (rule.rule === 'non-inferiority') return notWorse(rule, pairs, bootstrap(rule.level))
  return better(rule, pairs, { ...bootstrap(rule.level), level: rule.level })
}

type Bootstrap = { random: Random; level: number; resamples?: number }

function mustPass(cases: readonly string[], rows: readonly MeasuredRow[]): RuleFinding {
  const unmeasured = cases.filter((id) => !rows.some((row) => row.case === id))
  const failed = cases.filter((id) => rows.some((row) => row.case === id && row.score < 1))
  if (failed.length > 0) {
    return { rule: 'must-pass', verdict: 'fail', reason: `must-pass cases failed: ${failed.join(', ')}`, n: cases.length }
  }
  if (unmeasured.length > 0) return nothing('must-pass', `must-pass cases were not measured: ${unmeasured.join(', ')}`)
  return {
    rule: 'must-pass',
    verdict: 'pass',
    reason: `all ${cases.length} must-pass cases passed every rollout`,
    n: cases.length,
  }
}

function nothingForbidden(rows: readonly MeasuredRow[]): RuleFinding {
  const hits = rows.filter((row) => (row.forbidden?.length ?? 0) > 0)
  const what = [...new Set(hits.flatMap((row) => row.forbidden ?? []))]
  return {
    rule: 'forbidden',
    verdict: hits.length === 0 ? 'pass' : 'fail',
    reason:
      hits.length === 0
        ? 'nothing forbidden was done'
        : `${hits.length} rollouts did what is forbidden (${what.join(', ')}), first in case ${hits[0]?.case}`,
    n: rows.length,
  }
}

/** A seed's score is its mean over cases; one stratum, as a run has one task. */
function overSeeds(rule: Extract<Rule, { rule: 'seeds' }>, rows: readonly MeasuredRow[], options: Bootstrap): RuleFinding {
  const bySeed = new Map<number, number[]>()
  for (const row of rows) bySeed.set(row.seed, [...(bySeed.get(row.seed) ?? []), row.score])
  if (bySeed.size < rule.least) return nothing('seeds', `${bySeed.size} seeds were run, ${rule.least} are needed`)
  const interval = stratifiedInterquartileMean([[...bySeed.values()].map(mean)], options)
  const little = tooLittle(bySeed.size, interval, 1 - rule.level, 'seeds')
  if (little !== undefined) return nothing('seeds', little)
  const passed = interval.low >= rule.at
  return {
    rule: 'seeds',
    verdict: passed ? 'pass' : 'fail',
    reason: `interquartile mean over ${bySeed.size} seeds ${show(interval.estimate)}, lower bound ${show(interval.low)}, ${passed ? 'at least' : 'below'} ${show(rule.at)}`,
    interval,
    n: bySeed.size,
  }
}

function ratio(
  rule: Extract<Rule, { rule: 'ratio' }>,
  candidate: readonly MeasuredRow[],
  champion: readonly MeasuredRow[],
  options: Bootstrap,
): RuleFinding {
  const measured = (rows: readonly MeasuredRow[]) =>
    rows.flatMap((row) => (row[rule.of] === undefined ? [] : [{ ...row, score: row[rule.of] as number }]))
  const pairs = pairCases(measured(candidate), measured(champion))
  if (pairs.length < 2) return nothing('ratio', `${rule.of} was measured for ${pairs.length} cases of both`)
  const interval = pairedRatio(pairs, options)
  const little = tooLittle(pairs.length, interval, 1 - rule.level)
  if (little !== undefined) return nothing('ratio', little)
  const passed = interval.high <= rule.most
  return {
    rule: 'ratio',
    verdict: passed ? 'pass' : 'fail',
    reason: `${rule.of} is ${show(interval.estimate)} times the champion's, upper bound ${show(interval.high)}, ${passed ? 'at most' : 'above'} ${show(rule.most)}`,
    interval,
    n: pairs.length,
  }
}

function notWorse(rule: Extract<Rule, { rule: 'non-inferiority' }>, pairs: readonly Pair[], options: Bootstrap): RuleFinding {
  const interval = distrustful(
    pairs.map(gainOf),
    options,
    isPassFail(pairs.flatMap((pair) => [pair.candidate, pair.champion])) ? 1 : undefined,
  )
  const little = tooLittle(pairs.length, interval, 1 - rule.level)
  if (little !== undefined) return nothing(rule.rule, little)
  const passed = interval.low > -rule.margin
  return {
    rule: 'non-inferiority',
    verdict: passed ? 'pass' : 'fail',
    reason: `difference to the champion ${show(interval.estimate)}, lower bound ${show(interval.low)}, ${passed ? 'above' : 'not above'} ${show(-rule.margin)}`,
    interval,
    n: pairs.length,
  }
}

function better(rule: Extract<Rule, { rule: 'superiority' }>, pairs: readonly Pair[], options: Bootstrap): RuleFinding {
  const passFail = isPassFail(pairs.flatMap((pair) => [pair.candidate, pair.champion]))
  const interval = pairedDifference(pairs, options)
  const { wins, losses, ties, p } = mcnemar(pairs)
  if (rule.method === 'mcnemar' || (rule.method === 'auto' && passFail)) {
    const passed = wins > losses && p <= 1 - rule.level
    const can = detectableDifference(pairs.length, Math.max(1, wins + losses) / pairs.length)
    return {
      rule: 'superiority',
      verdict: passed ? 'pass' : 'fail',
      reason: `${wins} wins, ${losses} losses, ${ties} ties, p ${show(p)} ${passed ? 'at most' : 'above'} ${show(1 - rule.level)}${passed ? '' : `; ${pairs.length} cases show ${points(can)} or more`}`,
      interval,
      p,
      wins,
      losses,
      n: pairs.length,
    }
  }
  const little = tooLittle(pairs.length, interval, (1 - rule.level) / 2)
  if (little !== undefined) return nothing(rule.rule, little)
  const passed = interval.low > 0
  const deviation = Math.sqrt(pairs.reduce((sum, pair) => sum + (gainOf(pair) - interval.estimate) ** 2, 0) / (pairs.length - 1))
  return {
    rule: 'superiority',
    verdict: passed ? 'pass' : 'fail',
    reason:
      deviation === 0 && interval.estimate === 0
        ? `as good as the champion on each of ${pairs.length} cases`
        : `difference to the champion ${show(interval.estimate)} in [${show(interval.low)}, ${show(interval.high)}]${passed ? '' : `; ${pairs.length} cases show ${show(detectableMeanDifference(pairs.length, deviation))} or more`}`,
    interval,
    n: pairs.length,
  }
}

/**
 * A bootstrap of values that are all alike has no width, which is not certainty: n alike leave room for a share of
 * 1 - tail^(1/n) others. Where the range is known, that share may lie at its ends.
 */
function distrustful(values: readonly number[], options: Bootstrap, range?: number): Interval {
  const interval = bootstrapT(values, options)
  if (interval.high > interval.low || range === undefined) return interval
  const others = 1 - power((1 - options.level) / 2, 1 / values.length)
  const { estimate } = interval
  return { ...interval, low: estimate - (estimate + range) * others, high: estimate + (range - estimate) * others }
}

/** Of normal values an interval of two holds the truth in 85 of 100, one of three in 95. */
const FEWEST = 3

/**
 * Returns why so many values are no ground for a verdict; undefined when they are.
 *
 * Values that are all alike give an interval without width. It counts once so many on one side of the median would be a
 * surprise: n of them come about by luck with a chance of 1/2^n, which has to be at most the bound's own chance of error.
 */
function tooLittle(n: number, { low, high }: Interval, tail: number, what = 'cases'): string | undefined {
  if (n < FEWEST) return `${n} ${what} are too few for an interval`
  // The levels of configuration are written in tenths of per cents; 1 - 0.95 is not 0.05 to the last bit.
  if (high > low || 0.5 ** n <= tail + 1e-12) return undefined
  return `${n} ${what} that are all alike do not tell how far others may lie`
}

function nothing(rule: Rule['rule'], why: string): RuleFinding {
  return { rule, verdict: 'inconclusive', reason: `no verdict: ${why}`, n: 0 }
}

function isPassFail(scores: readonly number[]): boolean {
  return scores.every((score) => score === 0 || score === 1)
}

function worst(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('fail')) return 'fail'
  if (verdicts.includes('inconclusive')) return 'inconclusive'
  // Rules that say nothing about this candidate are no reason to let it through.
  return verdicts.includes('pass') ? 'pass' : 'inconclusive'
}

function requireFinite(row: MeasuredRow): void {
  if (row.infrastructureFault) return
  for (const name of ['score', 'usd', 'seconds'] as const) {
    const value = row[name]
    if (value === undefined || Number.isFinite(value)) continue
    throw new ValuetrainError('VT_STATS_SCORE', `${name} of case ${row.case}, seed ${row.seed} is ${value}`, {
      hint: 'A rollout without a score is an infrastructure fault or an error of the grader; mark it or mend it.',
      details: { case: row.case, seed: row.seed },
    })
  }
}

function show(value: number): string {
  return String(Number(value.toPrecision(4)))
}

function points(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`
}
