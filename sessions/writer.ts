import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson } from '../core/canonical.ts'
import { type Clock, timestamp } from '../core/clock.ts'
import { EVENT_SCHEMAS, type EventData, type EventInput, type EventType, type PlacedEntry } from '../core/contracts/event.ts'
import { ValuetrainError } from '../core/errors.ts'
import { fileError, writeAtomically } from '../core/files.ts'
import type { Ids } from '../core/ids.ts'
import { type PrivateFacts, relativiseDeep, withoutNamesDeep } from '../core/privacy.ts'
import { redactDeep, type SecretCounts } from '../core/secrets.ts'
import { sealEntry } from './entry.ts'
import { headerDigest, renderEntry, renderHeader, SegmentHeader, segmentFile } from './segment.ts'

/** Bytes from which a segment counts as full; the conductor then goes on in a new one. */
export const FULL_BYTES = 256 * 1024
/** Bytes one entry may have at most; what is larger belongs into an artifact. */
export const MAX_ENTRY_BYTES = 1024 * 1024

export interface SegmentOptions {
  /** Absolute path of the ticket's folder; made when missing. */
  folder: string
  header: SegmentHeader
  clock: Clock
  ids: Ids
  /** Absolute paths made relative in everything that is written: worktree, repository, git directory. */
  redactRoots: readonly string[]
  /** Names of host and account that are left out of running text. */
  machine?: Pick<PrivateFacts, 'host' | 'user'>
}

/** The one writer of one session file. Calls are done in the order they are made. */
export interface SegmentWriter {
  /** Absolute. */
  readonly file: string
  readonly header: SegmentHeader
  /** Hash of the last entry on the disk; of the front matter before the first. */
  readonly head: string
  /** Whether the file has passed `FULL_BYTES`: time to close it and to open a segment that continues it. */
  readonly full: boolean
  /** How many secrets were redacted here, by rule. */
  readonly redactions: Readonly<SecretCounts>
  /**
   * Appends one event and returns when it is on the disk: checked against its schema, secrets and absolute paths
   * replaced. The returned entry is exactly what a reader of the file will see.
   *
   * @throws VT_EVENT_INVALID when the data is not the type's; VT_EVENT_TOO_LARGE above `MAX_ENTRY_BYTES`;
   *   VT_SESSION_ALTERED when the file is not what this writer left; VT_SESSION_CLOSED after `close` or `release`;
   *   VT_DISK_FULL, VT_READ_ONLY or VT_FILE when it could not be written, in which case nothing of it stays
   */
  append<T extends EventType>(type: T, data: EventInput<T>): Promise<PlacedEntry>
  /** Sets the front matter's closing fields and ends the writer. Doing it again changes nothing. */
  close(outcome: string): Promise<void>
  /** Ends the writer and leaves the segment open, as a killed process would. */
  release(): Promise<void>
}

/**
 * Makes a new session file, with front matter and no entries, and returns its writer.
 *
 * @throws VT_SESSION_EXISTS when the segment's file is there already; VT_SESSION_HEADER when the front matter is not valid
 */
export async function openSegment(options: SegmentOptions): Promise<SegmentWriter> {
  const header = SegmentHeader.safeParse(options.header)
  if (!header.success) {
    const issue = header.error.issues[0]
    throw new ValuetrainError(
      'VT_SESSION_HEADER',
      `a segment cannot be opened with ${issue?.path.join('.')}: ${issue?.message}`,
      {
        kind: 'internal',
      },
    )
  }
  const file = join(options.folder, segmentFile(header.data.segment))
  try {
    await mkdir(options.folder, { recursive: true })
  } catch (cause) {
    throw fileError(cause, 'made', options.folder)
  }
  if (await exists(file)) {
    throw new ValuetrainError('VT_SESSION_EXISTS', `session file ${file} is there already`, {
      kind: 'environment',
      hint: 'a segment has one writer; open a new one that names its head as parent',
    })
  }
  const content = renderHeader(header.data)
  await writeAtomically(file, content)
  const handle = await openToAppend(file)
  return new FileWriter(options, header.data, file, handle, Buffer.from(content)).begin()
}

/** What the file looked like when this writer last let go of it. */
interface Mark {
  size: number
  modified: bigint
  inode: bigint
}

/** Bytes at the end of the file that are compared before each append. */
const TAIL_BYTES = 72

