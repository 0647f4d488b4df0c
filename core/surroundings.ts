import { constants } from 'node:fs'
import { access, readdir, stat, statfs } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { type Config, defaultConfig, readConfig } from './config.ts'
import { ValuetrainError } from './errors.ts'
import { openGit } from './git.ts'
import { listLeases } from './lease.ts'
import { findProgram, probeProgram } from './programs.ts'
import { readerOf } from './reader.ts'
import { openRepository, type Repository, worktreeRoot } from './repository.ts'
import { resolveCommit } from './tree.ts'
import { listWorktrees } from './worktrees.ts'

/** One thing about the surroundings: fine, worth knowing, or in the way. */
export interface SurroundingFinding {
  id: string
  level: 'ok' | 'warn' | 'fail'
  what: string
  /** What to do about it; null where there is nothing to do. */
  todo: string | null
}

/** What is looked at; the caller reads it from its process. */
export interface Surroundings {
  cwd: string
  env: NodeJS.ProcessEnv
  /** As in `process.versions.node`. */
  node: string
  platform: NodeJS.Platform
  /** As `os.release()` says it. */
  release: string
}

/** Programs that agents are, or need. */
const AGENTS = ['claude', 'codex', 'gemini', 'opencode', 'ollama'] as const
/** Paths whose committed state decides, so that an uncommitted change to them has no effect. */
const DEFINITIONS = [
  '.valuetrain/config.yaml',
  '.valuetrain/pipelines',
  '.valuetrain/modes',
  '.valuetrain/roles',
  '.valuetrain/extensions',
]
const REMOTE_MS = 10_000
const MEGABYTE = 1024 * 1024

/**
 * Returns what is good and what is missing around a working folder, in the order one would mend it. Asks programs for
 * their version and the configured remote for an answer; writes nothing. Never throws on what it finds.
 */
export async function inspectSurroundings(here: Surroundings): Promise<SurroundingFinding[]> {
  const machine = [inspectNode(here.node), inspectPlatform(here), await guarded('git', () => inspectGit(here))]
  const opened = await openRepository(here.cwd, here.env).catch((error: unknown) => error)
  if (opened instanceof Error) return [...machine, failure('repository', opened), ...(await inspectAgents(here))]
  const repository = opened as Repository
  const { config, finding } = await inspectConfig(repository)
  const groups = await Promise.all([
    guardedAll('repository', () => inspectRepository(repository)),
    guardedAll('identity', () => inspectIdentity(repository)),
    [finding],
    guardedAll('default-branch', () => inspectBranch(repository, config)),
    guardedAll('remote', () => inspectRemote(repository, config)),
    guardedAll('commands', () => inspectCommands(config, here.env)),
    guardedAll('hooks', () => inspectHooks(repository)),
    guardedAll('attributes', () => inspectAttributes(repository)),
    guardedAll('definitions', () => inspectDefinitions(repository)),
    guardedAll('worktrees', () => inspectWorktrees(repository, config)),
    guardedAll('leftovers', () => inspectLeftovers(repository)),
    inspectAgents(here),
  ])
  return [...machine, ...groups.flat()]
}

function inspectNode(version: string): SurroundingFinding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isFine = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)
  return isFine
    ? ok('node', `Node ${version}`)
    : fail('node', `Node ${version} is too old`, 'install Node 20.19 or newer, or 22.12 or newer')
}

function inspectPlatform({ platform, release }: Surroundings): SurroundingFinding {
  if (platform === 'win32') return fail('platform', 'Windows without WSL', 'install WSL2 and run this in it')
  if (platform === 'darwin')
    return warn('platform', 'macOS: everything but the jail', 'let agents work unattended only where you accept that')
  if (/microsoft/i.test(release) && !/wsl2/i.test(release) && release.startsWith('4.4')) {
    return warn(
      'platform',
      'WSL1: worktrees are slow and locks are weak',
      'convert the distribution with `wsl --set-version NAME 2`',
    )
  }
  return ok('platform', /microsoft/i.test(release) ? `WSL2 (${release})` : `${platform} ${release}`)
}

async function inspectGit({ cwd, env }: Surroundings): Promise<SurroundingFinding> {
  const home = await nearestFolder(cwd)
  const text = await openGit(home, env).text(['version'])
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number)
  const isFine = major > 2 || (major === 2 && minor >= 38)
  return isFine ? ok('git', text) : fail('git', `${text} is too old to judge merges with`, 'install git 2.38 or newer')
}

