import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Actor, EventData, EventInput, EventType, PlacedEntry } from '../core/contracts/event.ts'
import { branchOf, type ModeId, ticketFolder } from '../core/contracts/names.ts'
import { type Git, openGit } from '../core/git.ts'
import type { Lease } from '../core/lease.ts'
import { readerOf } from '../core/reader.ts'
import { restoreCommitted, takeRescue } from '../core/rescue.ts'
import { openWorktree, type Worktree, worktreeRoot } from '../core/worktree.ts'
import { loadSession, openSegment, type SegmentWriter, setAsideTorn, type TicketSession } from '../sessions/index.ts'
import { type Definitions, phaseGates, pipelineNamed } from './definitions.ts'
import type { AskedItem } from './papers.ts'
import type { Ports } from './ports.ts'
import { commitRecord } from './record.ts'
import { foldTicket, stepTicket, type TicketState } from './state.ts'

/** Acts of the conductor itself: nobody at the keyboard. */
export const CONDUCTOR: Actor = { kind: 'agent', role: 'conductor' }

/**
 * A ticket that one process works on: its worktree, its open segment and the state that is the fold of both.
 * The only way to change the state is to `record` an event, which is on disk before the call returns.
 */
export interface Desk {
  readonly ticket: string
  readonly ports: Ports
  readonly worktree: Worktree
  /** git in the worktree. */
  readonly git: Git
  /** Absolute path of the ticket's folder. */
  readonly folder: string
  readonly entries: readonly PlacedEntry[]
  /** Items of the stretch's phases, for the checklist. */
  readonly asked: readonly AskedItem[]
  readonly state: TicketState
  /** Hash of the segment's last line, as the trailers carry it. */
  readonly head: string
  /** The name of the open segment. */
  readonly segment: string
  /** Whether the segment has been ended. */
  readonly closed: boolean
  record<T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'> & { actor?: Actor }): Promise<PlacedEntry>
  /** Ends the segment and commits the record. */
  leave(outcome: string): Promise<void>
}

export interface Opening {
  ticket: string
  pipeline: string
  phase: string
  mode: ModeId
  base: string
  lease: Lease
  definitions: Definitions
  /** First entry when nobody has opened the ticket yet. */
  opened: Omit<EventInput<'TICKET_OPENED'>, 'actor'>
  actor?: Actor
  /** Why a further segment is opened. */
  reason: EventData<'SEGMENT_OPENED'>['reason']
}

/**
 * Opens a ticket to work on it, for the first time or after a stop: makes or adopts the worktree, sets torn lines
 * aside, opens a segment that names its parents, and puts back what an interrupted turn left (rescued first).
 */
export async function openDesk(ports: Ports, opening: Opening): Promise<Desk> {
  const { repository } = ports
  const root = worktreeRoot(repository, opening.definitions.config)
  const worktree = await openWorktree(repository, {
    root,
    name: opening.ticket,
    branch: branchOf(opening.ticket),
    base: opening.base,
  })
  const folder = join(worktree.dir, ticketFolder(opening.ticket))
  await mkdir(join(folder, 'artifacts'), { recursive: true })
  const session = await loadSession(readerOf(worktree.dir), opening.ticket)
  const torn = await setTornLinesAside(folder, session)
  const writer = await openSegment({
    folder,
    header: {
      schema: 1,
      session: session.segments[0]?.header.session ?? ports.ids.ulid(),
      segment: ports.ids.ulid(),
      parents: leaves(session),
      ticket: opening.ticket,
      pipeline: opening.pipeline,
      phase: opening.phase,
      mode: opening.mode,
      actor: opening.actor ?? CONDUCTOR,
      base: opening.base,
      opened: new Date(ports.clock.now()).toISOString(),
      epoch: opening.lease.epoch,
    },
    clock: ports.clock,
    ids: ports.ids,
    redactRoots: [worktree.dir, root, ...(repository.root ? [repository.root] : []), repository.commonDir],
  })
  const desk = new OpenDesk(ports, opening.ticket, worktree, folder, session.entries, itemsOfStretch(opening), writer)
  const actor = opening.actor ? { actor: opening.actor } : {}
  if (session.entries.length === 0) await desk.record('TICKET_OPENED', { ...opening.opened, ...actor })
  else await desk.record('SEGMENT_OPENED', { reason: opening.reason, epoch: opening.lease.epoch, ...actor })
  for (const line of torn) await desk.record('LINE_SET_ASIDE', line)
  await putBackInterruptedTurn(desk, opening.definitions)
  return desk
}

