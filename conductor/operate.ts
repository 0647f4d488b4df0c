import type { Actor } from '../core/contracts/event.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { type Lease, readLease, releaseLease, takeLease } from '../core/lease.ts'
import { listWorktrees } from '../core/worktree.ts'
import { workDigest } from '../gates/index.ts'
import type { RollbackGoal } from '../sessions/index.ts'
import { committedConfig, type Definitions, loadDefinitions, phaseGates, pipelineNamed } from './definitions.ts'
import { type Desk, openDesk } from './desk.ts'
import { dropRequest, type Request } from './inbox.ts'
import type { Ports } from './ports.ts'
import { planRollback, rollBack } from './rollback.ts'
import { type FoundTicket, findTickets } from './sources.ts'

/** What an operator can do to a ticket. `gate` may name a gate or an item. */
export type Act =
  | { type: 'pause' | 'resume'; reason?: string }
  | { type: 'abort'; reason: string }
  | { type: 'comment'; text: string }
  | { type: 'approve'; gate?: string; reason?: string; channel: 'terminal' }
  | { type: 'override'; gate: string; reason: string; expires?: string; channel: 'terminal' }
  | { type: 'release' }
  /** Ticks an item by a person's word; every other item is ticked by its evidence alone. */
  | { type: 'tick'; item: string; reason?: string; channel: 'terminal' }
  | { type: 'rollback'; goal: RollbackGoal; reason: string }

export interface Operation {
  /** False when another process works the ticket and will fold the request in. */
  applied: boolean
  /** What happened, one sentence for people. */
  text: string
}

/**
 * Does an operator's act: takes the claim, opens a segment of its own and records the event; when another process
 * works the ticket, drops the request in its inbox instead.
 *
 * @throws VT_TICKET_UNKNOWN; VT_ACT_REFUSED when the ticket's state does not take the act; VT_LEASE_HELD when the act
 *   cannot wait in an inbox
 */
export async function operate(ports: Ports, issue: number, act: Act, person: string): Promise<Operation> {
  const { repository } = ports
  const config = await committedConfig(repository)
  const found = await openTicket(ports, issue)
  if (act.type === 'release') return release(ports, issue, config.lease.ttlMs)
  const actor: Actor = { kind: 'human', role: 'conductor', name: person }
  refuseUnfit(found, act)
  let lease: Lease
  try {
    lease = await takeLease(repository, {
      issue,
      remote: config.remote,
      ids: ports.ids,
      clock: ports.clock,
      ttlMs: config.lease.ttlMs,
      epochFloor: found.state.ledger.epoch,
    })
  } catch (error) {
    if (error instanceof ValuetrainError && error.code === 'VT_LEASE_HELD') return dropFor(ports, found, act, actor, error)
    throw error
  }
  try {
    const definitions = await loadDefinitions(repository, found.state.ledger.opened?.base as string)
    const desk = await openFor(ports, found, lease, actor, definitions)
    try {
      const text =
        act.type === 'rollback'
          ? await goBack(desk, found, act, actor)
          : await apply(desk, asApproval(found, act), actor, definitions)
      await desk.leave(desk.state.status)
      return { applied: true, text }
    } finally {
      await desk.release()
    }
  } finally {
    await releaseLease(repository, lease)
  }
}

/** Ticking an item that asks for a person's word is approving the gate it compiles to. */
function asApproval({ ticket, issue, state }: FoundTicket, act: Act): Act {
  if (act.type !== 'tick') return act
  const { required } = state.control
  const known = required.flatMap(({ item }) => item ?? [])
  const asked = required.find(({ item }) => item === act.item)
  if (asked === undefined) {
    throw new ValuetrainError('VT_ITEM_UNKNOWN', `the present phase asks no item "${act.item}"${didYouMean(act.item, known)}`, {
      hint: known.length > 0 ? `it asks: ${known.join(', ')}` : 'it asks none; `valuetrain ticket show` lists what is asked',
    })
  }
  if (!asked.human) {
    throw new ValuetrainError('VT_ACT_REFUSED', `item "${act.item}" of ${ticket} is ticked by its evidence, not by hand`, {
      hint: `make the evidence hold and commit it; \`valuetrain run ${issue}\` judges and ticks it`,
    })
  }
  return { type: 'approve', gate: asked.gate, channel: act.channel, ...(act.reason ? { reason: act.reason } : {}) }
}

