import { parseTicket } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'

/** A head of a chain as it was told to something outside its file. */
export interface Anchor {
  segment: string
  head: string
  /** Where it was told. */
  commit: string
  /** The ticket the same commit names, when it names exactly one. */
  ticket?: string
}

const SESSION = /^Valuetrain-Session:[ \t]*([0-7][0-9A-HJKMNP-TV-Z]{25}):([0-9a-f]{64})[ \t]*\r?$/gm
const TICKET = /^Valuetrain-Ticket:[ \t]*(\S+)[ \t]*\r?$/gm

/** Returns the trailer by which a commit anchors a segment's head. */
export function anchorTrailer(segment: string, head: string): string {
  return `Valuetrain-Session: ${segment}:${head}`
}

/**
 * Returns the session heads that the commits reachable from some revisions tell, oldest first, each once. One call of git
 * for all of them. Trailers in the middle of a message count, too: a squash joins messages.
 *
 * @param revs commits or refs; the session files to verify must be from these revisions, or newer
 * @throws VT_REVISION when a revision begins with a dash or holds a line break; VT_GIT when one does not exist
 */
export async function collectAnchors(git: Git, revs: readonly string[]): Promise<Anchor[]> {
  for (const rev of revs) {
    if (rev === '' || /^-|[\n\0]/.test(rev)) {
      throw new ValuetrainError('VT_REVISION', `${JSON.stringify(rev.slice(0, 80))} is not a revision`, {
        hint: 'name a commit, branch or tag',
      })
    }
  }
  if (revs.length === 0) return []
  const only = ['--extended-regexp', '--grep=^Valuetrain-Session:']
  const records = await git.fields(['log', '--reverse', '--topo-order', '-z', '--format=%H%n%B', ...only, '--stdin'], {
    input: `${revs.join('\n')}\n`,
  })
  const anchors = new Map<string, Anchor>()
  for (const record of records) {
    const commit = record.slice(0, record.indexOf('\n'))
    const message = record.slice(commit.length + 1)
    const tickets = new Set(Array.from(message.matchAll(TICKET), ([, ticket]) => ticket as string).filter(parseTicket))
    const [ticket] = tickets.size === 1 ? tickets : []
    for (const [, segment, head] of message.matchAll(SESSION)) {
      const anchor = { segment: segment as string, head: head as string, commit, ...(ticket ? { ticket } : {}) }
      if (!anchors.has(`${segment}:${head}`)) anchors.set(`${segment}:${head}`, anchor)
    }
  }
  return [...anchors.values()]
}

/** Returns the tickets that anchors name, sorted: those whose session must be there. */
export function ticketsOf(anchors: readonly Anchor[]): string[] {
  return [...new Set(anchors.map(({ ticket }) => ticket).filter((ticket) => ticket !== undefined))].sort()
}
