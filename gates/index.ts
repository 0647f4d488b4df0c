import type { GateSpec } from '../core/contracts/gate.ts'
import { SPECS } from './builtin/list.ts'

export { type Approval, approvalsOf, type Waiver, waiverOf } from './approval.ts'
export { COMMAND_NAMES, commandGates, unnamedCommands } from './builtin/commands.ts'
export { type Checkout, openCheckout } from './checkout.ts'
export { type Decision, decide, type GateStanding, holds, latestOf, type Present, standingOf } from './decide.ts'
export type { Answer, JudgeContext } from './gate.ts'
export { inScope, matchesAny } from './glob.ts'
export { GUARD_RAILS } from './guard-rails.ts'
export { inOrder, judgeGate, judgeGates, resolveGates } from './judge.ts'
export { findReusable, gateKey, isReusable } from './key.ts'
export { judgeKofn } from './kinds/kofn.ts'
export { type Asked, type BoundItem, compileItem, requiredGates } from './required.ts'
export { requiredOf, specDigest } from './spec.ts'
export { SUMMARY_FILE, subjectDigest, workDigest } from './subject.ts'
export {
  readSummary,
  renderSummary,
  type SummaryFacts,
  type SummarySection,
  type SummarySource,
  summarySections,
  summaryText,
} from './summary.ts'
export { weakened } from './weakened.ts'
export { ownWords, placeholdersIn } from './words.ts'

/** Every built-in gate's specification; command gates exist where the configuration names the command. */
export const builtinGates: readonly GateSpec[] = SPECS
