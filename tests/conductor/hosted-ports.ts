import type { Ports } from '../../conductor/ports.ts'
import { throughAccess } from '../../core/access.ts'
import { systemClock } from '../../core/clock.ts'
import { readConfig } from '../../core/config.ts'
import { systemIds } from '../../core/ids.ts'
import { readerAt } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { githubForge } from '../../forge/github/index.ts'
import { portsFor } from './ports.ts'

/** Joins the conductor's ports to a clone of a stand's repository, as `bin/` does. */
export async function hostedPorts(
  dir: string,
  env: NodeJS.ProcessEnv,
  token: string,
  overrides: Partial<Ports> = {},
): Promise<{ ports: Ports; close(): Promise<void> }> {
  const repository = await openRepository(dir, env)
  const { config } = await readConfig(readerAt(repository.git, 'HEAD'))
  const clock = overrides.clock ?? systemClock
  const ids = overrides.ids ?? systemIds(clock)
  const forge = await githubForge({
    repository,
    config,
    clock,
    ids: systemIds(clock),
    env: { ...env, VALUETRAIN_GITHUB_TOKEN: token },
    // A simulated clock costs nothing, so that there the program's own patience is tried.
    ...(overrides.clock ? {} : { patienceMs: 5000 }),
    ...(overrides.signal ? { signal: overrides.signal } : {}),
  })
  const access = await forge.gitAccess()
  const reached = { ...repository, git: throughAccess(repository.git, async () => access.env) }
  const ports = await portsFor(dir, env, { ...overrides, clock, ids, repository: reached, forge })
  const close = async () => {
    await access.close()
    await forge.close()
  }
  return { ports, close }
}
