import { defineCommand, flag } from '../command.ts'
import type { Context } from '../context.ts'
import { paintFor } from '../display/paint.ts'
import { clean, counted, table } from '../display/text.ts'
import { resultRow } from '../display/verdict.ts'
import { findingsOf, judge, lets, openJudging } from '../judging.ts'

export default defineCommand({
  description:
    'Judges what HEAD adds to the base: guard-rails, configured commands and gates, defined as the base has them, in a clean checkout. Continuous integration runs this and nothing else. Exit code 1 when a gate that blocks says no.',
  examples: [
    { does: 'Before a push', line: 'check' },
    { does: 'In continuous integration', line: 'check --base origin/main --json' },
  ],
  flags: { base: flag.text('REF', 'What HEAD is judged against; the default branch unless told.') },
  json: true,
  async run(context, { flags }) {
    const judging = await openJudging(context, flags.base)
    const results = await judge(judging, judging.specs, context)
    const ok = lets(results)
    const { base, head, notes } = judging
    const findings = findingsOf(results)
    if (flags.json) {
      const gates = results.map(({ gate, verdict }) => ({ gate, verdict }))
      context.stdout.write(`${JSON.stringify({ ok, base, head, gates, findings })}\n`)
      for (const note of notes) context.stderr.write(`note: ${note}\n`)
    } else context.stdout.write(`${tell({ ok, base, head, notes, results, findings }, context)}\n`)
    return ok ? 0 : 1
  },
})

function tell(
  {
    ok,
    base,
    head,
    notes,
    results,
    findings,
  }: {
    ok: boolean
    base: string
    head: string
    notes: readonly string[]
    results: Parameters<typeof findingsOf>[0]
    findings: ReturnType<typeof findingsOf>
  },
  context: Context,
): string {
  const paint = paintFor(context)
  const shown = findings.filter(({ severity }) => severity !== 'notice')
  const failed = results.filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive').length
  return [
    ...notes.map((note) => `${paint.warn('note:')} ${note}`),
    table(results.map((result) => resultRow(result, paint))),
    ...(shown.length > 0
      ? [
          '',
          table(
            shown.map(({ rule, severity, path, message }) => [
              severity === 'error' ? paint.bad(severity) : paint.warn(severity),
              paint.dim(rule),
              `${path && !message.includes(path) ? `${clean(path)}: ` : ''}${clean(message)}`,
            ]),
          ),
        ]
      : []),
    '',
    `${ok ? paint.good('ok') : paint.bad('not ok')}  ${head.slice(0, 9)} against ${base.slice(0, 9)}: ${counted(results.length, 'gate')}, ${failed === 0 ? 'none says no' : `${failed} ${failed === 1 ? 'says' : 'say'} no`}`,
  ].join('\n')
}
