import { ValuetrainError } from '../../../core/errors.ts'
import { ownerlessLeases } from '../../../training/gpu/open.ts'
import { defineCommand } from '../../command.ts'
import { counted } from '../../display/text.ts'
import { openGpu } from '../../gpu.ts'

export default defineCommand({
  description:
    'Ends leases on graphics cards that nothing guards any more, and those of this clone whose process is gone, with everything they run; it returns when nothing of them runs. Leases that somebody keeps alive stay. Exits with 3 when a machine could not be looked at.',
  examples: [{ does: 'End what is left over', line: 'gpu reap' }],
  json: true,
  async run(context, { flags }) {
    const { providers, stateDir } = await openGpu(context)
    const ownerless = await ownerlessLeases(stateDir)
    const [reaped, failed] = [[] as object[], [] as { provider: string; error: string }[]]
    for (const provider of providers) {
      const own = ownerless.filter((note) => note.provider === provider.id)
      try {
        const ended = await provider.reap(own.map(({ lease }) => lease))
        for (const { forget } of own) await forget()
        reaped.push(...ended)
        if (flags.json) continue
        for (const { lease, processes, why } of ended) {
          context.stdout.write(`ended lease ${lease} on ${provider.id}, ${counted(processes, 'process', 'processes')}: ${why}\n`)
        }
      } catch (error) {
        if (!(error instanceof ValuetrainError)) throw error
        failed.push({ provider: provider.id, error: `${error.code}: ${error.message}` })
      }
    }
    if (flags.json) context.stdout.write(`${JSON.stringify({ reaped, failed })}\n`)
    else {
      for (const { provider, error } of failed) context.stderr.write(`${provider} was not looked at: ${error}\n`)
      if (reaped.length === 0) context.stdout.write('no stray leases\n')
    }
    return failed.length > 0 ? 3 : 0
  },
})
