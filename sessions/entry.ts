import { canonicalJson, digestOf, sha256 } from '../core/canonical.ts'
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
export function hashOf(entry: Omit<Entry<EventType>, 'hash' | 'data' | 'type'> & { type: string; data: unknown }): string {
  const digest = entry.data === null ? (entry.digest ?? null) : digestOf(entry.data)
  const { v, seq, id, ts, type, prev } = entry
  return sha256(canonicalJson({ v, seq, id, ts, type, digest, prev }))
}

/** Returns the entry that continues a chain: version and hash are added to what is given. */
export function sealEntry<T extends EventType>(draft: EntryDraft<T>): Entry<T> {
  const { seq, id, ts, type, data, prev } = draft
  const open: Omit<Entry<T>, 'hash'> = { v: 1, seq, id, ts, type, data, prev }
  return { ...open, hash: hashOf(open) }
}

/** Returns the entry without its data: the one permitted edit of a log, after which its hash still holds. */
export function blankEntry(entry: Entry): Entry {
  return entry.data === null ? entry : { ...entry, data: null, digest: digestOf(entry.data) }
}
