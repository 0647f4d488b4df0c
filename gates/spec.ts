import { digestOf } from '../core/canonical.ts'
import type { RequiredGate } from '../core/contracts/event.ts'
import type { GateSpec } from '../core/contracts/gate.ts'

/** Returns the digest of a gate's specification, part of each of its results. */
export function specDigest(spec: GateSpec): string {
  return digestOf(spec)
}

/**
 * Returns a gate as a phase asks it: what the log keeps of its definition, so that a decision can be made anew from the log.
 *
 * @param more how it is asked there, where that is not how it is defined, and the item it stands for
 */
export function requiredOf(spec: GateSpec, more: Partial<Pick<RequiredGate, 'severity' | 'item'>> = {}): RequiredGate {
  return {
    gate: spec.id,
    spec: specDigest(spec),
    severity: more.severity ?? spec.severity,
    ...(more.item === undefined ? {} : { item: more.item }),
    human: spec.kind.type === 'human',
    ...(spec.mendedBy === undefined ? {} : { mendedBy: spec.mendedBy }),
  }
}
