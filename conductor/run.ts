import { digestOf } from '../core/canonical.ts'
import type { HostedForge } from '../core/contracts/forge.ts'
import type { ModeId } from '../core/contracts/names.ts'
import { MODES } from '../core/contracts/names.ts'
import { removeAbandoned } from '../core/disposable.ts'
import { ValuetrainError } from '../core/errors.ts'
import { type Lease, releaseLease, takeLease } from '../core/lease.ts'
import { reapLeftovers } from '../core/process.ts'
import { fetchTickets } from '../core/remote-branches.ts'
import { catchUp } from './catch-up.ts'
import { holdBack, hostedOf, ifReached, openDraft, reportStanding, sayStopped } from './change.ts'
import { settleChildren } from './children.ts'
import { commitWork } from './commit.ts'
import { committedConfig } from './definitions.ts'
import { deliver, inMergeTurn, mergeDelivered } from './deliver.ts'
import { type Desk, openDesk } from './desk.ts'
import { foldInbox, hasRequests, watchInbox } from './inbox.ts'
import type { Job, Step } from './job.ts'
import { judgePhase, renderPapers } from './judge.ts'
import { keepingLease } from './keeping.ts'
import type { Due } from './machine.ts'
import { type NextTicket, nextTicket, refind, seeIssue, seeTidied, type Wanted } from './next.ts'
import { openingOf, readyToBegin } from './opening.ts'
import type { Ports } from './ports.ts'
import { lookAround } from './radar.ts'
import { commitTail } from './record.ts'
import { type Settled, settleChange } from './settle.ts'
import type { FoundTicket } from './sources.ts'
import type { TicketState } from './state.ts'
import { freeForsaken, takeDown } from './take-down.ts'
import { waitIsOver } from './waiting.ts'
import { briefRole, enterPhase, workTurn } from './work.ts'

export interface RunOptions extends Wanted {
  merge?: 'auto' | 'person'
  /** Stop before leaving this mode. */
  until?: ModeId
  /** Nobody is there: a hand-off to a person is not taken as done because the issue is run again. */
  unattended?: boolean
  /** The remote has been fetched just now, so that the first look need not do it again. */
  isFetched?: boolean
}

export interface RunOutcome {
  outcome: 'done' | 'blocked' | 'waiting' | 'aborted' | 'empty'
  issue: number
  ticket?: string
  reasons: string[]
}

/** What each due thing is done by. */
const ACTIVITIES: Record<Exclude<Due, 'merge'>, (job: Job) => Promise<Step>> = {
  enter: enterPhase,
  brief: briefRole,
  turn: workTurn,
  commit: commitWork,
  children: settleChildren,
  render: renderPapers,
  judge: lookAndJudge,
  deliver,
}

/**
 * Works one issue as far as it goes now: stretch after stretch until it is done, blocked, waiting or aborted.
 * It continues where the log ends, whoever stopped it and however.
 *
 * @throws VT_LEASE_HELD when another process works the issue; VT_ISSUE_UNKNOWN; errors of the surroundings
 */
