import { join } from 'node:path'
import { ticketFolder } from '../core/contracts/names.ts'
import { writeAtomically } from '../core/files.ts'
import { listWorktrees } from '../core/worktree.ts'
import type { Desk } from './desk.ts'
import { renderTicketChecklist, renderTicketFile } from './papers.ts'
import type { Ports } from './ports.ts'
import type { FoundTicket } from './sources.ts'

/**
 * Commits the ticket's own papers (session, checklist, metadata) and nothing else: whatever an agent has staged or
 * changed stays exactly as it is. The repository's hooks do not run, since the subject tree does not change.
 */
export async function commitRecord(desk: Desk, subject: string, extra: readonly string[] = []): Promise<void> {
  const folder = ticketFolder(desk.ticket)
  await writePapers(desk)
  const paths = [`:(top,glob)${folder}/*`, ...extra.map((path) => `:(top,literal)${path}`)]
  await desk.git.run(['add', '--force', '--', ...paths])
  if (await desk.git.succeeds(['diff', '--cached', '--quiet', 'HEAD', '--', ...paths])) return
  await desk.git.run(['commit', '--quiet', '--no-verify', '--only', '--file=-', '--', ...paths], {
    input: recordMessage(desk, subject),
  })
}

/**
 * Commits the tail of a delivered ticket's session that a killed process had flushed and not committed: what is merged
 * has to carry the DELIVERED entry. Does nothing when the branch has it already.
 */
export async function commitTail(ports: Ports, found: FoundTicket, session: string): Promise<void> {
  const worktree = (await listWorktrees(ports.repository)).find(({ branch }) => branch === found.state.branch)
  if (found.source !== 'worktree' || worktree === undefined) return
  const git = ports.repository.git.at(worktree.dir)
  const papers = `:(top,glob)${ticketFolder(found.ticket)}/*`
  await git.run(['add', '--force', '--', papers])
  if (await git.succeeds(['diff', '--cached', '--quiet', 'HEAD', '--', papers])) return
  await git.run(['commit', '--quiet', '--no-verify', '--only', '--file=-', '--', papers], {
    input: withTrailers(`chore(${found.ticket}): Record the session (delivered)`, {
      'Valuetrain-Ticket': found.ticket,
      'Valuetrain-Session': session,
    }),
  })
}

/** Writes what is rendered from the state: the ticket's metadata and its checklist. */
export async function writePapers(desk: Desk): Promise<void> {
  await writeAtomically(join(desk.folder, 'ticket.md'), renderTicketFile(desk.state, desk.entries))
  await writeAtomically(join(desk.folder, 'checklist.md'), renderTicketChecklist(desk.state, desk.asked))
}

/** Returns the message of a commit of ours: a subject and the trailers that bind it to the log. */
export function recordMessage(desk: Desk, subject: string, trailers: Readonly<Record<string, string>> = {}): string {
  return withTrailers(`chore(${desk.ticket}): ${subject}`, {
    'Valuetrain-Ticket': desk.ticket,
    'Valuetrain-Session': `${desk.segment}:${desk.head}`,
    ...trailers,
  })
}

/** Returns a commit message with trailers, one a line, after a blank line. */
export function withTrailers(message: string, trailers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}`)
  return `${message.trimEnd()}\n\n${lines.join('\n')}\n`
}
