import { ValuetrainError } from '../core/errors.ts'
import { requireHeld } from '../core/jail-probe.ts'
import { fetchTickets, listTicketBranches } from '../core/remote-branches.ts'
import { type Bell, openBell } from './bell.ts'
import { hostedOf, ifReached, sayStopped } from './change.ts'
import { committedConfig } from './definitions.ts'
import { doneIssues, lookAtTickets, type Tickets } from './done.ts'
import { keepListening } from './listen.ts'
import type { Ports } from './ports.ts'
import { resting, withinReview } from './resting.ts'
import { type RunOutcome, runIssue } from './run.ts'
import type { TicketState } from './state.ts'
import { freeForsaken, listArrived } from './take-down.ts'

export interface DriveOptions {
  /** End after this many issues. */
  max?: number
  /** Issues worked at the same time; the configuration's number unless told. */
  parallel?: number
  /** Work what is ready and end; without it and without `max` it stays and watches. */
  once?: boolean
  merge?: 'auto' | 'person'
  /** Rung when there may be something to do, so that nothing waits for the next look. */
  bell?: Bell
}

export interface Drive {
  outcome: RunOutcome['outcome']
  issues: RunOutcome[]
  /** Why issues were passed over, at the last look at the queue. */
  passed: { number: number; why: string }[]
  /** Set when it stopped itself. */
  paused: string | undefined
}

/**
 * Auto-Pilot: takes ready issues in the order of selection and works them, several at a time when told. It holds no
 * queue of its own; what is ready is asked of forge and log anew each time.
 *
 * @throws VT_NO_JAIL where nothing would hold what nobody watches, and nobody said that nothing shall
 */
export async function drive(ports: Ports, options: DriveOptions): Promise<Drive> {
  const config = await committedConfig(ports.repository)
  await requireHeld(config.jail, ports.env, ports.isJailWaived)
  const parallel = options.parallel ?? config.drive.parallel
  const running = new Map<number, Promise<void>>()
  const seen = new Map<number, RunOutcome>()
  const order: number[] = []
  /** Issues whose claim another process holds, found by trying. */
  const elsewhere = new Set<number>()
  let failures = 0
  let paused: string | undefined
  let passed: Drive['passed'] = []
  const begin = (issue: number, isFetched: boolean) => {
    isTold = false
    order.push(issue)
    const work = runOne(ports, issue, options, isFetched).then((outcome) => {
      running.delete(issue)
      if (outcome === undefined) {
        elsewhere.add(issue)
        order.splice(order.indexOf(issue), 1)
        return
      }
      seen.set(issue, outcome)
      failures =
        outcome.outcome === 'blocked' || outcome.outcome === 'aborted' ? failures + 1 : outcome.outcome === 'done' ? 0 : failures
      if (failures >= config.drive.pauseAfterFailures) paused = `${failures} issues in a row have failed`
    })
    running.set(issue, work)
  }
  const bell = options.bell ?? openBell()
  const pause = bell.waiter()
  let looked = false
  let isTold = false
  const hosted = hostedOf(ports)
  const ears = hosted ? await keepListening(ports, hosted, config.drive.pollMs, bell) : undefined
  try {
    await workQueue()
  } finally {
    await ears?.close()
  }
  const issues = [...seen.values()].sort((a, b) => order.indexOf(a.issue) - order.indexOf(b.issue))
  return { outcome: overall(issues), issues, passed, paused }

  async function workQueue(): Promise<void> {
    for (;;) {
      const mayBegin = () =>
        !ports.signal.aborted &&
        paused === undefined &&
        running.size < parallel &&
        (options.max === undefined || order.length < options.max)
      if (mayBegin()) {
        const queue = await look(new Set([...running.keys(), ...elsewhere]))
        passed = queue?.passed ?? passed
        for (const issue of queue?.ready ?? []) if (mayBegin()) begin(issue, queue?.isFetched === true)
      }
      if (running.size > 0) {
        await oneEndsOr(mayBegin() && !options.once ? pause : undefined)
        continue
      }
      const isOver =
        options.once || ports.signal.aborted || paused !== undefined || (options.max !== undefined && order.length >= options.max)
      if (isOver) return
      if (!isTold) tellEmpty()
      isTold = true
      await pause(config.drive.pollMs, ports.clock, ports.signal)
      // A look at the queue after a pause is a new look: waiting tickets may have become ready.
      elsewhere.clear()
      for (const [issue, outcome] of seen) if (outcome.outcome !== 'done') seen.delete(issue)
    }
  }

  /** Once each time the queue runs empty: who watches a terminal that says nothing does not know whether it works. */
  function tellEmpty(): void {
    const text = `no issue is ready; \`valuetrain issue list\` says why, and one that is labelled ${config.labels.auto} is begun`
    ports.onProgress('queue', text)
  }

  /** Waits until a ticket ends; while a place is free, something that comes meanwhile need not wait for that. */
  async function oneEndsOr(wait: ReturnType<Bell['waiter']> | undefined): Promise<void> {
    const over = new AbortController()
    const signal = AbortSignal.any([ports.signal, over.signal])
    await Promise.race([...running.values(), ...(wait ? [wait(config.drive.pollMs, ports.clock, signal)] : [])])
    over.abort()
  }

  /** The first look has to succeed; later ones outlast a network or forge that is away for a while. */
  async function look(busy: ReadonlySet<number>) {
    try {
      const queue = await readyIssues(ports, busy, seen, options.merge)
      looked = true
      return queue
    } catch (error) {
      if (!looked || options.once || !(error instanceof ValuetrainError) || error.kind !== 'environment') throw error
      ports.onProgress('queue', `the queue could not be read and is asked again: ${error.message}`)
      return undefined
    }
  }
}

