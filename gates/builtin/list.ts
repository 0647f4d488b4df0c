import type { Builtin } from './builtin.ts'
import { branchName } from './branch-name.ts'
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

/** Every built-in gate but the command gates, which the configuration names; guard-rails in the order of the methodology. */
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

/** Gates of a phase's list; all others of ours are guard-rails, which every phase asks. */
const BY_LIST: ReadonlySet<string> = new Set(['change', 'summary', 'link'])

/** Ids of the gates that every phase asks, whatever its pipeline says. */
export const GUARD_RAILS: readonly string[] = BUILTINS.map(({ spec }) => spec.id).filter((id) => !BY_LIST.has(id))