export async function runIssue(ports: Ports, options: RunOptions): Promise<RunOutcome> {
  const { repository } = ports
  for (let isFetched = options.isFetched === true; ; isFetched = false) {
    const shared = await committedConfig(repository)
    isFetched ||= await fetchTickets(repository, shared)
    const seen = await seeTidied(ports, options.issue, shared, isFetched)
    const next = await nextTicket(ports, options, seen)
    const standing = next === 'done' ? undefined : next.found && stoppedOutcome(options.issue, next.found.state)
    if (next === 'done' || standing) await freeForsaken(ports, shared, (issue) => issue === options.issue)
    if (next === 'done') return { outcome: 'done', issue: options.issue, reasons: ['the issue is done'] }
    // Whoever was killed after the decision may not have said it; what was said is found again.
    const { found } = next
    const hosted = hostedOf(ports)
    if (standing && found && hosted) await ifReached(ports, found.ticket, () => sayStopped(hosted, found.state))
    if (standing) return standing
    const { needs, issue } = await readyToBegin(ports, options, next)
    if (needs) return { outcome: 'waiting', issue: options.issue, reasons: [needs] }
    const lease = await takeLease(repository, {
      issue: options.issue,
      remote: next.definitions.config.remote,
      ids: ports.ids,
      clock: ports.clock,
      ttlMs: next.definitions.config.lease.ttlMs,
      // The log remembers epochs that a deleted ref has forgotten.
      epochFloor: next.found?.state.ledger.epoch ?? 1,
    })
    try {
      await reapLeftovers(repository.stateDir)
      await removeAbandoned(repository)
      // Between the look and the claim another owner may have gone on, or finished; what was seen then is over.
      const isFetchedNow = await fetchTickets(repository, shared)
      const seenNow = await seeIssue(ports, options.issue, shared, isFetchedNow)
      const now = seenNow.refs === seen.refs ? { ...next, issue } : await nextTicket(ports, options, seenNow)
      if (now === 'done') continue
      const stopped = now.found && seenNow.refs !== seen.refs ? stoppedOutcome(options.issue, now.found.state) : undefined
      if (stopped) return stopped
      const outcome = await keepingLease(ports, lease, now.definitions.config.lease.ttlMs, async (kept) => {
        const setAside = await catchUp(kept, now.ticket, lease, now.definitions.config.workspace.keep)
        return runTicket(kept, options, { ...now, setAside }, lease)
      })
      if (outcome.outcome !== 'done') return outcome
    } finally {
      await releaseLease(repository, lease)
    }
  }
}

/** The outcome of a ticket that only a person can set going again; nothing is written to say it once more. */
function stoppedOutcome(issue: number, state: TicketState): RunOutcome | undefined {
  const reasons = [state.ledger.stopped ?? `the ticket is ${state.status}`]
  const common = { issue, ticket: state.ticket, reasons }
  if (state.status === 'blocked') return { ...common, outcome: 'blocked' }
  if (state.status === 'aborted') return { ...common, outcome: 'aborted' }
  if (state.status === 'paused') return { ...common, outcome: 'waiting', reasons: ['paused', ...reasons] }
  return undefined
}

async function runTicket(ports: Ports, options: RunOptions, next: NextTicket, lease: Lease): Promise<RunOutcome> {
  const { config } = next.definitions
  const merge = options.merge ?? config.merge
  const state = next.found?.state
  if (next.found && state?.status === 'delivered') await commitTail(ports, next.found, sessionTrailer(next.found))
  if (state && next.found?.done) return { outcome: 'done', issue: options.issue, ticket: state.ticket, reasons: ['merged'] }
  const hosted = hostedOf(ports)
  if (state?.status === 'delivered' && hosted === undefined && merge === 'person') return delivered(options.issue, state)
  const waits = state?.status === 'waiting' && !(await waitIsOver(ports, state, next.definitions, options))
  if (waits && !(await hasRequests(ports.repository, state.branch))) {
    return waiting(options.issue, state, state.ledger.waiting?.on ?? 'waiting')
  }
  if (next.found && state?.status === 'delivered' && hosted) {
    const settled = await settleFound(ports, hosted, options, next, lease)
    if (settled.outcome === 'waiting') return waiting(options.issue, state, settled.reason)
    if (settled.outcome === 'merged')
      return { outcome: 'done', issue: options.issue, ticket: state.ticket, reasons: [settled.reason] }
    const found = await refind(ports, next)
    const stopped = found && stoppedOutcome(options.issue, found.state)
    if (stopped && found) {
      await ifReached(ports, found.ticket, () => sayStopped(hosted, found.state))
      return stopped
    }
    return runTicket(ports, options, { ...next, found }, lease)
  }
  if (state?.status === 'delivered') {
    const merged = await inMergeTurn(ports, () => mergeOrReopen(ports, options, next, lease, state))
    if (merged !== 'reopened') return merged
    return runTicket(ports, options, { ...next, found: await refind(ports, next) }, lease)
  }
  const desk = await openDesk(ports, await openingOf(ports, options, next, lease))
  const job: Job = {
    desk,
    definitions: next.definitions,
    pipeline: next.pipeline,
    agent: options.agent,
    merge,
    env: allowedEnv(ports, config.workspace.env),
    signal: ports.signal,
  }
  if (waits) {
    await foldInbox(desk, next.definitions)
    if (desk.state.status === 'waiting') {
      await desk.leave('waiting')
      return waiting(options.issue, desk.state, desk.state.ledger.waiting?.on ?? 'waiting')
    }
  }
  if (desk.state.status === 'waiting') {
    await desk.record('WAITING_ENDED', { reason: desk.state.ledger.waiting?.reason ?? 'held', by: 'run' })
  }
  if (hosted && desk.state.ledger.change?.id !== undefined && !desk.state.control.delivering) {
    // Whoever was killed after a step back may not have said so; a change with open work is a draft.
    await ifReached(ports, desk.ticket, () => holdBack(hosted, desk.state, config))
  }
  const step = await workUntilStopped(job, options)
  if (step.stop === 'delivered') {
    if (hosted === undefined && merge === 'person') return delivered(options.issue, desk.state)
    return runTicket(ports, options, { ...next, found: await refind(ports, next) }, lease)
  }
  if (hosted) await ifReached(ports, desk.ticket, () => sayStopped(hosted, desk.state))
  return stoppedOutcome(options.issue, desk.state) ?? waiting(options.issue, desk.state, step.reason)
}

