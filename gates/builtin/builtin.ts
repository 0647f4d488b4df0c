import type { Json } from '../../core/canonical.ts'
import { type GateResult, GateSpec, type GateSpecInput } from '../../core/contracts/gate.ts'
import type { Answer } from '../gate.ts'
import type { View } from '../view.ts'

/** A gate of ours: its specification, what it reads besides its subject, and how it judges. */
export interface Builtin {
  readonly spec: GateSpec
  /** Everything the judgement depends on that the subject's digest does not cover; part of a result's key. */
  inputs(view: View, options: Options): Promise<Record<string, Json>>
  judge(view: View, options: Options, results: readonly GateResult[]): Promise<Answer>
}

export type Options = Readonly<Record<string, unknown>>

/**
 * Returns a built-in gate. Its kind is `builtin` under its own id.
 *
 * @param inputs nothing unless told, which is right only where the subject covers all that is read
 */
export function builtin(
  spec: Omit<GateSpecInput, 'kind'>,
  parts: Pick<Builtin, 'judge'> & Partial<Pick<Builtin, 'inputs'>>,
): Builtin {
  return {
    spec: GateSpec.parse({ ...spec, kind: { type: 'builtin', name: spec.id } }),
    inputs: async () => ({}),
    ...parts,
  }
}
