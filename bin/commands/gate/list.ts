import type { GateSpec } from '../../../core/contracts/gate.ts'
import { defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, table } from '../../display/text.ts'
import { gatesHere } from '../../wiring.ts'

export default defineCommand({
  description:
    'Lists every gate there is here: the built-in ones, one for each configured command, and those of the configuration. Read from the working tree; gates judge as the base has them.',
  json: true,
  async run(context, { flags }) {
    const gates = [...(await gatesHere(context)).values()]
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ gates })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const head = ['gate', 'kind', 'about', 'when no', 'what it holds'].map((cell) => paint.dim(cell))
    const rows = gates.map((gate) => [
      paint.name(gate.id),
      kindOf(gate),
      gate.subject,
      gate.severity === 'block' ? 'blocks' : 'warns',
      clean(gate.title),
    ])
    context.stdout.write(`${table([head, ...rows])}\n`)
    return 0
  },
})

function kindOf({ kind }: GateSpec): string {
  return kind.type === 'command' ? `command: ${kind.argv.map(clean).join(' ')}` : kind.type
}
