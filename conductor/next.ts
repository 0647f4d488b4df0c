import { canonicalJson } from '../core/canonical.ts'
import type { Config } from '../core/config.ts'
import type { Issue } from '../core/contracts/issue.ts'
import type { PhaseSpec, PipelineSpec } from '../core/contracts/method.ts'
import { parseTicket, ticketOf } from '../core/contracts/names.ts'
import { releaseLease, takeLease } from '../core/lease.ts'
import { listTicketBranches, type TicketBranch, trackingRef } from '../core/remote-branches.ts'
import { defaultBase } from '../core/repository.ts'
import { resolveCommit } from '../core/tree.ts'
import { stretches } from '../modes/index.ts'
import type { SetAside } from './catch-up.ts'
import { hostedOf } from './change.ts'
import { committedConfig, type Definitions, loadDefinitions, pipelineNamed } from './definitions.ts'
import type { Ports } from './ports.ts'
import { type FoundTicket, findTicket, ticketsOfIssue } from './sources.ts'
import { listArrived, takeDown } from './take-down.ts'

/** An issue that somebody wants worked, and how. */
export interface Wanted {
  issue: number
  pipeline?: string
  /** Runtime to use instead of what labels and configuration say. */
  agent?: string
}

/** What an issue's next ticket is: an open one to go on with, or one to open. */
export interface NextTicket {
  ticket: string
  pipeline: PipelineSpec
  phases: PhaseSpec[]
  found: FoundTicket | undefined
  definitions: Definitions
  /** The ticket of the stretch before. */
  after: string | undefined
  /** The issue, where it has been read for a ticket that is to be opened. */
  issue?: Issue | undefined
  /** What this clone had of the ticket beyond what counts, and where it is kept. */
  setAside?: SetAside | undefined
}

/** Where the default branch and the branches of an issue's tickets are, as this clone knows it. */
export interface Seen {
  /** Equal when nobody moved any. */
  refs: string
  branches: readonly TicketBranch[]
  /** Whether the remote's default branch was fetched for this. */
  isFetched: boolean
}

/** Looks where an issue's branches are, and the default branch. */
export async function seeIssue(
  { repository }: Pick<Ports, 'repository'>,
  issue: number,
  { remote, branch }: Config,
  isFetched: boolean,
): Promise<Seen> {
  const { git } = repository
  const [all, ...tips] = await Promise.all([
    listTicketBranches(git, remote),
    resolveCommit(git, `refs/heads/${branch}`),
    remote === null ? undefined : resolveCommit(git, trackingRef(remote, branch)),
  ])
  const branches = all.filter(({ ticket }) => parseTicket(ticket)?.issue === issue)
  return { refs: canonicalJson([tips.map(orNull), branches.map(refsOf)]), branches, isFetched }
}

const orNull = (commit: string | undefined) => commit ?? null
const refsOf = ({ ticket, local, remote }: TicketBranch) => [ticket, orNull(local), orNull(remote)]

/** Looks, and takes down what is left of the issue's merged tickets; whoever works one of them does it himself. */
export async function seeTidied(ports: Ports, issue: number, config: Config, isFetched: boolean): Promise<Seen> {
  const seen = await seeIssue(ports, issue, config, isFetched)
  const arrived = hostedOf(ports) ? await listArrived(ports, config, seen.branches) : []
  const { repository, clock, ids } = ports
  for (const { ticket } of arrived) {
    const lease = await takeLease(repository, { issue, remote: config.remote, ids, clock, ttlMs: config.lease.ttlMs })
    try {
      await takeDown(ports, ticket, config)
    } finally {
      await releaseLease(repository, lease)
    }
  }
  return arrived.length === 0 ? seen : seeIssue(ports, issue, config, isFetched)
}

/**
 * Returns the first stretch of an issue's pipeline that is not done yet.
 *
 * @param seen where its branches are, when the caller has just looked
 */
export async function nextTicket(ports: Ports, wanted: Wanted, seen?: Seen): Promise<NextTicket | 'done'> {
  const { repository } = ports
  const base = await defaultBase(repository, await committedConfig(repository), seen?.isFetched)
  const definitions = await loadDefinitions(repository, base.commit)
  const { remote } = definitions.config
  const branches = seen?.branches ?? (await listTicketBranches(repository.git, remote))
  const known = await pipelineOf(ports, wanted, definitions, base.commit, branches)
  const pipeline = pipelineNamed(definitions, known)
  let after: string | undefined
  for (const phases of stretches(pipeline)) {
    const first = phases[0] as PhaseSpec
    const ticket = ticketOf(first.name, wanted.issue)
    const found = await findTicket(repository, ticket, base.commit, remote)
    if (found?.done) {
      after = ticket
      continue
    }
    const opened = found?.state.ledger.opened
    // A ticket under way is judged by what its own base says, not by what the default branch says today.
    const own = opened && opened.base !== base.commit ? await loadDefinitions(repository, opened.base) : definitions
    return { ticket, pipeline: opened ? pipelineNamed(own, opened.pipeline) : pipeline, phases, found, definitions: own, after }
  }
  return 'done'
}

/** An issue keeps the pipeline it was begun with; before that the wish decides, then the configuration. */
async function pipelineOf(
  { repository }: Ports,
  wanted: Wanted,
  { config }: Definitions,
  base: string,
  branches: readonly TicketBranch[],
): Promise<string> {
  for (const ticket of await ticketsOfIssue(repository, wanted.issue, base, branches)) {
    const found = await findTicket(repository, ticket, base, config.remote)
    const begun = found?.state.ledger.opened?.pipeline
    if (begun !== undefined) return begun
  }
  return wanted.pipeline ?? config.pipeline
}

/** Returns a ticket again, as it stands by now. */
export async function refind(ports: Ports, next: NextTicket): Promise<FoundTicket | undefined> {
  const base = await defaultBase(ports.repository, next.definitions.config)
  return findTicket(ports.repository, next.ticket, base.commit, next.definitions.config.remote)
}
