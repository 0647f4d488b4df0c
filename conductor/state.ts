import { type AnyActorScope, createActor, initialTransition } from 'xstate'
import type { Actor, EventData, EventType, PlacedEntry } from '../core/contracts/event.ts'
import type { GateResult } from '../core/contracts/gate.ts'
import type { Intent } from '../core/contracts/intent.ts'
import { branchOf, type Status } from '../core/contracts/names.ts'
import type { Usage } from '../core/contracts/runtime.ts'
import { type Control, type Due, type MachineEvent, type TicketSnapshot, ticketMachine } from './machine.ts'

/** One tick of an item; it stays as history and counts only while its evidence holds for the present subject. */
export interface Tick {
  item: string
  phase: string
  attempt: number
  subject: string
  result: string
  at: string
  /** Work commits there were when it was ticked. */
  works: number
}

export interface Decision {
  outcome: EventData<'DECIDED'>['outcome']
  code: string
  reasons: readonly string[]
  phase: string
  attempt: number
  at: string
}

/** A child ticket's issue, from the intent to open it until it is done. */
export interface ChildTicket {
  key: string
  title: string
  issue: number | undefined
  done: boolean
}

/** What the log says of the change that stands for the ticket on a forge. */
export interface ChangeRecord {
  /** The forge's name of it; undefined between intent and opening. */
  id: string | undefined
  reviewers: readonly string[]
  /** Ids of reviews and checks that have been taken up. */
  answered: ReadonlySet<string>
  /** What came back last, until it is delivered again. */
  feedback: EventData<'CHANGE_RETURNED'>['feedback']
  /** Changes that a person closed. */
  closed: ReadonlySet<string>
}

/** What the log says beside the control data. All lists are in log order. */
export interface Ledger {
  opened: EventData<'TICKET_OPENED'> | undefined
  openedAt: string | undefined
  /** Time of the last entry. */
  at: string | undefined
  epoch: number
  /** Items asked by the phases entered so far, and whether each is required. */
  asked: Map<string, boolean>
  ticks: Tick[]
  /** Every result ever judged, by its id; what counts now is in `control.results`. */
  results: Map<string, GateResult>
  decisions: Decision[]
  approvals: (EventData<'APPROVED'> & { at: string })[]
  overrides: (EventData<'OVERRIDDEN'> & { at: string })[]
  refusals: { tool: string; reason: string }[]
  /** What agents asked for and was let through, in order; `settled` once something has come of it. */
  intents: { id: string; turn: string; intent: Intent; settled: boolean }[]
  artifacts: Map<string, string>
  rescues: string[]
  children: ChildTicket[]
  waiting: { reason: EventData<'WAITING_BEGUN'>['reason']; on: string; until: string | undefined; needsUsd?: number } | undefined
  checkIn: EventData<'CHECK_IN_ASKED'> | undefined
  /** Moments answered, as `moment:phase:attempt`. */
  checkedIn: Set<string>
  lastTurn: (EventData<'TURN_ENDED'> & { at: string }) | undefined
  /** Who works the turn that began last, and the runtimes' own sessions by phase and runtime. */
  working: { turn: string; place: string } | undefined
  sessions: Map<string, string>
  handOffs: string[]
  notes: string[]
  work: EventData<'WORK_COMMITTED'>[]
  /** Choices of the router, in order. */
  routes: EventData<'ROUTED'>[]
  usage: Usage
  delivered: EventData<'DELIVERED'> | undefined
  deliveredAt: string | undefined
  /** The change on a forge of another machine: intended, then opened, and what came back from there. */
  change: ChangeRecord | undefined
  stopped: string | undefined
  actors: { human: number; agent: number }
  /** Phases entered, with times, for flow measures. */
  visits: { phase: string; mode: string; at: string; attempt: number; by: 'human' | 'agent' }[]
}

/** A ticket as the fold of its session. `status` never says `queued` or `done`: those are derived outside the log. */
export interface TicketState {
  ticket: string
  branch: string
  status: Status
  due: Due | undefined
  control: Control
  ledger: Ledger
  /** Entries that the machine did not accept where they stand: a forged or misplaced line. */
  refused: { id: string; type: string; why: string }[]
  /** The fold itself, to go on from. */
  snapshot: TicketSnapshot
}

/** Returns the state of a ticket nobody has opened. */
export function beginTicket(ticket: string): TicketState {
  const [snapshot] = initialTransition(ticketMachine)
  return describe({
    ticket,
    branch: branchOf(ticket),
    status: 'queued',
    due: undefined,
    control: snapshot.context,
    ledger: emptyLedger(),
    refused: [],
    snapshot,
  })
}

