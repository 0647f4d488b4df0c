import { access, constants, readFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { isInside } from './files.ts'
import type { Git } from './git.ts'
import { hookPathOf } from './hook-path.ts'
import { type JailLimits, openJail } from './jail.ts'
import { runJailed } from './jail-run.ts'
import type { ProcessOptions } from './process.ts'
import type { Repository } from './repository.ts'

/** The hooks that git runs around a commit, in one checkout. */
export interface CommitHooks {
  /** Absolute folder git finds them in. */
  folder: string
  names: string[]
  /** Absolute folders outside the checkout that they lie in or call. */
  reads: string[]
}

const NAMES = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit'] as const

/** Returns the hooks that a commit in a checkout would run; undefined when there are none. */
export async function findCommitHooks(repository: Repository, worktree: string): Promise<CommitHooks | undefined> {
  const { folder } = await hookPathOf(repository.git.at(worktree), worktree, repository.commonDir)
  const found = await Promise.all(
    NAMES.map((name) =>
      access(join(folder, name), constants.X_OK).then(
        () => [name],
        () => [],
      ),
    ),
  )
  const names = found.flat()
  if (names.length === 0) return undefined
  // Husky's folder of starters calls the hooks beside it; ours calls its program, and hooks that were there before.
  const own = join(repository.stateDir, 'hooks')
  const called = [folder, ...(basename(folder) === '_' ? [dirname(folder)] : []), own, ...(await chainedFolder(own))]
  const there = await Promise.all(called.map(async (path) => ((await isThere(path)) ? [path] : [])))
  return { folder, names, reads: there.flat().filter((path) => !isInside(worktree, path)) }
}

/** What asking the hooks is told. */
export interface HookQuestion {
  /** The `bwrap` program. */
  program: string
  repository: Repository
  /** git in the checkout whose index is to be committed. */
  git: Git
  message: string
  artifacts: string
  protected: readonly string[]
  /** Absolute; may be read in there. */
  tools: readonly string[]
  env: Readonly<Record<string, string>>
  limits: NonNullable<ProcessOptions['limits']>
  jailLimits: JailLimits
  signal: AbortSignal
}

/**
 * Has the hooks of a repository look at a commit that is about to be made: git makes it in a jail, in a git directory of its
 * own that nobody takes over. They may change files of the checkout, as formatters do; what they do to git is gone with
 * the jail. No network and no credentials; they execute files that an agent wrote.
 *
 * @returns undefined when they let it pass, else what they said
 */
export async function askHooks(hooks: CommitHooks, question: HookQuestion): Promise<string | undefined> {
  const { repository, git } = question
  const refs = await git.text(['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/remotes', 'refs/tags'])
  const jail = await openJail({
    program: question.program,
    worktree: git.dir,
    artifacts: question.artifacts,
    protected: question.protected,
    tools: [...hooks.reads, ...question.tools],
    refs: refs.split('\n').filter((line) => line !== ''),
    limits: question.jailLimits,
  })
  try {
    const argv = ['git', '-c', `core.hooksPath=${hooks.folder}`, 'commit', '--quiet', '--file=-']
    const env = { ...question.env, ...(await identityOf(repository.git)) }
    const { limits, signal, message } = question
    const run = await runJailed(jail, argv, { cwd: git.dir, env, limits, signal, input: message })
    if (run.exit === 0 && run.timedOut === undefined) return undefined
    if (run.timedOut !== undefined) return `they took longer than ${(limits.totalMs ?? 0) / 1000} s and were ended`
    return run.outputTail.trim().split('\n').slice(-5).join(' / ') || `exit code ${run.exit ?? run.signal}`
  } finally {
    await jail.close()
  }
}

/** Hooks that check who commits see who will. */
async function identityOf(git: Git): Promise<Record<string, string>> {
  const entries = await Promise.all(
    (['AUTHOR', 'COMMITTER'] as const).map(async (who) => {
      const { stdout, code } = await git.run(['var', `GIT_${who}_IDENT`], { okExit: [0, 1, 128] })
      const [, name, email] = /^(.*?) <([^>]*)> /.exec(stdout) ?? []
      return code !== 0 || !name
        ? []
        : [
            [`GIT_${who}_NAME`, name],
            [`GIT_${who}_EMAIL`, email ?? ''],
          ]
    }),
  )
  return Object.fromEntries(entries.flat())
}

async function chainedFolder(home: string): Promise<string[]> {
  const text = await readFile(join(home, 'manifest.json'), 'utf8').catch(() => '{}')
  try {
    const { chain } = JSON.parse(text) as { chain?: unknown }
    return typeof chain === 'string' && isAbsolute(chain) ? [chain] : []
  } catch {
    return []
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
