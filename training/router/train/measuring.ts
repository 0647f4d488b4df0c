/** How a router did on cases nobody learned on: on a table by what each arm gives there, on a log by estimates. */

import { meanScore } from '../../evaluate.ts'
import { evaluateFitted } from '../../offline/fqe.ts'
import { estimateOffPolicy, judgeOffPolicy, loggedValue, type OpeReport } from '../../ope/index.ts'
import { randomFrom } from '../../random.ts'
import { judgeRun, type Measured, type RunVerdict } from '../../run/verdict.ts'
import type { Interval } from '../../stats/index.ts'
import { Rule } from '../../stats/index.ts'
import type { OutcomeRow } from '../../types.ts'
import type { RouterInUse } from '../deciding.ts'
import { chancesFor, type LoggedCase, rowsOf } from '../log.ts'
import { HAND_OVER, openRouter, type RouterPolicy, type RouterSpec, rewardOfSteps } from '../policy.ts'
import { bestFixed, replayFixed, rewardOfReplay } from '../replay.ts'
import type { OutcomeTable } from '../table.ts'
import { escalates, type RoutingConfig } from './config.ts'
import type { RoutingData, TableCase } from './data.ts'
import { datasetOfCases, playCase } from './learning.ts'

/** Everything a verdict and a report are made from. */
export interface RoutingResult {
  verdict: RunVerdict
  /** `eval.json` beside its head. */
  evaluation: Record<string, unknown>
  seeds: { seed: number; mean: number }[]
  /** Lines for the report that no rule says. */
  notes: string[]
}

/** Rollouts of a cascade on one issue: its gate and its draws are chance. */
const ROLLOUTS = 8

export interface MeasureOrder {
  run: string
  config: RoutingConfig
  data: RoutingData
  learned: readonly { seed: number; policy: RouterPolicy }[]
  champion: RouterInUse | undefined
}

export function measureRouting(order: MeasureOrder): RoutingResult {
  return order.data.from === 'table' ? onTable(order, order.data.held) : onLog(order, order.data.held)
}

/** Returns one row an issue: the reward that is expected of the router there. */
export function tableRows(
  policy: RouterPolicy,
  held: readonly TableCase[],
  data: RoutingData,
  seed: number,
  suite: number,
): OutcomeRow[] {
  const { price, settings } = data.spec
  const handOver = typeof settings.handOver === 'number' ? settings.handOver : 0
  return held.map((row) => {
    const random = randomFrom(`${suite} ${row.issue}`)
    let score = 0
    if (escalates(policy.kind)) {
      for (let i = 0; i < ROLLOUTS; i++) {
        const steps = playCase(policy, row, data.gate, random)
        score += (rewardOfSteps(steps, price) + (steps.at(-1)?.passed ? 0 : handOver)) / ROLLOUTS
      }
    } else {
      const chances = policy.propensities({ features: row.features, refused: [] }, random)
      for (const [arm, { resolved, usd }] of row.outcomes.entries()) {
        score += (chances[policy.arms.indexOf(data.spec.arms[arm] as string)] ?? 0) * ((resolved ? 1 : 0) - price * usd)
      }
    }
    return { case: row.issue, seed, score, infrastructureFault: false }
  })
}

function onTable({ run, config, data, learned, champion }: MeasureOrder, held: readonly TableCase[]): RoutingResult {
  const suite = config.evaluation.seed
  const rowsFor = (policy: RouterPolicy, seed: number) => tableRows(policy, held, data, seed, suite)
  const candidate = learned.flatMap(({ seed, policy }) => rowsFor(policy, seed))
  const measured: Measured = {
    candidate,
    untrained: rowsFor(openRouter(data.spec), 0),
    random: rowsFor(evenly(data.spec), 0),
    ...(champion === undefined ? {} : { champion: rowsFor(champion.policy, 0) }),
  }
  const rules = config.rules ?? (champion === undefined ? [] : [Rule.parse({ rule: 'superiority', method: 'bootstrap' })])
  const verdict = judgeRun(run, measured, rules)
  const seeds = learned.map(({ seed }) => ({ seed, mean: meanScore(candidate.filter((row) => row.seed === seed)) }))
  return { verdict: { ...verdict, rules: verdict.rules }, evaluation: { ...measured }, seeds, notes: fixedNotes(data, held) }
}

/** What the best single arm would have given, chosen on the cases that were learned on, and on those measured on. */
function fixedNotes(data: RoutingData, held: readonly TableCase[]): string[] {
  if (data.from !== 'table') return []
  const { arms, price } = data.spec
  const table = (rows: readonly TableCase[]): OutcomeTable => ({ arms, rows })
  const perIssue = (arm: number) => rewardOfReplay(replayFixed(table(held), arm), price) / held.length
  const [known, after] = [bestFixed(table(data.learn), price).arm, bestFixed(table(held), price).arm]
  return [
    `always ${arms[known]}, the best single arm of the issues learned on: ${show(perIssue(known))}`,
    `always ${arms[after]}, the best single arm as known afterwards: ${show(perIssue(after))}`,
  ]
}

/** Draws every arm with the same chance. */
function evenly(spec: RouterSpec): RouterPolicy {
  const untrained = openRouter(spec)
  return {
    ...untrained,
    propensities: ({ refused }) => {
      const open = untrained.arms.map((arm) => (refused.includes(arm) ? 0 : 1))
      const total = open.reduce<number>((sum, each) => sum + each, 0)
      return Float64Array.from(open, (each) => each / Math.max(1, total))
    },
  }
}

