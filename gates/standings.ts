import { timestamp } from '../core/clock.ts'
import type { GateResult, Standing } from '../core/contracts/gate.ts'
import { latestOf, standingOf } from './decide.ts'
import { specDigest } from './spec.ts'
import type { View } from './view.ts'

/** Returns what gates' latest results are worth on the present subject. */
export async function standingsOf(
  gates: readonly string[],
  results: readonly GateResult[],
  view: View,
): Promise<ReadonlyMap<string, Standing>> {
  const latest = latestOf(results)
  const standings = new Map<string, Standing>()
  for (const gate of gates) {
    const result = latest.get(gate)
    const present = result ? { [result.subject.kind]: await view.subject(result.subject.kind) } : {}
    const spec = view.gates().get(gate)
    const expected = { spec: spec ? specDigest(spec) : (result?.spec ?? '') }
    standings.set(gate, standingOf(expected, result, timestamp(view.context.clock), present))
  }
  return standings
}
