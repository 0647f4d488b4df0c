import type { GateKind } from '../../core/contracts/gate.ts'
import { approvalsOf } from '../approval.ts'
import { type Answer, inconclusive, passed } from '../gate.ts'
import type { View } from '../view.ts'

/** Judges whether enough people said yes to the present work. Nobody's silence is an answer, so it never fails, it waits. */
export async function judgeHuman(gate: string, kind: Extract<GateKind, { type: 'human' }>, view: View): Promise<Answer> {
  const approvals = approvalsOf(view.context.entries, gate, [await view.work()], kind.roles)
  const names = approvals.map(({ name }) => name)
  if (approvals.length >= kind.quorum) return passed(`approved by ${names.join(', ')}`)
  const who = kind.roles.length === 0 ? '' : ` (${kind.roles.join(', ')})`
  const so = names.length === 0 ? 'nobody has' : `only ${names.join(', ')} has`
  return inconclusive(`${so} approved; asked are ${kind.quorum}${who}: ${kind.question}`)
}
