import type { Ports, Route, RouteFacts } from '../conductor/ports.ts'
import { incumbentOf } from '../conductor/route.ts'
import type { Config } from '../core/config.ts'
import type { Forge } from '../core/contracts/forge.ts'
import type { Repository } from '../core/repository.ts'
import type { Contest } from '../training/router/deciding.ts'
import type { TicketLog } from '../training/router/index.ts'
import type { Context } from './context.ts'

/**
 * Returns what chooses arms for the conductor: the promoted policy as the default branch has it now, and for a canary
 * the watch over it. The engine is loaded with the first choice; nearly every run of an issue has none.
 */
export function routingFor(
  context: Pick<Context, 'ids'>,
  repository: Repository,
  forge: Pick<Forge, 'merge'>,
  say: (text: string) => void,
): NonNullable<Ports['route']> {
  return async (facts) => {
    const { worksPhase } = await import('../training/runtime.ts')
    if (worksPhase(facts.phase) && facts.config.training.config !== null) return undefined
    return chooseNow(facts, context, repository, forge, say)
  }
}

async function chooseNow(
  facts: RouteFacts,
  context: Pick<Context, 'ids'>,
  repository: Repository,
  forge: Pick<Forge, 'merge'>,
  say: (text: string) => void,
): Promise<Route> {
  const { chooseArm, nameOf } = await import('../training/router/deciding.ts')
  const { config } = facts
  let policies = await policiesInUse(repository, config)
  if (config.router.stage === 'canary') {
    const { standingOf, withdrawHarmful } = await import('./canary.ts')
    const report = await standingOf({ repository, config, ...policies })
    const withdrawn = await withdrawHarmful({ context, repository, forge, config, ...policies }, report)
    if (withdrawn !== undefined) {
      say(`${nameOf(config.router.policy, withdrawn.trial)} was withdrawn: ${withdrawn.reason}`)
      policies = withdrawn.left
    }
  }
  return chooseArm({ ...facts, router: config.router, incumbent: incumbentOf(config), ...policies })
}

/** Returns the routers that the default branch has in use now. */
export async function policiesInUse(
  repository: Repository,
  config: Pick<Config, 'branch' | 'remote' | 'router'>,
): Promise<Contest> {
  const [{ defaultBase }, { readerAt }, { runsAt }, { routersInUse }] = await Promise.all([
    import('../core/repository.ts'),
    import('../core/reader.ts'),
    import('../training/run/folder.ts'),
    import('../training/router/in-use.ts'),
  ])
  const { commit } = await defaultBase(repository, config as Config)
  return routersInUse(readerAt(repository.git, commit), runsAt(repository.git, commit), config.router.policy)
}

/** Returns the decisions of every ticket of a repository; read when they are asked for. */
export function decisionsIn(repository: Repository, config: Config): () => Promise<TicketLog[]> {
  return async () => {
    const { allTicketLogs } = await import('./decisions.ts')
    return allTicketLogs(repository, config, { isWhole: true })
  }
}
