import type { Actor } from '../core/contracts/event.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import type { Git } from '../core/git.ts'
import { openHistory } from '../core/history.ts'
import { takeRescue } from '../core/rescue.ts'
import { changedPaths } from '../core/tree.ts'
import { type RollbackGoal, type RollbackPlan, rollbackPlan, rollbackTarget } from '../sessions/index.ts'
import type { Desk } from './desk.ts'
import { commitRecord, recordMessage } from './record.ts'
import type { FoundTicket } from './sources.ts'

/** Returns what a rollback of a live ticket would restore, delete and keep; nothing is changed to find out. */
export async function planRollback(
  git: Git,
  env: NodeJS.ProcessEnv,
  found: FoundTicket,
  goal: RollbackGoal,
): Promise<RollbackPlan> {
  const { entries } = found.session
  const { commit } = rollbackTarget(entries, goal)
  const base = found.state.ledger.opened?.base as string
  const created = (await changedPaths(git, base, 'HEAD')).filter(({ status }) => status === 'A').map(({ path }) => path)
  const { staged, changed, deleted, untracked, conflicted } = await openHistory(git.dir, env).uncommitted()
  return rollbackPlan({
    entries,
    goal,
    changes: (await changedPaths(git, commit, 'HEAD')).map(({ status, path }) => ({ status, path })),
    created: new Set(created),
    uncommitted: new Set([...staged, ...changed, ...deleted, ...untracked, ...conflicted]),
    ticketFolder: ticketFolder(found.ticket),
  })
}

/**
 * Takes a ticket back: a checkpoint of the present first, then the plan's paths, then the compensating event and one
 * commit. The ticket is paused afterwards, so that a person looks before it goes on.
 */
export async function rollBack(desk: Desk, plan: RollbackPlan, actor: Actor, reason: string): Promise<string> {
  const { repository, ids } = desk.ports
  const id = ids.ulid()
  await commitRecord(desk, 'Record the session before going back')
  const rescue = await takeRescue(repository, desk.worktree.dir, {
    ticket: desk.ticket,
    id,
    why: `rollback: ${reason}`,
    keep: [],
  })
  const checkpoint = rescue?.ref ?? `refs/valuetrain/rescue/${desk.ticket}/${id}`
  if (!rescue) await desk.git.run(['update-ref', checkpoint, 'HEAD', ''])
  const literal = (paths: readonly string[]) => paths.map((path) => `:(top,literal)${path}`)
  if (plan.restore.length > 0) await desk.git.run(['checkout', '--quiet', plan.commit, '--', ...literal(plan.restore)])
  // Without --force git refuses to remove a file that is not as committed.
  if (plan.delete.length > 0) await desk.git.run(['rm', '--quiet', '--', ...literal(plan.delete)])
  await desk.record('ROLLED_BACK', { actor, to: plan.entry, checkpoint, restored: plan.restore, deleted: plan.delete, reason })
  const paths = literal([...plan.restore, ...plan.delete])
  if (paths.length > 0) {
    await desk.git.run(['commit', '--quiet', '--no-verify', '--only', '--file=-', '--', ...paths], {
      input: recordMessage(desk, `Go back: ${reason.replace(/\s+/g, ' ').slice(0, 60)}`),
    })
  }
  await commitRecord(desk, 'Record the rollback')
  return checkpoint
}
