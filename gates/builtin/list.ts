import type { GateSpec } from '../../core/contracts/gate.ts'
import { branchName } from './branch-name.ts'
import type { Builtin } from './builtin.ts'
import { change } from './change.ts'
import { checklistMonotonic } from './checklist-monotonic.ts'
import { commitMessage } from './commit-message.ts'
import { definitions } from './definitions.ts'
import { evidence } from './evidence.ts'
import { frozen } from './frozen.ts'
import { lfs } from './lfs.ts'
import { link } from './link.ts'
import { privacy } from './privacy.ts'
import { protectedPaths } from './protected-paths.ts'
import { requiredItems } from './required-items.ts'
import { secrets } from './secrets.ts'
import { sessionConflict } from './session-conflict.ts'
import { singleWriter } from './single-writer.ts'
import { size } from './size.ts'
import { summary } from './summary.ts'
import { trainingVerdict } from './training-verdict.ts'

/** Every built-in gate but the command gates, which the configuration names. A new gate is a file and a line here. */
export const BUILTINS: readonly Builtin[] = [
  change,
  summary,
  link,
  checklistMonotonic,
  evidence,
  frozen,
  singleWriter,
  sessionConflict,
  branchName,
  size,
  lfs,
  secrets,
  protectedPaths,
  commitMessage,
  privacy,
  definitions,
  requiredItems,
]

/** The specifications of all of them, and of those that a general kind judges. */
export const SPECS: readonly GateSpec[] = [...BUILTINS.map(({ spec }) => spec), trainingVerdict]
