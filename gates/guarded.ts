import type { Config } from '../core/config.ts'
import { jailLimits, openJail, toolFolders } from '../core/jail.ts'
import { chooseJail } from '../core/jail-probe.ts'
import { runJailed } from '../core/jail-run.ts'
import { type ProcessOptions, type ProcessResult, runProcess } from '../core/process.ts'

/** What decides whether a command is jailed, and how. */
export interface Guard {
  config: Config
  /** Where the jail's program is looked for, and what `~` means. */
  env: Readonly<Record<string, string>>
  /** Whether the operator said `--no-jail`; absent means no. */
  isJailWaived?: boolean | undefined
}

/**
 * Runs a command in a jail around its checkout where the configuration says so and one can be built: it executes files of
 * the change. Its own home and temporary folder are all it may write besides.
 *
 * @param hosts that it may reach; none reach no network at all
 */
export async function runGuarded(
  { config, env, isJailWaived }: Guard,
  argv: readonly string[],
  dir: string,
  options: ProcessOptions,
  hosts: readonly string[] = [],
): Promise<ProcessResult & { jailed: boolean }> {
  const { program } = await chooseJail(config.jail, env, isJailWaived)
  if (program === undefined) return { ...(await runProcess(argv, options)), jailed: false }
  const tools = toolFolders(config, env)
  const jail = await openJail({ program, worktree: dir, hosts, tools, limits: jailLimits(config) })
  const writable = [options.env.HOME, options.env.TMPDIR].filter((folder) => folder !== undefined)
  const run = await runJailed(jail, argv, options, { writable }).finally(() => jail.close())
  return { ...run, jailed: true }
}

/** Tells whether commands are jailed here; a result that was found in a jail says nothing about one that was not. */
export async function isGuarded({ config, env, isJailWaived }: Guard): Promise<boolean> {
  return (await chooseJail(config.jail, env, isJailWaived)).program !== undefined
}
