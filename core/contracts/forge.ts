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
