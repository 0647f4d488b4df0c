import { join } from 'node:path'
import type { PlacedEntry } from '../core/contracts/event.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { writeAtomically } from '../core/files.ts'
import type { Git } from '../core/git.ts'
import { listWorktrees } from '../core/worktree.ts'
import { type AskedItem, renderTicketChecklist, renderTicketFile } from './papers.ts'
import type { Ports } from './ports.ts'
import type { FoundTicket } from './sources.ts'
import type { TicketState } from './state.ts'

/** A ticket whose record can be committed: where it lies, what its state is, and how the log's head is named. */
export interface RecordedTicket {
  readonly ticket: string
  /** git in the worktree. */
  readonly git: Git
  /** Absolute path of the ticket's folder. */
  readonly folder: string
  readonly entries: readonly PlacedEntry[]
  /** Items of the stretch's phases, for the checklist. */
  readonly asked: readonly AskedItem[]
  readonly state: TicketState
  /** The name of the open segment, and the hash of its last line, as the trailers carry them. */
  readonly segment: string
  readonly head: string
}

/**
 * Commits the ticket's own papers (session, checklist, metadata) and nothing else: whatever an agent has staged or
 * changed stays exactly as it is. The repository's hooks do not run, since the subject tree does not change.
 */
export async function commitRecord(desk: RecordedTicket, subject: string, extra: readonly string[] = []): Promise<void> {
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
export async function writePapers(desk: RecordedTicket): Promise<void> {
  await writeAtomically(join(desk.folder, 'ticket.md'), renderTicketFile(desk.state, desk.entries))
  await writeAtomically(join(desk.folder, 'checklist.md'), renderTicketChecklist(desk.state, desk.asked))
}

/** Returns the message of a commit of ours: a subject and the trailers that bind it to the log. */
export function recordMessage(desk: RecordedTicket, subject: string, trailers: Readonly<Record<string, string>> = {}): string {
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
