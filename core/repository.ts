import { randomBytes } from 'node:crypto'
import { mkdir, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { alone } from './alone.ts'
import type { Config } from './config.ts'
import { didYouMean, ValuetrainError } from './errors.ts'
import { fileError } from './files.ts'
import { type Git, openGit } from './git.ts'
import { requireRefName } from './refs.ts'
import { isAncestor, resolveCommit } from './tree.ts'

/** A clone, seen from its main worktree wherever the command was called. */
export interface Repository {
  /** git at the main worktree's root, or at the bare repository. */
  git: Git
  /** Absolute path of the main worktree; null when there is none (bare). */
  root: string | null
  /** Absolute path of the git directory that all worktrees share. */
  commonDir: string
  bare: boolean
  /** What children start from. */
  env: NodeJS.ProcessEnv
  /** This clone's own state that is not truth: locks, run records, caches. */
  stateDir: string
}

/** The first git with `merge-tree --write-tree`. */
const OLDEST_GIT = [2, 38] as const

/**
 * Returns the repository a folder belongs to; from a linked worktree or the git directory, the main one.
 *
 * @throws VT_NO_REPOSITORY when there is none; VT_NOT_TRUSTED when git refuses a folder of another user
 */
export async function openRepository(cwd: string, env: NodeJS.ProcessEnv): Promise<Repository> {
  const here = await realpath(cwd).catch(() => undefined)
  if (here === undefined || !(await stat(here)).isDirectory()) throw noRepository(cwd, 'there is no such folder')
  const git = openGit(here, env)
  const questions = ['--git-common-dir', '--git-dir', '--is-inside-work-tree', '--show-cdup']
  const found = await git.run(['rev-parse', '--path-format=absolute', ...questions], { okExit: [0, 128] })
  if (found.code !== 0) throw noRepository(cwd, found.stderr)
  const [common = '', own = '', inside, up = ''] = found.stdout.split('\n')
  const [commonDir, gitDir] = await Promise.all([realpath(common), realpath(own)])
  const top = inside === 'true' ? resolve(here, up) : undefined
  // The main worktree is known at once; from anywhere else the shared configuration tells.
  const isMain = top !== undefined && commonDir === gitDir
  const bare = !isMain && (await settingOf(git, commonDir, 'core.bare')) === 'true'
  const root = isMain ? top : bare ? null : await mainRoot(git, commonDir, top)
  return { git: git.at(root ?? commonDir), root, commonDir, bare, env, stateDir: join(commonDir, 'valuetrain') }
}

/**
 * Checks, before anything is begun, that work can be carried to its end here.
 *
 * @throws VT_GIT_OLD, VT_BARE, VT_UNBORN, VT_SHALLOW, VT_NO_IDENTITY, VT_READ_ONLY or VT_DISK_FULL, each with a hint
 */
export async function requireWorkable(repo: Repository, config: Pick<Config, 'branch'>): Promise<void> {
  // All are asked at once; of what is wrong, the first of these is told.
  const checks = [requireGit(repo.git), requireCheckout(repo, config.branch), requireWhole(repo), requireIdentity(repo.git)]
  for (const check of await Promise.allSettled(checks)) if (check.status === 'rejected') throw check.reason
  await requireWritable(repo.stateDir)
}

/** The commit that work starts from, and how it was found. */
export interface Base {
  commit: string
  source: 'local' | 'remote'
  /** Whether the remote was asked. */
  fetched: boolean
}

/**
 * Returns the commit to start work from: the default branch as the remote has it, or as this clone has it where
 * that is ahead or there is no remote. A stale local branch is never the base.
 *
 * @param branch default branch, without `refs/heads/`
 * @param remote name of the git remote, or null to work with this clone alone
 * @param forge with `github` the remote alone counts: what this clone has beyond it is nobody's to publish but the person's
 * @param isFetched whether the remote's branch has been fetched just now, so that it need not be asked again
 * @throws VT_NO_BRANCH when it is nowhere; VT_BASE_DIVERGED when both sides have commits of their own; VT_REMOTE when
 *   the remote is unknown, gone or refuses
 */
export async function defaultBase(
  repo: Repository,
  { branch, remote, forge }: { branch: string; remote: string | null; forge?: Config['forge'] },
  isFetched = false,
): Promise<Base> {
  const local = await resolveCommit(repo.git, `refs/heads/${requireRefName(branch)}`)
  const upstream = remote === null ? undefined : await upstreamOf(repo, requireRefName(remote), branch, isFetched)
  const fetched = remote !== null
  if (!local && !upstream) throw await noBranch(repo, branch)
  if (upstream && forge === 'github') return { commit: upstream, source: 'remote', fetched }
  if (!upstream) return { commit: local as string, source: 'local', fetched }
  if (!local || (await isAncestor(repo.git, local, upstream))) return { commit: upstream, source: 'remote', fetched }
  if (await isAncestor(repo.git, upstream, local)) return { commit: local, source: 'local', fetched }
  throw new ValuetrainError('VT_BASE_DIVERGED', `branch ${branch} and ${remote}/${branch} each have commits the other has not`, {
    kind: 'environment',
    hint: `bring them together first, e.g. with \`git pull --rebase ${remote} ${branch}\``,
    details: { local, upstream },
  })
}

/**
 * Returns the folder that worktrees are opened in: the configured one, else `<repository>.worktrees` beside the
 * repository. Not inside the git directory: test runners and linters skip everything below a `.git`.
 */
export function worktreeRoot(repo: Repository, config: { workspace: Pick<Config['workspace'], 'root'> }): string {
  const home = repo.root ?? repo.commonDir
  return config.workspace.root === null ? `${home}.worktrees` : resolve(home, config.workspace.root)
}

async function settingOf(git: Git, commonDir: string, key: string): Promise<string | undefined> {
  const { stdout, code } = await git.run(['config', '--file', join(commonDir, 'config'), '--get', key], { okExit: [0, 1] })
  return code === 0 ? stdout.trim() : undefined
}

async function mainRoot(git: Git, commonDir: string, top: string | undefined): Promise<string> {
  const configured = await settingOf(git, commonDir, 'core.worktree')
  if (configured !== undefined) return resolve(commonDir, configured)
  if (basename(commonDir) === '.git') return dirname(commonDir)
  if (top !== undefined) return top
  throw noRepository(git.dir, 'it is inside a git directory whose working tree is elsewhere')
}

function noRepository(cwd: string, reason: string): ValuetrainError {
  if (/dubious ownership/.test(reason)) {
    return surroundings(
      'VT_NOT_TRUSTED',
      `git refuses ${cwd} because it belongs to another user`,
      `run \`git config --global --add safe.directory ${cwd}\` if you trust it`,
    )
  }
  return new ValuetrainError('VT_NO_REPOSITORY', `${cwd} is not in a git repository`, {
    kind: 'environment',
    hint: 'go to a clone, or make one with `git init` and a first commit',
    details: { reason: reason.trim().slice(0, 500) },
  })
}

async function requireGit(git: Git): Promise<void> {
  const text = await git.text(['version'])
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number)
  const [needMajor, needMinor] = OLDEST_GIT
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return
  throw surroundings('VT_GIT_OLD', `${text} is too old to judge merges with`, `install git ${OLDEST_GIT.join('.')} or newer`)
}

