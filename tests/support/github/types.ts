import type { Permission } from '../../../core/contracts/forge.ts'
import type { Git } from '../../../core/git.ts'
import type { StandQueue } from './queue.ts'

/** What a JSON answer holds, as tests look at it. */
// biome-ignore lint/suspicious/noExplicitAny: the emulator's answers have no types, and a test says what it expects
export type Json = any

/** One request that reached the stand's API, as the tests look at it. */
export interface Journaled {
  method: string
  /** Path below the API's root, e.g. `/repos/octo/demo/issues`, still percent-encoded. */
  path: string
  query: string
  body: unknown
  /** Who asked; undefined without a valid token. */
  login: string | undefined
  /** What was answered; 0 when the socket was cut. */
  status: number
  /** Whether it counts against the hourly limit: everything but a 304. */
  counted: boolean
  /** What the contract had against it. */
  violations: string[]
  userAgent: string
}

/** A planned mishap. It happens to the first `times` requests that match. */
export interface Fault {
  /** `POST /repos/octo/demo/pulls`, or a pattern for that text; the query is not part of it. */
  on: string | RegExp
  /** How often; 1 unless told. */
  times?: number
  /** Whether the request is carried out before it goes wrong; `before` (not carried out) unless told. */
  when?: 'before' | 'after'
  /** Answers with this status. */
  status?: number
  headers?: Record<string, string>
  body?: unknown
  /** Cuts the connection instead of answering. */
  cut?: boolean
  /** Milliseconds to wait before going on; without `status` or `cut` the request then goes its usual way. */
  delayMs?: number
}

/** Rules of a branch, as a person would set them in a repository's settings. */
export interface Protection {
  /** Contexts of statuses, or names of check runs, that must be a success. */
  checks?: readonly string[]
  /** Approvals of the last commit that it takes. */
  approvals?: number
  /** Whether the branch must contain the base's tip. */
  strict?: boolean
  /** Whether it is entered through a merge queue only. */
  queue?: boolean
}

export interface StandApp {
  id: number
  slug: string
  /** PEM. */
  privateKey: string
  installation: number
}

/** A repository on the stand: a real bare git repository that the emulator's issues and pull requests belong to. */
export interface StandRepository {
  owner: string
  name: string
  fullName: string
  /** What a clone's remote is; holds no token. */
  cloneUrl: string
  /** git at the bare repository. */
  git: Git
  /** Commit a branch points at; undefined when there is none. */
  head(branch?: string): Promise<string | undefined>
  /** Commits files on a branch of the bare repository, as if somebody else had pushed; returns the commit. */
  push(files: Record<string, string>, options?: { branch?: string; message?: string }): Promise<string>
  /** Protects a branch: pushes to it are refused, merges need what is asked for. */
  protect(branch: string, protection?: Protection): void
  /** Reports a status that is not ours. */
  setStatus(commit: string, context: string, state: 'pending' | 'success' | 'failure' | 'error', description?: string): void
  /** Returns the statuses of a commit, the newest of each context. */
  statuses(commit: string): { context: string; state: string; description: string; login: string }[]
  /** Returns the check runs of a commit. */
  checkRuns(commit: string): CheckRun[]
  queue: StandQueue
}

export interface CheckRun {
  id: number
  name: string
  head_sha: string
  status: string
  conclusion: string | null
  external_id: string
  app: { id: number; slug: string }
  output: { title: string | null; summary: string | null; text: string | null; annotations: unknown[] }
}

/** How a token came to be, and what it may do. */
export interface Holder {
  login: string
  /** Classic scopes, answered in `x-oauth-scopes`; undefined for tokens that have permissions instead. */
  scopes?: readonly string[]
  /** Permissions of a fine-grained token or of an installation. */
  permissions?: Record<string, string>
  /** Set for an App's installation token. */
  app?: { id: number; slug: string }
  /** Repositories it is limited to, as `owner/name`. */
  repositories?: readonly string[]
}

export interface StandOptions {
  /** Login to permission in every repository the stand makes. `owner` always is there and owns them. */
  people?: Record<string, Permission>
  /** Whether there is a GitHub App, installed for everything. Making its key takes a moment, so only when asked for. */
  app?: boolean
}
