import { agentsOf, listRuntimes } from '../../../agents/index.ts'
import { defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, table } from '../../display/text.ts'
import { configHere } from '../../wiring.ts'

export default defineCommand({
  description:
    'Lists the runtimes by the ids that `agent:` labels and --agent take: the agents of the configuration, then the known ones, with whether each is here. Asks programs for their version and starts nothing else.',
  json: true,
  async run(context, { flags }) {
    const config = await configHere(context)
    const specs = new Map(agentsOf(config).map((spec) => [spec.id, spec]))
    const runtimes = listRuntimes({ env: context.env, script: undefined, config })
    const found = await Promise.all(
      runtimes.map(async ({ id, title, usesJail = false, probe }) => {
        const spec = specs.get(id)
        return {
          id,
          title,
          protocol: spec?.protocol ?? null,
          program: spec?.program ?? null,
          versions: spec?.versions ?? null,
          install: spec?.install ?? null,
          notes: spec?.notes ?? null,
          usesJail,
          ...(await probe()),
        }
      }),
    )
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ agents: found })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = found.map(({ id, title, ready, why }) => [
      ready ? paint.good('ready') : paint.dim('absent'),
      paint.name(id),
      clean(title),
      paint.dim(clean(ready || specs.get(id)?.program === '' ? why : [why, specs.get(id)?.install].filter(Boolean).join('; '))),
    ])
    context.stdout.write(`${table(rows)}\n`)
    return 0
  },
})
