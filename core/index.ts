export { canonicalJson, digestOf, type Json, sha256 } from './canonical.ts'
export { type Clock, SimulatedClock, systemClock, timestamp } from './clock.ts'
export { CONFIG_FILE, Config, checkShape, defaultConfig, parseConfig, readConfig } from './config.ts'
export * from './contracts/event.ts'
export * from './contracts/evidence.ts'
export type * from './contracts/forge.ts'
export * from './contracts/gate.ts'
export * from './contracts/issue.ts'
export * from './contracts/method.ts'
export * from './contracts/names.ts'
export type * from './contracts/runtime.ts'
export { removeAbandoned } from './disposable.ts'
export { didYouMean, type ErrorKind, type ErrorOptions, EXIT_CODES, exitCodeOf, nearest, ValuetrainError } from './errors.ts'
export {
  appendEvidence,
  dropEvidence,
  listEvidence,
  peopleEvidenceRef,
  readEvidence,
  recordHookEvidence,
  type StoredEvidence,
  ticketEvidenceRef,
} from './evidence-refs.ts'
export { appendDurably, fileError, isInside, resolveInside, writeAtomically, writeNote } from './files.ts'
export { type Document, parseFrontMatter, parseMapping, parseYaml, renderFrontMatter } from './frontmatter.ts'
export { type Git, type GitOptions, type GitResult, openGit } from './git.ts'
export { type ChangeSize, type Commit, type History, openHistory, type Uncommitted } from './history.ts'
export { type Fate, fateOf, isSameProcess, type ProcessIdentity, processIdentity } from './identity.ts'
export { countingIds, type Ids, systemIds } from './ids.ts'
export { type Claim, type Lease, type LeaseRequest, listLeases, readLease, releaseLease, renewLease, takeLease } from './lease.ts'
export { leaseRef } from './lease-refs.ts'
export { type LockOptions, withLock } from './lock.ts'
export { type Limit, type ProcessOptions, type ProcessResult, reapLeftovers, runProcess } from './process.ts'
export { isRefName, requireRefName, requireRevision } from './refs.ts'
export { type Base, defaultBase, openRepository, type Repository, requireWorkable, worktreeRoot } from './repository.ts'
export { listRescues, type Rescue, type RescueRequest, restoreCommitted, takeRescue } from './rescue.ts'
export { subjectTrees } from './subjects.ts'
export {
  type ChangedPath,
  changedPaths,
  commitTree,
  isAncestor,
  mergeTree,
  parseRawDiff,
  readBlobs,
  readerAt,
  readerOf,
  resolveCommit,
  subjectTree,
  type TreeReader,
} from './tree.ts'
export { restoreRescue, type Unpacked } from './unpack.ts'
export {
  closeWorktree,
  type Disposable,
  listWorktrees,
  openDisposable,
  openWorktree,
  type Worktree,
  type WorktreeEntry,
  type WorktreeRequest,
} from './worktree.ts'
