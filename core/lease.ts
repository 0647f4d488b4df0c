import { createHmac, randomBytes } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, timestamp } from './clock.ts'
import { ValuetrainError } from './errors.ts'
import { writeAtomically } from './files.ts'
import { type Fate, fateOf, type ProcessIdentity } from './identity.ts'
import type { Ids } from './ids.ts'
import { type LeaseRecord, type LeaseRefs, openLeaseRefs, type ReadRecord } from './lease-refs.ts'
import { ownIdentity } from './lock.ts'
import type { Repository } from './repository.ts'

/** A claim on an issue that this process holds. `renewLease` and `releaseLease` keep it up to date. */
export interface Lease {
  readonly issue: number
  readonly remote: string | null
  /** Keyed digest that says nothing about host, user or process. */
  readonly owner: string
  /** Rises with every takeover; what an older epoch writes after it does not count. */
  readonly epoch: number
  renewals: number
  /** The object the ref holds; the next swap compares with it. */
  object: string
  /** False once it was released or found lost. */
  isHeld: boolean
}

/** A claim as anybody sees it. */
export interface Claim {
  issue: number
  owner: string
  epoch: number
  renewals: number
  /** Set when the owner is a process of this clone. */
  holder?: { pid: number; since: string; fate: Fate }
}

export interface LeaseRequest {
  issue: number
  /** Name of the remote that several clones share, or null for this clone alone. */
  remote: string | null
  ids: Ids
  clock: Clock
  ttlMs: number
  /** Milliseconds to watch a claim from elsewhere before giving up; 0 unless told. A whole `ttlMs` lets it be taken over. */
  watchMs?: number
  /** The highest epoch the ticket's log knows, so that a deleted ref does not begin at 1 again. */
  epochFloor?: number
}

/**
 * Claims an issue: swaps its lease ref, so that one of all racers wins. A claim whose process ran in this clone on this
 * start of the machine and is gone is taken over at once; any other only after this process itself has seen the ref
 * unchanged for one whole `ttlMs` by its own monotonic clock. Takeover raises the epoch.
 *
 * @throws VT_LEASE_HELD with `details` {issue, pid, since}; VT_REMOTE
 */
export async function takeLease(repo: Repository, request: LeaseRequest): Promise<Lease> {
  const { issue, remote, clock, ttlMs } = request
  const refs = openLeaseRefs(repo.git, remote)
  const giveUp = clock.monotonic() + (request.watchMs ?? 0)
  // Mostly nobody has it, and the swap finds that out by itself.
  const first = await claimIssue(repo, refs, request, undefined)
  if (first) return first
  for (;;) {
    const found = await refs.read(issue)
    const claim = found && (await claimOf(repo, found))
    if (!found || !claim || mayTakeOver(found, claim, clock, ttlMs)) {
      const lease = await claimIssue(repo, refs, request, found)
      if (lease) return lease
      continue
    }
    if (claim.holder?.fate === 'running' || clock.monotonic() >= giveUp) throw held(claim, ttlMs)
    await clock.sleep(Math.max(1, Math.min(ttlMs / 3, giveUp - clock.monotonic())))
  }
}

/**
 * Says that the claim is still worked. Called every third of its time.
 *
 * @throws VT_LEASE_LOST when somebody else has it now; VT_REMOTE when the remote cannot be reached
 */
export function renewLease(repo: Repository, lease: Lease): Promise<void> {
  return inLeaseTurn(lease, async () => {
    if (!lease.isHeld) return
    const refs = openLeaseRefs(repo.git, lease.remote)
    const object = await refs.swap(lease.issue, lease.object, nextRecord(lease))
    if (typeof object === 'string') {
      lease.object = object
      lease.renewals += 1
    } else if (lease.isHeld) throw lostLease(lease)
  })
}

/** Returns what the ref holds after the next renewal. */
export function nextRecord(lease: Lease): LeaseRecord {
  return recordOf(lease, lease.renewals + 1)
}

/** Marks a claim as somebody else's and returns the error that stops its work. */
export function lostLease(lease: Lease): ValuetrainError {
  lease.isHeld = false
  return new ValuetrainError('VT_LEASE_LOST', `the claim on issue ${lease.issue} was taken over by somebody else`, {
    kind: 'environment',
    hint: 'nothing more is written by this run; `valuetrain status` shows who goes on',
    details: { issue: lease.issue, epoch: lease.epoch },
  })
}

