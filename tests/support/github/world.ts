import type { Permission } from '../../../core/contracts/forge.ts'
import type { GitFacts } from './git-facts.ts'
import type { QueueState } from './queue.ts'
import type { CheckRun, Holder, Json, Protection, StandApp, StandRepository } from './types.ts'

/** What the stand knows of a repository beside the emulator and git. */
export interface RepoState {
  repository: StandRepository
  facts: GitFacts
  /** Switches of the repository's settings that close doors. */
  settings: { archived: boolean; has_issues: boolean }
  people: Map<string, Permission>
  protections: Map<string, Protection>
  statuses: Map<string, Status[]>
  runs: CheckRun[]
  blockedBy: Map<number, number[]>
  parents: Map<number, number>
  edits: Map<number, { at: string; by: string }>
  /** Issues whose title was edited. */
  renamed: Set<number>
  /** Pull requests that came in, with the head they came in with. */
  merged: Map<number, { commit: string; head: string; base: string }>
  queue: QueueState
  /** Set when the repository goes by another name now. */
  movedTo?: string
}

export interface Status {
  id: number
  context: string
  state: string
  description: string
  target_url: string | null
  creator: { login: string }
  created_at: string
  updated_at: string
}

export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

/** A request by somebody known, on its way to git, to the stand's own answers, or to the emulator. */
export interface Call {
  method: string
  path: string
  query: URLSearchParams
  body: Json
  holder: Holder
  token: string
}

export interface World {
  origin: string
  repositories: Map<string, RepoState>
  holders: Map<string, Holder>
  app: StandApp | undefined
  now(): string
  nextId(): number
  /** Asks the emulator. */
  emulator(token: string, method: string, path: string, body?: unknown): Promise<{ status: number; body: Json; link: string }>
  /** The token with which the emulator knows a person. */
  tokenOf(login: string): string
}

const RANK: readonly Permission[] = ['none', 'read', 'triage', 'write', 'maintain', 'admin']

/** Tells whether a person has at least a permission in a repository; an App's token is asked for its own permissions elsewhere. */
export function mayAtLeast(state: RepoState, holder: Holder, least: Permission): boolean {
  if (holder.app) return true
  return RANK.indexOf(state.people.get(holder.login) ?? 'none') >= RANK.indexOf(least)
}

/** What a token's scopes or permissions refuse, in GitHub's own words; undefined when the token may. */
export function refusalOf(call: Call): Answer | undefined {
  const { holder, method, path } = call
  const need = neededPermission(method, path)
  const repository = /^\/repos\/([^/]+\/[^/]+)/.exec(path)?.[1]
  if (holder.repositories && repository && !holder.repositories.includes(repository))
    return { status: 404, body: { message: 'Not Found' } }
  if (
    holder.scopes !== undefined &&
    method !== 'GET' &&
    !holder.scopes.some((scope) => ['repo', 'public_repo'].includes(scope))
  ) {
    return { status: 404, body: { message: 'Not Found' }, headers: { 'x-accepted-oauth-scopes': 'public_repo, repo' } }
  }
  if (holder.permissions === undefined || need === undefined) return undefined
  const [name, level] = need
  const has = holder.permissions[name]
  if (has === 'write' || (level === 'read' && has === 'read')) return undefined
  const kind = holder.app ? 'integration' : 'personal access token'
  return {
    status: 403,
    body: { message: `Resource not accessible by ${kind}`, status: '403' },
    headers: { 'x-accepted-github-permissions': `${name}=${level}` },
  }
}

function neededPermission(method: string, path: string): [string, 'read' | 'write'] | undefined {
  const rest = /^\/repos\/[^/]+\/[^/]+(\/.*)?$/.exec(path)?.[1]
  if (rest === undefined) return undefined
  const level = method === 'GET' ? 'read' : 'write'
  if (/^\/(statuses|commits\/.*\/status)/.test(rest)) return ['statuses', level]
  if (/check-(runs|suites)/.test(rest)) return ['checks', level]
  if (/^\/pulls\/\d+\/(merge|update-branch)$/.test(rest)) return ['contents', level]
  if (rest.startsWith('/pulls')) return ['pull_requests', level]
  if (/^\/(issues|labels)/.test(rest)) return ['issues', level]
  if (/^\/(branches|git|commits|compare|contents)/.test(rest)) return ['contents', level]
  if (rest.startsWith('/hooks')) return ['webhooks', level]
  return ['metadata', 'read']
}
