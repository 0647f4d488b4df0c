import { renderFrontMatter } from '../../../core/frontmatter.ts'
import { linesOf, renderCurve } from '../../run/curve.ts'
import type { MetricRow } from '../../run/journal.ts'
import type { RouterModel } from '../model-file.ts'
import type { RoutingConfig } from './config.ts'
import type { RoutingData } from './data.ts'
import type { RoutingResult } from './measuring.ts'

/** Returns `REPORT.md` of a router's run; it holds no time, machine or commit. */
export function renderRoutingReport(facts: {
  run: string
  config: RoutingConfig
  data: RoutingData
  result: RoutingResult
  model: RouterModel
  version: string
  champion: string | null
  rows: readonly MetricRow[]
}): string {
  const { run, config, data, result, model, version, champion, rows } = facts
  const { verdict, seeds, notes } = result
  const { means } = verdict
  const held = `${data.held.length} held-out ${data.from === 'table' ? 'issues' : 'cases'}`
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
    `**${verdict.verdict.toUpperCase()}.** ${config.algorithm} over ${model.arms.join(', ')}, learned on ${data.learn.length} cases of ${data.about}, measured on ${held} in reward: solved less ${model.price} a dollar.`,
    '',
    '| policy | mean reward |',
    '|---|---|',
    ...table.map(([name, mean]) => `| ${name} | ${show(mean)} |`),
    '',
    '## Why',
    '',
    ...verdict.reasons.map((reason) => `- ${reason}`),
    ...notes.map((note) => `- ${note}`),
    ...(data.gate.falsePass + data.gate.falseFail > 0
      ? [
          `- the gate passes ${show(100 * data.gate.falsePass)} % of wrong work and fails ${show(100 * data.gate.falseFail)} % of right work`,
        ]
      : []),
    '',
    '## Learning curve',
    '',
    renderCurve('mean reward of the cases so far, learning included', linesOf(rows, 'return_mean'), []),
    '',
    '## Learners',
    '',
    '| seed | mean reward |',
    '|---|---|',
    ...seeds.map(({ seed, mean }) => `| ${seed} | ${show(mean)} |`),
    '',
    `The router is that of seed ${seeds[0]?.seed ?? config.seed}, named before training; it was not chosen by its score.`,
    '',
  ].join('\n')
  return renderFrontMatter(
    {
      schema: 1,
      run,
      policy: config.name,
      version,
      algorithm: config.algorithm,
      environment: data.about,
      verdict: verdict.verdict,
      candidate: verdict.candidate,
      baseline: verdict.baseline,
      champion,
      seeds: seeds.map(({ seed }) => seed),
    },
    body,
  )
}

function show(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '-' : String(Number(value.toPrecision(5)))
}
