import type { PlacedEntry } from '../../core/contracts/event.ts'
import type { Finding } from '../../core/contracts/gate.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import type { Git } from '../../core/git.ts'
import { readerAt } from '../../core/reader.ts'
import { mergeTree, resolveCommit, subjectTree } from '../../core/tree.ts'
import { collectAnchors, loadSession, prefixFindings, verifySession } from '../../sessions/index.ts'
import { foldTicket, type TicketState } from '../state.ts'
import type { Range } from './range.ts'
import { ofSession } from './rules.ts'
import { tickFindings } from './ticks.ts'

/** A ticket's session as the head has it, and what is wrong with it. */
export interface CheckedSession {
  ticket: string
  entries: readonly PlacedEntry[]
  state: TicketState
  findings: Finding[]
  /** Whether what it says may count as evidence: nothing in it was changed, reordered or cut. */
  sound: boolean
}

/**
 * Looks at the session of every ticket of a range: its chain, its order, the heads that commits of the range tell, what
 * the base had of it, whether each step follows the rules, and whether each tick has its evidence. A ticket that commits
 * only name, and that has no folder on either side, is somebody else's work that was picked; its session is elsewhere.
 *
 * @param own ticket of the branch, whose session has to be there
 */
export async function checkSessions(git: Git, range: Range, own: string | undefined): Promise<CheckedSession[]> {
  if (range.tickets.length === 0) return []
  const anchors = await collectAnchors(git, range.commits.length > 0 ? [range.head, `^${range.from}`] : [])
  const [before, after] = [readerAt(git, range.from), readerAt(git, range.head)]
  const checked: CheckedSession[] = []
  for (const ticket of range.tickets) {
    const [earlier, session] = await Promise.all([loadSession(before, ticket), loadSession(after, ticket)])
    if (ticket !== own && earlier.segments.length + session.segments.length + session.findings.length === 0) continue
    const told = anchors.filter(({ ticket: named }) => named === undefined || named === ticket)
    const { findings } = verifySession({
      ticket,
      segments: session.segments,
      findings: session.findings,
      anchors: told,
      replay: (entries) => replay(ticket, entries),
    })
    const continued = prefixFindings(earlier.segments, session.segments)
    const checklist = await after.read(`${ticketFolder(ticket)}/checklist.md`)
    const found = [...findings, ...continued].map(ofSession)
    checked.push({
      ticket,
      entries: session.entries,
      state: foldTicket(ticket, session.entries),
      findings: [...found, ...(session.entries.length > 0 ? tickFindings(ticket, session.entries, checklist) : [])],
      sound: !found.some(({ severity, rule }) => severity === 'error' && rule.startsWith('session-')),
    })
  }
  return checked
}

/**
 * Returns the sessions of tickets that commits name, as the tickets' own branches have them: a commit that was picked
 * from there left its session, or the end of it, behind.
 */
export async function sessionsElsewhere(git: Git, tickets: readonly string[]): Promise<(readonly PlacedEntry[])[]> {
  const found: (readonly PlacedEntry[])[] = []
  for (const ticket of tickets) {
    const refs = await git.text([
      'for-each-ref',
      '--format=%(refname)',
      `refs/heads/phase/${ticket}`,
      `refs/remotes/*/phase/${ticket}`,
    ])
    for (const ref of refs.split('\n').filter((line) => line !== '')) {
      const session = await loadSession(readerAt(git, ref), ticket)
      if (!session.findings.some(({ severity }) => severity === 'error')) found.push(session.entries)
    }
  }
  return found
}

/**
 * Returns a finding when a ticket's branch says it delivered one thing and is another: something came after what was
 * judged. The base may have moved on meanwhile; then the merge result is judged anew, and nothing is wrong here.
 */
export async function deliveryFindings(git: Git, { ticket, state }: CheckedSession, head: string): Promise<Finding[]> {
  const { delivered } = state.ledger
  if (delivered === undefined || state.status !== 'delivered') return []
  if ((await resolveCommit(git, delivered.base)) === undefined) return []
  const merged = await mergeTree(git, delivered.base, head)
  if ('tree' in merged && (await subjectTree(git, merged.tree)) === delivered.merge) return []
  const message = `${ticket}: the session delivered another tree than the one that is here`
  return [{ rule: 'evidence-stale', severity: 'error', message, commit: head, path: ticketFolder(ticket) }]
}

function replay(ticket: string, entries: readonly PlacedEntry[]): { refused: { id: string; why: string }[] } {
  const { refused } = foldTicket(ticket, entries)
  return { refused: refused.map(({ id, type, why }) => ({ id, why: `${type} ${why}` })) }
}
