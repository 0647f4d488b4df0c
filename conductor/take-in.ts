import { join } from 'node:path'
import { ticketFolder } from '../core/contracts/names.ts'
import { writeAtomically } from '../core/files.ts'
import { commitTree, mergeTaking } from '../core/tree.ts'
import type { Job, Step } from './job.ts'
import { commitRecord, recordMessage } from './record.ts'
import { strike } from './work.ts'

/** Characters of the ticket's own version that are kept for the next attempt. */
const PATCH_CHARACTERS = 200_000

/**
 * Answers a branch that no longer merges: another failed attempt, and while attempts are left the default branch is taken
 * into the ticket's. Where both have changed the same lines, the default branch's stand; what the ticket had there is kept
 * as a patch among its artifacts, and the next attempt is told to do it again on top. Nothing is rewritten.
 */
export async function takeInBase(job: Job, base: string, conflicts: readonly string[]): Promise<Step> {
  const { desk, definitions } = job
  const { branch } = definitions.config
  const patch = `${ticketFolder(desk.ticket)}/artifacts/conflict-${desk.state.control.attempt}.patch`
  const decision = strike(job, 'merge-conflict', [
    `the branch conflicts with ${branch} in ${conflicts.join(', ')}`,
    `${branch} has been taken in, and its lines stand there; what this ticket had changed in these files is in ${patch}: do it again on top`,
  ])
  if (decision.outcome === 'block') {
    decision.reasons.splice(-1, 1, `merge ${branch} into ${desk.state.branch} in its worktree, commit, and resume`)
    await desk.record('DECIDED', decision)
    await commitRecord(desk, 'Record the conflict')
    return 'go-on'
  }
  const from = await desk.git.text(['merge-base', base, 'HEAD'])
  const own = await desk.git.text(['diff', '--no-ext-diff', '--no-textconv', from, 'HEAD', '--', ...conflicts.map(literally)])
  await writeAtomically(join(desk.worktree.dir, patch), `${own.slice(0, PATCH_CHARACTERS)}\n`)
  await desk.record('DECIDED', decision)
  await commitRecord(desk, 'Record the conflict', [patch])
  const head = await desk.tip()
  const { tree } = await mergeTaking(desk.git, base, head)
  const merge = await commitTree(desk.git, { tree, parents: [head, base], message: recordMessage(desk, `Take in ${branch}`) })
  // Hooks of the repository are files of the worktree, and nothing of theirs is to say here.
  await desk.git.run(['-c', 'core.hooksPath=/dev/null', 'merge', '--quiet', '--ff-only', merge])
  return 'go-on'
}

function literally(path: string): string {
  return `:(top,literal)${path}`
}
