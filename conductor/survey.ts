import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../core/config.ts'
import type { Standing } from '../core/contracts/gate.ts'
import type { Status } from '../core/contracts/names.ts'
import { writeNote } from '../core/files.ts'
import { knownBase } from '../core/remote-branches.ts'
import type { Repository } from '../core/repository.ts'
import { committedConfig } from './definitions.ts'
import { MACHINE_VERSION } from './machine.ts'
import type { Ports } from './ports.ts'
import { type FoundTicket, findTickets } from './sources.ts'
import { itemProgress } from './state.ts'

/** A ticket as people and programs look at it. The first nine fields are what `status --json` prints. */
export interface TicketView {
  ticket: string
  issue: number
  title: string
  pipeline: string
  phase: string
  mode: string
  status: Status
  attempts: number
  branch: string
  gates: { gate: string; verdict: Standing }[]
  items: { done: number; required: number }
  /** What it waits for or why it stopped. */
  waiting: string | undefined
  /** Time of its last entry, ISO 8601. */
  updated: string | undefined
}

/**
 * Returns every ticket of the repository as the fold of its session, sorted by issue, then name.
 *
 * A done ticket never changes, so its view is kept in this clone's git directory under the id of its folder's tree; the
 * file may be deleted at any time.
 */
export async function surveyTickets({ repository }: Pick<Ports, 'repository'>): Promise<TicketView[]> {
  const config = await committedConfig(repository)
  const trees = await ticketTrees(repository, config)
  const cache = await readViews(repository)
  const known = new Map([...trees].flatMap(([ticket, tree]) => (cache[tree] ? [[ticket, cache[tree]] as const] : [])))
  const found = await findTickets(repository, config, new Set(known.keys()))
  const fresh = found.filter(({ done }) => done)
  const views = found.map(viewTicket)
  if (fresh.length > 0) {
    for (const one of fresh) cache[trees.get(one.ticket) ?? ''] = viewTicket(one)
    // Looking must work where nothing can be written, too.
    await writeNote(cacheFile(repository), JSON.stringify(cache)).catch(() => {})
  }
  return [...known.values(), ...views].sort((a, b) => a.issue - b.issue || a.ticket.localeCompare(b.ticket, 'en'))
}

/** Raised when a view means something else than before. */
const VIEW_VERSION = 1

function cacheFile(repository: Repository): string {
  return join(repository.stateDir, 'cache', `views-${MACHINE_VERSION}-${VIEW_VERSION}.json`)
}

async function readViews(repository: Repository): Promise<Record<string, TicketView>> {
  try {
    return JSON.parse(await readFile(cacheFile(repository), 'utf8')) as Record<string, TicketView>
  } catch {
    return {}
  }
}

/** The tree id of each ticket's folder on the default branch. */
async function ticketTrees({ git }: Repository, config: Config): Promise<Map<string, string>> {
  const base = await knownBase(git, config)
  if (base === undefined) return new Map()
  const listed = await git.run(['ls-tree', '-z', base, '--', '.valuetrain/tickets/'], { okExit: [0, 128] })
  const entries = listed.stdout.split('\0').map((line) => /^040000 tree ([0-9a-f]+)\t\.valuetrain\/tickets\/(.+)$/.exec(line))
  return new Map(entries.flatMap((match) => (match ? [[match[2] as string, match[1] as string] as const] : [])))
}

/** Returns the view of one ticket. */
export function viewTicket({ ticket, issue, state }: FoundTicket): TicketView {
  const { control, ledger } = state
  const gates =
    ledger.delivered && state.status !== 'working'
      ? ledger.delivered.verdicts.map(({ gate, verdict }) => ({ gate, verdict: verdict as Standing }))
      : control.required.map(({ gate }) => ({ gate, verdict: control.results[gate]?.verdict ?? ('missing' as Standing) }))
  return {
    ticket,
    issue,
    title: ledger.opened?.issue.title ?? '',
    pipeline: ledger.opened?.pipeline ?? '',
    phase: control.phase ?? control.next ?? '',
    mode: control.mode ?? '',
    status: state.status,
    attempts: control.attempt,
    branch: state.branch,
    gates,
    items: itemProgress(state),
    waiting: ledger.waiting?.on ?? ledger.stopped,
    updated: ledger.at,
  }
}
