import { canonicalJson, digestOf } from '../core/canonical.ts'
import type { Entry } from '../core/contracts/event.ts'
import type { Finding } from '../core/contracts/gate.ts'
import { DIGEST, ULID } from '../core/contracts/patterns.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { SegmentClosing, SegmentHeader } from './header.ts'
import { problemOfClosing, problemOfHeader } from './header-check.ts'
import { hasProse, proseOf } from './prose.ts'

const CLOSING_KEYS = ['closed', 'events', 'head', 'outcome'] as const

/** One session file: what one writer wrote in one worktree for one stretch of work. */
export interface Segment {
  header: SegmentHeader
  /** As they stand in the file; data is not checked against the schemas here. */
  entries: Entry[]
  closing?: SegmentClosing
  /** What a crash left behind the last whole entry. */
  torn?: { bytes: number; text: string }
  /** Where it was read from, for messages. */
  file: string
  /** What is wrong with the file's form; the chain is checked by `checkChain`. */
  findings: Finding[]
}

/** Reads front matter that is any YAML. @throws ValuetrainError when it cannot */
export type ReadYaml = (front: string, file: string) => Record<string, unknown>

/** Largest front matter that is read, in UTF-16 code units; ours are below 2,000. */
const MAX_FRONT_MATTER = 65_536

/** Returns the file name of a segment. */
export function segmentFile(segment: string): string {
  return `session-${segment}.md`
}

/** Returns the segment id a file name stands for, or undefined when it is not a session file's. */
export function segmentOfFile(name: string): string | undefined {
  const id = /^session-([0-9A-Z]{26})\.md$/.exec(name)?.[1]
  return id !== undefined && ULID.test(id) ? id : undefined
}

/** Returns the digest of the front matter's fixed fields: what the first entry's `prev` is. */
export function headerDigest(header: SegmentHeader): string {
  return digestOf(header)
}

/** Returns the last hash of a segment; of its front matter when it has no entries. */
export function headOf(segment: Pick<Segment, 'header' | 'entries'>): string {
  return segment.entries.at(-1)?.hash ?? headerDigest(segment.header)
}

/** Returns a segment's file. `parseSegment` reads it back, and rendering that gives the same bytes. */
export function renderSegment(segment: Omit<Segment, 'file' | 'findings'>): string {
  const blocks = segment.entries.map(renderEntry)
  return `${renderHeader(segment.header, segment.closing)}${blocks.join('')}${segment.torn?.text ?? ''}`
}

/** Returns front matter and title, everything before the first entry. */
export function renderHeader(header: SegmentHeader, closing?: SegmentClosing): string {
  const lines = Object.entries({ ...header, ...closing }).map(([key, value]) => `${key}: ${scalar(value)}`)
  return `---\n${lines.join('\n')}\n---\n${titleOf(header)}`
}

/** Returns the block of one entry: heading, text for people, and the fenced line that is the truth. */
export function renderEntry(entry: Entry): string {
  return `${textOf(entry)}\`\`\`json\n${canonicalJson(entry)}\n\`\`\`\n`
}

const titleOf = (header: SegmentHeader) => `\n# Session of ${header.ticket}, segment ${header.segment}\n`
const textOf = (entry: Entry) => `\n## ${entry.seq} ${entry.type}\n\n${proseOf(entry)}\n\n`

/** JSON is YAML; strings that YAML would read as the same string stand without quotes. */
function scalar(value: unknown): string {
  const plain = typeof value === 'string' && PLAIN.test(value) && !RESERVED.test(value)
  return plain ? value : canonicalJson(value)
}
const PLAIN = /^[A-Za-z][A-Za-z0-9_./-]*$/
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n)$/i

/**
 * Returns the segment a text holds. Only the fenced lines are truth; the text above each is compared with what the line
 * renders to, white space, line ends and backticks aside. Event types and fields this version does not know are kept.
 * What is wrong below the front matter becomes findings (`text-altered`, `entry-unreadable`, `conflict-markers`, `torn`).
 *
 * @param file named in errors and findings
 * @param readYaml reads front matter that is not in the form we write, e.g. after a formatter
 * @throws VT_SESSION_FRONT_MATTER when the front matter is missing, too large, not a mapping, not YAML, or not a session's
 */
