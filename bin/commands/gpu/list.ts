import { ValuetrainError } from '../../../core/errors.ts'
import type { GpuProvider, Stock } from '../../../training/gpu/provider.ts'
import { defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { counted, table } from '../../display/text.ts'
import { openGpu } from '../../gpu.ts'

export default defineCommand({
  description:
    'Lists the graphics cards of this machine and of those that `training.gpu.ssh` and `training.gpu.providers` name, with what they are doing, what an hour costs and who of ours holds them; where there are none, why. Changes nothing.',
  examples: [{ does: 'Look', line: 'gpu list' }],
  json: true,
  async run(context, { flags }) {
    const { providers } = await openGpu(context)
    const stocks = await Promise.all(providers.map(async (provider) => ({ provider, ...(await stockOf(provider)) })))
    if (flags.json) {
      const rows = stocks.map(({ provider: { id, title, usdPerHour }, cards, leases, why }) => {
        return { provider: id, title, usdPerHour, cards, leases, why: why ?? null }
      })
      context.stdout.write(`${JSON.stringify(rows)}\n`)
      return 0
    }
    const paint = paintFor(context)
    const head = ['machine', 'card', 'name', 'memory', 'busy', 'an hour', 'held by'].map((name) => paint.dim(name))
    const rows = stocks.flatMap(({ provider, cards, leases, why }) => {
      const price = `$${provider.usdPerHour.toFixed(2)}`
      if (cards.length === 0) return [[provider.id, '-', why ?? '-', '', '', price, leases.map(({ id }) => id).join(' ')]]
      return cards.map((card) => {
        const holder = leases.find((lease) => lease.cards.includes(card.id))
        return [
          provider.id,
          String(card.index),
          card.name,
          card.memoryMiB === null ? '-' : `${card.usedMiB ?? '?'} of ${card.memoryMiB} MiB`,
          card.busyPercent === null ? '-' : `${card.busyPercent} %`,
          price,
          holder === undefined ? '-' : `${holder.id}${holder.guarded ? '' : ' (stray)'}`,
        ]
      })
    })
    context.stdout.write(`${table([head, ...rows])}\n`)
    const strays = stocks.flatMap(({ leases }) => leases.filter(({ guarded }) => !guarded))
    if (strays.length > 0) {
      context.stdout.write(`T405 stray machine: ${counted(strays.length, 'lease')} without a guard\nnext: valuetrain gpu reap\n`)
    }
    return 0
  },
})

/** A machine that cannot be reached is a row that says why, so that the others are still seen. */
async function stockOf(provider: GpuProvider): Promise<Stock> {
  return provider.list().catch((error: unknown) => {
    if (!(error instanceof ValuetrainError)) throw error
    return { cards: [], leases: [], why: `${error.code}: ${error.message}` }
  })
}
