import type { TreeReader } from '../../core/reader.ts'
import { MODEL_FILE, WEIGHTS_FILE } from '../policy/model-file.ts'
import { ALIASES, type Alias, foldAlias, type Promotion, readPromotions } from '../policy/promotions.ts'
import { contentOf, type RunSource, readRun, type StoredRun } from '../run/folder.ts'
import type { Contest, RouterInUse } from './deciding.ts'
import { isRouterModel, parseRouter, type RouterModel } from './model-file.ts'
import type { RouterPolicy } from './policy.ts'

/** Returns whether a run learned a router. */
export async function isRouterRun(stored: StoredRun): Promise<boolean> {
  return isRouterModel((await contentOf(stored, MODEL_FILE))?.toString('utf8') ?? '')
}

/** Returns the router that a run learned. @throws VT_ROUTER_FOREIGN when the run learned something else */
export async function routerOfRun(stored: StoredRun): Promise<{ model: RouterModel; policy: RouterPolicy }> {
  const [weights, model] = await Promise.all([contentOf(stored, WEIGHTS_FILE), contentOf(stored, MODEL_FILE)])
  return parseRouter({ weights: weights ?? new Uint8Array(), model: model?.toString('utf8') ?? '' }, `run ${stored.id}`)
}

/**
 * Returns the router an alias stands for, or undefined when nothing was promoted.
 *
 * @param reader and source of the same commit
 * @throws VT_POLICY_TWO_RECORDS; VT_RUN_ALTERED, VT_ROUTER_FOREIGN when its run is not as it was written
 */
export async function routerInUse(
  reader: TreeReader,
  source: RunSource,
  policy: string,
  alias: Alias = 'champion',
): Promise<RouterInUse | undefined> {
  return routerOf(source, foldAlias(await readPromotions(reader, policy), policy, alias).current)
}

/** Returns the routers of both aliases, and whether the challenger was the last one to be withdrawn. @throws as `routerInUse` */
export async function routersInUse(reader: TreeReader, source: RunSource, policy: string): Promise<Contest> {
  const records = await readPromotions(reader, policy)
  const [champion, challenger] = ALIASES.map((alias) => foldAlias(records, policy, alias))
  return {
    champion: await routerOf(source, champion?.current),
    challenger: await routerOf(source, challenger?.current),
    isTrialOver: challenger?.current === undefined && challenger?.previous !== undefined,
  }
}

async function routerOf(source: RunSource, current: Promotion | undefined): Promise<RouterInUse | undefined> {
  if (current === undefined) return undefined
  const run = await readRun(source, current.run)
  return { run: run.id, version: current.version, policy: (await routerOfRun(run)).policy }
}
