import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { ValuetrainError } from './errors.ts'
import { addsAll, askedArguments, DRIVER_VALUES, DRIVERS, mayRunDrivers, withoutDrivers } from './git-drivers.ts'
import { BATCH, type Objects, openObjects } from './objects.ts'

export interface GitResult {
  stdout: string
  stderr: string
  code: number
}

export interface GitOptions {
  /** Fed to standard input. */
  input?: string | Uint8Array
  /** Added to the environment of this call, e.g. GIT_INDEX_FILE. */
  env?: Readonly<Record<string, string>>
  /** Exit codes that are answers rather than errors; `[0]` unless told. */
  okExit?: readonly number[]
  /**
   * Runs the repository's own hooks; off unless told, since they execute files of the tree. What git would ask for a
   * password is then not handed down, since a hook could ask it, too.
   */
  hooks?: boolean
  /** Milliseconds; 120,000 unless told. */
  timeoutMs?: number
}

/** One process of git: everything it is started with. */
export interface GitCall {
  dir: string
  args: readonly string[]
  env: Readonly<Record<string, string>>
  input: string | Uint8Array
  timeoutMs: number
}

/** How a process of git ended. */
export interface GitEnd {
  stdout: Buffer
  stderr: Buffer
  code: number | null
  signal: string | null
  timedOut: boolean
}

/** Runs git to its end. @throws what the system says when it cannot be started */
export type RunGit = (call: GitCall) => Promise<GitEnd>

/** git, called for one folder. Every call is its own process with C locale, no prompts and no outside GIT_* variables. */
export interface Git {
  readonly dir: string
  /** Names and objects, read without a process each; not there for a program that waits for every call. */
  readonly objects?: Objects
  /** @throws VT_GIT when the exit code is none of `okExit`; VT_GIT_MISSING when git is not on PATH */
  run(args: readonly string[], options?: GitOptions): Promise<GitResult>
  /** Returns standard output without the trailing newline. */
  text(args: readonly string[], options?: GitOptions): Promise<string>
  /** Returns the non-empty NUL-separated fields of standard output. */
  fields(args: readonly string[], options?: GitOptions): Promise<string[]>
  /** Returns standard output as bytes. */
  bytes(args: readonly string[], options?: GitOptions): Promise<Buffer>
  /** Tells whether git exits with 0; never throws on an exit code. */
  succeeds(args: readonly string[], options?: GitOptions): Promise<boolean>
  /** The same git for another folder. */
  at(dir: string): Git
}

/**
 * Settings of every call of ours: nothing that the repository or its files could make git execute.
 * A nested repository with `core.fsmonitor` runs code on a plain `git status`.
 */
const SAFE = [
  ...['-c', 'core.fsmonitor=false', '-c', 'submodule.recurse=false', '-c', 'protocol.ext.allow=never', '-c', 'gc.auto=0'],
  // Without it each commit and merge starts one more process, only to find that `gc.auto` leaves it nothing to do.
  ...['-c', 'maintenance.auto=false'],
]
const NO_HOOKS = ['-c', 'core.hooksPath=/dev/null']
/**
 * Writing a worktree's files is the longest step of a start. From a hundred files on git shares them among several processes;
 * what a filter writes stays with the first. More than four write no faster, and with many starts at once are in the way.
 */
const TOGETHER = ['-c', `checkout.workers=${Math.min(4, availableParallelism())}`]

/**
 * Returns git for a folder.
 *
 * @param env the environment children start from; variables named GIT_* in it are dropped, except identity,
 *   configuration and trace ones, since GIT_DIR or GIT_INDEX_FILE would point at another repository; so are our own secrets
 * @param runGit how a process is started and waited for, for a program that has nothing else to do meanwhile
 */
export function openGit(dir: string, env: NodeJS.ProcessEnv, runGit: RunGit = runGitAside): Git {
  const base = gitEnvironment(env)
  const call = (args: readonly string[], options: GitOptions = {}) => execute(runGit, dir, base, args, options)
  const git: Git = {
    dir,
    ...(runGit === runGitAside ? { objects: openObjects([...SAFE, ...NO_HOOKS, ...BATCH], dir, base) } : {}),
    async run(args, options) {
      const { stdout, stderr, code } = await call(args, options)
      return { stdout: stdout.toString('utf8'), stderr, code }
    },
    async text(args, options) {
      return (await call(args, options)).stdout.toString('utf8').replace(/\n$/, '')
    },
    async fields(args, options) {
      return (await call(args, options)).stdout
        .toString('utf8')
        .split('\0')
        .filter((field) => field !== '')
    },
    async bytes(args, options) {
      return (await call(args, options)).stdout
    },
    async succeeds(args, options) {
      return (await call(args, { ...options, okExit: ANY })).code === 0
    },
    at: (other) => openGit(other, env, runGit),
  }
  return git
}

const ANY: readonly number[] = Array.from({ length: 256 }, (_, code) => code)
const KEPT =
  /^GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)$|^GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)$|^GIT_(TRACE\w*|SSL_\w+|SSH|SSH_COMMAND|ASKPASS|EXEC_PATH)$/