/**
 * Returns the issues that can be worked now: tickets under way that nobody works first, then the queue in the order of
 * selection; why the others are passed over; and whether the remote was fetched for it.
 */
export async function readyIssues(
  ports: Ports,
  running: ReadonlySet<number>,
  seen: ReadonlyMap<number, RunOutcome>,
  merge?: 'auto' | 'person',
): Promise<{ ready: number[]; passed: { number: number; why: string }[]; isFetched: boolean }> {
  const { repository, forge } = ports
  const config = await committedConfig(repository)
  // The forge is asked while this clone is looked at; what is wrong here is told first.
  const listed = forge.listIssues()
  listed.catch(() => {})
  const isFetched = await fetchTickets(repository, config)
  const branches = await listTicketBranches(repository.git, config.remote)
  const look = await lookAtTickets(repository, config, { branches, isFetched })
  const tickets = look.open
  const stopped = new Map<number, string>()
  for (const { issue, state } of tickets) {
    const why = whyStopped(state)
    if (why !== undefined) stopped.set(issue, why)
  }
  for (const [issue, why] of await resting(
    ports,
    config,
    tickets.filter((found) => !seen.has(found.issue)),
    branches,
    merge,
  ))
    stopped.set(issue, why)
  const issues = await listed
  const done = await doneIssues(ports, look)
  const claimed = new Set([...running, ...done.keys(), ...stopped.keys()])
  const open = issues.map((issue) => (done.has(issue.number) ? { ...issue, state: 'closed' as const } : issue))
  const { ready, passed } = ports.select(open, { labels: config.labels, claimed, underWay: running })
  const reasons = passed.map(({ number, why }) => ({ number, why: done.has(number) ? 'done' : (stopped.get(number) ?? why) }))
  const numbers = ready.map(({ number }) => number).filter((number) => !isSettled(seen.get(number), look, number))
  const arrived = hostedOf(ports) ? (await listArrived(ports, config, branches)).map(({ issue }) => issue) : []
  const first = [...new Set(arrived)].filter((issue) => !running.has(issue) && !seen.has(issue))
  const queue = [...first, ...numbers.filter((number) => !first.includes(number))]
  // Whoever was killed between blocking a ticket and saying so on its issue has left its claim behind.
  const sayBlocked = async (issue: number) => {
    const hosted = hostedOf(ports)
    const found = tickets.find((ticket) => ticket.issue === issue)
    if (hosted && found) await ifReached(ports, found.ticket, () => sayStopped(hosted, found.state))
  }
  await freeForsaken(ports, config, (issue) => !queue.includes(issue), sayBlocked)
  return { ...withinReview(queue, reasons, config, look, running), isFetched }
}

/** Within one look an issue that has just stopped is not taken again, unless its children have got it going. */
function isSettled(outcome: RunOutcome | undefined, { done, open }: Tickets, issue: number): boolean {
  if (outcome === undefined) return false
  if (outcome.outcome !== 'waiting') return true
  const waiting = open.find((found) => found.issue === issue && found.state.status === 'waiting')?.state
  if (waiting?.ledger.waiting?.reason !== 'children') return true
  const ended = new Set([
    ...[...done.values()].map(({ view }) => view.issue),
    ...open.filter((found) => found.done).map((found) => found.issue),
  ])
  return !waiting.ledger.children.every((child) => child.done || (child.issue !== undefined && ended.has(child.issue)))
}

function whyStopped(state: TicketState): string | undefined {
  if (state.status === 'blocked') return `blocked: ${state.ledger.stopped ?? ''}`
  if (state.status === 'aborted') return `aborted: ${state.ledger.stopped ?? ''}`
  if (state.status === 'paused') return `paused: ${state.ledger.stopped ?? ''}`
  return undefined
}

/** Works one issue; undefined when another process holds it. One issue's trouble never stops the others. */
async function runOne(ports: Ports, issue: number, options: DriveOptions, isFetched: boolean): Promise<RunOutcome | undefined> {
  try {
    return await runIssue(ports, { issue, unattended: true, isFetched, ...(options.merge ? { merge: options.merge } : {}) })
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
    if (error.code === 'VT_LEASE_HELD') return undefined
    ports.onProgress(`${issue}`, `${error.message}${error.hint ? ` (${error.hint})` : ''}`)
    return { outcome: 'waiting', issue, reasons: [error.message] }
  }
}

function overall(issues: readonly RunOutcome[]): RunOutcome['outcome'] {
  if (issues.length === 0) return 'empty'
  for (const outcome of ['aborted', 'blocked', 'waiting'] as const) {
    if (issues.some((issue) => issue.outcome === outcome)) return outcome
  }
  return 'done'
}
