import { type Entry, EVENT_SCHEMAS, type EventType, type PlacedEntry } from '../core/contracts/event.ts'
import type { Finding } from '../core/contracts/gate.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { checkChain } from './chain.ts'
import { type Fork, orderSegments } from './order.ts'
import { headOf, parseSegment, type Segment, segmentOfFile } from './segment.ts'

/** Everything the session files of one ticket say. */
export interface TicketSession {
  ticket: string
  /** As read, raw data; the line first, in order, then the others. */
  segments: Segment[]
  /** What counts, in fold order: known types, data checked and defaults filled in. */
  entries: PlacedEntry[]
  /** Last hash of every segment, the tip of the line first: what a new segment continues. */
  heads: { segment: string; head: string }[]
  forks: Fork[]
  /** Shown, never folded: entries of an older epoch written after a takeover, and of a fork's other side. */
  outranked: PlacedEntry[]
  /** Everything wrong, file form, chain and order together. Any error means: not what the conductor wrote. */
  findings: Finding[]
}

/** Characters of one session file above which it is not read; ours are closed at about 256 KiB. */
const MAX_FILE = 64 * 1024 * 1024

/**
 * Returns a ticket's session as files say it. A file that cannot be read as a session becomes a finding
 * (`session-unreadable`), never an exception, so that one bad file does not hide the others; a ticket without session files
 * has no entries and no findings.
 *
 * @param reader of the repository's root, in a working tree or at a revision
 */
export async function loadSession(reader: FileReader, ticket: string): Promise<TicketSession> {
  const { segments, findings } = await readSegments(reader, ticket)
  return assembleSession(ticket, segments, findings)
}

/** Returns a ticket's session files parsed, in the order of their names, and findings about those that cannot be. */
export async function readSegments(reader: FileReader, ticket: string): Promise<{ segments: Segment[]; findings: Finding[] }> {
  const folder = ticketFolder(ticket)
  const names = (await reader.list(folder)).filter((name) => segmentOfFile(name) !== undefined)
  const findings: Finding[] = []
  const read = await Promise.all(names.map((name) => readSegment(reader, `${folder}/${name}`, findings)))
  return { segments: read.filter((segment) => segment !== undefined), findings }
}

/** Returns the session that parsed segments make. `findings` are what was found before and come first. */
export function assembleSession(ticket: string, segments: readonly Segment[], found: readonly Finding[] = []): TicketSession {
  const findings: Finding[] = [...found]
  for (const segment of segments) findings.push(...segment.findings, ...checkPlace(segment, ticket), ...checkChain(segment))
  const { line, beside, forks, findings: ofOrder } = orderSegments(segments)
  findings.push(...ofOrder)
  const ordered = line.map(({ segment }) => segment)
  const others = segments.filter((segment) => !ordered.includes(segment))
  return {
    ticket,
    segments: [...ordered, ...others],
    entries: line.flatMap(({ segment, entries }) => placed(segment, entries, findings)),
    heads: [...ordered.toReversed(), ...others].map((segment) => ({ segment: segment.header.segment, head: headOf(segment) })),
    forks,
    outranked: beside.flatMap(({ segment, entries }) => placed(segment, entries, findings)),
    findings,
  }
}

async function readSegment(reader: FileReader, file: string, findings: Finding[]): Promise<Segment | undefined> {
  const unreadable = (message: string) => {
    findings.push({ rule: 'session-unreadable', severity: 'error', message, path: file })
    return undefined
  }
  try {
    const text = await reader.read(file)
    if (text === undefined) return unreadable(`${file} is listed but cannot be read`)
    if (text.length > MAX_FILE) return unreadable(`${file} has ${text.length} characters, too many for a session file`)
    return parseSegment(text, file)
  } catch (error) {
    if (error instanceof ValuetrainError && error.kind !== 'internal') return unreadable(error.message)
    throw error
  }
}

function checkPlace(segment: Segment, ticket: string): Finding[] {
  const { file, header } = segment
  const wrong = (message: string): Finding => ({
    rule: 'session-misplaced',
    severity: 'error',
    message: `${file}: ${message}`,
    path: file,
  })
  return [
    ...(header.ticket === ticket ? [] : [wrong(`it belongs to ticket ${header.ticket}`)]),
    ...(segmentOfFile(file.slice(file.lastIndexOf('/') + 1)) === header.segment
      ? []
      : [wrong(`it is segment ${header.segment}`)]),
  ]
}

/** Leaves out what a fold cannot take: types and versions of a newer program, and data its schema refuses. */
function placed(segment: Segment, entries: readonly Entry[], findings: Finding[]): PlacedEntry[] {
  const result: PlacedEntry[] = []
  const say = (entry: Entry, rule: string, severity: Finding['severity'], message: string) =>
    findings.push({ rule, severity, message: `${segment.file}: entry ${entry.seq} ${message}`, path: segment.file })
  for (const entry of entries) {
    if (!Object.hasOwn(EVENT_SCHEMAS, entry.type)) {
      say(entry, 'event-unknown', 'notice', `is a ${entry.type}, which this version does not know; it is kept and not folded`)
    } else if (entry.data === null) {
      result.push({ ...entry, segment: segment.header.segment } as PlacedEntry)
    } else {
      const data = EVENT_SCHEMAS[entry.type as EventType].safeParse(entry.data)
      if (data.success) result.push({ ...entry, data: data.data, segment: segment.header.segment } as PlacedEntry)
      else {
        const issue = data.error.issues[0]
        say(entry, 'event-invalid', 'error', `has data that no ${entry.type} has (${issue?.path.join('.')}: ${issue?.message})`)
      }
    }
  }
  return result
}
