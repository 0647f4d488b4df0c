import { constants } from 'node:fs'
import { copyFile, mkdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { resolveInside } from '../../core/files.ts'
import type { AgentSpec } from '../agents.ts'

/** Returns the files of a user's own login that are there, relative to the home folder. */
export async function loginFiles({ login }: Pick<AgentSpec, 'login'>, env: NodeJS.ProcessEnv): Promise<string[]> {
  const home = env.HOME
  if (home === undefined || login === null) return []
  const isThere = await Promise.all(
    login.files.map((file) =>
      stat(join(home, file)).then(
        (found) => found.isFile(),
        () => false,
      ),
    ),
  )
  return login.files.filter((_, index) => isThere[index])
}

/**
 * Puts a copy of a user's own login into the folder of an agent that works by it. The copy alone is seen in a jail; what the
 * agent makes of it, e.g. a renewed token, stays there.
 *
 * A file that lies in a folder of the vendor's (`.claude/x`) lies in the agent's own folder under its last name, where the
 * variable of the folder leads.
 */
export async function bringLogin(spec: AgentSpec, env: NodeJS.ProcessEnv, home: string): Promise<void> {
  for (const file of await loginFiles(spec, env)) {
    const inside = spec.home === 'GEMINI_CLI_HOME' ? file : file.replace(/^[^/]+\//, '')
    // The agent may write there; a link in the way would carry the login to wherever it leads.
    const folder = await resolveInside(home, dirname(inside))
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const target = join(folder, basename(inside))
    await rm(target, { recursive: true, force: true })
    await copyFile(join(env.HOME as string, file), target, constants.COPYFILE_EXCL)
  }
}
