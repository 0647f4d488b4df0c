import type { RuntimeEvent, Usage } from '../../core/contracts/runtime.ts'

/** How an agent says that its turn is over. */
export interface FinalWord {
  ok: boolean
  /** In its own words, shortened. */
  said: string
  /** A usage limit, and when it may go on, ISO 8601. */
  limit?: { until?: string }
}

/** What one line of an agent's transcript means. */
export interface Reading {
  events?: readonly RuntimeEvent[]
  /** `step` figures are added up, a `run` figure takes the place of all before it. */
  usage?: { of: 'step' | 'run'; usage: Usage }
  final?: FinalWord
  /** The agent's own name for its session. */
  session?: string
  /** Calls that the agent's own rules refused. */
  refused?: readonly { tool: string; reason: string }[]
}

/** The form of one agent's transcript, JSON by the line. */
export interface Dialect {
  id: string
  /** Whether a turn that ends well says so; where it does not, exit code and diff decide alone. */
  hasFinalWord: boolean
  /** Whether a word that it failed may be followed by a better one, since it tries again by itself. */
  takesBack?: boolean
  /** Reads one line; undefined for a kind of event it does not know, which is no error. */
  read(line: unknown): Reading | undefined
}

/** A JSON object as it was read, of which nothing is known yet. */
export type Unknown = Record<string, unknown>

/** Returns a value as an object; anything else as an empty one, so that a missing part reads as absent. */
export function objectOf(value: unknown): Unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Unknown) : {}
}

/** Returns a value as a list of objects. */
export function listOf(value: unknown): Unknown[] {
  return Array.isArray(value) ? value.map(objectOf) : []
}

/** Returns a value as text of at most 2,000 characters; what is no text as an empty one. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 2_000).toWellFormed() : ''
}

/** Returns a count that an agent reported; what is no such number counts as 0. */
export function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0
}

/** Returns a name as the `id` of an event, or nothing where there is none. */
export function idOf(value: unknown): { id?: string } {
  const id = textOf(value)
  return id === '' ? {} : { id }
}

/** Tells whether words of an agent or a provider speak of a usage limit, and until when. */
export function limitIn(text: string): FinalWord['limit'] | undefined {
  if (!/usage limit|quota (?:exceeded|exhausted)|rate[ _-]?limit|insufficient_quota|RESOURCE_EXHAUSTED/i.test(text))
    return undefined
  const seconds = /\|\s*(\d{10})\b/.exec(text)?.[1]
  const written = /\b(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)\b/.exec(text)?.[1]
  const until = seconds === undefined ? written : new Date(Number(seconds) * 1000).toISOString()
  return until === undefined ? {} : { until }
}