async function goBack(desk: Desk, found: FoundTicket, act: Extract<Act, { type: 'rollback' }>, actor: Actor): Promise<string> {
  const plan = await planRollback(desk.git, desk.ports.env, found, act.goal)
  const checkpoint = await rollBack(desk, plan, actor, act.reason)
  return `${desk.ticket} is back at entry ${plan.entry}; what was there before is checkpoint ${checkpoint}`
}

async function openTicket(ports: Ports, issue: number): Promise<FoundTicket> {
  const config = await committedConfig(ports.repository)
  const tickets = (await findTickets(ports.repository, config)).filter((found) => found.issue === issue)
  const live = tickets.find(({ done }) => !done)
  if (live) return live
  const why = tickets.length > 0 ? `issue ${issue} is done` : `issue ${issue} has no ticket yet`
  throw new ValuetrainError('VT_TICKET_UNKNOWN', why, {
    hint: tickets.length > 0 ? 'a done ticket is frozen; open a new issue' : `start it with \`valuetrain run ${issue}\``,
  })
}

function refuseUnfit({ ticket, state }: FoundTicket, act: Act): void {
  const refuse = (why: string, hint: string): never => {
    throw new ValuetrainError('VT_ACT_REFUSED', `ticket ${ticket} cannot ${act.type}: ${why}`, { hint })
  }
  const { status } = state
  if (act.type === 'pause' && (status === 'paused' || status === 'aborted' || status === 'delivered' || status === 'blocked')) {
    refuse(`it is ${status}`, 'nothing is running that could be paused')
  }
  if (act.type === 'resume' && status !== 'paused' && status !== 'blocked' && status !== 'aborted') {
    refuse(`it is ${status}`, `go on with \`valuetrain run ${state.ledger.opened?.issue.number ?? ''}\``)
  }
  if (act.type === 'abort' && (status === 'aborted' || status === 'delivered')) refuse(`it is ${status}`, 'it has already ended')
  const isCheckIn = act.type === 'override' && act.gate === state.ledger.checkIn?.moment
  if (!isCheckIn && (act.type === 'override' || (act.type === 'approve' && act.gate !== undefined)))
    gateOf(state, act.gate as string)
}

/** The gate an operator means: a gate of the present phase, or an item of it. */
function gateOf(state: FoundTicket['state'], name: string): string {
  const { required } = state.control
  const gate = required.find(({ gate, item }) => gate === name || item === name)?.gate
  if (gate) return gate
  const known = required.flatMap(({ gate, item }) => [gate, ...(item ? [item] : [])])
  throw new ValuetrainError('VT_GATE_UNKNOWN', `the present phase asks no gate or item "${name}"${didYouMean(name, known)}`, {
    hint: `it asks: ${[...new Set(known)].join(', ')}`,
  })
}

async function dropFor(ports: Ports, found: FoundTicket, act: Act, actor: Actor, held: ValuetrainError): Promise<Operation> {
  const worktree = (await listWorktrees(ports.repository)).find(({ branch }) => branch === found.state.branch)
  const request = requestOf(act, actor)
  if (worktree === undefined || request === undefined) throw held
  const gitDir = await ports.repository.git.at(worktree.dir).text(['rev-parse', '--absolute-git-dir'])
  await dropRequest(gitDir, ports.ids.ulid(), request)
  return { applied: false, text: `${act.type} was handed to the process that works ${found.ticket}` }
}

function requestOf(act: Act, actor: Actor): Request | undefined {
  if (act.type === 'abort') return { type: 'abort', actor, reason: act.reason }
  if (act.type === 'comment') return { type: 'comment', actor, text: act.text }
  if (act.type === 'pause' || act.type === 'resume')
    return { type: act.type, actor, ...(act.reason ? { reason: act.reason } : {}) }
  return undefined
}

async function openFor(ports: Ports, found: FoundTicket, lease: Lease, actor: Actor, definitions: Definitions): Promise<Desk> {
  const { control, ledger } = found.state
  const opened = ledger.opened as NonNullable<typeof ledger.opened>
  return openDesk(ports, {
    ticket: found.ticket,
    pipeline: opened.pipeline,
    phase: control.phase ?? (control.next as string),
    mode: control.mode ?? definitions.method.pipelines.get(opened.pipeline)?.phases[0]?.mode ?? 'build',
    base: opened.base,
    lease,
    definitions,
    opened,
    actor,
    reason: 'operator',
  })
}