async function inspectRepository(repository: Repository): Promise<SurroundingFinding[]> {
  if (repository.bare) return [fail('repository', 'the repository is bare', 'clone it and work in the clone')]
  const { git } = repository
  if (!(await resolveCommit(git, 'HEAD'))) return [fail('repository', 'there is no commit yet', 'make a first commit')]
  if ((await git.text(['rev-parse', '--is-shallow-repository'])) === 'true') {
    return [fail('repository', 'the clone is shallow, so merges cannot be judged', 'run `git fetch --unshallow`')]
  }
  const branch = await git.run(['symbolic-ref', '--short', '--quiet', 'HEAD'], { okExit: [0, 1] })
  return [
    ok(
      'repository',
      branch.code === 0 ? `on branch ${branch.stdout.trim()}` : 'HEAD is detached, which is fine: work has its own worktrees',
    ),
  ]
}

async function inspectIdentity({ git }: Repository): Promise<SurroundingFinding[]> {
  const strict = ['-c', 'user.useConfigOnly=true', 'var']
  const known = await Promise.all(['GIT_AUTHOR_IDENT', 'GIT_COMMITTER_IDENT'].map((who) => git.succeeds([...strict, who])))
  if (known.every(Boolean)) return [ok('identity', 'git knows a name and an e-mail address')]
  const todo = 'run `git config user.name "Your Name"` and `git config user.email you@example.com`'
  return [fail('identity', 'git knows no name and e-mail address to commit with', todo)]
}

async function inspectConfig(repository: Repository): Promise<{ config: Config; finding: SurroundingFinding }> {
  if (repository.root === null)
    return { config: defaultConfig(), finding: warn('config', 'a bare repository has no working configuration', null) }
  try {
    const { config, found } = await readConfig(readerOf(repository.root))
    const finding = found
      ? ok('config', '.valuetrain/config.yaml is valid')
      : warn('config', 'there is no .valuetrain/config.yaml; defaults are used', 'run `valuetrain init`')
    return { config, finding }
  } catch (error) {
    return { config: defaultConfig(), finding: failure('config', error) }
  }
}

async function inspectBranch({ git }: Repository, { branch, remote }: Config): Promise<SurroundingFinding[]> {
  const todo = 'set `branch` in .valuetrain/config.yaml to the default branch'
  if (branch.startsWith('-')) return [fail('default-branch', `"${branch}" is no branch name`, todo)]
  const places = [
    `refs/heads/${branch}`,
    ...(remote === null || remote.startsWith('-') ? [] : [`refs/remotes/${remote}/${branch}`]),
  ]
  const found = await Promise.all(places.map((ref) => git.succeeds(['show-ref', '--verify', '--quiet', ref])))
  return [
    found.includes(true)
      ? ok('default-branch', `default branch ${branch}`)
      : fail('default-branch', `there is no branch ${branch}`, todo),
  ]
}

async function inspectRemote({ git }: Repository, { remote }: Config): Promise<SurroundingFinding[]> {
  const remotes = (await git.text(['remote'])).split('\n').filter((name) => name !== '')
  if (remote === null) {
    const known = remotes.length === 0 ? 'no remote' : `remote ${remotes.join(', ')} is not used`
    return [ok('remote', `works with this clone alone (${known})`)]
  }
  const todo = 'mend `remote` in .valuetrain/config.yaml, or set it to null to work with this clone alone'
  if (!remotes.includes(remote)) return [fail('remote', `there is no remote ${remote}`, todo)]
  try {
    await git.run(['ls-remote', '--', remote, 'HEAD'], { timeoutMs: REMOTE_MS })
    return [ok('remote', `remote ${remote} answers`)]
  } catch (error) {
    const reason =
      error instanceof ValuetrainError && error.code === 'VT_GIT_STOPPED' ? 'does not answer in time' : 'cannot be read'
    return [fail('remote', `remote ${remote} ${reason}`, `try \`git ls-remote ${remote}\` by hand; ${todo}`)]
  }
}

