import { branchOf } from '../core/contracts/names.ts'
import type { Git } from '../core/git.ts'
import { trackingRef } from '../core/remote-branches.ts'
import { defaultBase } from '../core/repository.ts'
import { changedPaths, mergeTree, resolveCommit } from '../core/tree.ts'
import { lookAtTickets } from './done.ts'
import type { Job, Step } from './job.ts'
import { commitRecord } from './record.ts'
import { takeInBase } from './take-in.ts'
import { wait } from './work.ts'

/** A branch under way that this one will not merge with. */
export interface Clash {
  ticket: string
  issue: number
  /** Paths in which both branches conflict, sorted. */
  paths: string[]
}

/** A ticket's branch as the radar sees it. */
export interface Blip {
  ticket: string
  issue: number
  head: string
}

/**
 * Returns the branches that conflict with one head: of those that touch a path it touches, a merge is tried, in the object
 * store alone. Paths of tickets' own folders never conflict and are left out.
 *
 * @param base commit of the default branch
 */
export async function clashesOf(git: Git, base: string, head: string, others: readonly Blip[]): Promise<Clash[]> {
  if (others.length === 0) return []
  const own = await pathsOf(git, base, head)
  const clashes: Clash[] = []
  for (const { ticket, issue, head: other } of others) {
    if (![...(await pathsOf(git, base, other))].some((path) => own.has(path))) continue
    const merged = await mergeTree(git, other, head)
    if ('conflicts' in merged) clashes.push({ ticket, issue, paths: [...new Set(merged.conflicts)].sort() })
  }
  return clashes
}

/** Paths changed since a branch left the default branch. */
async function pathsOf(git: Git, base: string, head: string): Promise<Set<string>> {
  const from = await git.text(['merge-base', base, head])
  const changed = await changedPaths(git, from, head)
  return new Set(changed.map(({ path }) => path).filter((path) => !path.startsWith('.valuetrain/tickets/')))
}

/**
 * Looks whether another ticket under way has changed the same lines. Such a clash is recorded;
 * where the configuration says so, the ticket of the later issue waits until the other one is merged or has stopped, or takes
 * in at once what the default branch has got meanwhile.
 */
export async function lookAround(job: Job): Promise<Step> {
  const { desk, definitions } = job
  const { repository } = desk.ports
  const { config } = definitions
  const { opened } = desk.state.ledger
  const head = await desk.tip()
  const base = (await defaultBase(repository, config)).commit
  if (config.drive.clashes === 'rebase') {
    const merged = await mergeTree(desk.git, base, head)
    if ('conflicts' in merged) return takeInBase(job, base, merged.conflicts)
  }
  const clashes = await clashesOf(desk.git, base, head, await liveOthers(job))
  if (clashes.length === 0) return 'go-on'
  for (const { ticket, paths } of clashes) {
    const message = `${ticket} is changing the same lines: ${paths.slice(0, 10).join(', ')}`
    const known = desk.entries.some(({ type, data }) => type === 'FOUND' && data?.finding.message === message)
    const path = paths[0]
    if (!known) await desk.record('FOUND', { finding: { rule: 'clash', severity: 'notice', message, ...(path ? { path } : {}) } })
  }
  const first = clashes.find(({ issue }) => issue < (opened?.issue.number ?? 0))
  if (config.drive.clashes === 'warn' || first === undefined) return 'go-on'
  const step = await wait(job, 'clash', `#${first.issue} (${first.ticket}) changes the same lines and comes first`)
  await commitRecord(desk, 'Record the clash')
  return step
}

/** Tells whether the ticket another one waits for is out of the way: merged, gone, or stopped so that waiting is in vain. */
export async function clashIsOver(job: Pick<Job, 'definitions'> & { ports: Job['desk']['ports'] }, on: string): Promise<boolean> {
  const issue = Number(/^#(\d+) /.exec(on)?.[1])
  const { open } = await lookAtTickets(job.ports.repository, job.definitions.config)
  const found = open.filter((ticket) => ticket.issue === issue)
  return !found.some(({ done, state }) => !done && !STOPPED.has(state.status))
}

const STOPPED: ReadonlySet<string> = new Set(['blocked', 'paused', 'aborted'])

async function liveOthers({ desk, definitions }: Job): Promise<Blip[]> {
  const { repository } = desk.ports
  const { remote } = definitions.config
  const others: Blip[] = []
  for (const { ticket, issue, done, state } of (await lookAtTickets(repository, definitions.config)).open) {
    if (ticket === desk.ticket || done || STOPPED.has(state.status)) continue
    const refs = [`refs/heads/${branchOf(ticket)}`, ...(remote === null ? [] : [trackingRef(remote, branchOf(ticket))])]
    const [here, there] = await Promise.all(refs.map((ref) => resolveCommit(repository.git, ref)))
    const head = here ?? there
    if (head !== undefined) others.push({ ticket, issue, head })
  }
  return others
}
