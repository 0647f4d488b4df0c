import { digestOf } from '../core/canonical.ts'
import type { GateSpec } from '../core/contracts/gate.ts'

/** Returns the digest of a gate's specification, part of each of its results. */
export function specDigest(spec: GateSpec): string {
  return digestOf(spec)
}
