import { digestOf, type Json } from '../core/canonical.ts'
import type { GateResult, GateSpec } from '../core/contracts/gate.ts'
import type { Builtin } from './builtin/builtin.ts'
import { inScope } from './glob.ts'
import { artifactInputs } from './kinds/artifact.ts'
import { commandInputs } from './kinds/command.ts'
import { metricInputs } from './kinds/metric.ts'
import { specDigest } from './spec.ts'
import type { View } from './view.ts'

/** Raised when a built-in gate judges differently than before, so that earlier results are not repeated. */
const ENGINE = 1

/** Returns the key of a result: two results with one key are about the same thing, judged by the same tools. */
export function gateKey(spec: GateSpec, toolchain: string, inputs: Readonly<Record<string, Json>>): string {
  return digestOf({ engine: ENGINE, spec: specDigest(spec), toolchain, inputs })
}

/** Returns everything a gate's judgement depends on besides its definition and its tools. */
export async function inputsOf(spec: GateSpec, view: View, builtin: Builtin | undefined): Promise<Record<string, Json>> {
  const inputs: Record<string, Json> = { subject: await view.subject(spec.subject) }
  if (isScoped(spec)) inputs.scope = await touchesScope(spec, view)
  return { ...inputs, ...(await ownInputs(spec, view, builtin)) }
}

async function ownInputs(spec: GateSpec, view: View, builtin: Builtin | undefined): Promise<Record<string, Json>> {
  const { kind } = spec
  if (kind.type === 'command') return commandInputs(view.context)
  if (kind.type === 'artifact') return artifactInputs(kind, view)
  if (kind.type === 'metric') return metricInputs(kind, view)
  return builtin ? builtin.inputs(view, kind.type === 'builtin' ? kind.options : {}) : {}
}

/** Tells whether a result of this gate may stand for a later judgement at all. */
export function isReusable(spec: GateSpec): boolean {
  const bySubject = spec.subject !== 'session' && spec.subject !== 'human' && spec.subject !== 'external'
  const byKind = spec.kind.type !== 'human' && spec.kind.type !== 'external' && spec.kind.type !== 'kofn'
  return spec.cache && bySubject && byKind
}

/**
 * Returns the latest result that answers the same question, or undefined. One that found nothing out answers nothing,
 * and a waiver is looked up anew each time.
 */
export function findReusable(spec: GateSpec, key: string, results: readonly GateResult[]): GateResult | undefined {
  if (!isReusable(spec)) return undefined
  return results.findLast(
    (result) => result.gate === spec.id && result.key === key && result.verdict !== 'inconclusive' && result.verdict !== 'waived',
  )
}

/** Tells whether a gate looks at some paths only. */
export function isScoped({ scope }: GateSpec): boolean {
  return scope.include.length > 0 || scope.exclude.length > 0
}

/** Tells whether the range changes a path the gate looks at. */
export async function touchesScope({ scope }: GateSpec, view: View): Promise<boolean> {
  return (await view.changes()).some(({ path }) => inScope(path, scope))
}
