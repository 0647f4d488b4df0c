import { canonicalJson } from '../core/canonical.ts'
import type { GateSpec } from '../core/contracts/gate.ts'

/**
 * Returns how a gate's later definition asks less than its earlier one, one sentence each; empty when it does not.
 * A program that changed counts, since nobody can tell whether the new one asks as much.
 */
export function weakened(before: GateSpec, after: GateSpec): string[] {
  const reasons: string[] = []
  const blocks = before.severity === 'block'
  if (blocks && after.severity === 'warn') reasons.push('it only warns now')
  if (before.kind.type !== after.kind.type) reasons.push(`it is ${after.kind.type} now, not ${before.kind.type}`)
  else reasons.push(...weakerKind(before, after))
  if (narrowed(before.scope.include, after.scope.include)) reasons.push('it looks at fewer paths')
  const freed = after.scope.exclude.filter((glob) => !before.scope.exclude.includes(glob))
  if (freed.length > 0) reasons.push(`it no longer looks at ${freed.join(', ')}`)
  if (blocks && after.timeoutMs < before.timeoutMs) reasons.push(`its time is cut to ${after.timeoutMs} ms`)
  if (narrowed(before.modes, after.modes)) reasons.push('it is asked in fewer modes')
  const stages = before.stages.filter((stage) => !after.stages.includes(stage))
  if (stages.length > 0) reasons.push(`it is no longer asked at ${stages.join(', ')}`)
  const needs = before.needs.filter((gate) => !after.needs.includes(gate))
  if (needs.length > 0) reasons.push(`it no longer needs ${needs.join(', ')}`)
  if (!before.waiver.allowed && after.waiver.allowed) reasons.push('it may be overridden now')
  if (after.waiver.allowed && after.waiver.maxDays > before.waiver.maxDays) reasons.push('an override lasts longer')
  if (before.waiver.allowed && after.waiver.allowed && narrowed(after.waiver.roles, before.waiver.roles))
    reasons.push('more roles may override it')
  const versions = before.versions.filter((argv) => !after.versions.some((other) => same(argv, other)))
  if (versions.length > 0) reasons.push('its results are kept across versions of its tools')
  if (before.subject !== after.subject) reasons.push(`its results are about the ${after.subject} now, not the ${before.subject}`)
  if (!before.cache && after.cache) reasons.push('its results may be repeated now')
  return reasons
}

function weakerKind({ kind: before }: GateSpec, { kind: after }: GateSpec): string[] {
  if (before.type === 'command' && after.type === 'command') {
    const exits = after.okExit.filter((code) => !before.okExit.includes(code))
    return [
      ...(same(before.argv, after.argv) ? [] : ['it runs another command']),
      ...(before.cwd === after.cwd ? [] : ['it runs in another folder']),
      ...(exits.length > 0 ? [`exit ${exits.join(', ')} passes now`] : []),
    ]
  }
  if (before.type === 'artifact' && after.type === 'artifact') {
    const paths = before.paths.filter((path) => !after.paths.includes(path))
    const keys = before.schema.filter((key) => !after.schema.includes(key))
    return [
      ...(paths.length > 0 ? [`${paths.join(', ')} is no longer asked`] : []),
      ...(keys.length > 0 ? [`the key ${keys.join(', ')} is no longer asked`] : []),
      ...(after.minContent < before.minContent ? [`${after.minContent} words are enough now`] : []),
      ...(before.template === after.template ? [] : ['the text of another template is left out of the count']),
    ]
  }
  if (before.type === 'human' && after.type === 'human') {
    return [
      ...(after.quorum < before.quorum ? [`${after.quorum} approvals are enough now`] : []),
      ...(narrowed(after.roles, before.roles) ? ['more roles may approve'] : []),
    ]
  }
  if (before.type === 'kofn' && after.type === 'kofn') {
    return [
      ...(after.k < before.k ? [`${after.k} of its gates are enough now`] : []),
      ...(same(before.of, after.of) ? [] : ['it counts other gates']),
    ]
  }
  return same(before, after) ? [] : ['it asks something else']
}

/** Tells whether a list that means "everything" when empty now means less. */
function narrowed(before: readonly string[], after: readonly string[]): boolean {
  if (after.length === 0) return false
  return before.length === 0 || before.some((one) => !after.includes(one))
}

function same(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other)
}
