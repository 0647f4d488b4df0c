import type { Change, ChangeDraft } from '../core/contracts/forge.ts'
import { ticketFolder, ticketOfBranch } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { parseFrontMatter } from '../core/frontmatter.ts'
import type { Git } from '../core/git.ts'
import { requireRefName } from '../core/refs.ts'
import { resolveCommit } from '../core/tree.ts'

/**
 * Returns the change that a ticket's branch stands for; undefined when there is no such branch or it is no ticket's.
 * Nothing is stored for it: head, title and state are read from refs. It is merged when the ticket's folder on the
 * default branch is the one on its own, which holds for a merge, a squash and a rebase alike, since nothing of a ticket is
 * written to its branch after its delivery.
 *
 * @param into default branch, without `refs/heads/`
 */
export async function changeOf(git: Git, branch: string, into: string): Promise<Change | undefined> {
  const ticket = ticketOfBranch(branch)
  const headCommit = ticket === undefined ? undefined : await resolveCommit(git, `refs/heads/${requireRefName(branch)}`)
  if (ticket === undefined || headCommit === undefined) return undefined
  const folder = ticketFolder(ticket)
  const [here, there, title] = await Promise.all([
    objectAt(git, headCommit, folder),
    objectAt(git, `refs/heads/${requireRefName(into)}`, folder),
    titleAt(git, headCommit, `${folder}/ticket.md`),
  ])
  return {
    id: branch,
    ticket,
    head: branch,
    headCommit,
    base: into,
    title: title ?? branch,
    location: branch,
    // A branch has no such state: it is ready when the conductor says so.
    draft: false,
    state: here !== undefined && here === there ? 'merged' : 'open',
  }
}

/** Returns the change for a draft: the branch, which must exist. @throws VT_NO_BRANCH when it does not */
export async function changeFor(git: Git, draft: ChangeDraft): Promise<Change> {
  const change = await changeOf(git, draft.head, draft.base)
  if (change) return { ...change, title: draft.title }
  throw new ValuetrainError('VT_NO_BRANCH', `there is no ticket branch ${draft.head.slice(0, 100)} to propose`, {
    kind: 'environment',
    hint: `run the issue again: \`valuetrain run ${draft.issue}\``,
  })
}

async function objectAt(git: Git, rev: string, path: string): Promise<string | undefined> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${rev}:${path}`]
  const { stdout, code } = await git.run(args, { okExit: [0, 1, 128] })
  return code === 0 ? stdout.trim() : undefined
}

async function titleAt(git: Git, commit: string, path: string): Promise<string | undefined> {
  const text = await git.run(['cat-file', 'blob', `${commit}:${path}`], { okExit: [0, 128] })
  if (text.code !== 0) return undefined
  try {
    const title = parseFrontMatter(text.stdout, path).data.title
    return typeof title === 'string' ? title : undefined
  } catch {
    // A title is for reading only; the session's own checks tell that the file is malformed.
    return undefined
  }
}
