import type { GateKind, Standing } from '../../core/contracts/gate.ts'
import { type Answer, failed, inconclusive, notApplicable, passed } from '../gate.ts'

/**
 * Judges k of n other gates by their standings. Waived counts as passed. A gate that does not apply is no vote, so it can
 * neither help nor hinder; one without an answer may still become a vote, and as long as such could decide, nothing is decided.
 */
export function judgeKofn(kind: Extract<GateKind, { type: 'kofn' }>, standings: ReadonlyMap<string, Standing>): Answer {
  const of = [...new Set(kind.of)].map((gate) => ({ gate, standing: standings.get(gate) ?? 'missing' }))
  const yes = of.filter(({ standing }) => standing === 'pass' || standing === 'waived').length
  const open = of.filter(({ standing }) => standing === 'missing' || standing === 'stale' || standing === 'inconclusive')
  const told = of.map(({ gate, standing }) => `${gate}: ${standing}`).join(', ')
  if (yes >= kind.k) return passed(`${yes} of ${of.length} say yes, ${kind.k} are asked (${told})`)
  if (of.every(({ standing }) => standing === 'not-applicable')) return notApplicable(`none of ${of.length} applies`)
  if (yes + open.length >= kind.k) {
    return inconclusive(`${yes} of ${of.length} say yes, ${kind.k} are asked, and ${open.length} gave no answer (${told})`)
  }
  return failed(`${yes} of ${of.length} say yes, ${kind.k} are asked (${told})`)
}
