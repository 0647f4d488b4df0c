/** From measured rows to a verdict: the configured rules, and what every trained policy has to beat anyway. */
import type { Verdict } from '../../core/contracts/gate.ts'
import { meanScore } from '../evaluate.ts'
import { randomFrom } from '../random.ts'
import { type JudgeInput, judgeSuite, Rule, type RuleFinding } from '../stats/index.ts'
import type { EnvironmentSpec, OutcomeRow } from '../types.ts'
import type { TrainConfig } from './config.ts'

/** Everything a run measured. Rows of several learners carry their training seed. */
export interface Measured {
  candidate: readonly OutcomeRow[]
  /** The first learner's policy as it was before its first step. */
  untrained: readonly OutcomeRow[]
  /** Every action drawn uniformly. */
  random: readonly OutcomeRow[]
  champion?: readonly OutcomeRow[]
}

/** `verdict.json`. */
export interface RunVerdict {
  schema: 1
  run: string
  verdict: Verdict
  /** 1 for pass, else 0: what the metric gate reads. */
  passed: 0 | 1
  /** Mean score of the candidate, and of what it is compared with: the champion, else the better baseline. */
  candidate: number | null
  baseline: number | null
  means: { candidate: number | null; untrained: number | null; random: number | null; champion: number | null }
  reasons: string[]
  rules: RuleFinding[]
  /** Superiority over the two baselines, which holds for every run. */
  baselines: (RuleFinding & { over: 'untrained' | 'random' })[]
  rollouts: number
  faults: number
}

/**
 * Returns the rules a run is judged by: those configured, else the bound from which the environment counts as solved
 * (over seeds, too, where there are five), and superiority over the champion where there is one.
 */
export function rulesOf(config: Pick<TrainConfig, 'rules' | 'seeds'>, spec: EnvironmentSpec, hasChampion: boolean): Rule[] {
  if (config.rules !== null) return config.rules
  const rules: Rule[] = []
  if (spec.solvedAt !== undefined) rules.push(Rule.parse({ rule: 'threshold', at: spec.solvedAt }))
  if (spec.solvedAt !== undefined && config.seeds >= 5) rules.push(Rule.parse({ rule: 'seeds', at: spec.solvedAt }))
  if (hasChampion) rules.push(Rule.parse({ rule: 'superiority' }))
  return rules
}

/** Returns the verdict on a run. The same rows give the same verdict: the resampling is seeded by the run's hash. */
export function judgeRun(run: string, measured: Measured, rules: readonly Rule[]): RunVerdict {
  const { candidate, untrained, random, champion } = measured
  const judge = (label: string, input: Pick<JudgeInput, 'candidate' | 'rules' | 'champion'>) =>
    judgeSuite({ ...input, random: randomFrom(`${run} ${label}`) })
  const superior = [Rule.parse({ rule: 'superiority', method: 'bootstrap' })]
  const judged = judge('rules', { candidate, rules, ...(champion === undefined ? {} : { champion }) })
  const over = (name: 'untrained' | 'random', rows: readonly OutcomeRow[]) =>
    judge(name, { candidate, champion: rows, rules: superior }).findings.map((finding) => ({
      ...finding,
      over: name,
      reason: finding.reason.replace('the champion', name === 'random' ? 'random actions' : 'the untrained policy'),
    }))
  const baselines = [...over('random', random), ...over('untrained', untrained)]
  const verdicts = [
    // Without rules that say something, beating the baselines is all that is asked.
    ...(rules.length === 0 || judged.findings.every(({ verdict }) => verdict === 'not-applicable') ? [] : [judged.verdict]),
    ...(judged.faults > 0 && judged.findings.length === 0 ? ['inconclusive' as const] : []),
    ...(baselines.length < 2 ? ['inconclusive' as const] : baselines.map(({ verdict }) => verdict)),
  ]
  const verdict = verdicts.includes('fail') ? 'fail' : verdicts.includes('inconclusive') ? 'inconclusive' : 'pass'
  const means = {
    candidate: finite(meanScore(candidate)),
    untrained: finite(meanScore(untrained)),
    random: finite(meanScore(random)),
    champion: champion === undefined ? null : finite(meanScore(champion)),
  }
  const floor = [means.untrained, means.random].filter((mean) => mean !== null)
  return {
    schema: 1,
    run,
    verdict,
    passed: verdict === 'pass' ? 1 : 0,
    candidate: means.candidate,
    baseline: champion === undefined ? (floor.length === 0 ? null : Math.max(...floor)) : means.champion,
    means,
    reasons: [...new Set([...judged.reasons, ...baselines.map(({ reason }) => reason)])],
    rules: [...judged.findings],
    baselines,
    rollouts: judged.rollouts,
    faults: judged.faults,
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