/** Before work is judged, a look at who else changes the same lines: judging what will not merge is spent for nothing. */
async function lookAndJudge(job: Job): Promise<Step> {
  if (!job.desk.state.control.works) return judgePhase(job)
  const step = await lookAround(job)
  return step === 'go-on' && job.desk.state.due === 'judge' ? judgePhase(job) : step
}

/** Carries a delivered ticket on at the forge; merging takes turns, so that parallel tickets do not judge for nothing. */
function settleFound(ports: Ports, forge: HostedForge, options: RunOptions, next: NextTicket, lease: Lease): Promise<Settled> {
  const { definitions, pipeline } = next
  const found = next.found as FoundTicket
  const merge = options.merge ?? definitions.config.merge
  const settle = () =>
    settleChange(ports, forge, {
      state: found.state,
      entries: found.session.entries,
      definitions,
      pipeline,
      lease,
      merge,
      open: async () => openDesk(ports, await openingOf(ports, options, next, lease)),
    })
  return merge === 'auto' ? inMergeTurn(ports, settle) : settle()
}

/** How often the same thing may be due with nothing changed before it counts as a fault of ours. */
const MOST_IDLE = 10

/** The loop: do what is due, record what happened, until nothing is due or somebody has to act first. */
async function workUntilStopped(job: Job, options: RunOptions): Promise<{ stop: string; reason: string }> {
  const { desk } = job
  const inbox = watchInbox(desk, job.signal)
  const watched: Job = { ...job, signal: inbox.signal }
  let idle = 0
  try {
    for (;;) {
      await foldInbox(desk, job.definitions)
      const { due, control } = desk.state
      if (due === undefined) return await leave(desk, { stop: desk.state.status, reason: desk.state.ledger.stopped ?? '' })
      if (job.signal.aborted) return await leave(desk, { stop: 'waiting', reason: 'the run was stopped; run it again to go on' })
      if (due === 'enter' && isPast(options.until, control.mode, job, control.next)) {
        return await leave(desk, { stop: 'until', reason: `mode ${options.until} is through; run without --until to go on` })
      }
      if (due === 'merge') return await leave(desk, { stop: 'delivered', reason: 'the change is delivered' })
      const decided = desk.state.ledger.decisions.length
      const before = digestOf(control)
      const step: Step = due === 'deliver' && job.merge === 'auto' ? await deliverInTurn(watched) : await ACTIVITIES[due](watched)
      if (step !== 'go-on') {
        await foldInbox(desk, job.definitions)
        return await leave(desk, step)
      }
      await publishStep(job, decided)
      idle = desk.state.due === due && digestOf(desk.state.control) === before ? idle + 1 : 0
      if (idle >= MOST_IDLE) {
        throw new ValuetrainError('VT_NO_PROGRESS', `${desk.ticket} was asked to ${due} ${idle} times, and nothing came of it`, {
          kind: 'internal',
          hint: 'the ticket is as it was; report this with `valuetrain session show`',
        })
      }
    }
  } finally {
    inbox.close()
    await desk.release()
  }
}

