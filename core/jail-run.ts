import { access } from 'node:fs/promises'
import { constants } from 'node:os'
import { resolve } from 'node:path'
import type { Jail, JailGrant } from './jail.ts'
import { type ProcessOptions, type ProcessResult, runProcess } from './process.ts'
import { findProgram } from './programs.ts'

/**
 * Runs a program in a jail where there is one, else as it is, and tells the end in the same words: in a jail a missing
 * program and an end by a signal are exit codes of what stands around it.
 *
 * @throws VT_FOLDER_MISSING, VT_PROCESS
 */
export async function runJailed(
  jail: Pick<Jail, 'wrap'> | undefined,
  argv: readonly string[],
  options: ProcessOptions,
  grant: JailGrant = {},
): Promise<ProcessResult> {
  if (jail === undefined) return runProcess(argv, options)
  const jailed = await jail.wrap(argv, options.env, { cwd: options.cwd, ...grant })
  const run = await runProcess(jailed.argv, { ...options, env: jailed.env })
  if (run.exit === 127 && !(await isProgram(argv[0] as string, options))) return { ...run, missing: true }
  const signal = signalOf(run.exit)
  return signal === undefined ? run : { ...run, exit: null, signal }
}

function signalOf(exit: number | null): string | undefined {
  if (exit === null || exit <= 128) return undefined
  return Object.entries(constants.signals).find(([, number]) => number === exit - 128)?.[0]
}

async function isProgram(name: string, { cwd, env }: Pick<ProcessOptions, 'cwd' | 'env'>): Promise<boolean> {
  if (!name.includes('/')) return (await findProgram(name, env)) !== undefined
  return access(resolve(cwd, name)).then(
    () => true,
    () => false,
  )
}