/**
 * Returns a ticket's state: the pure fold of its entries, in the order `loadSession` gives them.
 * Replaying the same entries gives the same state; a redacted or unknown entry moves nothing.
 */
export function foldTicket(ticket: string, entries: readonly PlacedEntry[]): TicketState {
  const state = beginTicket(ticket)
  for (const [index, entry] of entries.entries()) {
    if (entry.type === 'ROLLED_BACK' && entry.data) rewind(state, entries, index, entry.data.to)
    take(state, entry)
  }
  return describe(state)
}

/** Returns the state after one more entry. The given state must not be used afterwards: its ledger moves on. */
export function stepTicket(state: TicketState, entry: PlacedEntry, before: readonly PlacedEntry[]): TicketState {
  if (entry.type === 'ROLLED_BACK' && entry.data) rewind(state, before, before.length, entry.data.to)
  take(state, entry)
  return describe(state)
}

/** Returns the state as it was right after an entry, or undefined when the log has no such entry. */
export function stateAt(ticket: string, entries: readonly PlacedEntry[], id: string): TicketState | undefined {
  const index = entries.findIndex((entry) => entry.id === id)
  return index < 0 ? undefined : foldTicket(ticket, entries.slice(0, index + 1))
}

/** Returns the moment's key under which an answer is remembered: a moment is asked once an attempt of a phase. */
export function momentKey(moment: string, control: Pick<Control, 'phase' | 'attempt'>): string {
  return `${moment}:${control.phase ?? ''}:${control.attempt}`
}

/** Returns the name an item has within its ticket: items of two phases may share an id. */
export function itemName(phase: string, item: string): string {
  return `${phase}-${item}`
}

/** Returns the items whose tick still counts: nothing was changed since, or what it was judged on is what is there now. */
export function itemsHeld(state: TicketState): Set<string> {
  const { ticks, work } = state.ledger
  const holds = (tick: Tick) => tick.works === work.length || tick.subject === state.control.subject
  return new Set(ticks.filter(holds).map((tick) => itemName(tick.phase, tick.item)))
}

/** Returns how many of the required items of the phases entered so far are ticked with evidence that holds. */
export function itemProgress(state: TicketState): { done: number; required: number } {
  const held = itemsHeld(state)
  const required = [...state.ledger.asked].filter(([, isRequired]) => isRequired).map(([name]) => name)
  return { done: required.filter((name) => held.has(name)).length, required: required.length }
}

/** Goes back to where the log was at an entry; attempts stay counted, so that what follows is a new attempt. */
function rewind(state: TicketState, entries: readonly PlacedEntry[], end: number, to: string): void {
  const index = entries.findIndex((entry, position) => position < end && entry.id === to)
  if (index < 0) return
  const { attempts } = state.control
  const past = foldTicket(state.ticket, entries.slice(0, index + 1))
  state.snapshot = ticketMachine.resolveState({
    value: past.snapshot.value,
    context: { ...past.control, attempts },
    historyValue: past.snapshot.historyValue,
  } as never)
}

function take(state: TicketState, entry: PlacedEntry): void {
  const { ledger } = state
  ledger.at = entry.ts
  if (entry.data === null) return
  const event = { type: entry.type, data: entry.data, id: entry.id, at: entry.ts } as MachineEvent
  const next = ticketMachine.transition(state.snapshot, event, scopeOf())
  if (next.context.last !== entry.id) {
    state.refused.push({ id: entry.id, type: entry.type, why: `not accepted while ${statusOf(state.snapshot)}` })
    return
  }
  state.snapshot = next
  state.control = next.context
  ledger.actors[entry.data.actor.kind] += 1
  const keep = KEEPERS[entry.type] as ((ledger: Ledger, data: unknown, facts: Facts) => void) | undefined
  keep?.(ledger, entry.data, { id: entry.id, at: entry.ts, actor: entry.data.actor, control: next.context })
}

/**
 * Where nothing happens beside the step itself: the machine has no actors and no actions but assignments. xstate's own
 * `transition` makes such a scope anew for every event, which costs as much as the event.
 */
function scopeOf(): AnyActorScope {
  scope ??= inert()
  return scope
}

let scope: AnyActorScope | undefined

function inert(): AnyActorScope {
  const self = createActor(ticketMachine)
  const nothing = () => {}
  const silent = { defer: nothing, logger: nothing, stopChild: nothing, emit: nothing, actionExecutor: nothing }
  return { self, system: self.system, id: '', sessionId: '', ...silent }
}