async function requireCheckout(repo: Repository, branch: string): Promise<void> {
  if (repo.bare) {
    throw surroundings('VT_BARE', `${repo.commonDir} is a bare repository`, 'clone it and run the command in the clone')
  }
  const ref = `refs/heads/${requireRefName(branch)}`
  if ((await resolveCommit(repo.git, 'HEAD')) || (await resolveCommit(repo.git, ref))) return
  throw surroundings('VT_UNBORN', 'this repository has no commit yet', 'make a first commit, then run the command again')
}

/** @see gitrepository-layout(5): without a file `shallow` a repository is whole, so git need not be asked */
async function requireWhole(repo: Repository): Promise<void> {
  const mayBeShallow = await stat(join(repo.commonDir, 'shallow')).then(Boolean, () => false)
  if (!mayBeShallow || (await repo.git.text(['rev-parse', '--is-shallow-repository'])) !== 'true') return
  throw surroundings('VT_SHALLOW', 'this clone is shallow, so merges cannot be judged in it', 'run `git fetch --unshallow` first')
}

/** git would otherwise make a name up from user and host, which must not get into commits. */
async function requireIdentity(git: Git): Promise<void> {
  const named = ['GIT_AUTHOR_IDENT', 'GIT_COMMITTER_IDENT'].map((who) =>
    git.succeeds(['-c', 'user.useConfigOnly=true', 'var', who]),
  )
  if ((await Promise.all(named)).every(Boolean)) return
  throw surroundings(
    'VT_NO_IDENTITY',
    'git knows no name and e-mail address to commit with',
    'run `git config user.name "Your Name"` and `git config user.email you@example.com`',
  )
}

