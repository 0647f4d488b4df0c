import type { Finding } from '../core/contracts/gate.ts'
import { hashOf } from './entry.ts'
import { headerDigest, type Segment } from './form.ts'

/**
 * Returns how a later state of the session files fails to continue an earlier one: `segment-removed`, `header-changed`,
 * `entries-removed`, `entries-changed`, `closing-changed`. Nothing is returned when entries were only appended, segments
 * added, closing fields set, or data blanked by a redaction.
 *
 * @param before as at the merge base
 * @param after as at the head
 */
export function prefixFindings(before: readonly Segment[], after: readonly Segment[]): Finding[] {
  const later = new Map(after.map((segment) => [segment.header.segment, segment]))
  return before.flatMap((earlier) => {
    const segment = later.get(earlier.header.segment)
    return segment ? compare(earlier, segment) : [finding('segment-removed', 'the session file was removed', earlier)]
  })
}

/** Tells whether a later state of the session files only continues an earlier one: the rule between merge base and head. */
export function isPrefix(before: readonly Segment[], after: readonly Segment[]): boolean {
  return prefixFindings(before, after).length === 0
}

function compare(before: Segment, after: Segment): Finding[] {
  if (headerDigest(before.header) !== headerDigest(after.header))
    return [finding('header-changed', 'its front matter was changed', after)]
  if (after.entries.length < before.entries.length) {
    const message = `it had ${before.entries.length} entries and now has ${after.entries.length}`
    return [finding('entries-removed', message, after)]
  }
  const changed = before.entries.findIndex((entry, position) => !isSame(entry, after.entries[position]))
  if (changed >= 0) return [finding('entries-changed', `entry ${changed} was changed or moved`, after)]
  const { closing } = before
  const wasReclosed = closing !== undefined && JSON.stringify(closing) !== JSON.stringify(after.closing)
  return wasReclosed ? [finding('closing-changed', 'it was closed before, and its closing fields were changed', after)] : []
}

/** Compares what is there with the hash it claims: a redaction keeps the hash, any other edit does not. */
function isSame(before: Segment['entries'][number], after: Segment['entries'][number] | undefined): boolean {
  if (after === undefined || after.hash !== before.hash) return false
  try {
    return hashOf(after) === before.hash
  } catch {
    return false
  }
}

function finding(rule: string, message: string, { file }: Segment): Finding {
  return { rule, severity: 'error', message: `${file}: ${message}`, path: file }
}
