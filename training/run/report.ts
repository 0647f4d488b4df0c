import { renderFrontMatter } from '../../core/frontmatter.ts'
import type { EnvironmentSpec } from '../types.ts'
import type { TrainConfig } from './config.ts'
import { linesOf, renderCurve } from './curve.ts'
import type { EarlyStop } from './early-stop.ts'
import type { MetricRow } from './journal.ts'
import type { RunVerdict } from './verdict.ts'

export interface ReportFacts {
  run: string
  config: TrainConfig
  spec: EnvironmentSpec
  verdict: RunVerdict
  rows: readonly MetricRow[]
  /** Mean score of each learner, by its seed. */
  seeds: readonly { seed: number; mean: number }[]
  /** Learners that stopped before their end. */
  stops: readonly EarlyStop[]
  policySeed: number
  policyVersion: string
  /** Version of the policy it was held against. */
  champion: string | null
}

/** What the reports of all kinds of runs say, in the words of one kind. */
export interface ReportParts {
  run: string
  name: string
  verdict: RunVerdict
  /** Version of the policy it was held against: two runs can have come to the same one. */
  champion: string | null
  /** What was trained, and on what it was measured. */
  sentence: string
  /** What a mean is of: `score`. */
  measure: string
  /** Significant digits of means. */
  digits: number
  /** What is said after the reasons of the verdict. */
  notes: readonly string[]
  curve: string
  seeds: readonly { seed: number; mean: number }[]
  /** Whose policy it is. */
  closing: string
  front: { version: string; algorithm: string; environment: string }
}

/** Returns `REPORT.md`. It holds no time, machine or commit; those stand in `events.jsonl`. */
export function renderParts(parts: ReportParts): string {
  const { run, name, verdict, champion, sentence, measure, digits, notes, curve, seeds, closing, front } = parts
  const { means } = verdict
  const show = (value: number | null) =>
    value === null || !Number.isFinite(value) ? '-' : String(Number(value.toPrecision(digits)))
  const table = (head: string, rows: readonly (readonly [string | number, number | null])[]) => [
    `| ${head} | mean ${measure} |`,
    '|---|---|',
    ...rows.map(([first, mean]) => `| ${first} | ${show(mean)} |`),
  ]
  const body = [
    `# Run ${run}: ${name}`,
    '',
    `**${verdict.verdict.toUpperCase()}.** ${sentence}`,
    '',
    ...table('policy', [
      ['candidate', means.candidate],
      ...(champion === null ? [] : [['champion', means.champion] as const]),
      ['untrained', means.untrained],
      ['random', means.random],
    ]),
    '',
    '## Why',
    '',
    ...[...verdict.reasons, ...notes].map((reason) => `- ${reason}`),
    '',
    '## Learning curve',
    '',
    curve,
    '',
    '## Learners',
    '',
    ...table(
      'seed',
      seeds.map(({ seed, mean }) => [seed, mean]),
    ),
    '',
    closing,
    '',
  ].join('\n')
  const { candidate, baseline } = verdict
  const judged = { verdict: verdict.verdict, candidate, baseline, champion, seeds: seeds.map(({ seed }) => seed) }
  return renderFrontMatter({ schema: 1, run, policy: name, ...front, ...judged }, body)
}

/** Returns `REPORT.md` of a policy's run: how it did beside an untrained and a random one, and why it was judged so. */
export function renderReport(facts: ReportFacts): string {
  const { run, config, spec, verdict, rows, seeds, stops, policySeed, policyVersion, champion } = facts
  const { random } = verdict.means
  const levels = [
    ...(spec.solvedAt === undefined ? [] : [{ label: 'solved', value: spec.solvedAt }]),
    ...(random === null ? [] : [{ label: 'random', value: random }]),
  ]
  return renderParts({
    run,
    name: config.name,
    verdict,
    champion,
    sentence: sentence(config, spec),
    measure: 'score',
    digits: 6,
    notes: [
      `${verdict.rollouts} rollouts, ${verdict.faults} of them died of infrastructure and count for nothing`,
      ...stops.map(({ seed, steps, reason }) => `seed ${seed} stopped early, after ${steps} steps: ${reason}`),
    ],
    curve: renderCurve('mean return of finished episodes', linesOf(rows, 'return_mean'), levels),
    seeds,
    closing: `The policy is that of seed ${policySeed}, named before training; it was not chosen by its score.`,
    front: { version: policyVersion, algorithm: config.algorithm, environment: spec.id },
  })
}

function sentence(config: TrainConfig, spec: EnvironmentSpec): string {
  const { episodes, greedy, keep } = config.evaluation
  const kept = keep === 'best' ? ' Each learner kept the policy that did best on other episodes during training.' : ''
  const learners = config.seeds === 1 ? 'one learner' : `${config.seeds} learners`
  return `${config.algorithm} on ${spec.id}, ${config.settings.totalSteps} steps, ${learners}, measured on ${episodes} ${greedy ? 'greedy ' : ''}episodes nobody trained on.${kept}`
}
