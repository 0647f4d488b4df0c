import { spentEvidence } from '../../conductor/check/upkeep.ts'
import { committedConfig } from '../../conductor/definitions.ts'
import { findTickets } from '../../conductor/sources.ts'
import { branchOf } from '../../core/contracts/names.ts'
import { removeAbandoned } from '../../core/disposable.ts'
import { dropEvidence } from '../../core/evidence-refs.ts'
import { foldGatedCommits } from '../../core/gated-commits.ts'
import { openRepository } from '../../core/repository.ts'
import { isAncestor, resolveCommit } from '../../core/tree.ts'
import { closeWorktree, listWorktrees } from '../../core/worktree.ts'
import { defineCommand, flag } from '../command.ts'
import { paintFor } from '../display/paint.ts'
import { table } from '../display/text.ts'

export default defineCommand({
  description:
    'Removes what is left of done tickets: their worktrees (uncommitted work goes into a rescue ref first), their merged branches, evidence refs that nothing unmerged needs, and checkouts of processes that are gone. Rescue refs, sessions and unmerged branches stay.',
  flags: { 'dry-run': flag.switch('Say what would go, and remove nothing.') },
  json: true,
  async run(context, { flags }) {
    const repository = await openRepository(context.cwd, context.env)
    const { git } = repository
    const config = await committedConfig(repository)
    const dry = flags['dry-run']
    const main = await resolveCommit(git, `refs/heads/${config.branch}`)
    const done = (await findTickets(repository, config)).filter(({ done }) => done)
    const worktrees = await listWorktrees(repository)
    const gone: { what: 'worktree' | 'branch' | 'evidence' | 'checkout'; name: string; note: string }[] = []
    for (const { ticket } of done) {
      const branch = branchOf(ticket)
      const worktree = worktrees.find((candidate) => candidate.branch === branch && !candidate.isMain)
      if (worktree) {
        const name = worktree.dir
        if (dry) gone.push({ what: 'worktree', name, note: 'uncommitted work would be rescued first' })
        else {
          const { rescue } = await closeWorktree(repository, worktree, {
            ticket,
            id: context.ids.ulid(),
            keep: config.workspace.keep,
          })
          gone.push({ what: 'worktree', name, note: rescue ? `uncommitted work is in ${rescue.ref}` : '' })
        }
      }
      const tip = await resolveCommit(git, `refs/heads/${branch}`)
      // A squash leaves a branch whose commits are nowhere else; it stays.
      if (tip === undefined || main === undefined || !(await isAncestor(git, tip, main))) continue
      if (!dry) await git.run(['update-ref', '-d', `refs/heads/${branch}`, tip])
      gone.push({ what: 'branch', name: branch, note: `merged, was ${tip.slice(0, 9)}` })
    }
    if (!dry) await foldGatedCommits(repository)
    for (const { ref, tip } of main === undefined
      ? []
      : await spentEvidence(git, main, new Set(done.map(({ ticket }) => ticket)))) {
      if (dry || (await dropEvidence(git, ref, tip)))
        gone.push({ what: 'evidence', name: ref, note: 'what it is about is merged' })
    }
    if (!dry)
      for (const dir of await removeAbandoned(repository)) gone.push({ what: 'checkout', name: dir, note: 'its process is gone' })
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ dryRun: dry, gone })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = gone.map(({ what, name, note }) => [dry ? `would remove ${what}` : `removed ${what}`, name, paint.dim(note)])
    context.stdout.write(rows.length === 0 ? 'nothing to tidy\n' : `${table(rows)}\n`)
    return 0
  },
})