class FileWriter implements SegmentWriter {
  readonly file: string
  readonly header: SegmentHeader
  readonly redactions: SecretCounts = {}
  readonly #options: SegmentOptions
  readonly #hash: Hash = createHash('sha256')
  readonly #frontBytes: number
  #handle: FileHandle
  #head: string
  #mark: Mark = { size: 0, modified: 0n, inode: 0n }
  #tail: Buffer
  #entries = 0
  #ended: 'closed' | 'released' | undefined
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: SegmentOptions, header: SegmentHeader, file: string, handle: FileHandle, content: Buffer) {
    this.#options = options
    this.header = header
    this.file = file
    this.#handle = handle
    this.#head = headerDigest(header)
    this.#frontBytes = content.length
    this.#hash.update(content)
    this.#tail = content.subarray(-TAIL_BYTES)
  }

  async begin(): Promise<this> {
    await this.#remember()
    return this
  }

  get head(): string {
    return this.#head
  }

  get full(): boolean {
    return this.#mark.size >= FULL_BYTES
  }

  append<T extends EventType>(type: T, data: EventInput<T>): Promise<PlacedEntry> {
    return this.#inTurn(() => this.#append(type, data))
  }

  close(outcome: string): Promise<void> {
    return this.#inTurn(() => this.#close(outcome))
  }

  release(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#ended === undefined) await this.#handle.close()
      this.#ended ??= 'released'
    })
  }

  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#queue.then(work)
    this.#queue = result.catch(() => {})
    return result
  }

  async #append<T extends EventType>(type: T, input: EventInput<T>): Promise<PlacedEntry> {
    if (this.#ended !== undefined) {
      throw new ValuetrainError('VT_SESSION_CLOSED', `${type} cannot be appended to ${this.file}, which is ${this.#ended}`, {
        kind: 'internal',
      })
    }
    const { data, counts } = this.#prepare(type, input)
    const entry = sealEntry<T>({
      seq: this.#entries,
      id: this.#options.ids.ulid(),
      ts: timestamp(this.#options.clock),
      type,
      data,
      prev: this.#head,
    })
    const block = Buffer.from(renderEntry(entry))
    if (block.length > MAX_ENTRY_BYTES) {
      throw new ValuetrainError(
        'VT_EVENT_TOO_LARGE',
        `${type} has ${block.length} bytes, more than the ${MAX_ENTRY_BYTES} of an entry`,
        {
          hint: 'put the long text into an artifact of the ticket and name its path',
        },
      )
    }
    await this.#requireUntouched()
    await this.#write(block)
    this.#entries += 1
    this.#head = entry.hash
    for (const [rule, count] of Object.entries(counts)) this.redactions[rule] = (this.redactions[rule] ?? 0) + count
    return { ...entry, segment: this.header.segment } as PlacedEntry
  }

  /** Checks and cleans what is to be written. It goes through JSON once, so that memory and file agree in every detail. */
  #prepare<T extends EventType>(type: T, input: EventInput<T>): { data: EventData<T>; counts: SecretCounts } {
    const named = withoutNamesDeep(relativiseDeep(input, this.#options.redactRoots), this.#options.machine ?? {})
    const { value, counts } = redactDeep(named)
    const checked = EVENT_SCHEMAS[type]?.safeParse(value)
    if (checked?.success) return { data: JSON.parse(canonicalJson(checked.data)) as EventData<T>, counts }
    const issue = checked?.error.issues[0]
    const why = issue ? `${issue.path.join('.')}: ${issue.message}` : 'there is no such event type'
    throw new ValuetrainError('VT_EVENT_INVALID', `${type} cannot be written: ${why}`, { kind: 'internal' })
  }

  async #write(block: Buffer): Promise<void> {
    const before = this.#mark.size
    try {
      for (let written = 0; written < block.length; ) {
        written += (await this.#handle.write(block, written, block.length - written)).bytesWritten
      }
      await this.#handle.datasync()
    } catch (cause) {
      // A part of an entry would read as torn; what was acknowledged before stays either way.
      await this.#handle.truncate(before).catch(() => {})
      await this.#remember().catch(() => {})
      throw fileError(cause, 'written', this.file)
    }
    this.#hash.update(block)
    this.#tail = Buffer.concat([this.#tail, block]).subarray(-TAIL_BYTES)
    await this.#remember()
  }

  async #remember(): Promise<void> {
    const { size, mtimeNs, ino } = await this.#handle.stat({ bigint: true })
    this.#mark = { size: Number(size), modified: mtimeNs, inode: ino }
  }

  /** Costs the same for any size of file, unless somebody touched it: then everything is compared once. */
  async #requireUntouched(): Promise<void> {
    const found = await stat(this.file, { bigint: true }).catch((cause) => this.#altered('is gone', cause))
    const { size, modified, inode } = this.#mark
    if (Number(found.size) !== size) this.#altered(`has ${found.size} bytes instead of ${size}`)
    const tail = Buffer.alloc(this.#tail.length)
    await this.#handle.read(tail, 0, tail.length, size - tail.length)
    if (!tail.equals(this.#tail)) this.#altered('ends differently')
    if (found.mtimeNs === modified && found.ino === inode) return
    await this.#requireContent()
    if (found.ino !== inode) {
      await this.#handle.close()
      this.#handle = await openToAppend(this.file)
    }
    await this.#remember()
  }

  async #requireContent(): Promise<Buffer> {
    const content = await readFile(this.file).catch((cause) => this.#altered('cannot be read', cause))
    const isSame = createHash('sha256').update(content).digest('hex') === this.#hash.copy().digest('hex')
    return isSame ? content : this.#altered('has other content')
  }

  #altered(how: string, cause?: unknown): never {
    throw new ValuetrainError('VT_SESSION_ALTERED', `${this.file} is not what this process wrote: it ${how}`, {
      kind: 'environment',
      hint: 'only the conductor writes session files; restore the file from git, then run the ticket again',
      details: { file: this.file },
      cause,
    })
  }

  async #close(outcome: string): Promise<void> {
    if (this.#ended !== undefined) return
    const content = await this.#requireContent()
    const closing = { closed: timestamp(this.#options.clock), events: this.#entries, head: this.#head, outcome }
    const front = Buffer.from(renderHeader(this.header, closing))
    await writeAtomically(this.file, Buffer.concat([front, content.subarray(this.#frontBytes)]))
    this.#ended = 'closed'
    await this.#handle.close()
  }
}

async function openToAppend(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'a+')
  } catch (cause) {
    throw fileError(cause, 'written', file)
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
