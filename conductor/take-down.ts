import type { Config } from '../core/config.ts'
import { branchOf, ticketFolder } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import { deleteRemoteBranch } from '../core/push.ts'
import { trackingRef } from '../core/remote-branches.ts'
import { defaultBase } from '../core/repository.ts'
import { isAncestor, resolveCommit } from '../core/tree.ts'
import { closeWorktree, listWorktrees } from '../core/worktree.ts'
import { removeHomes } from './homes.ts'
import type { Ports } from './ports.ts'

/**
 * Takes down what a merged ticket no longer needs, here and on the shared remote: its worktree, leftovers rescued first,
 * and its branch, each only if what it holds is on the default branch. A remote that is away keeps its branch for now.
 */
export async function takeDown(ports: Ports, ticket: string, config: Config): Promise<{ rescue: string | undefined }> {
  const { repository, ids } = ports
  const { git } = repository
  const branch = branchOf(ticket)
  const base = (await defaultBase(repository, config)).commit
  const worktree = (await listWorktrees(repository)).find((candidate) => candidate.branch === branch && !candidate.isMain)
  let rescue: string | undefined
  if (worktree) {
    const closed = await closeWorktree(repository, worktree, { ticket, id: ids.ulid(), keep: config.workspace.keep })
    rescue = closed.rescue?.ref
  }
  const head = await resolveCommit(git, `refs/heads/${branch}`)
  if (head !== undefined && (await hasLanded(git, ticket, head, base))) {
    await git.run(['update-ref', '-d', `refs/heads/${branch}`, head])
  }
  await removeHomes(repository.stateDir, ticket)
  if (config.remote !== null) await takeDownRemote(ports, ticket, config.remote, base)
  return { rescue }
}

/**
 * Tells whether what a ticket's branch holds is on the default branch: by its commits, or, squashed or rebased, by its
 * folder, to which nothing is written after the delivery.
 */
export async function hasLanded(git: Git, ticket: string, head: string, base: string): Promise<boolean> {
  if (await isAncestor(git, head, base)) return true
  const [here, there] = await Promise.all([head, base].map((commit) => folderAt(git, commit, ticket)))
  return here !== undefined && here === there
}

async function takeDownRemote(ports: Ports, ticket: string, remote: string, base: string): Promise<void> {
  const { git } = ports.repository
  const there = await resolveCommit(git, trackingRef(remote, branchOf(ticket)))
  if (there === undefined || !(await hasLanded(git, ticket, there, base))) return
  try {
    await deleteRemoteBranch(git, remote, branchOf(ticket), there)
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.code !== 'VT_REMOTE') throw error
    ports.onProgress(ticket, `its branch on ${remote} is still there: ${error.message}`)
  }
}

async function folderAt(git: Git, commit: string, ticket: string): Promise<string | undefined> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}:${ticketFolder(ticket)}`]
  const { stdout, code } = await git.run(args, { okExit: [0, 1, 128] })
  return code === 0 ? stdout.trim() : undefined
}