async function apply(desk: Desk, act: Act, actor: Actor, definitions: Definitions): Promise<string> {
  const { control, ledger, status } = desk.state
  const { ticket } = desk
  switch (act.type) {
    case 'pause':
      await desk.record('PAUSED', { actor, ...(act.reason ? { reason: act.reason } : {}) })
      return `${ticket} is paused`
    case 'resume':
      await desk.record('RESUMED', { actor, ...(act.reason ? { reason: act.reason } : {}) })
      return `${ticket} is resumed; go on with \`valuetrain run ${ledger.opened?.issue.number}\``
    case 'abort':
      await desk.record('ABORTED', { actor, reason: act.reason })
      return `${ticket} is aborted; its worktree and branch are kept`
    case 'comment':
      await desk.record('COMMENTED', { actor, text: act.text })
      return `noted on ${ticket}`
    case 'approve': {
      // The ledger moves on with each entry, so what it says now is kept.
      const { checkIn } = ledger
      if (checkIn) {
        await desk.record('CHECK_IN_ANSWERED', {
          actor,
          moment: checkIn.moment,
          option: 'continue',
          channel: act.channel,
          ...(act.reason ? { reason: act.reason } : {}),
        })
        return `${ticket} goes on after "${checkIn.moment}"`
      }
      const gates = act.gate === undefined ? missingHuman(desk) : [gateOf(desk.state, act.gate)]
      if (gates.length === 0) {
        throw new ValuetrainError('VT_NOTHING_TO_APPROVE', `ticket ${ticket} waits for no approval`, { hint: `it is ${status}` })
      }
      const subject = await presentWork(desk)
      for (const gate of gates) {
        await desk.record('APPROVED', {
          actor: answering(actor, definitions, desk, gate),
          gate,
          subject,
          channel: act.channel,
          ...(act.reason ? { reason: act.reason } : {}),
        })
      }
      if (status === 'waiting')
        await desk.record('WAITING_ENDED', { actor, reason: ledger.waiting?.reason ?? 'approval', by: 'approve' })
      return `${gates.join(', ')} approved for ${ticket}`
    }
    case 'override': {
      const { checkIn } = ledger
      if (checkIn && act.gate === checkIn.moment) {
        const { channel, reason } = act
        await desk.record('CHECK_IN_ANSWERED', { actor, moment: checkIn.moment, option: 'continue', channel, reason })
        return `${ticket} goes on after "${checkIn.moment}": ${reason}`
      }
      const gate = gateOf(desk.state, act.gate)
      const subject = await presentWork(desk)
      await desk.record('OVERRIDDEN', {
        actor,
        gate,
        subject,
        channel: act.channel,
        reason: act.reason,
        ...(act.expires ? { expires: act.expires } : {}),
      })
      if (status === 'waiting')
        await desk.record('WAITING_ENDED', { actor, reason: ledger.waiting?.reason ?? 'approval', by: 'override' })
      return `${gate} is overridden for ${ticket}: ${act.reason}`
    }
    default:
      throw new ValuetrainError('VT_ACT_REFUSED', `ticket ${ticket} in phase ${control.phase} cannot ${act.type}`)
  }
}

function missingHuman(desk: Desk): string[] {
  const { required, results } = desk.state.control
  return required.filter(({ gate, human }) => human && results[gate]?.verdict !== 'pass').map(({ gate }) => gate)
}

/** What an answer is bound to: the work as it is committed on the branch, so that it does not outlive a change. */
function presentWork(desk: Desk): Promise<string> {
  return workDigest({ git: desk.git, head: 'HEAD', ticket: desk.ticket })
}

/** A person answers in a role that the gate asks for; which person may is the forge's or the team's to say. */
function answering(actor: Actor, definitions: Definitions, desk: Desk, gate: string): Actor {
  const { control, ledger } = desk.state
  const pipeline = pipelineNamed(definitions, ledger.opened?.pipeline ?? '')
  const kind = phaseGates(definitions, pipeline, control.phase as string).specs.find(({ id }) => id === gate)?.kind
  return kind?.type === 'human' && kind.roles[0] !== undefined ? { ...actor, role: kind.roles[0] } : actor
}

async function release(ports: Ports, issue: number, ttlMs: number): Promise<Operation> {
  const { repository } = ports
  const config = await committedConfig(repository)
  const held = await readLease(repository, { issue, remote: config.remote })
  if (held === undefined) return { applied: true, text: `nobody holds issue ${issue}` }
  // Taking a claim applies the rules of takeover: a living holder keeps it.
  // A claim from elsewhere is watched for its whole time before it may be taken.
  const lease = await takeLease(repository, {
    issue,
    remote: config.remote,
    ids: ports.ids,
    clock: ports.clock,
    ttlMs,
    watchMs: ttlMs,
  })
  await releaseLease(repository, lease)
  return { applied: true, text: `the claim on issue ${issue} is released` }
}
