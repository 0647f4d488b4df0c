import * as z from 'zod'
import { type Actor, Channel, type EventInput, type EventType, type Via } from '../core/contracts/event.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { workDigest } from '../gates/index.ts'
import { type Definitions, phaseGates, pipelineNamed } from './definitions.ts'
import type { Desk } from './desk.ts'
import type { TicketState } from './state.ts'
import { strike } from './work.ts'

/** What a person can do to a ticket at its desk. `gate` may name a gate or an item. */
export const DeskAct = z.discriminatedUnion('type', [
  z.object({ type: z.literal('pause'), reason: z.string().optional() }),
  z.object({ type: z.literal('resume'), reason: z.string().optional() }),
  z.object({ type: z.literal('abort'), reason: z.string().min(1) }),
  z.object({ type: z.literal('comment'), text: z.string() }),
  /** Says no to a ticket that asks for an approval: what is there goes back to work, with the person's words. */
  z.object({ type: z.literal('refuse'), reason: z.string() }),
  z.object({ type: z.literal('approve'), gate: z.string().optional(), reason: z.string().optional(), channel: Channel }),
  z.object({
    type: z.literal('override'),
    gate: z.string(),
    reason: z.string().min(1),
    expires: z.string().optional(),
    channel: Channel,
  }),
  /** Ticks an item by a person's word; every other item is ticked by its evidence alone. */
  z.object({ type: z.literal('tick'), item: z.string(), reason: z.string().optional(), channel: Channel }),
])
export type DeskAct = z.infer<typeof DeskAct>

/** Who acts, and where on a forge it was said, if it was. */
export interface Speaker {
  actor: Actor
  via?: Via | undefined
}

/** @throws VT_ACT_REFUSED, VT_GATE_UNKNOWN when the ticket's state does not take the act */
export function refuseUnfit({ ticket, state }: { ticket: string; state: TicketState }, act: DeskAct): void {
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

/**
 * Records a person's act in the ticket's session and returns what came of it, one sentence for people.
 *
 * @throws VT_ACT_REFUSED, VT_GATE_UNKNOWN, VT_ITEM_UNKNOWN, VT_NOTHING_TO_APPROVE
 */
export async function applyAct(desk: Desk, asked: DeskAct, speaker: Speaker, definitions: Definitions): Promise<string> {
  refuseUnfit(desk, asked)
  const act = asApproval(desk, asked)
  const { ledger, status } = desk.state
  const { ticket } = desk
  const record = <T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'> & { actor?: Actor }) =>
    desk.record(type, { actor: speaker.actor, ...(speaker.via ? { via: speaker.via } : {}), ...data })
  switch (act.type) {
    case 'pause':
      await record('PAUSED', because(act.reason))
      return `${ticket} is paused`
    case 'resume':
      await record('RESUMED', because(act.reason))
      return `${ticket} is resumed; go on with \`valuetrain run ${ledger.opened?.issue.number}\``
    case 'abort':
      await record('ABORTED', { reason: act.reason })
      return `${ticket} is aborted; its worktree and branch are kept`
    case 'comment':
      await record('COMMENTED', { text: act.text })
      return `noted on ${ticket}`
    case 'refuse': {
      const { waiting } = ledger
      if (status !== 'waiting' || waiting?.reason !== 'approval')
        throw new ValuetrainError('VT_NOTHING_TO_APPROVE', `ticket ${ticket} waits for no approval`, { hint: `it is ${status}` })
      const said = act.reason.trim() === '' ? 'no reason was given' : act.reason
      await record('COMMENTED', { text: said })
      await record('WAITING_ENDED', { reason: 'approval', by: 'refuse' })
      await record('DECIDED', strike({ desk }, 'refused', [`${speaker.actor.name ?? 'a person'} does not approve: ${said}`]))
      return `${ticket} goes back to work`
    }
    case 'approve': {
      // The ledger moves on with each entry, so what it says now is kept.
      const { checkIn, waiting } = ledger
      const { channel } = act
      if (checkIn) {
        await record('CHECK_IN_ANSWERED', { moment: checkIn.moment, option: 'continue', channel, ...because(act.reason) })
        return `${ticket} goes on after "${checkIn.moment}"`
      }
      const gates = act.gate === undefined ? missingHuman(desk) : [gateOf(desk.state, act.gate)]
      if (gates.length === 0) {
        throw new ValuetrainError('VT_NOTHING_TO_APPROVE', `ticket ${ticket} waits for no approval`, { hint: `it is ${status}` })
      }
      const subject = await presentWork(desk)
      for (const gate of gates) {
        const actor = answering(speaker.actor, definitions, desk, gate)
        await record('APPROVED', { actor, gate, subject, channel, ...because(act.reason) })
      }
      if (status === 'waiting') await record('WAITING_ENDED', { reason: waiting?.reason ?? 'approval', by: 'approve' })
      return `${gates.join(', ')} approved for ${ticket}`
    }
    case 'override': {
      const { checkIn, waiting } = ledger
      const { channel, reason } = act
      if (checkIn && act.gate === checkIn.moment) {
        await record('CHECK_IN_ANSWERED', { moment: checkIn.moment, option: 'continue', channel, reason })
        return `${ticket} goes on after "${checkIn.moment}": ${reason}`
      }
      const gate = gateOf(desk.state, act.gate)
      const subject = await presentWork(desk)
      await record('OVERRIDDEN', { gate, subject, channel, reason, ...(act.expires ? { expires: act.expires } : {}) })
      if (status === 'waiting') await record('WAITING_ENDED', { reason: waiting?.reason ?? 'approval', by: 'override' })
      return `${gate} is overridden for ${ticket}: ${reason}`
    }
  }
}

function because(reason: string | undefined): { reason?: string } {
  return reason ? { reason } : {}
}

/** Ticking an item that asks for a person's word is approving the gate it compiles to. */
function asApproval({ ticket, state }: { ticket: string; state: TicketState }, act: DeskAct): Exclude<DeskAct, { type: 'tick' }> {
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
      hint: `make the evidence hold and commit it; \`valuetrain run ${state.ledger.opened?.issue.number ?? ''}\` judges and ticks it`,
    })
  }
  return { type: 'approve', gate: asked.gate, channel: act.channel, ...because(act.reason) }
}

/** The gate an operator means: a gate of the present phase, or an item of it. */
function gateOf(state: TicketState, name: string): string {
  const { required } = state.control
  const gate = required.find(({ gate, item }) => gate === name || item === name)?.gate
  if (gate) return gate
  const known = required.flatMap(({ gate, item }) => [gate, ...(item ? [item] : [])])
  throw new ValuetrainError('VT_GATE_UNKNOWN', `the present phase asks no gate or item "${name}"${didYouMean(name, known)}`, {
    hint: `it asks: ${[...new Set(known)].join(', ')}`,
  })
}

function missingHuman(desk: Desk): string[] {
  const { required, results } = desk.state.control
  return required
    .filter(
      ({ gate, human, mendedBy }) =>
        (human && results[gate]?.verdict !== 'pass') || (mendedBy === 'person' && results[gate]?.verdict === 'fail'),
    )
    .map(({ gate }) => gate)
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
