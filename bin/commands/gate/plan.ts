import { argument, defineCommand, flag } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, table } from '../../display/text.ts'
import { gateChoice } from '../../gate-choice.ts'
import { openJudging } from '../../judging.ts'

export default defineCommand({
  description: 'Says which gates HEAD would be asked, as the base defines them, and why each exists. Runs none of them.',
  args: { gate: argument.optional('Only this gate.') },
  flags: { base: flag.text('REF', 'What HEAD would be judged against; the default branch unless told.') },
  json: true,
  async run(context, { args, flags }) {
    const { specs: all, definitions, base, head, ticket, notes } = await openJudging(context, { base: flags.base })
    const specs = gateChoice(all, args.gate, definitions.gates)
    if (flags.json) {
      const gates = specs.map(({ id, title, why, severity, subject, kind, needs, timeoutMs }) => ({
        gate: id,
        title,
        why,
        severity,
        subject,
        kind,
        needs,
        timeoutMs,
      }))
      context.stdout.write(`${JSON.stringify({ base, head, ticket: ticket ?? null, gates })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = specs.map(({ id, severity, subject, why }) => [
      paint.name(id),
      severity === 'block' ? 'blocks' : 'warns',
      subject,
      clean(why),
    ])
    const lines = [
      `${paint.bold('plan')}  ${head.slice(0, 9)} against ${base.slice(0, 9)}${ticket ? `, ticket ${ticket}` : ''}`,
      ...notes.map((note) => `${paint.warn('note:')} ${note}`),
      table(rows, 2),
      paint.dim('nothing was run; `valuetrain gate run` asks them'),
    ]
    context.stdout.write(`${lines.join('\n')}\n`)
    return 0
  },
})
