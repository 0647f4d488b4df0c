import type { Act } from '../conductor/operate.ts'
import type { Context } from './context.ts'
import { runDisplay } from './display/run.ts'
import { openPorts, operatorName } from './wiring.ts'

/**
 * Does an operator's act on an issue's ticket and says what happened.
 *
 * @returns the exit code: 0, also when the process that works the ticket was only handed the request
 */
export async function actOn(
  context: Context,
  issue: number,
  act: Act,
  flags: { json: boolean; forge: 'local' | 'github' | undefined },
): Promise<number> {
  const { operate } = await import('../conductor/operate.ts')
  // Events of an act are told by its one sentence; a program reads the session.
  const display = { ...runDisplay(context, { json: true }), event: () => {} }
  const ports = await openPorts(context, { forge: flags.forge, display })
  const { applied, text } = await operate(ports, issue, act, await operatorName(ports.repository))
  context.stdout.write(flags.json ? `${JSON.stringify({ issue, act: act.type, applied, text })}\n` : `${text}\n`)
  return 0
}
