import type { TreeReader } from '../../core/reader.ts'
import { policyOfRun, type RunSource, readRun } from '../run/folder.ts'
import type { Champion } from '../run/order.ts'
import { type Alias, foldAlias, readPromotions } from './promotions.ts'

/**
 * Returns the policy an alias stands for, or undefined when nothing was promoted.
 *
 * @param reader and source of the same commit
 * @throws VT_POLICY_TWO_RECORDS; VT_RUN_ALTERED, VT_POLICY_DAMAGED when its run is not as it was written
 */
export async function policyInUse(
  reader: TreeReader,
  source: RunSource,
  policy: string,
  alias: Alias = 'champion',
): Promise<Champion | undefined> {
  const { current } = foldAlias(await readPromotions(reader, policy), policy, alias)
  if (current === undefined) return undefined
  const run = await readRun(source, current.run)
  return { run: run.id, version: current.version, model: await policyOfRun(run) }
}