export function parseSegmentWith(text: string, file: string, readYaml: ReadYaml): Segment {
  const bodyAt = endOfFrontMatter(text, file)
  const { header, closing } = readHeader(text.slice(0, bodyAt), file, readYaml)
  const segment: Segment = { header, entries: [], ...(closing ? { closing } : {}), file, findings: [] }
  const conflictAt = conflictIn(text, bodyAt)
  if (conflictAt !== undefined) {
    const message = `${file} holds the markers of a merge conflict; what stands below them is not read`
    segment.findings.push(findingAt('conflict-markers', message, file, text, conflictAt))
  }
  readEntries(text, bodyAt, conflictAt ?? text.length, segment)
  return segment
}

function endOfFrontMatter(text: string, file: string): number {
  const start = /^\uFEFF?---[^\n]{0,200}\n/.exec(text.slice(0, 300))
  if (!start) throw badFrontMatter(file, 'does not begin with front matter')
  const end = /\n---[ \t]*(?:\r?\n|$)/g
  end.lastIndex = start[0].length - 1
  const found = end.exec(text.slice(0, MAX_FRONT_MATTER))
  if (!found) {
    const why =
      text.length > MAX_FRONT_MATTER
        ? `has no front matter that ends within ${MAX_FRONT_MATTER} characters`
        : 'has front matter that is never closed'
    throw badFrontMatter(file, why)
  }
  return found.index + found[0].length
}

function readHeader(front: string, file: string, readYaml: ReadYaml): { header: SegmentHeader; closing?: SegmentClosing } {
  const fields = readPlainly(front) ?? readAsYaml(front, file, readYaml)
  const isClosing = (key: string) => (CLOSING_KEYS as readonly string[]).includes(key)
  const fixed = Object.fromEntries(Object.entries(fields).filter(([key]) => !isClosing(key)))
  const problem = problemOfHeader(fixed)
  if (problem !== undefined) throw badFrontMatter(file, `has front matter that is not a session's: ${problem}`)
  const header = fixed as SegmentHeader
  if (!Object.keys(fields).some(isClosing)) return { header }
  const closing = Object.fromEntries(CLOSING_KEYS.map((key) => [key, fields[key]]))
  const wrong = problemOfClosing(closing)
  if (wrong !== undefined) throw badFrontMatter(file, `has front matter that is not a session's: ${wrong}`)
  return { header, closing: closing as SegmentClosing }
}

/** Reads the form we write, one `key: JSON or plain word` a line, 20 times faster than YAML; undefined for any other form. */
function readPlainly(front: string): Record<string, unknown> | undefined {
  const lines = front.split(/\r?\n/)
  if (lines[0]?.replace('\uFEFF', '') !== '---') return undefined
  const fields: Record<string, unknown> = {}
  for (const line of lines.slice(1)) {
    if (line.startsWith('---')) return fields
    const [, key, value] = /^([a-z][A-Za-z0-9]*): (\S.*)$/.exec(line) ?? []
    if (key === undefined || value === undefined || Object.hasOwn(fields, key)) return undefined
    if (PLAIN.test(value) && !RESERVED.test(value)) fields[key] = value
    else {
      try {
        fields[key] = JSON.parse(value)
      } catch {
        return undefined
      }
    }
  }
  return undefined
}

function readAsYaml(front: string, file: string, readYaml: ReadYaml): Record<string, unknown> {
  try {
    return readYaml(front, file)
  } catch (cause) {
    if (!(cause instanceof ValuetrainError)) throw cause
    throw badFrontMatter(file, cause.message.replace(`${file}: `, ''), cause)
  }
}

function badFrontMatter(file: string, why: string, cause?: unknown): ValuetrainError {
  return new ValuetrainError('VT_SESSION_FRONT_MATTER', `${file} ${why}`, {
    kind: 'config',
    hint: 'restore the file from git; only the conductor writes session files',
    details: { file },
    cause,
  })
}

/** Where a merge left its markers. No line of ours begins with seven of these. */
function conflictIn(text: string, from: number): number | undefined {
  const places = ['\n<<<<<<< ', '\n>>>>>>> '].map((marker) => text.indexOf(marker, from - 1)).filter((place) => place >= 0)
  return places.length === 0 ? undefined : Math.min(...places) + 1
}

function readEntries(text: string, from: number, to: number, segment: Segment): void {
  const { file, findings, entries } = segment
  let at = from
  let expected = titleOf(segment.header)
  for (;;) {
    const block = nextBlock(text, at, to)
    if (!block) break
    const entry = readEntry(text.slice(block.json, block.jsonEnd))
    if (entry === undefined) {
      findings.push(findingAt('entry-unreadable', `${file} has a line that is no entry`, file, text, block.json))
    } else {
      entries.push(entry)
      const checkable = entry.data === null || hasProse(entry.type)
      if (checkable && !sameWords(text.slice(at, block.open), `${expected}${textSafely(entry)}`)) {
        const message = `${file}: the text above entry ${entry.seq} is not what the entry says`
        findings.push(findingAt('text-altered', message, file, text, at))
      }
    }
    at = block.end
    expected = ''
  }
  readRest(text.slice(at, to), { at, expected, whole: to === text.length }, text, segment)
}

