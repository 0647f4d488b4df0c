import { defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { counted, table } from '../../display/text.ts'
import { methodHere } from '../../wiring.ts'

export default defineCommand({
  description: 'Lists the pipelines that hold in this repository: the built-in ones and those of .valuetrain/pipelines.',
  json: true,
  async run(context, { flags }) {
    const pipelines = [...(await methodHere(context)).pipelines.values()]
    if (flags.json) {
      const list = pipelines.map(({ id, title, purpose, phases }) => ({
        id,
        title,
        purpose,
        phases: phases.map(({ name }) => name),
      }))
      context.stdout.write(`${JSON.stringify({ pipelines: list })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = pipelines.map(({ id, phases, purpose }) => [paint.name(id), counted(phases.length, 'phase'), purpose])
    context.stdout.write(`${table(rows)}\n`)
    return 0
  },
})
