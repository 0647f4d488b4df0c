import { foldTicket } from '../conductor/state.ts'
import type { Config } from '../core/config.ts'
import type { PlacedEntry } from '../core/contracts/event.ts'
import type { Finding } from '../core/contracts/gate.ts'
import { branchOf, parseTicket, ticketOfBranch } from '../core/contracts/names.ts'
import { readerAt, readerOf, type TreeReader } from '../core/reader.ts'
import type { Repository } from '../core/repository.ts'
import { resolveCommit } from '../core/tree.ts'
import { listWorktrees } from '../core/worktrees.ts'
import {
  collectAnchors,
  loadSession,
  prefixFindings,
  type TicketSession,
  ticketsOf,
  type Verification,
  verifySession,
} from '../sessions/index.ts'

/** One place a ticket's session lies in. */
interface Copy {
  /** For people: `main`, `phase/build_1`, or `files of …`. */
  place: string
  reader: TreeReader
  /** Commits whose trailers may tell of this copy: those it was made from. */
  revs: string[]
}

const TICKETS = '.valuetrain/tickets'

/**
 * Verifies the sessions of all tickets, or of those wanted, wherever they lie: in the default branch, in branches of
 * live tickets, in their worktrees and in the main working tree. A ticket's answers are the worst over its copies.
 * Tickets whose folder is gone while commits tell of their sessions are found, too.
 */
export async function auditTickets(
  repository: Repository,
  config: Config,
  isWanted: (ticket: string) => boolean,
): Promise<Verification[]> {
  const copies = await copiesOf(repository, config)
  const results = new Map<string, Verification>()
  const sessions = new Map<string, Map<string, TicketSession>>()
  for (const { place, reader, revs } of copies) {
    const anchors = await collectAnchors(repository.git, revs)
    const here = (await reader.folders(TICKETS)).filter((name) => parseTicket(name) !== undefined)
    for (const ticket of new Set([...here, ...ticketsOf(anchors)])) {
      if (!isWanted(ticket) || !isOf(place, ticket)) continue
      const session = await loadSession(reader, ticket)
      const findings = session.findings
      const result = verifySession({
        ticket,
        segments: session.segments,
        findings,
        anchors,
        replay: (entries) => replay(ticket, entries),
      })
      results.set(ticket, worse(results.get(ticket), result))
      const known = sessions.get(ticket) ?? new Map<string, TicketSession>()
      sessions.set(ticket, known.set(place, session))
    }
  }
  for (const [ticket, known] of sessions) {
    const findings = await brokenPrefixes(repository, config.branch, ticket, known)
    const result = results.get(ticket) as Verification
    if (findings.length > 0) results.set(ticket, worse(result, { ...result, integrity: 'altered', findings }))
  }
  return [...results.values()].sort((a, b) => a.ticket.localeCompare(b.ticket, 'en', { numeric: true }))
}

/** Tells whether an audit found something broken; not being anchored counts only when anchors are required. */
export function isBroken(result: Verification, requireAnchor: boolean): boolean {
  const { integrity, completeness, policy, anchoring } = result
  return (
    integrity === 'altered' ||
    completeness === 'truncated' ||
    policy === 'ungated' ||
    (requireAnchor && anchoring === 'unanchored')
  )
}

/** A ticket's branch carries the folders of other tickets, too, but as they were when it left the default branch. */
function isOf(place: string, ticket: string): boolean {
  const own = ticketOfBranch(place.replace(/^files of /, ''))
  return own === undefined || own === ticket
}

async function copiesOf(repository: Repository, { branch }: Pick<Config, 'branch'>): Promise<Copy[]> {
  const { git } = repository
  const main = (await resolveCommit(git, `refs/heads/${branch}`)) ?? (await resolveCommit(git, 'HEAD'))
  if (main === undefined) return []
  const copies: Copy[] = [{ place: branch, reader: readerAt(git, main), revs: [main] }]
  const refs = await git.text(['for-each-ref', '--format=%(objectname) %(refname:strip=2)', 'refs/heads/phase/'])
  const live = refs.split('\n').flatMap((line) => {
    const [commit = '', name = ''] = line.split(' ')
    return ticketOfBranch(name) === undefined ? [] : [{ commit, name }]
  })
  copies.push(...live.map(({ commit, name }) => ({ place: name, reader: readerAt(git, commit), revs: [commit] })))
  const worktrees = await listWorktrees(repository)
  for (const { commit, name } of live) {
    const worktree = worktrees.find((candidate) => candidate.branch === name)
    if (worktree) copies.push({ place: `files of ${name}`, reader: readerOf(worktree.dir), revs: [commit] })
  }
  if (repository.root !== null) {
    const head = await resolveCommit(git, 'HEAD')
    const checkedOut = worktrees.find(({ isMain }) => isMain)?.branch ?? null
    const isTicket = checkedOut !== null && ticketOfBranch(checkedOut) !== undefined
    if (head !== undefined && !isTicket)
      copies.push({ place: 'files of the working tree', reader: readerOf(repository.root), revs: [head] })
  }
  return copies
}

/** What a ticket's branch left the default branch with must be the beginning of what the branch and its files hold. */
async function brokenPrefixes(
  repository: Repository,
  main: string,
  ticket: string,
  known: ReadonlyMap<string, TicketSession>,
): Promise<Finding[]> {
  const { git } = repository
  const branch = branchOf(ticket)
  if (!known.has(branch)) return []
  const { stdout, code } = await git.run(['merge-base', `refs/heads/${main}`, `refs/heads/${branch}`], { okExit: [0, 1, 128] })
  const left = code === 0 ? [await loadSession(readerAt(git, stdout.trim()), ticket)] : []
  const states = [...left, ...[branch, `files of ${branch}`].flatMap((place) => known.get(place) ?? [])]
  return states.slice(1).flatMap((later, index) => prefixFindings((states[index] as TicketSession).segments, later.segments))
}

function replay(ticket: string, entries: readonly PlacedEntry[]): { refused: { id: string; why: string }[] } {
  const { refused } = foldTicket(ticket, entries)
  return { refused: refused.map(({ id, type, why }) => ({ id, why: `${type} ${why}` })) }
}

const WORST = {
  integrity: ['altered', 'intact'],
  completeness: ['truncated', 'unknown', 'complete'],
  anchoring: ['unanchored', 'anchored'],
  policy: ['ungated', 'unknown', 'gated'],
} as const

function worse(a: Verification | undefined, b: Verification): Verification {
  if (a === undefined) return b
  const worst = <K extends keyof typeof WORST>(key: K) =>
    (WORST[key] as readonly string[]).find((word) => a[key] === word || b[key] === word)
  const known = new Set(a.findings.map((finding) => JSON.stringify(finding)))
  return {
    ticket: a.ticket,
    integrity: worst('integrity') as Verification['integrity'],
    completeness: worst('completeness') as Verification['completeness'],
    anchoring: worst('anchoring') as Verification['anchoring'],
    policy: worst('policy') as Verification['policy'],
    findings: [...a.findings, ...b.findings.filter((finding) => !known.has(JSON.stringify(finding)))],
  }
}
