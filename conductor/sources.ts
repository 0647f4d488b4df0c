import type { Config } from '../core/config.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { branchOf, parseTicket, ticketOfBranch } from '../core/contracts/names.ts'
import type { Git } from '../core/git.ts'
import { readerAt, readerOf } from '../core/reader.ts'
import { defaultBase, type Repository } from '../core/repository.ts'
import { resolveCommit } from '../core/tree.ts'
import { listWorktrees } from '../core/worktree.ts'
import { loadSession, type TicketSession } from '../sessions/index.ts'
import { committedConfig, loadDefinitions } from './definitions.ts'
import type { Ports } from './ports.ts'
import { foldTicket, type TicketState } from './state.ts'

/** A ticket as it was found: in the default branch, in its own branch, or with a worktree that may be ahead of it. */
export interface FoundTicket {
  ticket: string
  issue: number
  source: 'default' | 'branch' | 'worktree'
  session: TicketSession
  state: TicketState
  /** Its DELIVERED entry is on the default branch. */
  done: boolean
}

/**
 * Returns every ticket of the repository, live ones as they are in their worktrees; sorted by issue, then name.
 *
 * @param known tickets whose folder on the default branch the caller knows to be done; they are left out
 */
export async function findTickets(repository: Repository, config: Config, known?: ReadonlySet<string>): Promise<FoundTicket[]> {
  const { git } = repository
  const base = await resolveCommit(git, `refs/heads/${config.branch}`)
  const found = new Map<string, FoundTicket>()
  if (base !== undefined) {
    const reader = readerAt(git, base)
    // Asked for together, all session files are one call of git.
    const names = (await reader.folders('.valuetrain/tickets')).filter((name) => parseTicket(name) && !known?.has(name))
    for (const ticket of await Promise.all(names.map((name) => readTicket(reader, name, 'default'))))
      found.set(ticket.ticket, ticket)
  }
  const worktrees = await listWorktrees(repository)
  for (const ticket of await liveTickets(git)) {
    if (found.get(ticket)?.done || known?.has(ticket)) continue
    const worktree = worktrees.find(({ branch, dir }) => branch === branchOf(ticket) && dir !== repository.root)
    const reader = worktree ? readerOf(worktree.dir) : readerAt(git, `refs/heads/${branchOf(ticket)}`)
    found.set(ticket, await readTicket(reader, ticket, worktree ? 'worktree' : 'branch'))
  }
  const order = (a: FoundTicket, b: FoundTicket) => a.issue - b.issue || a.ticket.localeCompare(b.ticket, 'en')
  return [...found.values()].sort(order)
}

/** Returns one ticket as it stands now, or undefined when nobody has opened it. */
export async function findTicket(repository: Repository, ticket: string, base: string): Promise<FoundTicket | undefined> {
  const { git } = repository
  const merged = await readTicket(readerAt(git, base), ticket, 'default')
  if (merged.done) return merged
  const branch = branchOf(ticket)
  if ((await resolveCommit(git, `refs/heads/${branch}`)) === undefined) {
    return merged.session.entries.length > 0 ? merged : undefined
  }
  const worktree = (await listWorktrees(repository)).find(
    (candidate) => candidate.branch === branch && candidate.dir !== repository.root,
  )
  const reader = worktree ? readerOf(worktree.dir) : readerAt(git, `refs/heads/${branch}`)
  const live = await readTicket(reader, ticket, worktree ? 'worktree' : 'branch')
  return live.session.entries.length > 0 ? live : undefined
}

/**
 * Returns the ticket with which an issue became done, or undefined while any stretch of its pipeline is open.
 * Done is derived: every stretch's ticket is on the default branch with its DELIVERED entry.
 */
export async function isIssueDone(ports: Pick<Ports, 'repository'>, issue: number): Promise<string | undefined> {
  return (await doneIssues(ports)).get(issue)
}

/** Returns every issue that is done, with the ticket that made it so. @param found all tickets, when the caller has them */
export async function doneIssues(
  { repository }: Pick<Ports, 'repository'>,
  found?: readonly FoundTicket[],
): Promise<Map<number, string>> {
  const config = await committedConfig(repository)
  const tickets = found ?? (await findTickets(repository, config))
  const base = await defaultBase(repository, config)
  const { method } = await loadDefinitions(repository, base.commit)
  const done = new Map<number, string>()
  const byIssue = new Map<number, FoundTicket[]>()
  for (const ticket of tickets) byIssue.set(ticket.issue, [...(byIssue.get(ticket.issue) ?? []), ticket])
  for (const [issue, own] of byIssue) {
    const last = own.at(-1)
    const pipeline = method.pipelines.get(last?.state.ledger.opened?.pipeline ?? '')
    const worked = new Set(own.flatMap(({ state }) => state.control.stretch))
    const isDone = own.every((ticket) => ticket.done) && pipeline?.phases.every(({ name }) => worked.has(name))
    if (last && isDone) done.set(issue, last.ticket)
  }
  return done
}

async function readTicket(reader: FileReader, ticket: string, source: FoundTicket['source']): Promise<FoundTicket> {
  const session = await loadSession(reader, ticket)
  const state = foldTicket(ticket, session.entries)
  const done = source === 'default' && state.ledger.delivered !== undefined
  if (done) state.status = 'done'
  return { ticket, issue: parseTicket(ticket)?.issue ?? 0, source, session, state, done }
}

async function liveTickets(git: Git): Promise<string[]> {
  const refs = await git.text(['for-each-ref', '--format=%(refname:strip=2)', 'refs/heads/phase/'])
  return refs.split('\n').flatMap((branch) => ticketOfBranch(branch) ?? [])
}
