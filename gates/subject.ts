import { digestOf } from '../core/canonical.ts'
import type { SubjectKind } from '../core/contracts/gate.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import type { Git } from '../core/git.ts'
import { requireRevision } from '../core/refs.ts'
import { rootTree, subjectTree } from '../core/tree.ts'

/** Rendered by the conductor from everything else, so it is no part of what approvals and artifact gates are about. */
export const SUMMARY_FILE = 'change-summary.md'

export interface SubjectOf {
  git: Git
  /** Commit or tree that is judged. */
  head: string
  /** Where the range starts: the merge base, as a commit or tree. */
  from: string
  ticket?: string | undefined
}

/**
 * Returns the digest that stands for what a gate of this kind judges.
 *
 * `tree` and `staged` give one id for one content, so a result on the index still holds once it is committed.
 * For `session`, `human` and `external` no digest stands for all they look at; theirs is that of the work, so a
 * result is stale when the work changed, and it is never reused even when it did not.
 */
export async function subjectDigest(kind: SubjectKind, of: SubjectOf): Promise<string> {
  switch (kind) {
    case 'tree':
    case 'staged':
      return subjectTree(of.git, of.head)
    case 'ticket':
      return digestOf({
        tree: await subjectTree(of.git, of.head),
        artifacts: await artifactsOf(of.git, of.head, of.ticket),
        ticket: of.ticket === undefined ? [] : await listed(of.git, of.head, `${ticketFolder(of.ticket)}/ticket.md`),
      })
    case 'range':
      return digestOf({ from: await rootTree(of.git, of.from), to: await rootTree(of.git, of.head) })
    case 'session':
    case 'human':
    case 'external':
      return workDigest(of)
  }
}

/**
 * Returns the digest of the work itself: the subject tree and the ticket's artifacts. It is what a person's APPROVED or
 * OVERRIDDEN names as its subject: what is said about one state of the work counts for that state, whatever the
 * conductor writes into the session afterwards.
 */
export async function workDigest({ git, head, ticket }: Pick<SubjectOf, 'git' | 'head' | 'ticket'>): Promise<string> {
  return digestOf({ tree: await subjectTree(git, head), artifacts: await artifactsOf(git, head, ticket) })
}

async function artifactsOf(git: Git, head: string, ticket: string | undefined): Promise<string[]> {
  if (ticket === undefined) return []
  const folder = `${ticketFolder(ticket)}/artifacts/`
  const lines = await listed(git, head, folder)
  return lines.filter((line) => !line.endsWith(`\t${folder}${SUMMARY_FILE}`))
}

async function listed(git: Git, head: string, path: string): Promise<string[]> {
  if ((await git.objects?.look(`${requireRevision(head)}:${path.replace(/\/$/, '')}`)) === 'missing') return []
  return git.fields(['ls-tree', '-r', '-z', '--full-tree', requireRevision(head), '--', path])
}
