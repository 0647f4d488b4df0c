import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../core/config.ts'
import { parseTicket } from '../core/contracts/names.ts'
import { writeNote } from '../core/files.ts'
import { knownBase, type TicketBranch } from '../core/remote-branches.ts'
import { defaultBase, type Repository } from '../core/repository.ts'
import { listFolders, readerAt } from '../core/tree.ts'
import { committedConfig, loadDefinitions } from './definitions.ts'
import { MACHINE_VERSION } from './machine.ts'
import type { Ports } from './ports.ts'
import { type FoundTicket, findTickets, readTicket } from './sources.ts'
import { type TicketView, viewTicket } from './view.ts'

/** What is kept of a ticket that is done. */
export interface DoneTicket {
  view: TicketView
  /** Phases it was worked in. */
  stretch: readonly string[]
}

/** Sessions that are in memory at the same time. */
const AT_ONCE = 16

/**
 * Returns the tickets that are done, by name: those on the default branch with their DELIVERED entry.
 *
 * Nothing is written to a done ticket any more, so what its session comes to follows from the id of its folder's tree. It is kept
 * under that id, in memory and in a file of this clone's git directory that may be deleted at any time; only what is new is read.
 */
export async function findDone(repository: Repository, config: Config): Promise<Map<string, DoneTicket>> {
  const { git } = repository
  const base = await knownBase(git, config)
  if (base === undefined) return new Map()
  const trees = [...(await listFolders(git, base, '.valuetrain/tickets'))].filter(([name]) => parseTicket(name))
  const kept = await keptOf(repository, trees)
  const fresh = trees.filter(([, tree]) => !kept.has(tree))
  const reader = readerAt(git, base)
  for (let at = 0; at < fresh.length; at += AT_ONCE) {
    const some = fresh.slice(at, at + AT_ONCE)
    const found = await Promise.all(some.map(([name]) => readTicket(reader, name, 'default')))
    for (const [index, ticket] of found.entries()) {
      const tree = some[index]?.[1] as string
      kept.set(tree, ticket.done ? keptFrom(ticket) : null)
    }
  }
  if (fresh.some(([, tree]) => kept.get(tree))) await writeKept(repository, kept)
  return new Map(trees.flatMap(([name, tree]) => (kept.get(tree) ? [[name, kept.get(tree) as DoneTicket] as const] : [])))
}

/**
 * Returns the ticket with which an issue became done, or undefined while any stretch of its pipeline is open.
 * Done is derived: every stretch's ticket is on the default branch with its DELIVERED entry.
 */
export async function isIssueDone(ports: Pick<Ports, 'repository'>, issue: number): Promise<string | undefined> {
  return (await doneIssues(ports)).get(issue)
}

/** All tickets, as a look has found them. */
export interface Tickets {
  done: ReadonlyMap<string, DoneTicket>
  open: readonly FoundTicket[]
  /** Whether the remote's default branch has been fetched for it. */
  isFetched: boolean
}

/** Looks at all tickets. Of those that are done only what is kept of them is read. */
export async function lookAtTickets(repository: Repository, config: Config, look: Look = {}): Promise<Tickets> {
  const done = await findDone(repository, config)
  const known = { done: new Set(done.keys()), ...(look.branches ? { branches: look.branches } : {}) }
  return { done, open: await findTickets(repository, config, known), isFetched: look.isFetched === true }
}

interface Look {
  branches?: readonly TicketBranch[]
  isFetched?: boolean
}

/** Returns every issue that is done, with the ticket that made it so. @param look all tickets, when the caller has looked */
export async function doneIssues({ repository }: Pick<Ports, 'repository'>, look?: Tickets): Promise<Map<number, string>> {
  const config = await committedConfig(repository)
  const { done, open, isFetched } = look ?? (await lookAtTickets(repository, config))
  const base = await defaultBase(repository, config, isFetched)
  const { method } = await loadDefinitions(repository, base.commit)
  const still = new Set(open.filter((ticket) => !ticket.done).map(({ issue }) => issue))
  const byIssue = new Map<number, DoneTicket[]>()
  for (const one of [...done.values(), ...open.filter((ticket) => ticket.done).map(keptFrom)]) {
    byIssue.set(one.view.issue, [...(byIssue.get(one.view.issue) ?? []), one])
  }
  const issues = new Map<number, string>()
  for (const [issue, unsorted] of byIssue) {
    const own = unsorted.toSorted((a, b) => a.view.ticket.localeCompare(b.view.ticket, 'en'))
    const last = own.at(-1)
    const pipeline = method.pipelines.get(last?.view.pipeline ?? '')
    const worked = new Set(own.flatMap(({ stretch }) => stretch))
    const isDone = !still.has(issue) && pipeline?.phases.every(({ name }) => worked.has(name))
    if (last && isDone) issues.set(issue, last.view.ticket)
  }
  return issues
}

function keptFrom(ticket: FoundTicket): DoneTicket {
  return { view: viewTicket(ticket), stretch: ticket.state.control.stretch }
}

/** By tree; null where a ticket is on the default branch and not done. */
type Kept = Map<string, DoneTicket | null>

const memories = new Map<string, Kept>()

/** The file is read when memory does not do: at first, and when another process may have folded something new. */
async function keptOf(repository: Repository, trees: readonly (readonly [string, string])[]): Promise<Kept> {
  const kept: Kept = memories.get(repository.stateDir) ?? new Map()
  memories.set(repository.stateDir, kept)
  if (trees.every(([, tree]) => kept.has(tree))) return kept
  for (const [tree, done] of Object.entries(await readKept(repository))) kept.set(tree, done)
  return kept
}

/** Raised when what is kept means something else than before. */
const KEPT_VERSION = 2

function keptFile({ stateDir }: Repository): string {
  return join(stateDir, 'cache', `views-${MACHINE_VERSION}-${KEPT_VERSION}.json`)
}

async function readKept(repository: Repository): Promise<Record<string, DoneTicket>> {
  try {
    return JSON.parse(await readFile(keptFile(repository), 'utf8')) as Record<string, DoneTicket>
  } catch {
    return {}
  }
}

/** Looking must work where nothing can be written, too. */
async function writeKept(repository: Repository, kept: Kept): Promise<void> {
  const done = Object.fromEntries([...kept].filter(([, ticket]) => ticket !== null))
  await writeNote(keptFile(repository), JSON.stringify(done)).catch(() => {})
}
