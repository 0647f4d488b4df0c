/**
 * `events.jsonl` of a run's folder: when, from which commit and how the run came about. Its times keep it out of the
 * run's hash and of the digest that equal runs share, and it decides what may be promoted; so its last line seals it and
 * the manifest. Who edits either and seals it again is shown by the history alone.
 */
import { sha256 } from '../../core/canonical.ts'
import { jsonl } from './journal.ts'

export const EVENTS_FILE = 'events.jsonl'

/** One line, as it is read back. */
export type RecordedEvent = Record<string, unknown>

/** Returns the file of what happened, sealed. @param manifest `run.yaml` as it lies beside it */
export function renderEvents(events: readonly object[], manifest: string): string {
  const lines = jsonl(events)
  return `${lines}${jsonl([{ type: 'seal', events: sha256(lines), manifest: sha256(manifest) }])}`
}

/**
 * Returns what happened, without the seal, and what is wrong with it and the manifest.
 *
 * @param manifest undefined for a run of before there were seals
 */
export function parseEvents(text: string, manifest: string | undefined): { events: RecordedEvent[]; problems: string[] } {
  const lines = text.split('\n').filter((line) => line !== '')
  let events: RecordedEvent[]
  try {
    events = lines.map((line) => JSON.parse(line) as RecordedEvent)
  } catch {
    return { events: [], problems: [`${EVENTS_FILE} is not lines of JSON`] }
  }
  if (manifest === undefined) return { events, problems: [] }
  const seal = events.at(-1)
  if (seal?.type !== 'seal') return { events, problems: [`${EVENTS_FILE} does not end with its seal`] }
  const sealed = text.slice(0, text.lastIndexOf(lines.at(-1) as string))
  const problems = [
    ...(seal.events === sha256(sealed) ? [] : [`${EVENTS_FILE} was changed`]),
    ...(seal.manifest === sha256(manifest) ? [] : ['run.yaml was changed']),
  ]
  return { events: events.slice(0, -1), problems }
}

/**
 * Returns whether any process that worked on a run found changes in the tree that were not committed; undefined when none
 * has said.
 */
export function wasDirty({ events }: { events: readonly object[] }): boolean | undefined {
  const said = events.flatMap((event) => ('dirty' in event && typeof event.dirty === 'boolean' ? [event.dirty] : []))
  return said.length === 0 ? undefined : said.includes(true)
}
