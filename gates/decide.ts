import type { RequiredGate } from '../core/contracts/event.ts'
import type { GateResult, Standing, SubjectKind } from '../core/contracts/gate.ts'
import type { ModeId } from '../core/contracts/names.ts'

/** The digest of each kind of subject as it is now; what is not named is not compared. */
export type Present = Partial<Record<SubjectKind, string>>

export interface GateStanding {
  gate: string
  standing: Standing
}

export interface Decision {
  allow: boolean
  /** What stands in the way, then what is only a warning; one sentence when nothing does. */
  reasons: string[]
  /** `advance` when allowed; `hold` when only people are missing; `iterate` otherwise. */
  next: 'advance' | 'iterate' | 'hold'
  /** One a required gate, in the order they are required. */
  standings: GateStanding[]
}

/**
 * Returns whether a ticket may leave its mode. The machine's guard, the command line, hooks and CI all ask this one
 * function, which reads nothing but its arguments.
 *
 * A gate without a result is `missing`; a result of another specification or about another subject is `stale`;
 * neither is ever a pass, nor is a list without any gate. `warn` gates are told and never block.
 *
 * @param results  all results known, oldest first, or the latest of each gate by its id
 * @param now      ISO 8601, UTC; a waiver counts until it expires
 * @param present  the subject tree as it is now, or the digest of each kind of subject
 */
export function decide(
  mode: ModeId,
  required: readonly RequiredGate[],
  results: readonly GateResult[] | Readonly<Record<string, GateResult>>,
  now: string,
  present: Present | string = {},
): Decision {
  if (required.length === 0) {
    const reason = `${mode} asks no gate at all, and what nothing looked at does not pass`
    return { allow: false, reasons: [reason], next: 'iterate', standings: [] }
  }
  const latest = latestOf(results)
  const subjects = typeof present === 'string' ? { tree: present, staged: present } : present
  const looked = required.map((gate) => {
    const result = latest.get(gate.gate)
    return { gate, result, standing: standingOf(gate, result, now, subjects) }
  })
  const open = looked.filter(({ standing }) => !holds(standing))
  const blocking = open.filter(({ gate }) => gate.severity === 'block')
  const reasons = [
    ...blocking.map(({ gate, result, standing }) => reasonOf(gate, result, standing)),
    ...open
      .filter(({ gate }) => gate.severity === 'warn')
      .map((one) => `warning: ${reasonOf(one.gate, one.result, one.standing)}`),
  ]
  const allow = blocking.length === 0
  if (allow && reasons.length === 0)
    reasons.push(required.length === 1 ? `${mode}: its gate holds` : `${mode}: all ${required.length} gates hold`)
  return {
    allow,
    reasons,
    next: allow ? 'advance' : blocking.every(asksPerson) ? 'hold' : 'iterate',
    standings: looked.map(({ gate, standing }) => ({ gate: gate.gate, standing })),
  }
}

/** Returns what a required gate's latest result is worth now. */
export function standingOf(
  gate: Pick<RequiredGate, 'spec'>,
  result: GateResult | undefined,
  now: string,
  present: Present = {},
): Standing {
  if (result === undefined) return 'missing'
  const subject = present[result.subject.kind]
  if (result.spec !== gate.spec || (subject !== undefined && subject !== result.subject.digest)) return 'stale'
  if (result.verdict === 'waived' && result.expires !== undefined && !(Date.parse(now) < Date.parse(result.expires)))
    return 'stale'
  return result.verdict
}

/** Tells whether a standing lets a ticket go on. */
export function holds(standing: Standing): boolean {
  return standing === 'pass' || standing === 'waived' || standing === 'not-applicable'
}

/** Returns the last result of each gate. */
export function latestOf(results: readonly GateResult[] | Readonly<Record<string, GateResult>>): ReadonlyMap<string, GateResult> {
  const list = Array.isArray(results) ? (results as readonly GateResult[]) : Object.values(results)
  return new Map(list.map((result) => [result.gate, result]))
}

/** Nothing but a person's word is missing: another attempt would be spent for nothing. */
function asksPerson({ gate, standing }: { gate: RequiredGate; standing: Standing }): boolean {
  return gate.human || (gate.mendedBy === 'person' && standing === 'fail')
}

function reasonOf(gate: RequiredGate, result: GateResult | undefined, standing: Standing): string {
  if (standing === 'missing') return `${gate.gate}: nobody has judged it yet`
  if (standing === 'stale') return `${gate.gate}: ${staleBecause(gate, result)}`
  const reasons = result?.reasons.slice(0, 3).join('; ')
  return `${gate.gate}: ${standing}${reasons ? `: ${reasons}` : ''}`
}

function staleBecause(gate: RequiredGate, result: GateResult | undefined): string {
  if (result?.spec !== gate.spec) return 'its last result is for another definition of the gate'
  if (result.verdict === 'waived') return `its waiver ended at ${result.expires}`
  return 'its last result is about an earlier state'
}
