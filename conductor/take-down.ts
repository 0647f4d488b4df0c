import type { Config } from '../core/config.ts'
import { branchOf, parseTicket, ticketFolder } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import { releaseForsaken } from '../core/lease.ts'
import { deleteRemoteBranch } from '../core/push.ts'
import { knownBase, type TicketBranch, trackingRef } from '../core/remote-branches.ts'
import { defaultBase } from '../core/repository.ts'
import { isAncestor, mergeTree, resolveCommit, resolveObject } from '../core/tree.ts'
import { closeWorktree, listWorktrees } from '../core/worktree.ts'
import { removeHomes } from './homes.ts'
import type { Ports } from './ports.ts'
import { findTicket } from './sources.ts'

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
  if (head !== undefined) {
    if (await hasLanded(git, ticket, head, base)) await git.run(['update-ref', '-d', `refs/heads/${branch}`, head])
    else tellKept(ports, ticket, branch, config)
  }
  await removeHomes(repository.stateDir, ticket)
  if (config.remote !== null) await takeDownRemote(ports, ticket, config.remote, base, config)
  return { rescue }
}

function tellKept(ports: Ports, ticket: string, branch: string, config: Config): void {
  ports.onProgress(ticket, `${branch} is kept: it holds commits that are not on ${config.branch}`)
}

/**
 * Gives back claims that processes of this clone left when they were killed, of issues that nobody goes on with: the last thing
 * a run does is to let go, and whoever finds its issue done has no reason to claim it.
 */
export async function freeForsaken(
  ports: Ports,
  { remote }: Config,
  isFree: (issue: number) => boolean,
  lastWord?: (issue: number) => Promise<unknown>,
): Promise<void> {
  try {
    await releaseForsaken(ports.repository, { remote }, isFree, lastWord)
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.code !== 'VT_REMOTE') throw error
    ports.onProgress('queue', `a claim of a process that is gone is still there: ${error.message}`)
  }
}

/**
 * Tells whether what a ticket's branch holds is on the default branch: by its commits, or, squashed or rebased, by its
 * folder, to which nothing is written after the delivery. Somebody may have pushed to the branch after it came in: then
 * merging it where the folder arrived would still change something, and the branch has not landed.
 */
export async function hasLanded(git: Git, ticket: string, head: string, base: string): Promise<boolean> {
  if (await isAncestor(git, head, base)) return true
  const [here, there] = await Promise.all([head, base].map((commit) => folderAt(git, commit, ticket)))
  if (here === undefined || here !== there) return false
  const arrived = await git.text(['log', '-1', '--format=%H', base, '--', ticketFolder(ticket)])
  const [merged, tree] = await Promise.all([mergeTree(git, arrived, head), git.text(['rev-parse', `${arrived}^{tree}`])])
  return !('conflicts' in merged) && merged.tree === tree
}

/**
 * Returns the tickets that have arrived on the default branch while this clone or the remote still has a branch of theirs that
 * may go: a person merged them, or whoever did was stopped right after.
 *
 * @param branches the tickets' branches, just listed
 */
export async function listArrived(
  { repository }: Pick<Ports, 'repository'>,
  config: Config,
  branches: readonly TicketBranch[],
): Promise<{ ticket: string; issue: number }[]> {
  if (branches.length === 0) return []
  const base = await knownBase(repository.git, config)
  if (base === undefined) return []
  const arrived: { ticket: string; issue: number }[] = []
  for (const { ticket, local, remote } of branches) {
    const heads = [local, remote].flatMap((head) => head ?? [])
    if ((await folderAt(repository.git, base, ticket)) === undefined) continue
    const landed = await Promise.all(heads.map((head) => hasLanded(repository.git, ticket, head, base)))
    if (landed.some(Boolean) && (await findTicket(repository, ticket, base, config.remote))?.done)
      arrived.push({ ticket, issue: parseTicket(ticket)?.issue as number })
  }
  return arrived
}

async function takeDownRemote(ports: Ports, ticket: string, remote: string, base: string, config: Config): Promise<void> {
  const { git } = ports.repository
  const there = await resolveCommit(git, trackingRef(remote, branchOf(ticket)))
  if (there === undefined) return
  if (!(await hasLanded(git, ticket, there, base))) return tellKept(ports, ticket, `${branchOf(ticket)} on ${remote}`, config)
  try {
    await deleteRemoteBranch(git, remote, branchOf(ticket), there)
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.code !== 'VT_REMOTE') throw error
    ports.onProgress(ticket, `its branch on ${remote} is still there: ${error.message}`)
  }
}

function folderAt(git: Git, commit: string, ticket: string): Promise<string | undefined> {
  return resolveObject(git, `${commit}:${ticketFolder(ticket)}`)
}
