import type { Finding } from '../core/contracts/gate.ts'
import { DIGEST } from '../core/contracts/patterns.ts'
import { hashOf } from './entry.ts'
import { headerDigest, type Segment } from './form.ts'

const FIELDS = new Set(['v', 'seq', 'id', 'ts', 'type', 'data', 'digest', 'prev', 'hash'])

/**
 * Returns what breaks the chain of one segment: `version-unknown`, `field-unknown`, `seq-wrong`, `chain-broken`,
 * `hash-wrong`, `id-repeated`, `digest-wrong`. A cut tail and a chain hashed anew to its end are not among them; those
 * need an anchor outside the file.
 */
export function checkChain(segment: Segment): Finding[] {
  const findings: Finding[] = []
  const say = (rule: string, message: string) =>
    findings.push({ rule, severity: 'error', message: `${segment.file}: ${message}`, path: segment.file })
  const ids = new Set<string>()
  let prev = headerDigest(segment.header)
  segment.entries.forEach((entry, position) => {
    if (entry.v !== 1)
      say('version-unknown', `entry ${entry.seq} has format version ${entry.v}, which is newer than this program`)
    if (entry.seq !== position) say('seq-wrong', `entry ${entry.seq} stands in place ${position}`)
    if (entry.prev !== prev) say('chain-broken', `entry ${entry.seq} does not follow what stands before it`)
    if (ids.has(entry.id)) say('id-repeated', `entry ${entry.seq} has the id of an earlier one`)
    ids.add(entry.id)
    for (const field in entry)
      if (!FIELDS.has(field)) say('field-unknown', `entry ${entry.seq} has a field "${field}" that no hash covers`)
    if (entry.data === null ? !DIGEST.test(entry.digest ?? '') : entry.digest !== undefined) {
      say('digest-wrong', `entry ${entry.seq} has data and a digest, or neither`)
    }
    if (hashSafely(entry) !== entry.hash) say('hash-wrong', `entry ${entry.seq} is not what was hashed`)
    prev = entry.hash
  })
  return findings
}

/** Deeply nested data, which nobody but a forger writes, would exhaust the stack. */
function hashSafely(entry: Segment['entries'][number]): string | undefined {
  try {
    return hashOf(entry)
  } catch {
    return undefined
  }
}
