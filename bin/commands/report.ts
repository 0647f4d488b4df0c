import { type FlowReport, flowReport, type Spread } from '../../conductor/report.ts'
import { defineCommand, flag } from '../command.ts'
import type { Context } from '../context.ts'
import { paintFor } from '../display/paint.ts'
import { counted, duration, table } from '../display/text.ts'
import { momentOf } from '../moment.ts'
import { ticketsNamed } from '../wiring.ts'

export default defineCommand({
  description:
    'Measures the flow, folded from the sessions alone: throughput, lead, work and wait time, flow efficiency, rework, batch size, and how much went without a person.',
  examples: [
    { does: 'The last two weeks', line: 'report --since 14d' },
    { does: 'Since a day', line: 'report --since 2026-01-31' },
  ],
  flags: { since: flag.text('WHEN', 'A day such as 2026-01-31, a time, or days back such as 14d.') },
  json: true,
  async run(context, { flags }) {
    const since = flags.since === undefined ? undefined : momentOf(flags.since, context)
    const { tickets } = await ticketsNamed(context, undefined)
    const report = flowReport(tickets, since === undefined ? {} : { since })
    context.stdout.write(flags.json ? `${JSON.stringify(report, (_, value) => value ?? null)}\n` : `${tell(report, context)}\n`)
    return 0
  },
})

function tell(report: FlowReport, context: Context): string {
  const paint = paintFor(context)
  const { opened, delivered, blocked, aborted, open } = report.tickets
  if (opened === 0) return `no tickets${report.since ? ` since ${report.since}` : ' yet'}`
  const share = (value: number | undefined) => (value === undefined ? '-' : `${Math.round(value * 100)} %`)
  const times = (spread: Spread | undefined) =>
    spread === undefined ? '-' : `${duration(spread.median)} (${duration(spread.min)} to ${duration(spread.max)})`
  const batch = report.batchLines
  const rows = [
    ['tickets', `${opened}: ${delivered} delivered, ${open} open, ${blocked} blocked, ${aborted} aborted`],
    ['throughput', report.throughputPerWeek === undefined ? '-' : `${report.throughputPerWeek.toFixed(1)} a week`],
    ['lead time', times(report.leadMs)],
    ['work time', times(report.workMs)],
    ['wait time', times(report.waitMs)],
    ['flow efficiency', share(report.flowEfficiency)],
    ['rework rate', share(report.reworkRate)],
    ['batch size', batch === undefined ? '-' : `${counted(batch.median, 'line')} (${batch.min} to ${batch.max})`],
    ['without a person', `${share(report.unattendedShare)} of transitions`],
    [
      'decisions',
      Object.entries(report.decisions)
        .map(([code, count]) => `${code} ${count}`)
        .join(', ') || '-',
    ],
  ]
  const head = `${paint.bold('flow')}${report.since ? `  since ${report.since}` : ''}  ${paint.dim('median (least to most)')}`
  return `${head}\n${table(
    rows.map(([name = '', value = '']) => [paint.dim(name), value]),
    2,
  )}`
}
