import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Actor, EventData, EventInput, EventType, PlacedEntry } from '../core/contracts/event.ts'
import { branchOf, type ModeId, ticketFolder } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import { type Lease, renewLease } from '../core/lease.ts'
import { machineFacts } from '../core/privacy.ts'
import { pushBranch } from '../core/push.ts'
import { readerOf } from '../core/reader.ts'
import { restoreCommitted, takeRescue } from '../core/rescue.ts'
import { resolveCommit } from '../core/tree.ts'
import { openWorktree, type Worktree, worktreeRoot } from '../core/worktree.ts'
import {
  loadSession,
  openSegment,
  type SegmentOptions,
  type SegmentWriter,
  setAsideTorn,
  type TicketSession,
} from '../sessions/index.ts'
import type { SetAside } from './catch-up.ts'
import { type Definitions, phaseGates, pipelineNamed } from './definitions.ts'
import type { AskedItem } from './papers.ts'
import type { Ports } from './ports.ts'
import { commitRecord, type RecordedTicket } from './record.ts'
import { foldTicket, stepTicket, type TicketState } from './state.ts'

/** Acts of the conductor itself: nobody at the keyboard. */
export const CONDUCTOR: Actor = { kind: 'agent', role: 'conductor' }

/**
 * A ticket that one process works on: its worktree, its open segment and the state that is the fold of both.
 * The only way to change the state is to `record` an event, which is on disk before the call returns.
 */
export interface Desk extends RecordedTicket {
  readonly ports: Ports
  readonly worktree: Worktree
  /** Whether the segment has been ended. */
  readonly closed: boolean
  record<T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'> & { actor?: Actor }): Promise<PlacedEntry>
  /** Ends the segment, commits the record and publishes it. */
  leave(outcome: string): Promise<void>
  /**
   * Pushes the branch together with the claim, where a remote is shared, so that another machine could go on from here.
   * A remote that is away stops nothing: that is told, and the next push brings it all.
   *
   * @returns whether the remote has it now; true without a remote
   * @throws VT_LEASE_LOST, VT_BRANCH_MOVED
   */
  publish(): Promise<boolean>
  /** Returns the commit the worktree stands on. */
  tip(): Promise<string>
  /** Makes sure that the claim is still ours, before something that no claim can fence. @throws VT_LEASE_LOST, VT_REMOTE */
  renew(): Promise<void>
  /** Lets go of the session file without ending the segment, as a killed process would; nothing when it has ended. */
  release(): Promise<void>
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
  /** What this clone had beyond what counts, when another machine had gone on with the ticket. */
  setAside?: SetAside | undefined
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
  const { session, torn } = await readOwnSession(worktree, folder, opening.ticket)
  const options: SegmentOptions = {
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
    machine: machineFacts(),
    redactRoots: [worktree.dir, root, ...(repository.root ? [repository.root] : []), repository.commonDir],
  }
  const desk = new OpenDesk(
    ports,
    opening.ticket,
    worktree,
    folder,
    session.entries,
    itemsOfStretch(opening),
    options,
    opening.lease,
  )
  await desk.begin()
  const actor = opening.actor ? { actor: opening.actor } : {}
  if (session.entries.length === 0) await desk.record('TICKET_OPENED', { ...opening.opened, ...actor })
  else await desk.record('SEGMENT_OPENED', { reason: opening.reason, epoch: opening.lease.epoch, ...actor })
  for (const line of torn) await desk.record('LINE_SET_ASIDE', line)
  // A delivered log takes nothing more; the ref is there and `rescue list` shows it.
  if (opening.setAside && desk.state.status !== 'delivered') await desk.record('RESCUED', opening.setAside)
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
  #options: SegmentOptions
  #writer: SegmentWriter | undefined
  #state: TicketState
  #closed = false
  #turn: Promise<unknown> = Promise.resolve()
  readonly #lease: Lease

  constructor(
    ports: Ports,
    ticket: string,
    worktree: Worktree,
    folder: string,
    entries: readonly PlacedEntry[],
    asked: readonly AskedItem[],
    options: SegmentOptions,
    lease: Lease,
  ) {
    this.#lease = lease
    this.ports = ports
    this.ticket = ticket
    this.worktree = worktree
    this.git = ports.repository.git.at(worktree.dir)
    this.folder = folder
    this.asked = asked
    this.#entries = [...entries]
    this.#options = options
    this.#state = foldTicket(ticket, entries)
  }

  get entries(): readonly PlacedEntry[] {
    return this.#entries
  }

  get state(): TicketState {
    return this.#state
  }

  get head(): string {
    return this.#open.head
  }

  get segment(): string {
    return this.#options.header.segment
  }