/** Returns the off-policy estimates of a router on logged cases. @throws VT_OPE when there is too little to estimate from */
export function estimateRouter(
  policy: RouterPolicy,
  cases: readonly LoggedCase[],
  spec: Pick<RouterSpec, 'kind' | 'arms' | 'price'>,
  label: string,
): { report: OpeReport; logged: number } {
  const arms = [
    ...new Set([...spec.arms.filter((arm) => arm !== HAND_OVER), ...cases.flatMap(({ steps }) => steps.map(({ arm }) => arm))]),
  ]
  const rows = rowsOf(
    cases,
    arms,
    spec.price,
    (one) => chancesFor(policy, arms, one, randomFrom(label).split(JSON.stringify(one))),
    escalates(spec.kind) || spec.kind === 'cql',
  )
  return { report: estimateOffPolicy(rows, { random: randomFrom(label) }), logged: loggedValue(rows) }
}

/** Returns the value of a router over whole cases, retries included, by fitted evaluation. */
export function fittedValue(policy: RouterPolicy, cases: readonly LoggedCase[], spec: RouterSpec, seed: number): number {
  const { features: names, arms } = spec
  const known = new Map<string, Float64Array>()
  const chancesAt = (observation: Float32Array) => {
    const key = observation.join(' ')
    let chances = known.get(key)
    if (chances === undefined) {
      const features = Object.fromEntries(names.map((name, i) => [name, observation[i] as number]))
      const refused = arms.filter((_, arm) => observation[names.length + arm] === 1)
      chances = chancesFor(policy, arms, { features, refused }, randomFrom(`fitted ${key}`))
      known.set(key, chances)
    }
    return chances
  }
  const dataset = datasetOfCases(spec, cases)
  const { value } = evaluateFitted(
    dataset,
    (observations, rows, chances) => {
      for (let row = 0; row < rows; row++) {
        chances.set(
          chancesAt(Float32Array.from(observations.subarray(row * dataset.size, (row + 1) * dataset.size))),
          row * arms.length,
        )
      }
    },
    { seed, updates: 600, batch: 64, hidden: [32], rate: 0.003 },
  )
  return value
}

function onLog({ run, config, data, learned, champion }: MeasureOrder, held: readonly LoggedCase[]): RoutingResult {
  const { spec } = data
  const first = learned[0] as { seed: number; policy: RouterPolicy }
  const of = (policy: RouterPolicy, label: string) => estimateRouter(policy, held, spec, `${run} ${label}`)
  const candidate = of(first.policy, 'candidate')
  const untrained = of(openRouter(spec), 'untrained')
  const random = of(evenly(spec), 'random')
  const best = champion === undefined ? undefined : of(champion.policy, 'champion')
  const value = ({ report }: { report: OpeReport }) => report.estimates.dr.estimate
  const bar = best === undefined ? candidate.logged : value(best)
  const judged = judgeOffPolicy(candidate.report, bar)
  const beats = (other: { report: OpeReport }) => candidate.report.estimates.dr.estimate > value(other)
  const verdict = judged.verdict === 'pass' && !(beats(untrained) && beats(random)) ? 'fail' : judged.verdict
  const interval: Interval = candidate.report.estimates.dr
  const means = {
    candidate: value(candidate),
    untrained: value(untrained),
    random: value(random),
    champion: best === undefined ? null : value(best),
  }
  const fitted = fittedValue(first.policy, held, spec, config.seed)
  return {
    verdict: {
      schema: 1,
      run,
      verdict,
      passed: verdict === 'pass' ? 1 : 0,
      candidate: means.candidate,
      baseline: bar,
      means,
      reasons: [
        ...judged.reasons,
        `beside ${best === undefined ? 'what was logged' : 'the champion'} ${show(bar)}, untrained ${show(means.untrained)}, random ${show(means.random)}`,
      ],
      rules: [{ rule: 'superiority', verdict: judged.verdict, reason: judged.reasons[0] ?? '', interval, n: candidate.report.n }],
      baselines: [],
      rollouts: candidate.report.n,
      faults: 0,
    },
    evaluation: {
      candidate: [],
      estimates: {
        candidate: candidate.report,
        untrained: untrained.report,
        random: random.report,
        champion: best?.report ?? null,
      },
      fitted,
      logged: candidate.logged,
    },
    seeds: learned.map(({ seed, policy }) => ({
      seed,
      mean: seed === first.seed ? means.candidate : value(of(policy, 'candidate')),
    })),
    notes: [...tellEstimates(candidate.report), `fitted evaluation over whole cases, retries included: ${show(fitted)}`],
  }
}

/** Returns the estimates as lines for people. */
export function tellEstimates({ n, effectiveN, largestWeight, estimates }: OpeReport): string[] {
  return [
    ...Object.values(estimates).map(
      ({ estimator, estimate, low, high, level }) =>
        `${estimator.toUpperCase()} ${show(estimate)}, ${Math.round(100 * level)} % interval ${show(low)} to ${show(high)}`,
    ),
    `${n} choices, worth ${show(effectiveN)} of this policy's own; largest weight ${show(largestWeight)}`,
  ]
}

function show(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : 'nothing'
}