async function inspectCommands(config: Config, env: NodeJS.ProcessEnv): Promise<SurroundingFinding[]> {
  const named = Object.entries(config.commands).filter((entry): entry is [string, string[]] => entry[1] !== undefined)
  if (named.length === 0) {
    return [
      warn(
        'commands',
        'no command is named, so nothing but the guard-rails judges a change',
        'name lint, types, build or test in .valuetrain/config.yaml',
      ),
    ]
  }
  const programs = [
    ...named.map(([name, argv]) => ({ name, program: argv[0] as string })),
    ...config.workspace.setup.map((argv) => ({ name: 'workspace.setup', program: argv[0] as string })),
  ]
  const missing: string[] = []
  for (const { name, program } of programs) {
    if (!program.includes('/') && (await findProgram(program, env)) === undefined) missing.push(`${name} needs ${program}`)
  }
  if (missing.length > 0)
    return [
      fail(
        'commands',
        `not on PATH: ${[...new Set(missing)].join(', ')}`,
        'install it, or mend the command in .valuetrain/config.yaml',
      ),
    ]
  return [ok('commands', `configured: ${named.map(([name]) => name).join(', ')}`)]
}

/** A relative hooks path to a folder that git ignores is silent in linked worktrees, which is where agents work. */
async function inspectHooks({ git, root, commonDir }: Repository): Promise<SurroundingFinding[]> {
  // Our own git sets a hooks path of its own on the command line, which would be the answer here.
  const { stdout, code } = await git.run(['config', '--get', 'core.hooksPath'], { okExit: [0, 1], hooks: true })
  const path = code === 0 ? stdout.trim() : undefined
  if (path !== undefined && !isAbsolute(path) && !path.startsWith('~')) {
    const folder = join(root ?? commonDir, path)
    const tracked = await git.run(['ls-files', '--', path], { okExit: [0, 128] })
    if (tracked.stdout.trim() !== '')
      return [ok('hooks', `core.hooksPath is ${path}, which is tracked and so is in every worktree`)]
    const todo = `run \`git config core.hooksPath "${folder}"\`; whatever set it may put the relative path back at its next install`
    return [warn('hooks', `core.hooksPath is ${path}, relative and untracked: no hook runs in linked worktrees`, todo)]
  }
  const hooks = (await readdir(path ?? join(commonDir, 'hooks')).catch(() => [])).filter(
    (name) => !name.endsWith('.sample') && !name.startsWith('.') && name !== '_',
  )
  const files = root === null ? [] : await readdir(root)
  const tools = files.filter((name) => /^(\.husky|\.?lefthook\.ya?ml|\.pre-commit-config\.yaml)$/.test(name))
  const found = [...(hooks.length > 0 ? [hooks.join(', ')] : []), ...tools]
  return [ok('hooks', found.length === 0 ? 'no git hooks' : `git hooks: ${found.join('; ')}`)]
}

/** `merge=union` gives no conflict and silently corrupts a session. */
async function inspectAttributes({ git, root }: Repository): Promise<SurroundingFinding[]> {
  if (root === null) return []
  const path = '.valuetrain/tickets/build_1/session-00000000000000000000000000.md'
  const lines = (await git.text(['check-attr', 'merge', 'eol', '--', path])).split('\n')
  const value = (name: string) =>
    lines
      .find((line) => line.includes(`: ${name}: `))
      ?.split(': ')
      .at(-1)
  if (value('merge') === 'union') {
    return [
      fail(
        'attributes',
        '.gitattributes merges session files by union, which corrupts them silently',
        'take merge=union away from .valuetrain',
      ),
    ]
  }
  if (value('eol') !== 'lf')
    return [warn('attributes', 'session files have no eol=lf in .gitattributes', 'run `valuetrain init`, it adds the lines')]
  return [ok('attributes', 'session files keep their bytes')]
}

async function inspectDefinitions({ git, root }: Repository): Promise<SurroundingFinding[]> {
  if (root === null) return []
  const changed = await git.fields([
    'status',
    '--porcelain=v1',
    '-z',
    '--no-renames',
    '--untracked-files=all',
    '--',
    ...DEFINITIONS,
  ])
  if (changed.length === 0) return [ok('definitions', 'configuration, pipelines, modes and roles are committed')]
  const files = changed.map((line) => line.slice(3))
  const shown = files.length > 4 ? `${files.slice(0, 4).join(', ')} and ${files.length - 4} more` : files.join(', ')
  return [
    warn('definitions', `not committed, so not used yet: ${shown}`, 'commit them; runs and gates read committed files only'),
  ]
}

