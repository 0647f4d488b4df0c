import { briefOf, CAPS, chooseRuntime, listRuntimes, loadScript, openBroker, selectIssues } from '../../agents/index.ts'
import type { Ports } from '../../conductor/ports.ts'
import { systemClock } from '../../core/clock.ts'
import { readConfig } from '../../core/config.ts'
import { systemIds } from '../../core/ids.ts'
import { chooseJail } from '../../core/jail-probe.ts'
import { readerAt } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { localForge } from '../../forge/index.ts'

/** Joins the conductor's ports to a repository that is there, as `bin/` does. */
export async function portsFor(dir: string, env: NodeJS.ProcessEnv, overrides: Partial<Ports>): Promise<Ports> {
  const repository = await openRepository(dir, env)
  const reader = readerAt(repository.git, 'HEAD')
  const { config } = await readConfig(reader)
  const clock = overrides.clock ?? systemClock
  const ids = overrides.ids ?? systemIds(clock)
  return {
    repository,
    forge: localForge({ repository, config, clock, ids }),
    runtimes: listRuntimes({ env, script: await loadScript(reader), config }),
    clock,
    ids,
    env,
    signal: new AbortController().signal,
    select: selectIssues,
    choose: chooseRuntime,
    // Where the machine has no jail, tests of other things go on without one.
    isJailWaived: (await chooseJail('auto', env)).program === undefined,
    broker: (facts) => openBroker({ ...facts, caps: CAPS }),
    brief: briefOf,
    onEvent: () => {},
    onTurn: () => {},
    onProgress: () => {},
    ...overrides,
  }
}