/** Objects are what they are: a replacement or a graft of this clone would show a history that no other clone has. */
const AS_IS = { GIT_NO_REPLACE_OBJECTS: '1', GIT_GRAFT_FILE: '/dev/null' }

/** Ours alone: neither git nor a hook or helper that it starts has any use for them. */
const OUR_SECRETS = /^VALUETRAIN_(?:GITHUB_TOKEN|GITHUB_APP_KEY|WEBHOOK_SECRET)$/

function gitEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !OUR_SECRETS.test(name) && (!name.startsWith('GIT_') || KEPT.test(name))) kept[name] = value
  }
  return { ...kept, ...AS_IS, LC_ALL: 'C', LANGUAGE: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', GIT_EDITOR: ':' }
}

/** A hook could ask what git asks, so it is not told of it. */
function withoutAskpass(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'GIT_ASKPASS'))
}

async function execute(
  runGit: RunGit,
  dir: string,
  base: Record<string, string>,
  args: readonly string[],
  options: GitOptions,
): Promise<{ stdout: Buffer; stderr: string; code: number }> {
  const env = { ...base, ...options.env }
  const [drivers, nested] = await Promise.all([
    mayRunDrivers(args) ? driversOf(runGit, dir, base).then(withoutDrivers) : [],
    addsAll(args) ? nestedIn(runGit, dir, base, options.env) : [],
  ])
  const { stdout, code, signal, timedOut, ...end } = await runGit({
    dir,
    args: [
      ...SAFE,
      ...drivers,
      ...(args[0] === 'read-tree' ? TOGETHER : []),
      ...(options.hooks ? [] : NO_HOOKS),
      ...askedArguments(args),
      ...nested,
    ],
    env: { ...(drivers.length > 0 ? DRIVER_VALUES : {}), ...(options.hooks ? withoutAskpass(env) : env) },
    input: options.input ?? '',
    timeoutMs: options.timeoutMs ?? 120_000,
  }).catch((cause: NodeJS.ErrnoException) => {
    throw cannotStart(dir, cause)
  })
  const stderr = end.stderr.toString('utf8')
  if (timedOut || signal !== null) {
    throw new ValuetrainError(
      'VT_GIT_STOPPED',
      `git ${args[0]} ${timedOut ? 'took too long' : `was ended by ${signal}`} in ${dir}`,
      {
        kind: 'environment',
        hint: 'run the same command by hand; a lock, a prompt or a slow disk may be holding it',
        details: { args, timedOut, signal },
      },
    )
  }
  if (!(options.okExit ?? [0]).includes(code ?? 1)) {
    throw new ValuetrainError('VT_GIT', `git ${args.slice(0, 3).join(' ')} failed with exit code ${code}: ${lastLines(stderr)}`, {
      kind: 'environment',
      hint: `run it by hand in ${dir} to see more`,
      details: { args, code, stderr: stderr.slice(-4000) },
    })
  }
  return { stdout, stderr, code: code ?? 1 }
}

/** Runs git while this process goes on with other things. */
async function runGitAside({ dir, args, env, input, timeoutMs }: GitCall): Promise<GitEnd> {
  const child = spawn('git', args, { cwd: dir, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A git that has answered before reading all its input closes the pipe; its exit code tells what happened.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    child.kill('SIGKILL')
  }, timeoutMs)
  try {
    const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal }))
    })
    return { stdout: Buffer.concat(out), stderr: Buffer.concat(err), code, signal, timedOut }
  } finally {
    clearTimeout(timer)
  }
}

/** What the configuration that holds here would have git run for some files; asked anew each time, since it may have changed. */
async function driversOf(runGit: RunGit, dir: string, base: Record<string, string>): Promise<string> {
  const options = { okExit: [0, 1, 128] }
  return (await execute(runGit, dir, base, ['config', '--null', '--get-regexp', DRIVERS], options)).stdout.toString('utf8')
}

/**
 * Leaves the repositories within a checkout out of adding everything, submodules among them: git would look into each by its own
 * configuration, which is the agent's, and run what that names.
 */
async function nestedIn(
  runGit: RunGit,
  dir: string,
  base: Record<string, string>,
  env: GitOptions['env'] = {},
): Promise<string[]> {
  const list = async (flags: readonly string[]) =>
    (await execute(runGit, dir, base, ['ls-files', '--full-name', '-z', ...flags], { env })).stdout.toString('utf8').split('\0')
  const [index, others] = await Promise.all([list(['--stage']), list(['--others', '--exclude-standard'])])
  const submodules = index.filter((line) => line.startsWith('160000 ')).map((line) => line.slice(line.indexOf('\t') + 1))
  const found = [...submodules, ...others.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1))]
  return found.map((path) => `:(top,exclude,literal)${path}`)
}

function cannotStart(dir: string, cause: NodeJS.ErrnoException): ValuetrainError {
  if (cause.code === 'ENOENT' && cause.path === 'git') {
    return new ValuetrainError('VT_GIT_MISSING', `git could not be started in ${dir}`, {
      kind: 'environment',
      hint: 'install git 2.38 or newer and put it on PATH; the folder must exist, too',
      cause,
    })
  }
  return new ValuetrainError('VT_GIT', `git could not be started in ${dir}: ${cause.message}`, { kind: 'environment', cause })
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ').slice(0, 600)
}
