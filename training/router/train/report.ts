import { linesOf, renderCurve } from '../../run/curve.ts'
import type { MetricRow } from '../../run/journal.ts'
import { renderParts } from '../../run/report.ts'
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
  const held = `${data.held.length} held-out ${data.from === 'table' ? 'issues' : 'cases'}`
  const { falsePass, falseFail } = data.gate
  const percent = (rate: number) => String(Number((100 * rate).toPrecision(5)))
  return renderParts({
    run,
    name: config.name,
    verdict,
    champion,
    sentence: `${config.algorithm} over ${model.arms.join(', ')}, learned on ${data.learn.length} cases of ${data.about}, measured on ${held} in reward: solved less ${model.price} a dollar.`,
    measure: 'reward',
    digits: 5,
    notes:
      falsePass + falseFail > 0
        ? [...notes, `the gate passes ${percent(falsePass)} % of wrong work and fails ${percent(falseFail)} % of right work`]
        : notes,
    curve: renderCurve('mean reward of the cases so far, learning included', linesOf(rows, 'return_mean'), []),
    seeds,
    closing: `The router is that of seed ${seeds[0]?.seed ?? config.seed}, named before training; it was not chosen by its score.`,
    front: { version, algorithm: config.algorithm, environment: data.about },
  })
}