/** Finds the next fenced line: where its fence opens, where its JSON lies, and where the block ends. */
function nextBlock(
  text: string,
  from: number,
  to: number,
): { open: number; json: number; jsonEnd: number; end: number } | undefined {
  let search = from
  for (;;) {
    const found = text.indexOf('```json', search)
    if (found < 0 || found >= to) return undefined
    search = found + 7
    let open = found
    while (text[open - 1] === '`') open--
    const lineEnd = text.indexOf('\n', found)
    if (lineEnd < 0 || lineEnd >= to) return undefined
    if ((open > 0 && text[open - 1] !== '\n') || text.slice(found + 7, lineEnd).trim() !== '') continue
    const fence = text.slice(open, found + 3)
    let close = text.indexOf(`\n${fence}`, lineEnd)
    for (; close >= 0 && close < to; close = text.indexOf(`\n${fence}`, close + 1)) {
      const after = text.indexOf('\n', close + 1)
      const end = after < 0 ? text.length : after + 1
      if (text.slice(close + 1 + fence.length, end).trim() === '') return { open, json: lineEnd + 1, jsonEnd: close, end }
    }
    return undefined
  }
}

/** Checks the form of a line; undefined when it is not an entry of any version we can keep. */
function readEntry(json: string): Entry | undefined {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { v, seq, id, ts, type, data, prev, hash } = value as Record<string, unknown>
  const whole =
    typeof v === 'number' &&
    Number.isSafeInteger(seq) &&
    typeof id === 'string' &&
    ULID.test(id) &&
    typeof ts === 'string' &&
    typeof type === 'string' &&
    /^[A-Z][A-Z0-9_]{0,63}$/.test(type) &&
    typeof data === 'object' &&
    !Array.isArray(data) &&
    typeof prev === 'string' &&
    DIGEST.test(prev) &&
    typeof hash === 'string' &&
    DIGEST.test(hash)
  return whole ? (value as Entry) : undefined
}

/** Deeply nested data, which nobody but a forger writes, would exhaust the stack. */
function textSafely(entry: Entry): string {
  try {
    return textOf(entry)
  } catch {
    return ''
  }
}

/** White space is a formatter's to change, and so are the backslashes it escapes punctuation with and the number of backticks. */
function sameWords(found: string, expected: string): boolean {
  if (found === expected) return true
  const bare = (text: string) => text.replace(/[\s\\`]+/g, '')
  return bare(found) === bare(expected)
}

/** What stands behind the last whole entry: nothing, the beginning of an entry that a crash cut off, or a stranger's text. */
function readRest(rest: string, where: { at: number; expected: string; whole: boolean }, text: string, segment: Segment): void {
  const { file, findings } = segment
  let tail = rest
  if (where.expected !== '') {
    const heading = rest.search(/(?:^|\r?\n)#{1,2}(?: \d|#?$)|\0/)
    const titleEnd = heading < 0 ? rest.length : heading
    if (where.whole && !sameWords(rest.slice(0, titleEnd), where.expected)) {
      findings.push(findingAt('text-altered', `${file}: the title is not what the front matter says`, file, text, where.at))
    }
    tail = rest.slice(titleEnd)
  }
  if (tail.trim() === '' || !where.whole) return
  const next = `## ${(segment.entries.at(-1)?.seq ?? -1) + 1} `
  const start = tail.trimStart()
  if (start.startsWith(next) || next.startsWith(start.trimEnd()) || tail.includes('\0')) {
    segment.torn = { bytes: Buffer.byteLength(tail), text: tail }
    const message = `${file} ends in the middle of an entry, as a crash leaves it`
    findings.push({ ...findingAt('torn', message, file, text, text.length - tail.length), severity: 'warning' })
  } else {
    findings.push(findingAt('text-altered', `${file} ends with text that no entry says`, file, text, text.length - tail.length))
  }
}

function findingAt(rule: string, message: string, file: string, text: string, at: number): Finding {
  let line = 1
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line++
  return { rule, severity: 'error', message, path: file, line }
}
