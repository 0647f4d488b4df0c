import { DIGEST, MODES, OBJECT_ID, ROLES, SLUG, TICKET, ULID } from '../core/contracts/patterns.ts'

type Check = (value: unknown) => string | undefined
type Fields = Readonly<Record<string, unknown>>

/**
 * Returns what makes front matter's fixed fields no session's, naming the field; undefined when nothing does. Says no
 * where the schema of `header.ts` does, and a test holds the two together; it is written out because a git hook reads
 * session files and building schemas takes a hook as long as all its other work.
 */
export function problemOfHeader(fields: Fields): string | undefined {
  return problemIn(fields, HEADER)
}

/** The same for the fields that are set when a segment is closed. */
export function problemOfClosing(fields: Fields): string | undefined {
  return problemIn(fields, CLOSING)
}

const text: Check = (value) => (typeof value === 'string' ? undefined : 'is not a text')
const like =
  (pattern: RegExp, what: string): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? undefined : `is not ${what}`
const among =
  (words: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value) ? undefined : `is none of ${words.join(', ')}`
const whole =
  (least: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least ? undefined : `is not a whole number from ${least}`
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value)
const exactly =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (!isMapping(value)) return 'is not a mapping'
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(checks, key))
    return unknown === undefined ? problemIn(value, checks) : `has an unknown field "${unknown.slice(0, 40)}"`
  }

const ULID_TEXT = like(ULID, 'a ULID')
const DIGEST_TEXT = like(DIGEST, 'a SHA-256 in hex')
const PARENT = exactly({ segment: ULID_TEXT, head: DIGEST_TEXT })
const ACTOR = exactly({
  kind: among(['human', 'agent']),
  role: among(ROLES),
  runtime: optional(text),
  name: optional(text),
})

const HEADER: Readonly<Record<string, Check>> = {
  schema: (value) => (value === 1 ? undefined : 'is not 1'),
  session: ULID_TEXT,
  segment: ULID_TEXT,
  parents: (value) => (Array.isArray(value) ? value.map(PARENT).find((problem) => problem !== undefined) : 'is not a list'),
  ticket: like(TICKET, 'a ticket name like build_42'),
  pipeline: like(SLUG, 'a slug (a-z, 0-9 and single dashes)'),
  phase: like(SLUG, 'a slug (a-z, 0-9 and single dashes)'),
  mode: among(MODES),
  actor: ACTOR,
  base: like(OBJECT_ID, 'a git object id'),
  opened: text,
  epoch: whole(1),
}
const CLOSING: Readonly<Record<string, Check>> = { closed: text, events: whole(0), head: DIGEST_TEXT, outcome: text }

function problemIn(fields: Fields, checks: Readonly<Record<string, Check>>): string | undefined {
  for (const [key, check] of Object.entries(checks)) {
    const problem = check(fields[key])
    if (problem !== undefined) return `${key} ${problem}`
  }
  return undefined
}

function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
