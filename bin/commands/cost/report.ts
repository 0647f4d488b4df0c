import { COST_KEYS, type CostGroup, type CostReport, callsOf, costReport, quotaOf } from '../../../conductor/costs.ts'
import { focusCsv, focusRows } from '../../../conductor/focus.ts'
import { defineCommand, flag } from '../../command.ts'
import type { Context } from '../../context.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, counted, table } from '../../display/text.ts'
import { momentOf } from '../../moment.ts'
import { ticketsNamed } from '../../wiring.ts'

export default defineCommand({
  description:
    'Adds up what calls of models took and cost, folded from the sessions alone: every call that went through the gateway is an entry there. A cost that nobody knows is said to be unknown and is in no sum.',
  examples: [
    { does: 'What each ticket cost', line: 'cost report' },
    { does: 'The last week, day by day', line: 'cost report --by day --since 7d' },
    { does: 'Rows for a FinOps tool, in the columns of FOCUS', line: 'cost report --focus' },
  ],
  flags: {
    by: flag.choice(COST_KEYS, 'What to tell apart; tickets unless told.'),
    since: flag.text('WHEN', 'A day such as 2026-01-31, a time, or days back such as 14d.'),
    focus: flag.switch('Print one row a call in the columns of the FinOps FOCUS specification, as CSV.'),
  },
  json: true,
  async run(context, { flags }) {
    const since = flags.since === undefined ? undefined : momentOf(flags.since, context)
    const { tickets } = await ticketsNamed(context, undefined)
    const calls = callsOf(tickets, since === undefined ? {} : { since })
    if (flags.focus) {
      const rows = focusRows(calls, 'valuetrain')
      const unknown = calls.filter(({ costUsd }) => costUsd === null).length
      if (unknown > 0) context.stderr.write(`${counted(unknown, 'call')} of unknown cost left out\n`)
      context.stdout.write(flags.json ? `${JSON.stringify(rows)}\n` : focusCsv(rows))
      return 0
    }
    const report = costReport(calls, flags.by ?? 'ticket', since)
    const quota = quotaOf(tickets, since === undefined ? {} : { since })
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ ...report, quota }, (_, value) => value ?? null)}\n`)
      return 0
    }
    context.stdout.write(`${tell(report, context)}\n`)
    for (const { runtime, turns, tokensIn, tokensOut } of quota) {
      const tokens = `${tokensIn} tokens in, ${tokensOut} out by its own count`
      context.stdout.write(`by login: ${clean(runtime)}, ${counted(turns, 'turn')}, ${tokens}; quota and no money\n`)
    }
    return 0
  },
})

function tell({ by, since, groups, total }: CostReport, context: Context): string {
  const paint = paintFor(context)
  if (total.calls === 0) return `no calls of models${since ? ` since ${since}` : ' yet'}`
  const rows = [...groups, total].map(rowOf)
  const head = [by, 'cost', 'calls', 'in', 'from cache', 'out', ''].map((title) => paint.dim(title))
  return table([head, ...rows])
}

function rowOf(group: CostGroup): string[] {
  const notes = [
    group.estimatedUsd > 0 ? `of it $${group.estimatedUsd} at most` : '',
    group.unknown > 0 ? `${counted(group.unknown, 'call')} of unknown cost` : '',
    group.refused > 0 ? `${group.refused} refused` : '',
  ]
  const { key, calls, tokensIn, cacheRead, tokensOut } = group
  const numbers = [calls, tokensIn, cacheRead, tokensOut].map(String)
  return [clean(key), moneyOf(group), ...numbers, notes.filter((note) => note !== '').join(', ')]
}

/** A cost that nobody knows is never written as nothing. */
function moneyOf({ costUsd, unknown }: CostGroup): string {
  if (unknown === 0) return `$${costUsd}`
  return costUsd === 0 ? 'unknown' : `$${costUsd} or more`
}
