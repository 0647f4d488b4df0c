import type { Config } from '../core/config.ts'
import type { EventData, EventType, PlacedEntry } from '../core/contracts/event.ts'
import type { Issue } from '../core/contracts/issue.ts'
import type { Method } from '../core/contracts/method.ts'

/** What is looked at to tell whether a repository holds the rules of the methodology. */
export interface SpecFacts {
  config: Config
  method: Method
  /** Ids of all gates, configured commands included. */
  gates: ReadonlySet<string>
  /** Ids of the gates that every phase asks. */
  guardRails: ReadonlySet<string>
  tickets: readonly SpecTicket[]
  issues: readonly Issue[]
}

export interface SpecTicket {
  ticket: string
  entries: readonly PlacedEntry[]
  /** Its DELIVERED entry is on the default branch. */
  done: boolean
  /** Text of its checklist; undefined when there is none. */
  checklist: string | undefined
  integrity: 'intact' | 'altered'
  completeness: 'complete' | 'truncated' | 'unknown'
  policy: 'gated' | 'ungated' | 'unknown'
}

export interface SpecAnswer {
  state: 'held' | 'broken' | 'not-applicable'
  why: string
}

/** One rule of the methodology and how one sees whether it is held. */
export interface SpecRule {
  id: string
  /** Part of the methodology it belongs to. */
  part: 'tickets' | 'modes' | 'roles' | 'pipelines' | 'auto-pilot' | 'guard-rails' | 'sessions' | 'flow'
  text: string
  check(facts: SpecFacts): SpecAnswer
}

export function held(why: string): SpecAnswer {
  return { state: 'held', why }
}

export function broken(why: string): SpecAnswer {
  return { state: 'broken', why }
}

export function notApplicable(why: string): SpecAnswer {
  return { state: 'not-applicable', why }
}

/**
 * Returns held when nothing breaks a rule, broken with the first few that do, and not applicable when there was
 * nothing to look at.
 *
 * @param looked how many things were looked at
 * @param what what they are, for the reason: `3 tickets`
 */
export function unless(problems: readonly string[], looked: number, what: string): SpecAnswer {
  if (problems.length > 0) {
    const more = problems.length > 3 ? ` and ${problems.length - 3} more` : ''
    return broken(`${problems.slice(0, 3).join('; ')}${more}`)
  }
  return looked === 0 ? notApplicable(`there are no ${what} yet`) : held(`${what} looked at: ${looked}`)
}

/** Returns the data of all entries of a type that are not redacted, in order. */
export function eventsOf<T extends EventType>(entries: readonly PlacedEntry[], type: T): { id: string; data: EventData<T> }[] {
  return entries.flatMap((entry) =>
    entry.type === type && entry.data !== null ? [{ id: entry.id, data: entry.data as unknown as EventData<T> }] : [],
  )
}
