import type { CheckRequest } from '../conductor/check/judge.ts'
import type { Definitions } from '../conductor/definitions.ts'
import type { TicketState } from '../conductor/state.ts'
import type { PlacedEntry } from '../core/contracts/event.ts'
import type { GateResult, GateSpec } from '../core/contracts/gate.ts'
import { ticketOfBranch } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { type Git, openGit } from '../core/git.ts'
import { readerAt } from '../core/reader.ts'
import { isRefName } from '../core/refs.ts'
import { openRepository, type Repository } from '../core/repository.ts'
import { commitTree, resolveCommit } from '../core/tree.ts'
import { loadSession } from '../sessions/index.ts'
import type { Context } from './context.ts'

/** A head, what it is judged against, and by what. */
export interface Judging {
  repository: Repository
  definitions: Definitions
  /** Commits. */
  base: string
  head: string
  /** Name of the branch the head is on; undefined when nothing tells it. */
  branch: string | undefined
  ticket: string | undefined
  /** The ticket's session as the head has it. */
  own: { entries: readonly PlacedEntry[]; state: TicketState } | undefined
  /** What a reader has to know about the range, in one line each. */
  notes: string[]
  /** Gates that this range is asked at stage `pull-request`, in order. */
  specs: GateSpec[]
}

/** What a command line says about the range. */
export interface Asking {
  base?: string | undefined
  head?: string | undefined
  branch?: string | undefined
}

/**
 * Finds out what a head is to be judged against. Definitions come from the base. On the tip of the default branch, base
 * and head are one commit; then its change since the first parent is judged, by the definitions of that parent.
 *
 * @throws VT_NO_BRANCH, VT_UNBORN, VT_REVISION, VT_SHALLOW
 */
export async function openJudging(context: Context, asking: Asking): Promise<Judging> {
  const [{ committedConfig, loadDefinitions }, { askedOfHead }, { foldTicket }] = await Promise.all([
    import('../conductor/definitions.ts'),
    import('../conductor/check/asked.ts'),
    import('../conductor/state.ts'),
  ])
  const repository = await openRepository(context.cwd, context.env)
  // The folder's own HEAD counts: in a linked worktree it is not the main one's.
  const git = openGit(context.cwd, context.env)
  const head = await headOf(git, asking.head)
  const branch = asking.branch ?? (await branchOfHead(git, asking.head, head))
  const named =
    asking.base === undefined
      ? await defaultBranch(repository, await committedConfig(repository))
      : await commitNamed(repository.git, asking.base, '--base')
  await requireHistory(repository, named, head)
  const notes: string[] = []
  let base = named
  if (base === head) {
    const parent = await resolveCommit(repository.git, `${head}^1`)
    base = parent ?? (await emptyCommit(repository))
    notes.push(`HEAD is the base itself, so it is judged against ${parent ? 'its first parent' : 'the empty tree'}`)
  }
  const definitions = await loadDefinitions(repository, base)
  if (!definitions.found) notes.push('the base has no .valuetrain/config.yaml; only the built-in gates judge')
  if (asking.head === undefined && (await hasChanges(git))) notes.push('uncommitted changes are not judged')
  const ticket = branch === undefined ? undefined : ticketOfBranch(branch)
  const session = ticket === undefined ? undefined : await loadSession(readerAt(repository.git, head), ticket)
  const own = session && ticket ? { entries: session.entries, state: foldTicket(ticket, session.entries) } : undefined
  const { specs } = askedOfHead(definitions, ticket, own?.state)
  return { repository, definitions, base, head, branch, ticket, own, notes, specs }
}

/** Returns what judging a range needs besides its gates. */
export function requestOf(judging: Judging, context: Context, onResult?: (result: GateResult) => void): CheckRequest {
  const { repository, definitions, base, head, branch, ticket } = judging
  const { clock, ids, signal } = context
  const env = allowedEnv(context.env, definitions.config.workspace.env)
  return {
    repository,
    definitions,
    base,
    head,
    branch,
    ticket,
    reuse: false,
    env,
    clock,
    ids,
    signal,
    ...(onResult ? { onResult } : {}),
  }
}

/** Tells whether results let the change through: no blocking gate fails or is left undecided. */
export function lets(results: readonly GateResult[]): boolean {
  return results.every(({ severity, verdict }) => severity === 'warn' || (verdict !== 'fail' && verdict !== 'inconclusive'))
}