/** Runs what moves the ref of a claim while nothing else of this process moves it: a renewal and a push would refuse each other. */
export function inLeaseTurn<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(lease) ?? Promise.resolve()).then(work)
  turns.set(
    lease,
    turn.catch(() => {}),
  )
  return turn
}

const turns = new WeakMap<Lease, Promise<unknown>>()

/**
 * Gives the claim back; does nothing when it is not ours any more. A first epoch leaves no ref behind. With a remote that is
 * away the ref stays, and this clone knows that nobody is behind it: whoever comes next here takes it over at once, also
 * while this process lives.
 */
export async function releaseLease(repo: Repository, lease: Lease): Promise<void> {
  lease.isHeld = false
  const refs = openLeaseRefs(repo.git, lease.remote)
  try {
    for (let round = 0; round < 5; round++) {
      // A renewal that was under way may have moved the ref since, so it is read again.
      const found = await refs.read(lease.issue)
      if (found?.owner !== lease.owner) break
      if ((await refs.swap(lease.issue, found.object, leftBy(found))) !== false) break
    }
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.code !== 'VT_REMOTE') throw error
    const note = await readNote(repo, lease.owner)
    if (note) await writeAtomically(runFile(repo, lease.owner), JSON.stringify({ ...note, isOver: true } satisfies RunNote))
    return
  }
  await rm(runFile(repo, lease.owner), { force: true })
}

/**
 * Gives back the claims of this clone's processes that are gone, as they would have done it themselves; returns their issues.
 * Whoever goes on with an issue takes its claim over instead; nobody would ever do that with one that was finished.
 *
 * @param isFree whether nobody is about to go on with an issue
 * @param lastWord what the process may not have come to, done before its claim goes
 */
export async function releaseForsaken(
  repo: Repository,
  { remote }: Pick<LeaseRequest, 'remote'>,
  isFree: (issue: number) => boolean,
  lastWord?: (issue: number) => Promise<unknown>,
): Promise<number[]> {
  const freed: number[] = []
  for (const name of await readdir(join(repo.stateDir, 'runs')).catch(() => [])) {
    const owner = /^([0-9a-f]+)\.json$/.exec(name)?.[1]
    const note = owner === undefined ? undefined : await readNote(repo, owner)
    if (owner === undefined || note === undefined || !isFree(note.issue) || (await fateOfRun(note)) !== 'gone') continue
    const refs = openLeaseRefs(repo.git, remote)
    const found = await refs.read(note.issue)
    if (found?.owner === owner) {
      await lastWord?.(note.issue)
      if ((await refs.swap(note.issue, found.object, leftBy(found))) === false) continue
      freed.push(note.issue)
    }
    await rm(runFile(repo, owner), { force: true })
  }
  return freed
}

/** Returns who holds an issue, or undefined when nobody does. */
export async function readLease(
  repo: Repository,
  { issue, remote }: { issue: number; remote: string | null },
): Promise<Claim | undefined> {
  const found = await openLeaseRefs(repo.git, remote).read(issue)
  return found && claimOf(repo, found)
}

/** Returns all claims, by issue. */
export async function listLeases(repo: Repository, { remote }: { remote: string | null }): Promise<Claim[]> {
  const claims: Claim[] = []
  for (const found of await openLeaseRefs(repo.git, remote).list()) {
    const claim = await claimOf(repo, found)
    if (claim) claims.push(claim)
  }
  return claims
}

/** What only this clone knows about an owner; never in a ref. */
interface RunNote {
  v: 1
  issue: number
  since: string
  process: ProcessIdentity
  /** Set when the claim was given back and the remote could not be told. */
  isOver?: true
}

