import type { EventData, EventType, PlacedEntry } from '../core/contracts/event.ts'
import type { GateSpec, SubjectKind } from '../core/contracts/gate.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import type { Git } from '../core/git.ts'
import { requireRevision } from '../core/refs.ts'
import { blobSizes, type ChangedPath, changedPaths, readBlobs, readerAt, resolveCommit, type TreeReader } from '../core/tree.ts'
import { loadSession, type TicketSession } from '../sessions/index.ts'
import { joinGates } from './configured.ts'
import type { JudgeContext } from './gate.ts'
import { subjectDigest, workDigest } from './subject.ts'

/** A commit of the range, oldest first. */
export interface RangeCommit {
  id: string
  parents: string[]
  message: string
}

/** A new object of the range's history, with a path it has there. */
export interface NewBlob {
  id: string
  path: string
  bytes: number
}

/** One change as gates read it; everything is looked up once and kept. */
export interface View {
  context: JudgeContext
  builtins: readonly GateSpec[]
  /** Gates by id. @throws VT_GATE_TWICE */
  gates(): ReadonlyMap<string, GateSpec>
  git: Git
  /** Files at the head. */
  head: TreeReader
  /** Files where the range starts. */
  from: TreeReader
  /** Files at the base's tip, which may have moved on since the range began. */
  base: TreeReader
  /** Commit or tree where the range starts. */
  fromRevision(): Promise<string>
  /** The head's commit; undefined when the head is only a tree. */
  headCommit(): Promise<string | undefined>
  changes(): Promise<ChangedPath[]>
  /** Tickets whose folder the range changes, sorted; the context's own included. */
  tickets(): Promise<string[]>
  /** Commits that the head has and the base has not. */
  commits(): Promise<RangeCommit[]>
  /** Blobs that the range brings, those of commits in between that are gone again included. */
  newBlobs(): Promise<NewBlob[]>
  blobs(ids: readonly string[]): Promise<(Buffer | undefined)[]>
  /** A ticket's session as it is committed where the range starts, at the head, or at the base itself. */
  session(side: 'from' | 'head' | 'base', ticket: string): Promise<TicketSession>
  subject(kind: SubjectKind): Promise<string>
  /** The digest that a person's approval of the present work names. */
  work(): Promise<string>
}

/** Returns what gates see of a context. `builtins` are the specifications of the gates that come with the package. */
export function openView(context: JudgeContext, builtins: readonly GateSpec[]): View {
  const { git } = context.repository
  const headCommit = once(() => resolveCommit(git, context.head))
  const fromRevision = once(async () => mergeBase(git, context.base, await headCommit()))
  const lazyFrom = once(async () => readerAt(git, await fromRevision()))
  const changes = once(async () => changedPaths(git, await fromRevision(), context.head))
  const commits = once(async () => readCommits(git, context.base, await headCommit()))
  const newBlobs = once(async () => listNewBlobs(git, context.base, await headCommit(), await changes()))
  const sessions = new Map<string, Promise<TicketSession>>()
  const subjects = new Map<SubjectKind, Promise<string>>()
  const head = readerAt(git, context.head)
  const base = readerAt(git, context.base)
  const from: TreeReader = {
    source: context.base,
    read: async (path) => (await lazyFrom()).read(path),
    list: async (folder) => (await lazyFrom()).list(folder),
    folders: async (folder) => (await lazyFrom()).folders(folder),
  }
  const readers = { head, from, base }
  return {
    context,
    builtins,
    gates: () => context.gates ?? joinGates(builtins, context.config),
    git,
    head,
    from,
    base,
    fromRevision,
    headCommit,
    changes,
    commits,
    newBlobs,
    tickets: once(async () => ticketsIn(await changes(), context.ticket)),
    blobs: (ids) => readBlobs(git, ids),
    session(side, ticket) {
      const key = `${side} ${ticket}`
      const known = sessions.get(key)
      if (known) return known
      const session = loadSession(readers[side], ticket)
      sessions.set(key, session)
      return session
    },
    async subject(kind) {
      const known = subjects.get(kind)
      if (known) return known
      const digest = subjectDigest(kind, { git, head: context.head, from: await fromRevision(), ticket: context.ticket })
      subjects.set(kind, digest)
      return digest
    },
    work: once(() => workDigest({ git, head: context.head, ticket: context.ticket })),
  }
}