function describe(state: TicketState): TicketState {
  state.control = state.snapshot.context
  state.status = statusOf(state.snapshot)
  state.due = dueOf(state.snapshot)
  return state
}

function statusOf(snapshot: TicketSnapshot): Status {
  const work = (snapshot.value as { work: string | { active: string | Record<string, string> } }).work
  if (typeof work === 'string') return work as Status
  const active = typeof work.active === 'string' ? work.active : (Object.keys(work.active)[0] as string)
  return active === 'claimed' ? 'claimed' : active === 'working' ? 'working' : 'gating'
}

function dueOf(snapshot: TicketSnapshot): Due | undefined {
  for (const meta of Object.values(snapshot.getMeta())) {
    const due = (meta as { due?: Due } | undefined)?.due
    if (due) return due
  }
  return undefined
}

function emptyLedger(): Ledger {
  return {
    opened: undefined,
    openedAt: undefined,
    at: undefined,
    epoch: 1,
    asked: new Map(),
    ticks: [],
    results: new Map(),
    decisions: [],
    approvals: [],
    overrides: [],
    refusals: [],
    intents: [],
    artifacts: new Map(),
    rescues: [],
    children: [],
    waiting: undefined,
    checkIn: undefined,
    checkedIn: new Set(),
    lastTurn: undefined,
    working: undefined,
    sessions: new Map(),
    handOffs: [],
    notes: [],
    work: [],
    routes: [],
    usage: { tokensIn: 0, tokensOut: 0, costUsd: 0 },
    delivered: undefined,
    deliveredAt: undefined,
    change: undefined,
    stopped: undefined,
    actors: { human: 0, agent: 0 },
    visits: [],
  }
}

/** Returns the key under which a runtime's session for a phase is kept. */
export function sessionPlace(phase: string, runtime: string): string {
  return `${phase} ${runtime}`
}

interface Facts {
  id: string
  at: string
  actor: Actor
  control: Control
}

const NO_CHANGE: ChangeRecord = { id: undefined, reviewers: [], answered: new Set(), feedback: [], closed: new Set() }

