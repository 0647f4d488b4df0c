import type { RunLine } from './compare.ts'
import { linesOf, renderCurve, text } from './curve.ts'
import type { MetricRow } from './journal.ts'
import type { RunVerdict } from './verdict.ts'

export interface HtmlRun {
  line: RunLine
  verdict: RunVerdict
  rows: readonly MetricRow[]
}

/** Curves drawn for every run, with their names, those that were measured. */
const CURVES: Readonly<Record<string, string>> = {
  return_mean: 'mean return of finished episodes',
  heldout_return_mean: 'mean return of held-out episodes',
  entropy_nats: 'entropy, nats',
  kl_nats: 'movement of the policy an update, nats',
  loss_policy: 'policy loss',
  loss_value: 'value loss',
  loss: 'loss',
  gradient_norm: 'gradient norm',
  explained_variance: 'explained variance of the returns',
  learning_rate: 'learning rate',
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:1360px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:left}
.curves{display:flex;flex-wrap:wrap;gap:1rem}.pass{color:#1a7f37}.fail{color:#b42318}.inconclusive{color:#8a6100}code{font-size:.9em}`

/** Returns a page about runs that opens without a network: styles and curves stand in it, and it holds no script. */
export function renderHtml(runs: readonly HtmlRun[]): string {
  const overview = runs.map(({ line }) => {
    const cells = [
      `<a href="#${line.run}"><code>${line.run}</code></a>`,
      text(line.policy),
      text(line.algorithm),
      text(line.environment),
    ]
    const verdict = `<span class="${line.verdict}">${line.verdict}</span>`
    return `<tr>${[...cells, verdict, show(line.candidate), show(line.baseline), String(line.seeds)].map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  const heads = ['run', 'policy', 'algorithm', 'environment', 'verdict', 'score', 'compared with', 'seeds']
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>Training runs</title><style>${STYLE}</style></head><body>`,
    '<h1>Training runs</h1>',
    `<table><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr>${overview.join('')}</table>`,
    ...runs.map(section),
    '</body></html>',
    '',
  ].join('\n')
}

function section({ line, verdict, rows }: HtmlRun): string {
  const curves = Object.entries(CURVES)
    .map(([metric, title]) => [title, linesOf(rows, metric)] as const)
    .filter(([, lines]) => lines.length > 0)
  return [
    `<h2 id="${line.run}"><code>${line.run}</code> ${text(line.policy)}: <span class="${line.verdict}">${line.verdict}</span></h2>`,
    `<ul>${verdict.reasons.map((reason) => `<li>${text(reason)}</li>`).join('')}</ul>`,
    `<table><tr><th>policy</th><th>mean score</th></tr>${Object.entries(verdict.means)
      .filter(([, mean]) => mean !== null)
      .map(([name, mean]) => `<tr><td>${name}</td><td>${show(mean)}</td></tr>`)
      .join('')}</table>`,
    `<div class="curves">${curves.map(([title, lines]) => renderCurve(title, lines)).join('\n')}</div>`,
  ].join('\n')
}

function show(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(6)))
}
