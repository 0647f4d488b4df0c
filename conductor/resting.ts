import type { Config } from '../core/config.ts'
import type { HostedForge } from '../core/contracts/forge.ts'
import type { TicketBranch } from '../core/remote-branches.ts'
import { hostedOf, knownChange, openByReviewer } from './change.ts'
import { moveOf } from './change-move.ts'
import type { Tickets } from './done.ts'
import { hasRequests } from './inbox.ts'
import type { Ports } from './ports.ts'
import type { FoundTicket } from './sources.ts'
import type { TicketState } from './state.ts'

/**
 * Keeps new issues back while reviewers have as many open pull requests as they may; what is under way goes on.
 *
 * @param running issues being worked that may have no ticket yet
 */
export function withinReview(
  ready: readonly number[],
  passed: { number: number; why: string }[],
  config: Config,
  tickets: Pick<Tickets, 'done' | 'open'>,
  running: ReadonlySet<number>,
): { ready: number[]; passed: { number: number; why: string }[] } {
  const { reviewers, openPerReviewer } = config.delivery
  if (openPerReviewer === null) return { ready: [...ready], passed }
  const live = tickets.open.filter(({ done }) => !done)
  const open = [...openByReviewer(live.map(({ state }) => state)).values()].reduce((sum, count) => sum + count, 0)
  const begun = new Set([...tickets.open.map(({ issue }) => issue), ...[...tickets.done.values()].map(({ view }) => view.issue)])
  let room = openPerReviewer * Math.max(1, reviewers.length) - open - [...running].filter((issue) => !begun.has(issue)).length
  const kept: number[] = []
  const why = `review limit: ${open} of ${openPerReviewer * Math.max(1, reviewers.length)} pull requests are open`
  for (const issue of ready) {
    if (begun.has(issue) || room > 0) kept.push(issue)
    else passed.push({ number: issue, why })
    if (!begun.has(issue)) room -= 1
  }
  return { ready: kept, passed: passed.sort((a, b) => a.number - b.number) }
}

/**
<<<<<<< HEAD
 * Returns the issues whose ticket rests: waiting for a time that has not come, or delivered with nothing for us to do, as
 * the forge tells of it. Looking takes no claim, and costs nothing on a forge that says "not modified".
 *
 * @param branches the tickets' branches, just listed
=======
 * Returns the issues whose ticket rests: waiting for a time that has not come or for a person's answer, which is an entry of
 * the log, or delivered with nothing for us to do, as the forge tells of it. Looking takes no claim, and costs nothing on a forge that says "not modified".
>>>>>>> 971be6c (Let a change of protected paths wait for a person at once, hear reviews of the same work, and lose no word that comes as a ticket stops)
 */
export async function resting(
  ports: Ports,
  config: Config,
  tickets: readonly FoundTicket[],
  branches: readonly TicketBranch[],
  merge: 'auto' | 'person' = config.merge,
): Promise<Map<number, string>> {
  const rests = new Map<number, string>()
  const hosted = hostedOf(ports)
  for (const { issue, state, done } of tickets) {
    const { waiting } = state.ledger
    const asked = state.status === 'waiting' ? askedOf(state) : undefined
    if (asked !== undefined && !(await hasRequests(ports.repository, state.branch))) rests.set(issue, asked)
    const isTimed = waiting?.reason === 'usage-limit' && waiting.until !== undefined
    if (state.status === 'waiting' && isTimed && Date.parse(waiting.until as string) > ports.clock.now())
      rests.set(issue, `waits until ${waiting.until}: ${waiting.on}`)
    if (done || state.status !== 'delivered' || hosted === undefined) continue
    const branch = branches.find(({ ticket }) => ticket === state.ticket)
    const why = await restsAtForge(hosted, state, branch, config, merge)
    if (why !== undefined) rests.set(issue, why)
  }
  return rests
}

/** What a person is asked for; undefined when anything else is waited for. */
function askedOf({ ledger: { checkIn, waiting } }: TicketState): string | undefined {
  if (checkIn) return `asks whether to go on: ${checkIn.question}`
  return waiting?.reason === 'approval' ? `waits for an approval: ${waiting.on}` : undefined
}

async function restsAtForge(
  forge: HostedForge,
  state: TicketState,
  branch: TicketBranch | undefined,
  config: Config,
  merge: 'auto' | 'person',
): Promise<string | undefined> {
  // What has not been pushed, or has gone from there, is for its owner to settle.
  if (branch?.remote === undefined || (branch.local !== undefined && branch.local !== branch.remote)) return undefined
  const change = knownChange(state, config) ?? (await forge.findChange(state.branch))
  if (change === undefined) return undefined
  const standing = await forge.observeChange(change)
  if (standing.change.draft) return undefined
  const next = moveOf(state, standing, branch.remote, { merge, upToDate: config.delivery.upToDate })
  return next.move === 'wait' ? next.reason : undefined
}