/** What each event adds to the ledger, one line an event. */
const KEEPERS: { [T in EventType]?: (ledger: Ledger, data: EventData<T>, facts: Facts) => void } = {
  TICKET_OPENED: (ledger, data, { at }) => {
    ledger.opened = data
    ledger.openedAt = at
    ledger.epoch = data.epoch
  },
  SEGMENT_OPENED: (ledger, data) => {
    ledger.epoch = Math.max(ledger.epoch, data.epoch)
  },
  PHASE_ENTERED: (ledger, data, { at, actor }) => {
    for (const { item, required } of data.items) ledger.asked.set(itemName(data.phase, item), required)
    ledger.visits.push({ phase: data.phase, mode: data.mode, at, attempt: data.attempt, by: actor.kind })
  },
  ROUTED: (ledger, data) => {
    ledger.routes.push(data)
  },
  TURN_STARTED: (ledger, { turn, phase, runtime }) => {
    ledger.working = { turn, place: sessionPlace(phase, runtime) }
  },
  TURN_ENDED: (ledger, data, { at }) => {
    if (data.session && ledger.working?.turn === data.turn) ledger.sessions.set(ledger.working.place, data.session)
    ledger.lastTurn = { ...data, at }
    if (data.handOff) ledger.handOffs.push(data.handOff)
    ledger.notes.push(...data.decisions)
    if (data.usage) {
      ledger.usage = {
        tokensIn: ledger.usage.tokensIn + data.usage.tokensIn,
        tokensOut: ledger.usage.tokensOut + data.usage.tokensOut,
        costUsd: ledger.usage.costUsd + data.usage.costUsd,
      }
    }
  },
  INTENT_STATED: (ledger, { turn, intent, allowed }, { id }) => {
    if (allowed && intent) ledger.intents.push({ id, turn, intent, settled: false })
  },
  INTENT_SETTLED: (ledger, { intent }) => {
    const stated = ledger.intents.find(({ id }) => id === intent)
    if (stated) stated.settled = true
  },
  TOOL_REFUSED: (ledger, { tool, reason }) => {
    ledger.refusals.push({ tool, reason })
  },
  WORK_COMMITTED: (ledger, data) => {
    ledger.work.push(data)
  },
  ARTIFACT_WRITTEN: (ledger, { path, digest }) => {
    ledger.artifacts.set(path, digest)
  },
  GATE_JUDGED: (ledger, { result }) => {
    ledger.results.set(result.id, result)
  },
  ITEM_TICKED: (ledger, { item, phase, attempt, subject, result }, { at }) => {
    ledger.ticks.push({ item, phase, attempt, subject, result, at, works: ledger.work.length })
  },
  DECIDED: (ledger, { outcome, code, reasons, phase, attempt }, { at }) => {
    ledger.decisions.push({ outcome, code, reasons, phase, attempt, at })
    if (outcome === 'block' || outcome === 'kill') ledger.stopped = reasons.join('; ')
  },
  CHECK_IN_ASKED: (ledger, data) => {
    ledger.checkIn = data
    ledger.waiting = { reason: 'check-in', on: data.question, until: undefined }
  },
  CHECK_IN_ANSWERED: (ledger, { moment }, { control }) => {
    ledger.checkedIn.add(momentKey(moment, control))
    ledger.checkIn = undefined
    ledger.waiting = undefined
  },
  APPROVED: (ledger, data, { at }) => {
    ledger.approvals.push({ ...data, at })
  },
  OVERRIDDEN: (ledger, data, { at }) => {
    ledger.overrides.push({ ...data, at })
    ledger.stopped = undefined
  },
  WAITING_BEGUN: (ledger, { reason, on, until, needsUsd }) => {
    ledger.waiting = { reason, on, until, ...(needsUsd === undefined ? {} : { needsUsd }) }
  },
  WAITING_ENDED: (ledger) => {
    ledger.waiting = undefined
  },
  PAUSED: (ledger, { reason }) => {
    ledger.stopped = reason
    ledger.waiting = undefined
  },
  RESUMED: (ledger) => {
    ledger.stopped = undefined
  },
  ABORTED: (ledger, { reason }) => {
    ledger.stopped = reason
    ledger.waiting = undefined
  },
  CHILD_INTENDED: (ledger, { key, title }) => {
    if (!ledger.children.some((child) => child.key === key)) ledger.children.push({ key, title, issue: undefined, done: false })
  },
  CHILD_OPENED: (ledger, { key, issue }) => {
    const child = ledger.children.find((candidate) => candidate.key === key)
    if (child) child.issue = issue
  },
  CHILD_DONE: (ledger, { issue }) => {
    const child = ledger.children.find((candidate) => candidate.issue === issue)
    if (child) child.done = true
  },
  RESCUED: (ledger, { ref }) => {
    ledger.rescues.push(ref)
  },
  TURN_INTERRUPTED: (ledger, { rescue }) => {
    if (rescue) ledger.rescues.push(rescue)
  },
  ROLLED_BACK: (ledger, { checkpoint, reason }) => {
    ledger.rescues.push(checkpoint)
    ledger.stopped = `rolled back: ${reason}`
    ledger.delivered = undefined
    ledger.waiting = undefined
  },
  COMMENTED: (ledger, { text }) => {
    ledger.notes.push(text)
  },
  DELIVERED: (ledger, data, { at }) => {
    ledger.delivered = data
    ledger.deliveredAt = at
    if (ledger.change) ledger.change = { ...ledger.change, feedback: [] }
  },
  CHANGE_INTENDED: (ledger) => {
    ledger.change ??= NO_CHANGE
  },
  CHANGE_OPENED: (ledger, { change, reviewers }) => {
    ledger.change = { ...(ledger.change ?? NO_CHANGE), id: change, reviewers }
  },
  CHANGE_RETURNED: (ledger, { change, feedback }, { control }) => {
    const known = ledger.change ?? NO_CHANGE
    const answered = new Set([...known.answered, ...feedback.map(({ id }) => id)])
    ledger.change = { ...known, id: change, answered, feedback }
    ledger.delivered = undefined
    ledger.deliveredAt = undefined
    const count = control.strikes[control.stretch[0] ?? ''] ?? 0
    if (count < control.attemptsAllowed) return
    const from = feedback.map(({ from, name }) => `${from} ${name}`).join(', ')
    ledger.stopped = `${count} failed attempts; the change came back again: ${from}`
  },
  CHANGE_CLOSED: (ledger, { change, reason }) => {
    const known = ledger.change ?? NO_CHANGE
    ledger.change = { ...known, id: undefined, closed: new Set([...known.closed, change]) }
    ledger.delivered = undefined
    ledger.deliveredAt = undefined
    ledger.stopped = reason
  },
  REOPENED: (ledger, { reason }) => {
    ledger.delivered = undefined
    ledger.deliveredAt = undefined
    ledger.notes.push(reason)
  },
}