  get #open(): SegmentWriter {
    if (this.#writer === undefined)
      throw new ValuetrainError('VT_SESSION_CLOSED', `no segment of ${this.ticket} is open`, { kind: 'internal' })
    return this.#writer
  }

  /** Makes the segment's file. */
  async begin(): Promise<void> {
    this.#writer = await openSegment(this.#options)
  }

  get closed(): boolean {
    return this.#closed
  }

  async record<T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'> & { actor?: Actor }): Promise<PlacedEntry> {
    // A turn's gateway and its counter record at the same time; a full segment is gone on from once.
    const entry = this.#turn.then(async () => {
      if (this.#open.full) await this.#continue()
      return this.#append(type, { actor: CONDUCTOR, ...data } as EventInput<T>)
    })
    this.#turn = entry.catch(() => {})
    return entry
  }

  /** A full segment is ended and gone on from in a new file, so that no session file grows without bound. */
  async #continue(): Promise<void> {
    const { segment } = this.#options.header
    await this.#open.close('full')
    const parents = [{ segment, head: this.#open.head }]
    const opened = new Date(this.ports.clock.now()).toISOString()
    this.#options = { ...this.#options, header: { ...this.#options.header, segment: this.ports.ids.ulid(), parents, opened } }
    await this.begin()
    await this.#append('SEGMENT_OPENED', { actor: CONDUCTOR, reason: 'continued', epoch: this.#options.header.epoch })
  }

  async #append<T extends EventType>(type: T, data: EventInput<T>): Promise<PlacedEntry> {
    const entry = await this.#open.append(type, data)
    this.#state = stepTicket(this.#state, entry, this.#entries)
    this.#entries.push(entry)
    this.ports.onEvent(this.ticket, entry)
    return entry
  }

  async release(): Promise<void> {
    if (!this.#closed) await this.#writer?.release()
  }

  async leave(outcome: string): Promise<void> {
    this.#closed = true
    await this.#open.close(outcome)
    await commitRecord(this, `Record the session (${outcome})`)
    await this.publish()
  }

  async tip(): Promise<string> {
    // Any worktree knows every other's HEAD, so one process of git answers for all.
    const head = await resolveCommit(this.ports.repository.git, `worktrees/${basename(this.worktree.gitDir)}/HEAD`)
    return head ?? this.git.text(['rev-parse', 'HEAD'])
  }

  renew(): Promise<void> {
    return renewLease(this.ports.repository, this.#lease)
  }

  async publish(): Promise<boolean> {
    if (this.#lease.remote === null) return true
    const head = await this.tip()
    try {
      await pushBranch(this.ports.repository, this.#lease, branchOf(this.ticket), head)
      return true
    } catch (error) {
      if (!(error instanceof ValuetrainError) || error.code !== 'VT_REMOTE') throw error
      this.ports.onProgress(this.ticket, `not pushed yet: ${error.message}`)
      return false
    }
  }
}

function itemsOfStretch({ definitions, opened }: Opening): AskedItem[] {
  const pipeline = pipelineNamed(definitions, opened.pipeline)
  // An item that no gate stands for (a command that is not configured) cannot be ticked and is not listed.
  return opened.stretch.flatMap((phase) =>
    phaseGates(definitions, pipeline, phase).items.flatMap(({ item, gates }) => (gates.length > 0 ? [{ phase, item }] : [])),
  )
}

/**
 * Reads the session to go on from. A line torn by a crash is set aside first; anything else that is wrong stops the work,
 * since a log that somebody else has written is no ground to stand on.
 *
 * @throws VT_SESSION_ALTERED naming the file and what is wrong
 */
async function readOwnSession(
  worktree: Worktree,
  folder: string,
  ticket: string,
): Promise<{ session: TicketSession; torn: EventInput<'LINE_SET_ASIDE'>[] }> {
  const found = await loadSession(readerOf(worktree.dir), ticket)
  const torn: EventInput<'LINE_SET_ASIDE'>[] = []
  for (const segment of found.segments) {
    if (segment.torn) torn.push({ ...(await setAsideTorn(folder, segment.file)), actor: CONDUCTOR })
  }
  const session = torn.length > 0 ? await loadSession(readerOf(worktree.dir), ticket) : found
  const wrong = session.findings.find(({ severity }) => severity === 'error')
  if (wrong === undefined) return { session, torn }
  throw new ValuetrainError('VT_SESSION_ALTERED', `the session of ${ticket} is not what was written: ${wrong.message}`, {
    kind: 'config',
    hint: `\`valuetrain session verify ${ticket}\` tells all that is wrong; restore the file from git in the ticket's worktree`,
    details: { ticket, findings: session.findings },
  })
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
