import { MODES } from '../../../core/contracts/names.ts'
import { defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { methodHere } from '../../wiring.ts'

export default defineCommand({
  description: 'Lists the nine modes as they hold in this repository, in the order of the methodology.',
  json: true,
  async run(context, { flags }) {
    const { modes, overrides } = await methodHere(context)
    const specs = MODES.flatMap((id) => modes.get(id) ?? [])
    if (flags.json) {
      const list = specs.map(({ id, title, purpose, roles, children, gates, transitions }) => {
        return { id, title, purpose, roles, children, gates, transitions }
      })
      context.stdout.write(`${JSON.stringify({ modes: list, overrides })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = specs.map(({ id, purpose, roles }, index) => [
      paint.dim(String(index + 1)),
      paint.name(id),
      roles.join(', '),
      purpose,
    ])
    context.stdout.write(`${table(rows)}\n`)
    return 0
  },
})