/**
 * Committed work and every decision are pushed at once; what has not been committed does not move the branch. On a forge of
 * another machine a step back makes the change a draft before anybody can see what did not pass.
 */
async function publishStep(job: Job, decided: number): Promise<void> {
  const { desk, definitions } = job
  const { ports } = desk
  const hosted = hostedOf(ports)
  const decision = desk.state.ledger.decisions.slice(decided).at(-1)
  const isSetBack = decision !== undefined && ['iterate', 'recycle', 'block', 'kill'].includes(decision.outcome)
  if (hosted && isSetBack) await ifReached(ports, desk.ticket, () => holdBack(hosted, desk.state, definitions.config))
  await desk.publish()
  if (hosted === undefined) return
  await ifReached(ports, desk.ticket, () => openDraft(job, hosted))
  if (isSetBack) await ifReached(ports, desk.ticket, () => reportStanding(job, hosted))
}

/** Judging the merge result and merging are one turn, so that parallel tickets do not judge for nothing. */
function deliverInTurn(job: Job): Promise<Step> {
  return inMergeTurn(job.desk.ports, async () => {
    const step = await deliver(job)
    if (step === 'go-on' || step.stop !== 'delivered') return step
    const { desk, definitions } = job
    await desk.leave('delivered')
    // At a forge of another machine merging is settled, not done.
    if (hostedOf(desk.ports)) return step
    const merging = await mergeDelivered(desk.ports, desk.state, definitions.config, `${desk.segment}:${desk.head}`)
    if (merging.outcome === 'merged') await takeDown(desk.ports, desk.ticket, definitions.config)
    return step
  })
}

async function leave<T extends { stop: string }>(desk: Desk, step: T): Promise<T> {
  if (desk.state.status !== 'delivered') await desk.leave(desk.state.status)
  else if (!desk.closed) await desk.leave('delivered')
  return step
}

async function mergeOrReopen(
  ports: Ports,
  options: RunOptions,
  next: NextTicket,
  lease: Lease,
  state: TicketState,
): Promise<RunOutcome | 'reopened'> {
  const { config } = next.definitions
  const merging = await mergeDelivered(ports, state, config, sessionTrailer(next.found as FoundTicket))
  if (merging.outcome === 'merged') {
    await takeDown(ports, state.ticket, config)
    return { outcome: 'done', issue: options.issue, ticket: state.ticket, reasons: [`merged as ${merging.commit.slice(0, 10)}`] }
  }
  if (merging.outcome === 'waiting') return waiting(options.issue, state, merging.reason)
  const desk = await openDesk(ports, await openingOf(ports, options, next, lease))
  await desk.record('REOPENED', { reason: merging.reason, to: 'delivery' })
  await desk.leave('reopened')
  return 'reopened'
}

function sessionTrailer(found: FoundTicket): string {
  const head = found.session.heads[0]
  return head ? `${head.segment}:${head.head}` : 'none'
}

/** `until` names the last mode to work; a phase of a later mode, or of one reached by going on, is not entered. */
function isPast(until: ModeId | undefined, mode: ModeId | undefined, job: Job, next: string | undefined): boolean {
  if (until === undefined || mode === undefined) return false
  const target = job.pipeline.phases.find(({ name }) => name === next)?.mode
  return mode === until && target !== until && target !== undefined && MODES.indexOf(target) > MODES.indexOf(until)
}

function allowedEnv(ports: Ports, names: readonly string[]): Record<string, string> {
  const allowed = ['PATH', 'HOME', 'LANG', 'TMPDIR', ...names]
  return Object.fromEntries(allowed.flatMap((name) => (ports.env[name] === undefined ? [] : [[name, ports.env[name] as string]])))
}

function delivered(issue: number, state: TicketState): RunOutcome {
  const reasons = [`delivered on ${state.branch}; merge it with \`valuetrain run ${issue} --merge auto\``]
  return { outcome: 'waiting', issue, ticket: state.ticket, reasons }
}

function waiting(issue: number, state: TicketState, reason: string): RunOutcome {
  return { outcome: 'waiting', issue, ticket: state.ticket, reasons: [reason] }
}
