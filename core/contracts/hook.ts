import * as z from 'zod'
import { Finding } from './gate.ts'
import { ObjectId } from './names.ts'

/**
 * What a git hook noticed, one file a record in the worktree's own git directory. The conductor folds it into the
 * session; `check` finds the same without it.
 *
 * Rules of the finding: `ungated-commit` (made without its checks), `needs-gates` (a merge or rebase made a tree nobody
 * judged), `check-skipped` (left out on purpose, with a reason), `not-judged` (too much to look through in time).
 */
export const HookRecord = z.strictObject({
  v: z.literal(1),
  /** Name of the hook. */
  hook: z.string(),
  /** ISO 8601, UTC. */
  at: z.string(),
  finding: Finding,
  /** Who skipped, as git knows the name; only with `check-skipped`. */
  name: z.string().optional(),
  /** Commits a rebase or an amend replaced. */
  rewritten: z.array(z.strictObject({ from: ObjectId, to: ObjectId })).optional(),
})
export type HookRecord = z.infer<typeof HookRecord>
