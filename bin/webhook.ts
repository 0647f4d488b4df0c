import type { Bell } from '../conductor/bell.ts'
import type { Ports } from '../conductor/ports.ts'
import { isHosted } from '../core/contracts/forge.ts'
import type { GithubForge } from '../forge/github/index.ts'
import { usageError } from './command.ts'
import type { Context } from './context.ts'

/**
 * Takes deliveries of the forge's webhook while the queue is worked, and rings the bell for those that may matter.
 *
 * @param port 0 lets the system choose
 * @throws VT_COMMAND_LINE with a forge that sends none; VT_WEBHOOK_SECRET, VT_WEBHOOK_PORT
 */
export async function takeDeliveries(
  context: Context,
  ports: Ports,
  auto: string,
  port: number,
  bell: Bell,
): Promise<{ url: string; close(): Promise<void> }> {
  if (!isHosted(ports.forge))
    throw usageError('--webhook needs a forge that sends deliveries', 'set `forge: github`, or give --forge github')
  const { openReceiver } = await import('../forge/github/index.ts')
  const { place, intents } = ports.forge as GithubForge
  return openReceiver({
    secret: context.env.VALUETRAIN_WEBHOOK_SECRET ?? '',
    port,
    place,
    intents,
    auto,
    onWake: () => bell.ring(),
    onProblem: (text) => context.stderr.write(`webhook: ${text}\n`),
  })
}