async function inspectWorktrees(repository: Repository, config: Config): Promise<SurroundingFinding[]> {
  const root = worktreeRoot(repository, config)
  const folder = await nearestFolder(root)
  const isWritable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
  const place = 'the folder for worktrees'
  if (!isWritable)
    return [
      fail(
        'worktrees',
        `${place} cannot be made in ${folder}`,
        'make it writable, or set `workspace.root` in .valuetrain/config.yaml',
      ),
    ]
  const { bavail, bsize } = await statfs(folder)
  const free = Math.floor((bavail * bsize) / MEGABYTE)
  const text = free > 10_240 ? `${Math.floor(free / 1024)} GB` : `${free} MB`
  if (free < 200)
    return [fail('worktrees', `${text} left on the disk of ${place}`, 'make room: every ticket has a checkout of its own')]
  if (free < 2_048)
    return [warn('worktrees', `${text} left on the disk of ${place}`, 'make room before several tickets run at once')]
  return [ok('worktrees', `${place} can be written, ${text} free`)]
}

async function inspectLeftovers(repository: Repository): Promise<SurroundingFinding[]> {
  const findings: SurroundingFinding[] = []
  for (const { issue, holder } of await listLeases(repository, { remote: null })) {
    if (holder?.fate !== 'gone') continue
    const todo = `run \`valuetrain run ${issue}\` to go on, or \`valuetrain ticket release ${issue}\` to give it up`
    findings.push(warn('leftovers', `issue ${issue} is claimed by a process that is gone`, todo))
  }
  for (const { dir, isMain, branch } of await listWorktrees(repository)) {
    if (isMain || (await stat(dir).catch(() => undefined))) continue
    findings.push(
      warn(
        'leftovers',
        `the worktree of ${branch ?? 'a commit'} is registered, but its folder is gone`,
        'run `git worktree prune`; the branch stays',
      ),
    )
  }
  return findings.length > 0 ? findings : [ok('leftovers', 'no dead claims, no torn worktrees')]
}

async function inspectAgents({ env, platform }: Pick<Surroundings, 'env' | 'platform'>): Promise<SurroundingFinding[]> {
  const found = await Promise.all(AGENTS.map((name) => probeProgram(name, env)))
  const there = found.flatMap((program) =>
    program ? [ok(`runtime-${program.name}`, `${program.name}: ${program.version ?? 'on PATH'}`)] : [],
  )
  const missing = AGENTS.filter((_, index) => found[index] === undefined)
  const absent =
    missing.length === 0 ? [] : [ok('runtimes', `not on PATH: ${missing.join(', ')} (\`recipe\` and \`person\` need none)`)]
  if (platform !== 'linux') return [...there, ...absent]
  const bwrap = await probeProgram('bwrap', env)
  const jail = bwrap
    ? ok('jail', bwrap.version ?? 'bwrap is on PATH')
    : warn(
        'jail',
        'bubblewrap is not on PATH, so agents cannot be jailed',
        'install the package bubblewrap before agents work unattended',
      )
  return [...there, ...absent, jail]
}

async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() || dirname(path) === path ? path : nearestFolder(dirname(path))
}

async function guarded(id: string, inspect: () => Promise<SurroundingFinding>): Promise<SurroundingFinding> {
  return inspect().catch((error: unknown) => failure(id, error))
}

async function guardedAll(id: string, inspect: () => Promise<SurroundingFinding[]>): Promise<SurroundingFinding[]> {
  return inspect().catch((error: unknown) => [failure(id, error)])
}

/** A look that failed is a finding like any other; what is not ours is a bug and stays one. */
function failure(id: string, error: unknown): SurroundingFinding {
  if (!(error instanceof ValuetrainError)) throw error
  return { id, level: 'fail', what: error.message, todo: error.hint ?? null }
}

function ok(id: string, what: string): SurroundingFinding {
  return { id, level: 'ok', what, todo: null }
}

function warn(id: string, what: string, todo: string | null): SurroundingFinding {
  return { id, level: 'warn', what, todo }
}

function fail(id: string, what: string, todo: string): SurroundingFinding {
  return { id, level: 'fail', what, todo }
}
