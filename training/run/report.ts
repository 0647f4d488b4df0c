import { renderFrontMatter } from '../../core/frontmatter.ts'
import type { EnvironmentSpec } from '../types.ts'
import type { TrainConfig } from './config.ts'
import { linesOf, renderCurve } from './curve.ts'
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
  policySeed: number
  policyVersion: string
  champion: string | null
}

/**
 * Returns `REPORT.md`: what was trained, how it did beside an untrained and a random policy, why the verdict is what it
 * is. It holds no time, machine or commit; those stand in `events.jsonl`.
 */
export function renderReport(facts: ReportFacts): string {
  const { run, config, spec, verdict, rows, seeds, policySeed, policyVersion, champion } = facts
  const { means } = verdict
  const levels = [
    ...(spec.solvedAt === undefined ? [] : [{ label: 'solved', value: spec.solvedAt }]),
    ...(means.random === null ? [] : [{ label: 'random', value: means.random }]),
  ]
  const table = [
    ['candidate', means.candidate],
    ...(champion === null ? [] : [['champion', means.champion] as const]),
    ['untrained', means.untrained],
    ['random', means.random],
  ] as const
  const body = [
    `# Run ${run}: ${config.name}`,
    '',
    ...(config.about === undefined ? [] : [config.about, '']),
    `**${verdict.verdict.toUpperCase()}.** ${sentence(config, spec)}`,
    '',
    '| policy | mean score |',
    '|---|---|',
    ...table.map(([name, mean]) => `| ${name} | ${show(mean)} |`),
    '',
    '## Why',
    '',
    ...verdict.reasons.map((reason) => `- ${reason}`),
    `- ${verdict.rollouts} rollouts, ${verdict.faults} of them died of infrastructure and count for nothing`,
    '',
    '## Learning curve',
    '',
    renderCurve('mean return of finished episodes', linesOf(rows, 'return_mean'), levels),
    '',
    '## Learners',
    '',
    '| seed | mean score |',
    '|---|---|',
    ...seeds.map(({ seed, mean }) => `| ${seed} | ${show(mean)} |`),
    '',
    `The policy is that of seed ${policySeed}, named before training; it was not chosen by its score.`,
    '',
  ].join('\n')
  return renderFrontMatter(
    {
      schema: 1,
      run,
      policy: config.name,
      version: policyVersion,
      algorithm: config.algorithm,
      environment: spec.id,
      verdict: verdict.verdict,
      candidate: verdict.candidate,
      baseline: verdict.baseline,
      champion,
      seeds: seeds.map(({ seed }) => seed),
    },
    body,
  )
}

function sentence(config: TrainConfig, spec: EnvironmentSpec): string {
  const { episodes, greedy, keep } = config.evaluation
  const kept = keep === 'best' ? ' Each learner kept the policy that did best on other episodes during training.' : ''
  const learners = config.seeds === 1 ? 'one learner' : `${config.seeds} learners`
  return `${config.algorithm} on ${spec.id}, ${config.settings.totalSteps} steps, ${learners}, measured on ${episodes} ${greedy ? 'greedy ' : ''}episodes nobody trained on.${kept}`
}

function show(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(6)))
}