class OpenDesk implements Desk {
  readonly ticket: string
  readonly ports: Ports
  readonly worktree: Worktree
  readonly git: Git
  readonly folder: string
  readonly asked: readonly AskedItem[]
  readonly #entries: PlacedEntry[]
  readonly #writer: SegmentWriter
  #state: TicketState
  #closed = false

  constructor(
    ports: Ports,
    ticket: string,
    worktree: Worktree,
    folder: string,
    entries: readonly PlacedEntry[],
    asked: readonly AskedItem[],
    writer: SegmentWriter,
  ) {
    this.ports = ports
    this.ticket = ticket
    this.worktree = worktree
    this.git = openGit(worktree.dir, ports.env)
    this.folder = folder
    this.asked = asked
    this.#entries = [...entries]
    this.#writer = writer
    this.#state = foldTicket(ticket, entries)
  }

  get entries(): readonly PlacedEntry[] {
    return this.#entries
  }

  get state(): TicketState {
    return this.#state
  }

  get head(): string {
    return this.#writer.head
  }

  get segment(): string {
    return this.#writer.header.segment
  }

  get closed(): boolean {
    return this.#closed
  }

  async record<T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'> & { actor?: Actor }): Promise<PlacedEntry> {
    const entry = await this.#writer.append(type, { actor: CONDUCTOR, ...data } as EventInput<T>)
    this.#state = stepTicket(this.#state, entry, this.#entries)
    this.#entries.push(entry)
    this.ports.onEvent(this.ticket, entry)
    return entry
  }

  async leave(outcome: string): Promise<void> {
    this.#closed = true
    await this.#writer.close(outcome)
    await commitRecord(this, `Record the session (${outcome})`)
  }
}

function itemsOfStretch({ definitions, opened }: Opening): AskedItem[] {
  const pipeline = pipelineNamed(definitions, opened.pipeline)
  // An item that no gate stands for (a command that is not configured) cannot be ticked and is not listed.
  return opened.stretch.flatMap((phase) =>
    phaseGates(definitions, pipeline, phase).items.flatMap(({ item, gates }) => (gates.length > 0 ? [{ phase, item }] : [])),
  )
}

async function setTornLinesAside(folder: string, session: TicketSession): Promise<EventInput<'LINE_SET_ASIDE'>[]> {
  const torn: EventInput<'LINE_SET_ASIDE'>[] = []
  for (const segment of session.segments) {
    if (segment.torn) torn.push({ ...(await setAsideTorn(folder, segment.file)), actor: CONDUCTOR })
  }
  return torn
}

/** The heads that no segment has gone on from: what a new segment continues. */
function leaves(session: TicketSession): { segment: string; head: string }[] {
  const continued = new Set(session.segments.flatMap(({ header }) => header.parents.map((parent) => parent.segment)))
  return session.heads.filter(({ segment }) => !continued.has(segment))
}

/**
 * A turn whose end nobody saw has left half a change. The tail of the log is committed, the half change goes into a
 * rescue ref and the worktree back to its last commit, so that the turn can be worked again from where it began.
 */
async function putBackInterruptedTurn(desk: Desk, definitions: Definitions): Promise<void> {
  const { turn } = desk.state.control
  if (desk.state.due !== 'turn' || turn === undefined) return
  await commitRecord(desk, 'Record the session (interrupted)')
  const { repository, ids } = desk.ports
  const rescue = await takeRescue(repository, desk.worktree.dir, {
    ticket: desk.ticket,
    id: ids.ulid(),
    why: `turn ${turn} was interrupted`,
    keep: definitions.config.workspace.keep,
  })
  if (rescue) await restoreCommitted(repository, desk.worktree.dir, rescue)
  await desk.record('TURN_INTERRUPTED', { turn, ...(rescue ? { rescue: rescue.ref } : {}) })
}
