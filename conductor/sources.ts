import type { Config } from '../core/config.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { branchOf, parseTicket } from '../core/contracts/names.ts'
import { readerAt, readerOf } from '../core/reader.ts'
import { knownBase, leadingSide, listTicketBranches, type TicketBranch, trackingRef } from '../core/remote-branches.ts'
import type { Repository } from '../core/repository.ts'
import { resolveCommit } from '../core/tree.ts'
import { listWorktrees, type WorktreeEntry } from '../core/worktree.ts'
import { loadSession, type TicketSession } from '../sessions/index.ts'
import { foldTicket, type TicketState } from './state.ts'

/**
 * A ticket as it was found: in the default branch, in its own branch, with a worktree that may be ahead of it, or on the
 * shared remote, where another machine has gone on with it.
 */
export interface FoundTicket {
  ticket: string
  issue: number
  source: 'default' | 'branch' | 'worktree' | 'remote'
  session: TicketSession
  state: TicketState
  /** Its DELIVERED entry is on the default branch. */
  done: boolean
}

/** What a look at all tickets knows already. */
export interface Known {
  /** Tickets whose folder on the default branch is known to be done; they are left out. */
  done?: ReadonlySet<string>
  /** The tickets' branches, just listed. */
  branches?: readonly TicketBranch[]
}

/** Returns every ticket of the repository, live ones as they are in their worktrees; sorted by issue, then name. */
export async function findTickets(repository: Repository, config: Config, known: Known = {}): Promise<FoundTicket[]> {
  const { git } = repository
  const base = await knownBase(git, config)
  const found = new Map<string, FoundTicket>()
  if (base !== undefined) {
    const reader = readerAt(git, base)
    // Asked for together, all session files are one call of git.
    const names = (await reader.folders('.valuetrain/tickets')).filter((name) => parseTicket(name) && !known.done?.has(name))
    for (const ticket of await Promise.all(names.map((name) => readTicket(reader, name, 'default'))))
      found.set(ticket.ticket, ticket)
  }
  const branches = known.branches ?? (await listTicketBranches(git, config.remote))
  const open = branches.filter(({ ticket }) => !found.get(ticket)?.done && !known.done?.has(ticket))
  const worktrees = open.length === 0 ? [] : await listWorktrees(repository)
  for (const branch of open) {
    const live = await readLive(repository, branch, worktrees)
    if (live) found.set(branch.ticket, live)
  }
  const order = (a: FoundTicket, b: FoundTicket) => a.issue - b.issue || a.ticket.localeCompare(b.ticket, 'en')
  return [...found.values()].sort(order)
}

/** Returns the names of an issue's tickets, on a commit of the default branch or under way; read from names alone. */
export async function ticketsOfIssue(
  { git }: Repository,
  issue: number,
  base: string,
  live: readonly TicketBranch[],
): Promise<string[]> {
  const merged = await readerAt(git, base).folders('.valuetrain/tickets')
  const names = new Set([...merged, ...live.map(({ ticket }) => ticket)])
  return [...names].filter((name) => parseTicket(name)?.issue === issue).sort()
}

/**
 * Returns one ticket as it stands now, or undefined when nobody has opened it.
 *
 * @param remote name of the remote whose branches this clone has fetched; null looks at this clone alone
 */
export async function findTicket(
  repository: Repository,
  ticket: string,
  base: string,
  remote: string | null,
): Promise<FoundTicket | undefined> {
  const { git } = repository
  const merged = await readTicket(readerAt(git, base), ticket, 'default')
  if (merged.done) return merged
  const [local, there] = await Promise.all([
    resolveCommit(git, `refs/heads/${branchOf(ticket)}`),
    remote === null ? undefined : resolveCommit(git, trackingRef(remote, branchOf(ticket))),
  ])
  const worktrees = local === undefined ? [] : await listWorktrees(repository)
  const live = await readLive(repository, { ticket, local, remote: there }, worktrees)
  if (live === undefined) return merged.session.entries.length > 0 ? merged : undefined
  return live.session.entries.length > 0 ? live : undefined
}

/** Returns a ticket as its session files tell of it. */
export async function readTicket(reader: FileReader, ticket: string, source: FoundTicket['source']): Promise<FoundTicket> {
  const session = await loadSession(reader, ticket)
  const state = foldTicket(ticket, session.entries)
  const done = source === 'default' && state.ledger.delivered !== undefined
  if (done) state.status = 'done'
  return { ticket, issue: parseTicket(ticket)?.issue ?? 0, source, session, state, done }
}

/** Reads a ticket where it is furthest: in its worktree, on its branch, or on the remote when another machine went on. */
async function readLive(
  repository: Repository,
  branch: TicketBranch,
  worktrees: readonly WorktreeEntry[],
): Promise<FoundTicket | undefined> {
  const { git } = repository
  const side = await leadingSide(git, branch)
  if (side === 'none') return undefined
  if (side === 'remote') return readTicket(readerAt(git, branch.remote as string), branch.ticket, 'remote')
  const name = branchOf(branch.ticket)
  const worktree = worktrees.find((candidate) => candidate.branch === name && candidate.dir !== repository.root)
  const reader = worktree ? readerOf(worktree.dir) : readerAt(git, `refs/heads/${name}`)
  return readTicket(reader, branch.ticket, worktree ? 'worktree' : 'branch')
}
