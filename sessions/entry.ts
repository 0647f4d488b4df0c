import { canonicalJson, sha256 } from '../core/canonical.ts'
import type { Entry, EventType } from '../core/contracts/event.ts'

/** What an entry is sealed from. */
export type EntryDraft<T extends EventType = EventType> = Pick<Entry<T>, 'seq' | 'id' | 'ts' | 'type' | 'prev'> & {
  data: NonNullable<Entry<T>['data']>
}

/**
 * Returns the hash an entry must carry: SHA-256 over the canonical JSON of v, seq, id, ts, type, prev and the digest
 * of its data. A redacted entry brings that digest itself, so that its hash stays what it was.
 *
 * @see RFC 8785, JSON Canonicalization Scheme
 */
export function hashOf(
  entry: Omit<Entry<EventType>, 'hash' | 'data' | 'type'> & {
    type: string
    data: unknown
  },
): string {
  const digest = entry.data === null ? (entry.digest ?? null) : digestOfData(entry.data)
  const { v, seq, id, ts, type, prev } = entry
  return digestOfData({ digest, id, prev, seq, ts, type, v })
}

/** Returns the entry that continues a chain: version and hash are added to what is given. */
export function sealEntry<T extends EventType>(draft: EntryDraft<T>): Entry<T> {
  const { seq, id, ts, type, data, prev } = draft
  const open: Omit<Entry<T>, 'hash'> = { v: 1, seq, id, ts, type, data, prev }
  return { ...open, hash: hashOf(open) }
}

/** Returns the entry without its data: the one permitted edit of a log, after which its hash still holds. */
export function blankEntry(entry: Entry): Entry {
  return entry.data === null ? entry : { ...entry, data: null, digest: digestOfData(entry.data) }
}

/**
 * Returns `digestOf` of an entry's data. What was read from a line of ours is in canonical order already, and then the
 * engine's own JSON is the canonical one: a third of the time, which is most of what verifying a log takes.
 */
function digestOfData(data: unknown): string {
  if (!isInOrder(data)) return sha256(canonicalJson(data))
  const json = JSON.stringify(data)
  return sha256(json.includes('\\ud') ? canonicalJson(data) : json)
}

/** Tells whether all keys are sorted and all numbers are ones JSON can hold (1e999 is read as Infinity and printed as null). */
function isInOrder(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return value !== undefined
  if (Array.isArray(value)) return value.every(isInOrder)
  let last = ''
  for (const key in value) {
    if (key < last || !isInOrder((value as Record<string, unknown>)[key])) return false
    last = key
  }
  return true
}