/** Returns the data of all events of a type that stand: not redacted, not superseded by a later entry. */
export function eventsOf<T extends EventType>(
  entries: readonly PlacedEntry[],
  type: T,
): { id: string; ts: string; data: EventData<T> }[] {
  const superseded = new Set(entries.flatMap((entry) => entry.data?.supersedes ?? []))
  return entries.flatMap((entry) =>
    entry.type === type && entry.data !== null && !superseded.has(entry.id)
      ? [{ id: entry.id, ts: entry.ts, data: entry.data as unknown as EventData<T> }]
      : [],
  )
}

/** Returns a path with `{artifacts}` replaced by the ticket's artifacts folder; undefined when there is no ticket. */
export function expandPath(path: string, ticket: string | undefined): string | undefined {
  if (!path.includes('{artifacts}')) return path
  return ticket === undefined ? undefined : path.replaceAll('{artifacts}', `${ticketFolder(ticket)}/artifacts`)
}

/** Returns the ticket a path belongs to the folder of. */
export function ticketOfPath(path: string): string | undefined {
  return /^\.valuetrain\/tickets\/([^/]+)\//.exec(path)?.[1]
}

/** Tells whether a change's new side is a plain file; links, submodules and deletions are not. */
export function isFile(change: Pick<ChangedPath, 'mode'>): boolean {
  return change.mode === '100644' || change.mode === '100755'
}

function ticketsIn(changes: readonly ChangedPath[], own: string | undefined): string[] {
  const names = changes.flatMap(({ path }) => ticketOfPath(path) ?? [])
  return [...new Set(own === undefined ? names : [own, ...names])].sort()
}

/** Two histories without a common commit differ from the base itself; so does a tree that is no commit yet. */
async function mergeBase(git: Git, base: string, head: string | undefined): Promise<string> {
  if (head === undefined) return base
  const { stdout, code } = await git.run(['merge-base', requireRevision(base), head], { okExit: [0, 1] })
  return code === 0 ? stdout.trim() : base
}

async function readCommits(git: Git, base: string, head: string | undefined): Promise<RangeCommit[]> {
  if (head === undefined) return []
  const format = ['-z', '--format=%H%n%P%n%B']
  // No message can hold a NUL, and only the message may be empty, or hold lines of its own.
  const records = await git.fields(['log', '--reverse', '--topo-order', ...format, `${requireRevision(base)}..${head}`, '--'])
  return records.map((record) => {
    const [id = '', parents = '', ...message] = record.split('\n')
    return { id, parents: parents.split(' ').filter(Boolean), message: message.join('\n') }
  })
}

async function listNewBlobs(
  git: Git,
  base: string,
  head: string | undefined,
  changes: readonly ChangedPath[],
): Promise<NewBlob[]> {
  // Two files with one content are two files: a rule about names has to see both.
  const found = changes.filter(isFile).map(({ blob, path }) => ({ id: blob, path }))
  const seen = new Set(found.map(({ id }) => id))
  if (head !== undefined && !(await git.succeeds(['merge-base', '--is-ancestor', head, requireRevision(base)]))) {
    // A path with a line break in it is printed up to the break; the id, which counts, comes first.
    const listed = await git.text(['rev-list', '--objects', `${requireRevision(base)}..${head}`, '--'])
    const paths = new Map(listed.split('\n').flatMap((line) => pathOf(line)))
    for (const [id, path] of paths) if (!seen.has(id)) found.push({ id, path })
  }
  const sizes = await blobSizes(git, [...new Set(found.map(({ id }) => id))])
  return found.flatMap(({ id, path }): NewBlob[] => {
    const bytes = sizes.get(id)
    return bytes === undefined ? [] : [{ id, path, bytes }]
  })
}

function pathOf(line: string): [string, string][] {
  const found = /^([0-9a-f]{40}|[0-9a-f]{64})(?: (.*))?$/.exec(line)
  return found ? [[found[1] as string, found[2] ?? '']] : []
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