async function requireWritable(folder: string): Promise<void> {
  const probe = join(folder, `.probe-${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(probe, 'probe')
    await rm(probe)
  } catch (cause) {
    throw fileError(cause, 'written', folder)
  }
}

async function upstreamOf(repo: Repository, remote: string, branch: string, isFetched: boolean): Promise<string | undefined> {
  const seen = isFetched ? await resolveCommit(repo.git, `refs/remotes/${remote}/${branch}`) : undefined
  return seen ?? fetchBranch(repo, remote, branch)
}

/**
 * Returns the remote's commit of a branch, its objects fetched; undefined when the remote has no such branch. Only a
 * commit that is not here yet is fetched, and then one process at a time, since fetches that race for one ref fail.
 */
async function fetchBranch(repo: Repository, remote: string, branch: string): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`
  for (let round = 0; round < 3; round++) {
    const answer = await askRemote(repo.git, remote, ['ls-remote', '--', remote, ref])
    const commit = answer
      .split('\n')
      .find((line) => line.endsWith(`\t${ref}`))
      ?.split('\t')[0]
    if (commit === undefined || (await resolveCommit(repo.git, commit))) return commit
    await alone(repo, async () => {
      if (await resolveCommit(repo.git, commit)) return
      const flags = ['--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--no-auto-maintenance', '--quiet']
      await askRemote(repo.git, remote, ['fetch', ...flags, '--', remote, `+${ref}:refs/remotes/${remote}/${branch}`])
    })
  }
  throw surroundings(
    'VT_REMOTE',
    `branch ${branch} of remote ${remote} keeps moving while it is fetched`,
    'try again in a moment',
  )
}

async function askRemote(git: Git, remote: string, args: readonly string[]): Promise<string> {
  try {
    return await git.text(args)
  } catch (cause) {
    throw new ValuetrainError('VT_REMOTE', `remote ${remote} could not be read: ${(cause as Error).message}`, {
      kind: 'environment',
      hint: `try \`git fetch ${remote}\` by hand; set \`remote: null\` in .valuetrain/config.yaml to work without it`,
      cause,
    })
  }
}

async function noBranch(repo: Repository, branch: string): Promise<ValuetrainError> {
  const names = (await repo.git.text(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads'])).split('\n')
  return surroundings(
    'VT_NO_BRANCH',
    `there is no branch ${branch}${didYouMean(branch, names)}`,
    'set `branch` in .valuetrain/config.yaml to the default branch',
  )
}

function surroundings(code: `VT_${string}`, message: string, hint: string): ValuetrainError {
  return new ValuetrainError(code, message, { kind: 'environment', hint })
}
