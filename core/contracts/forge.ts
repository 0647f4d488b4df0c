import type { Standing } from './gate.ts'
import type { Issue, IssueDraft } from './issue.ts'

/** A proposed change: a branch on its way to the default branch; a pull request where the forge has those. */
export interface Change {
  id: string
  ticket: string
  head: string
  /** Commit the branch points at. */
  headCommit: string
  base: string
  title: string
  /** Where a person reads it: a branch name or a URL. */
  location: string
  draft: boolean
  state: 'open' | 'merged' | 'closed'
}

export interface ChangeDraft {
  ticket: string
  issue: number
  title: string
  body: string
  head: string
  base: string
  draft: boolean
}

/** What became of a merge. `moved`: the base is no longer the judged one. `waiting`: paths stand in the way. */
export type MergeOutcome =
  | { outcome: 'merged'; commit: string }
  | { outcome: 'moved'; base: string }
  | { outcome: 'waiting'; reason: string; paths: string[] }

export interface MergeOrder {
  ticket: string
  /** Default branch, without `refs/heads/`. */
  into: string
  /** Commit of the default branch that the merge result was judged on. */
  base: string
  head: string
  /** The judged merge commit, parents base and head, already in the object store. */
  merge: string
}

/** Where issues live and changes are merged. The conductor decides; a forge only does and tells. */
export interface Forge {
  readonly id: 'local' | 'github'
  listIssues(): Promise<Issue[]>
  /** @throws VT_ISSUE_UNKNOWN when there is no such issue */
  readIssue(number: number): Promise<Issue>
  openIssue(draft: IssueDraft): Promise<Issue>
  closeIssue(number: number): Promise<Issue>
  /** Opens the change, or adopts the one that is open for the same head branch. */
  openChange(draft: ChangeDraft): Promise<Change>
  findChange(branch: string): Promise<Change | undefined>
  /** Reports one gate's standing on a commit, where the forge shows such a thing. */
  reportGate(commit: string, gate: string, standing: Standing, description: string): Promise<void>
  /** Merges an exact head into an exact base. */
  merge(order: MergeOrder): Promise<MergeOutcome>
}

/** What a login may do in a repository; `none` also for strangers. */
export type Permission = 'none' | 'read' | 'triage' | 'write' | 'maintain' | 'admin'

/** Whether a permission lets its holder start work, give commands and approve. */
export function mayWrite(permission: Permission): boolean {
  return permission === 'write' || permission === 'maintain' || permission === 'admin'
}

/** A review of a change, as it stood when it was read. */
export interface Review {
  id: string
  login: string
  /** The login's permission at the time of reading, which an approval records. */
  permission: Permission
  state: 'approved' | 'changes-requested' | 'commented' | 'dismissed'
  /** Commit that was reviewed. */
  commit: string
  body: string
  /** ISO 8601, UTC. */
  at: string
}

/** A comment on an issue or a change. */
export interface ForgeComment {
  id: string
  /** Issue or change it stands under. */
  number: number
  login: string
  permission: Permission
  body: string
  /** ISO 8601, UTC. */
  at: string
}

/** A check or status that somebody else's system reports on a change's head. */
export interface CheckStanding {
  name: string
  state: 'pending' | 'success' | 'failure'
  /** What it said, bounded. */
  text: string
  location: string
}

/** Where a change stands with the queue through which its base is entered. */
export interface QueueStanding {
  /** Place in the queue, counted from 1; undefined while it is not in it. */
  place?: number
  /** Set when it was put out and nothing was pushed since. */
  putOut?: { id: string; reason: string; text: string; why: 'checks' | 'conflict' | 'other' }
  /** Why it was not let in a moment ago, in the forge's words. */
  refused?: string
}

/** Everything a forge tells of an open or ended change, in one look. */
export interface ChangeStanding {
  change: Change
  /** Commit of the default branch that the change came in with, when it is merged. */
  mergeCommit?: string
  /** Commit of the base branch now. */
  baseCommit: string
  mergeable: 'clean' | 'behind' | 'conflicting' | 'blocked' | 'unknown'
  /** Absent where changes are merged one by one. */
  queue?: QueueStanding
  reviews: readonly Review[]
  /** Without our own reports. */
  checks: readonly CheckStanding[]
}

/** One gate's standing, to be shown on a commit. */
export interface GateReport {
  gate: string
  standing: Standing
  description: string
  /** Places in files, where the gate named any. */
  annotations?: readonly { path: string; line: number; message: string }[]
}

export interface ForgeLabel {
  name: string
  /** Six hexadecimal digits. */
  color: string
  description: string
}

/**
 * A forge on another machine: changes are pushed there and merged there, and their merge is observed.
 * Every write is idempotent: it carries its key and is adopted when it is found again after a crash.
 */
export interface HostedForge extends Forge {
  readonly id: 'github'
  /** The pilot's own login; for an App its bot login. */
  login(): Promise<string>
  permissionOf(login: string): Promise<Permission>
  /** Brings title, body, draft state, labels and reviewers up to date; what is absent stays as it is. */
  updateChange(
    change: Change,
    patch: { title?: string; body?: string; draft?: boolean; labels?: readonly string[]; reviewers?: readonly string[] },
  ): Promise<Change>
  observeChange(change: Change): Promise<ChangeStanding>
  /** Reports all gates of a commit and one summary: check runs for an App, commit statuses for a token. */
  reportGates(commit: string, reports: readonly GateReport[], summary: { title: string; text: string }): Promise<void>
  /** Comments under issues and changes since an instant (ISO 8601), oldest first, our own left out. */
  listComments(since: string): Promise<ForgeComment[]>
  /** Says something under an issue or change, once for a key. */
  comment(number: number, key: string, body: string): Promise<void>
  /** Shows a standing by labels and assignment; never decides anything. */
  show(number: number, standing: { add?: readonly string[]; remove?: readonly string[]; assign?: boolean }): Promise<void>
  /** Labels that the configuration speaks of and the repository has not got. */
  missingLabels(): Promise<ForgeLabel[]>
  makeLabels(labels: readonly ForgeLabel[]): Promise<void>
  /** Lets go of the text that was kept from the moment work was allowed, once the ticket's session has it. */
  dropIntent(number: number): Promise<void>
  /**
   * Surroundings for a git that speaks with this forge: the token is asked for through a socket and is in no argument,
   * URL, configuration or environment.
   */
  gitAccess(): Promise<{ env: Record<string, string>; close(): Promise<void> }>
}

/** Tells a forge on another machine from the local one. */
export function isHosted(forge: Forge): forge is HostedForge {
  return forge.id === 'github'
}
