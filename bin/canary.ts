import type { Config } from '../core/config.ts'
import type { Forge } from '../core/contracts/forge.ts'
import { readerAt } from '../core/reader.ts'
import { defaultBase, type Repository } from '../core/repository.ts'
import { commitTree, withFile } from '../core/tree.ts'
import { type Promotion, promotionFile, readPromotions, renderPromotion, withdraw } from '../training/policy/index.ts'
import {
  type CanaryReport,
  type Contest,
  canaryReport,
  casesOf,
  contestants,
  nameOf,
  type RouterInUse,
} from '../training/router/index.ts'
import type { Context } from './context.ts'
import { allTicketLogs } from './decisions.ts'

interface Watch extends Contest {
  context: Pick<Context, 'ids'>
  repository: Repository
  forge: Pick<Forge, 'merge'>
  config: Config
}

/** What came of a withdrawal: the routers that are still in use. */
export interface Withdrawn {
  trial: RouterInUse
  reason: string
  left: Contest
}

/** Returns how the policy on trial stands by everything the sessions say now. */
export async function standingOf({
  repository,
  config,
  ...policies
}: Omit<Watch, 'context' | 'forge'>): Promise<CanaryReport | undefined> {
  const { trial } = contestants(policies)
  if (trial === undefined) return undefined
  const { policy, share, price } = config.router
  const cases = casesOf(await allTicketLogs(repository, config, { isWhole: false }))
  return canaryReport(cases, nameOf(policy, trial), share, price)
}

/**
 * Takes a policy on trial out of use when what came of its choices says that it does harm: one new record on the default
 * branch, merged like any change, with nothing deleted. While the branch cannot be moved it is out of use all the same,
 * since the next choice looks again.
 */
export async function withdrawHarmful(watch: Watch, report: CanaryReport | undefined): Promise<Withdrawn | undefined> {
  const { context, repository, forge, config, champion, challenger } = watch
  const { trial } = contestants(watch)
  if (trial === undefined || report?.verdict !== 'roll-back') return undefined
  const alias = trial.version === champion?.version ? 'champion' : 'challenger'
  const { commit: base } = await defaultBase(repository, config)
  const records = await readPromotions(readerAt(repository.git, base), config.router.policy)
  const record = withdraw(records, config.router.policy, { id: context.ids.ulid(), alias, by: 'canary', reason: report.reason })
  const head = await commitRecord(repository, base, record)
  const message = `Merge the withdrawal of ${record.policy} run ${record.run}\n`
  const tree = await repository.git.text(['rev-parse', '--verify', '--end-of-options', `${head}^{tree}`])
  const merge = await commitTree(repository.git, { tree, parents: [base, head], message })
  await forge.merge({ ticket: `policy ${record.policy}`, into: config.branch, base, head, merge })
  return {
    trial,
    reason: report.reason,
    left: alias === 'champion' ? { champion: undefined, challenger } : { champion, challenger: undefined, isTrialOver: true },
  }
}

async function commitRecord(repository: Repository, base: string, record: Promotion): Promise<string> {
  const tree = await withFile(repository.git, base, promotionFile(record), renderPromotion(record))
  const message = [
    `Withdraw ${record.policy} ${record.alias}, run ${record.run}`,
    '',
    record.reason ?? '',
    '',
    `Valuetrain-Run: ${record.run}`,
    `Valuetrain-Verdict: ${record.verdict}`,
    `Valuetrain-Artifact: sha256:${record.version}`,
    '',
  ].join('\n')
  return commitTree(repository.git, { tree, parents: [base], message })
}
