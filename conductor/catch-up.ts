import type { EventInput } from '../core/contracts/event.ts'
import { branchOf } from '../core/contracts/names.ts'
import { resolveInside, writeAtomically } from '../core/files.ts'
import type { Lease } from '../core/lease.ts'
import { readerAt, readerOf } from '../core/reader.ts'
import { leadingSide, trackingRef } from '../core/remote-branches.ts'
import { restoreCommitted, takeRescue } from '../core/rescue.ts'
import { isAncestor, resolveCommit } from '../core/tree.ts'
import { listWorktrees } from '../core/worktree.ts'
import { readSegments, type Segment } from '../sessions/index.ts'
import type { Ports } from './ports.ts'

/** What this clone had of a ticket beyond what counts, and where it is kept. */
export type SetAside = Omit<EventInput<'RESCUED'>, 'actor'>

/**
 * Brings the ticket's branch of this clone to where the shared remote has it, when another machine has gone on with it:
 * work continues from the last push. What only this clone has, commits and uncommitted files alike, goes into a rescue
 * ref first; what its sessions say beyond the push, under an older epoch, is put back beside the line, where it is shown
 * and not folded. Call it as owner of the claim, after fetching.
 */
export async function catchUp(
  ports: Pick<Ports, 'repository' | 'ids'>,
  ticket: string,
  lease: Pick<Lease, 'remote' | 'epoch'>,
  keep: readonly string[],
): Promise<SetAside | undefined> {
  const { repository } = ports
  const { git } = repository
  const { remote } = lease
  if (remote === null) return undefined
  const branch = branchOf(ticket)
  const local = await resolveCommit(git, `refs/heads/${branch}`)
  const there = await resolveCommit(git, trackingRef(remote, branch))
  if (there === undefined || (await leadingSide(git, { local, remote: there })) !== 'remote') return undefined
  if (local === undefined) {
    await git.run(['update-ref', '-m', 'valuetrain: go on from the last push', `refs/heads/${branch}`, there, ''])
    return undefined
  }
  const worktree = (await listWorktrees(repository)).find((candidate) => candidate.branch === branch && !candidate.isMain)
  const reader = worktree ? readerOf(worktree.dir) : readerAt(git, local)
  const { segments } = await readSegments(reader, ticket)
  const texts = new Map<string, string>()
  for (const { file } of segments) texts.set(file, (await reader.read(file)) ?? '')
  const id = ports.ids.ulid()
  const why = 'another machine has gone on with the ticket'
  const rescue = worktree ? await takeRescue(repository, worktree.dir, { ticket, id, why, keep }) : undefined
  const isAhead = !(await isAncestor(git, local, there))
  const ref = rescue?.ref ?? `refs/valuetrain/rescue/${ticket}/${id}`
  if (!rescue && isAhead) await git.run(['update-ref', ref, local, ''])
  if (worktree && rescue) await restoreCommitted(repository, worktree.dir, rescue)
  // The files first: a crash between the two leaves the index ahead of the branch, which the next call finds and repeats.
  if (worktree) await git.at(worktree.dir).run(['read-tree', '-m', '-u', local, there])
  await git.run(['update-ref', '-m', 'valuetrain: go on from the last push', `refs/heads/${branch}`, there, local])
  if (worktree) {
    const beside = besideOf(segments, (await readSegments(readerAt(git, there), ticket)).segments, lease.epoch)
    for (const file of beside) await writeAtomically(await resolveInside(worktree.dir, file), texts.get(file) as string)
  }
  if (!rescue && !isAhead) return undefined
  return { ref, why, files: rescue?.files ?? 0, ignored: rescue?.ignored ?? [] }
}

/** Files of this clone that say more than the push, all of an older epoch: a prefix, or a segment that was never pushed. */
function besideOf(mine: readonly Segment[], theirs: readonly Segment[], epoch: number): string[] {
  const known = new Map(theirs.map((segment) => [segment.header.segment, segment]))
  return mine.flatMap((segment) => {
    if (segment.header.epoch >= epoch || segment.findings.length > 0 || segment.torn !== undefined) return []
    const pushed = known.get(segment.header.segment)
    if (pushed === undefined) return [segment.file]
    const isLonger = pushed.closing === undefined && segment.entries.length > pushed.entries.length
    const isSame = pushed.entries.every(({ hash }, at) => segment.entries[at]?.hash === hash)
    return isLonger && isSame ? [segment.file] : []
  })
}