async function headOf(git: Git, ref: string | undefined): Promise<string> {
  if (ref !== undefined) return commitNamed(git, ref, '--head')
  const head = await resolveCommit(git, 'HEAD')
  if (head !== undefined) return head
  throw new ValuetrainError('VT_UNBORN', 'this repository has no commit yet', {
    kind: 'environment',
    hint: 'commit something first; commits are what is judged',
  })
}

/**
 * Returns the branch a head is on: the one that was named, here or on a remote, or the one that is checked out. On a
 * detached head the only ticket branch that points at it; continuous integration checks out no branch.
 */
async function branchOfHead(git: Git, ref: string | undefined, head: string): Promise<string | undefined> {
  const isRef = (name: string) => git.succeeds(['show-ref', '--verify', '--quiet', name])
  if (ref !== undefined && ref !== 'HEAD' && isRefName(ref)) {
    const name = ref.replace(/^refs\/heads\//, '')
    if (await isRef(`refs/heads/${name}`)) return name
    const remote = ref.replace(/^refs\/remotes\//, '')
    if (await isRef(`refs/remotes/${remote}`)) return remote.slice(remote.indexOf('/') + 1)
  }
  if (ref === undefined || ref === 'HEAD') {
    const symbolic = await git.run(['symbolic-ref', '--quiet', '--short', 'HEAD'], { okExit: [0, 1] })
    if (symbolic.code === 0) return symbolic.stdout.trim()
  }
  const refs = await git.text([
    'for-each-ref',
    `--points-at=${head}`,
    '--format=%(refname)',
    'refs/heads/phase/*',
    'refs/remotes/*/phase/*',
  ])
  const names = new Set(refs.split('\n').flatMap((line) => /\/(phase\/[^/]+)$/.exec(line)?.[1] ?? []))
  return names.size === 1 ? [...names][0] : undefined
}

async function hasChanges(git: Git): Promise<boolean> {
  const status = ['status', '--porcelain=v1', '-z', '--untracked-files=no']
  return (await git.fields(status, { okExit: [0, 128] })).length > 0
}

async function defaultBranch(
  repository: Repository,
  { branch, remote }: { branch: string; remote: string | null },
): Promise<string> {
  const upstream = remote === null ? undefined : await resolveCommit(repository.git, `refs/remotes/${remote}/${branch}`)
  const commit =
    upstream ??
    (await resolveCommit(repository.git, `refs/heads/${branch}`)) ??
    (await resolveCommit(repository.git, `refs/remotes/origin/${branch}`))
  if (commit !== undefined) return commit
  throw new ValuetrainError('VT_NO_BRANCH', `there is no branch ${branch} to judge against`, {
    kind: 'environment',
    hint: 'name the base with --base, or set `branch` in .valuetrain/config.yaml',
  })
}

async function commitNamed(git: Git, ref: string, flag: string): Promise<string> {
  const commit = await resolveCommit(git, ref)
  if (commit !== undefined) return commit
  throw new ValuetrainError('VT_REVISION', `${flag} ${ref.slice(0, 80)} names no commit of this repository`, {
    kind: 'user',
    hint: 'name a branch, tag or commit; fetch it first when it is on a remote',
  })
}

/** In a shallow clone the range may begin before the history does, and then nothing true can be said about it. */
async function requireHistory(repository: Repository, base: string, head: string): Promise<void> {
  if (await repository.git.succeeds(['merge-base', base, head])) return
  if ((await repository.git.text(['rev-parse', '--is-shallow-repository'])) !== 'true') return
  throw new ValuetrainError('VT_SHALLOW', 'this clone is shallow and has no common history of base and HEAD', {
    kind: 'environment',
    hint: 'run `git fetch --unshallow`, or fetch more in continuous integration (fetch-depth: 0)',
  })
}

async function emptyCommit(repository: Repository): Promise<string> {
  const tree = await repository.git.text(['hash-object', '-t', 'tree', '-w', '--stdin'], { input: '' })
  return commitTree(repository.git, { tree, parents: [], message: 'Nothing' })
}

function allowedEnv(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  const allowed = ['PATH', 'HOME', 'LANG', 'TMPDIR', ...names]
  return Object.fromEntries(allowed.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name] as string]])))
}
