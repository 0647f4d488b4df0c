import process from 'node:process'
import type { Act } from '../conductor/operate.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Context } from './context.ts'
import { runDisplay } from './display/run.ts'
import { openPorts, operatorName } from './wiring.ts'

/** What counts as a person's word, and so is not taken from a program that a run of ours has started. */
const PERSONAL: ReadonlySet<Act['type']> = new Set(['approve', 'override', 'tick'])

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
  if (PERSONAL.has(act.type)) await refuseAgents(ports.repository.stateDir, act.type)
  const { applied, text } = await operate(ports, issue, act, { name: await operatorName(ports.repository) })
  context.stdout.write(flags.json ? `${JSON.stringify({ issue, act: act.type, applied, text })}\n` : `${text}\n`)
  return 0
}

async function refuseAgents(stateDir: string, act: string): Promise<void> {
  const { isBelowRun } = await import('../core/group.ts')
  if (!(await isBelowRun(stateDir, process.pid))) return
  throw new ValuetrainError('VT_NOT_A_PERSON', `\`${act}\` was called by a program that a run of this repository has started`, {
    hint: 'a person says it in a terminal of their own, or on the forge',
  })
}