async function claimIssue(
  repo: Repository,
  refs: LeaseRefs,
  request: LeaseRequest,
  found: ReadRecord | undefined,
): Promise<Lease | undefined> {
  const { issue, remote, ids, clock } = request
  const owner = createHmac('sha256', await cloneKey(repo))
    .update(ids.ulid())
    .update(randomBytes(16))
    .digest('hex')
    .slice(0, 32)
  const raised = (found?.epoch ?? 1) + (found && found.owner !== null ? 1 : 0)
  const epoch = Math.max(1, raised, request.epochFloor ?? 1)
  const note: RunNote = { v: 1, issue, since: timestamp(clock), process: await ownIdentity() }
  // Noted first: a claim whose process dies right after the swap is then known to be of this clone.
  await writeAtomically(runFile(repo, owner), JSON.stringify(note))
  const object = await refs.swap(issue, found?.object, { v: 1, issue, owner, epoch, renewals: 0 }).catch(async (cause) => {
    await rm(runFile(repo, owner), { force: true })
    throw cause
  })
  if (typeof object !== 'string') {
    await rm(runFile(repo, owner), { force: true })
    return undefined
  }
  if (found?.owner) await rm(runFile(repo, found.owner), { force: true })
  return { issue, remote, owner, epoch, renewals: 0, object, isHeld: true }
}

async function claimOf(repo: Repository, found: ReadRecord): Promise<Claim | undefined> {
  const { issue, owner, epoch, renewals } = found
  if (owner === null) return undefined
  const claim = { issue, owner, epoch, renewals }
  const note = /^[0-9a-f]+$/.test(owner) ? await readNote(repo, owner) : undefined
  if (note === undefined) return claim
  return { ...claim, holder: { pid: note.process.pid, since: note.since, fate: await fateOfRun(note) } }
}

interface Sighting {
  object: string
  since: number
}

/** What each clock has seen of each ref: two clocks' monotonic times cannot be compared. */
const sightings = new WeakMap<Clock, Map<string, Sighting>>()

function mayTakeOver(found: ReadRecord, claim: Claim, clock: Clock, ttlMs: number): boolean {
  if (claim.holder?.fate === 'gone') return true
  if (claim.holder?.fate === 'running') return false
  const seen = sightings.get(clock) ?? new Map<string, Sighting>()
  sightings.set(clock, seen)
  const before = seen.get(claim.owner)
  if (before?.object === found.object) return clock.monotonic() - before.since >= ttlMs
  seen.set(claim.owner, { object: found.object, since: clock.monotonic() })
  return false
}

function recordOf(lease: Lease, renewals: number): LeaseRecord {
  return { v: 1, issue: lease.issue, owner: lease.owner, epoch: lease.epoch, renewals }
}

/** What a claim that is given back leaves: its number, unless it is the first. */
function leftBy({ issue, epoch, renewals }: ReadRecord): LeaseRecord | undefined {
  return epoch > 1 ? { v: 1, issue, owner: null, epoch, renewals } : undefined
}

async function readNote(repo: Repository, owner: string): Promise<RunNote | undefined> {
  const text = await readFile(runFile(repo, owner), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as RunNote)
}

/** A run that has given its claim back is over, also while its process goes on with others. */
async function fateOfRun({ process, isOver }: RunNote): Promise<Fate> {
  return isOver ? 'gone' : fateOf(process)
}

function runFile(repo: Repository, owner: string): string {
  return join(repo.stateDir, 'runs', `${owner}.json`)
}

/** A secret of the clone: without it an owner's digest cannot be tried against known hosts or processes. */
async function cloneKey(repo: Repository): Promise<string> {
  const file = join(repo.stateDir, 'key')
  const known = await readFile(file, 'utf8').catch(() => undefined)
  if (known !== undefined) return known
  const key = randomBytes(32).toString('hex')
  await writeAtomically(file, key)
  return key
}

function held({ issue, holder, owner }: Claim, ttlMs: number): ValuetrainError {
  const where = holder ? `process ${holder.pid} since ${holder.since}` : 'another machine or clone'
  const seconds = Math.round(ttlMs / 1000)
  return new ValuetrainError('VT_LEASE_HELD', `issue ${issue} is being worked by ${where}`, {
    kind: 'environment',
    hint: holder
      ? `wait for it, or end that process and run \`valuetrain ticket release ${issue}\``
      : `wait for it; a claim that nobody renews for ${seconds} s is taken over by whoever watches it`,
    details: { issue, owner, ...(holder ? { pid: holder.pid, since: holder.since } : {}) },
  })
}
