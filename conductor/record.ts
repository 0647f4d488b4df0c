import { join } from 'node:path'
import { ticketFolder } from '../core/contracts/names.ts'
import { writeAtomically } from '../core/files.ts'
import type { Desk } from './desk.ts'
import { renderTicketChecklist, renderTicketFile } from './papers.ts'

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
