import { argument, defineCommand, flag } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, table } from '../../display/text.ts'
import { resultRow } from '../../display/verdict.ts'
import { gateChoice } from '../../gate-choice.ts'
import { lets, openJudging, requestOf } from '../../judging.ts'

export default defineCommand({
  description:
    'Asks one gate, or all that HEAD would be asked, in a clean checkout, and shows evidence. Nothing is recorded. Exit code 1 when one that blocks says no.',
  examples: [{ does: 'Only the tests', line: 'gate run test' }],
  args: { gate: argument.optional('Only this gate.') },
  flags: { base: flag.text('REF', 'What HEAD is judged against; the default branch unless told.') },
  json: true,
  async run(context, { args, flags }) {
    const judging = await openJudging(context, { base: flags.base })
    const specs = gateChoice(judging.specs, args.gate, judging.definitions.gates)
    const { judgePlace } = await import('../../../conductor/check/judge.ts')
    const results = await judgePlace(requestOf(judging, context), specs, judging.own, judging.head, [])
    const ok = lets(results)
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ ok, base: judging.base, head: judging.head, results })}\n`)
      return ok ? 0 : 1
    }
    const paint = paintFor(context)
    for (const note of judging.notes) context.stderr.write(`note: ${note}\n`)
    context.stdout.write(`${table(results.map((result) => resultRow(result, paint)))}\n`)
    for (const { gate, verdict, evidence } of results) {
      const tail = evidence.outputTail?.trimEnd()
      if (!tail || verdict === 'pass') continue
      context.stdout.write(
        `\n${paint.dim(`the last lines of ${gate}:`)}\n${tail
          .split('\n')
          .map((line) => `  ${clean(line)}`)
          .join('\n')}\n`,
      )
    }
    return ok ? 0 : 1
  },
})
