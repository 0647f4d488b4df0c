import type { Definitions } from '../conductor/definitions.ts'
import type { Finding, GateResult, GateSpec } from '../core/contracts/gate.ts'
import { ticketOfBranch } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { openGit } from '../core/git.ts'
import { readerAt } from '../core/reader.ts'
import { openRepository, type Repository } from '../core/repository.ts'
import { commitTree, resolveCommit } from '../core/tree.ts'
import { judgeGates, openCheckout } from '../gates/index.ts'
import { loadSession } from '../sessions/index.ts'
import type { Context } from './context.ts'

/** HEAD, what it is judged against, and by what. */
export interface Judging {
  repository: Repository
  definitions: Definitions
  /** Commits. */
  base: string
  head: string
  /** Name of the checked-out branch; undefined when HEAD is detached. */
  branch: string | undefined
  ticket: string | undefined
  /** What a reader has to know about the range, in one line. */
  notes: string[]
  /** Gates that this range is asked at stage `pull-request`, in order. */
  specs: GateSpec[]
}

/** Gates that only make sense for a ticket's own branch. */
const OF_TICKETS = new Set(['change', 'summary'])
/** A gate whose options an item gives; without the item it has nothing to look for. */
const OF_ITEMS = new Set(['link'])

/**
 * Finds out what HEAD is to be judged against. Definitions come from the base. On the tip of the default branch, base
 * and HEAD are one commit; then its change since the first parent is judged.
 *
 * @throws VT_NO_BRANCH, VT_UNBORN, VT_REVISION, VT_SHALLOW
 */
export async function openJudging(context: Context, ref: string | undefined): Promise<Judging> {
  const { committedConfig, loadDefinitions } = await import('../conductor/definitions.ts')
  const repository = await openRepository(context.cwd, context.env)
  // The folder's own HEAD counts: in a linked worktree it is not the main one's.
  const git = openGit(context.cwd, context.env)
  const head = await resolveCommit(git, 'HEAD')
  if (head === undefined) {
    throw new ValuetrainError('VT_UNBORN', 'this repository has no commit yet', {
      kind: 'environment',
      hint: 'commit something first; commits are what is judged',
    })
  }
  const symbolic = await git.run(['symbolic-ref', '--quiet', '--short', 'HEAD'], { okExit: [0, 1] })
  const branch = symbolic.code === 0 ? symbolic.stdout.trim() : undefined
  const named =
    ref === undefined ? await defaultBranch(repository, await committedConfig(repository)) : await commitNamed(repository, ref)
  await requireHistory(repository, named, head)
  const definitions = await loadDefinitions(repository, named)
  const ticket = branch === undefined ? undefined : ticketOfBranch(branch)
  const notes = definitions.found ? [] : ['the base has no .valuetrain/config.yaml; only the built-in gates judge']
  let base = named
  if (base === head) {
    const parent = await resolveCommit(repository.git, `${head}^1`)
    base = parent ?? (await emptyCommit(repository))
    notes.push(`HEAD is the base itself, so it is judged against ${parent ? 'its first parent' : 'the empty tree'}`)
  }
  if ((await git.fields(['status', '--porcelain=v1', '-z', '--untracked-files=no'], { okExit: [0, 128] })).length > 0) {
    notes.push('uncommitted changes are not judged')
  }
  const specs = [...definitions.gates.values()].filter((spec) => isAsked(spec, ticket))
  return { repository, definitions, base, head, branch, ticket, notes, specs }
}

/** Judges gates on the range in a clean checkout, one after another. */
export async function judge(
  judging: Judging,
  specs: readonly GateSpec[],
  context: Context,
  onResult: (result: GateResult) => void = () => {},
): Promise<GateResult[]> {
  const { repository, definitions, base, head, branch, ticket } = judging
  const env = allowedEnv(context.env, definitions.config.workspace.env)
  let opened: ReturnType<typeof openCheckout> | undefined
  const session = ticket === undefined ? undefined : await loadSession(readerAt(repository.git, head), ticket)
  try {
    return await judgeGates(
      specs,
      {
        stage: 'pull-request',
        repository,
        base,
        head,
        ...(ticket === undefined ? {} : { ticket }),
        ...(branch === undefined ? {} : { branch }),
        checkout: async () => {
          opened ??= openCheckout(repository, definitions.config, head, env)
          return (await opened).fresh()
        },
        entries: session?.entries ?? [],
        config: definitions.config,
        method: definitions.method,
        gates: definitions.gates,
        judges: definitions.extensions.judges,
        env,
        results: [],
        clock: context.clock,
        ids: context.ids,
        signal: context.signal,
      },
      onResult,
    )
  } finally {
    // A checkout that could not be opened has nothing to close; its error is already in the result.
    await opened?.then((checkout) => checkout.close()).catch(() => {})
  }
}

/** Tells whether results let the change through: no blocking gate fails or is left undecided. */
export function lets(results: readonly GateResult[]): boolean {
  return results.every(({ severity, verdict }) => severity === 'warn' || (verdict !== 'fail' && verdict !== 'inconclusive'))
}

/** Returns what results found, one object a finding; a gate that says no without findings tells its reasons. */
export function findingsOf(
  results: readonly GateResult[],
): { rule: string; severity: Finding['severity']; commit: string | null; path: string | null; message: string }[] {
  return results.flatMap((result) => {
    const saysNo = result.verdict === 'fail' || result.verdict === 'inconclusive'
    const told: Finding[] =
      result.findings.length > 0 || !saysNo
        ? result.findings
        : [{ rule: result.gate, severity: result.severity === 'block' ? 'error' : 'warning', message: result.reasons.join('; ') }]
    return told.map(({ rule, severity, commit, path, message }) => ({
      rule,
      severity,
      commit: commit ?? null,
      path: path ?? null,
      message,
    }))
  })
}

function isAsked(spec: GateSpec, ticket: string | undefined): boolean {
  if (!spec.stages.includes('pull-request') || OF_ITEMS.has(spec.id)) return false
  if (spec.kind.type === 'external') return false
  return ticket !== undefined || (spec.kind.type !== 'human' && !OF_TICKETS.has(spec.id))
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

async function commitNamed(repository: Repository, ref: string): Promise<string> {
  const { requireRevision } = await import('../core/refs.ts')
  const commit = await resolveCommit(repository.git, requireRevision(ref))
  if (commit !== undefined) return commit
  throw new ValuetrainError('VT_REVISION', `--base ${ref.slice(0, 80)} names no commit of this repository`, {
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
