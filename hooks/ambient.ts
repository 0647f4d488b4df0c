import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ValuetrainError } from '../core/errors.ts'
import { type Git, openGit } from '../core/git.ts'
import { runGitWaiting } from './run-git.ts'

/** What a hook gets of the process it runs in. */
export interface HookProcess {
  /** Where git started it: the top of the worktree. */
  cwd: string
  env: NodeJS.ProcessEnv
  /** All of standard input; only pre-push and post-rewrite get any. */
  readInput(): Promise<string>
  /** For people: standard error. */
  say(text: string): void
  /** For the dispatcher: standard output. */
  answer(text: string): void
  now(): number
}

/** The repository as git handed it to the hook: that of the commit being made, with its index. */
export interface Ambient extends HookProcess {
  /** Keeps GIT_DIR and GIT_INDEX_FILE, without which `commit -a` and `commit <path>` have nothing staged. */
  git: Git
  /** Absolute path of this worktree's own git directory. */
  gitDir: string
  /** Absolute path of the clone's git directory, which all its worktrees share. */
  commonDir: string
  /** Absolute path of the object store that git writes to. */
  objects: string
  /** Branch HEAD is on, without `refs/heads/`; undefined when detached and before the first commit. */
  branch: string | undefined
}

/**
 * Variables by which git tells a hook which repository, index and object store it is about. Our git drops them for calls about
 * other repositories; here they name exactly the right one.
 */
const AMBIENT =
  /^GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|QUARANTINE_PATH|NAMESPACE|INDEX_VERSION)$/

/**
 * Opens the repository a hook runs for.
 *
 * @param budgetMs all git calls of the hook together; the one that is running when it is spent is ended
 * @throws VT_NO_REPOSITORY when called by hand outside of one
 */
export async function openAmbient(host: HookProcess, budgetMs: number): Promise<Ambient> {
  const told: Record<string, string> = {}
  for (const [name, value] of Object.entries(host.env)) if (value !== undefined && AMBIENT.test(name)) told[name] = value
  const plain = openGit(host.cwd, host.env, runGitWaiting)
  const endsAt = host.now() + budgetMs
  const options = <T extends { env?: Readonly<Record<string, string>>; timeoutMs?: number }>(given: T | undefined) => ({
    ...given,
    env: { ...told, ...given?.env },
    timeoutMs: Math.max(1, Math.min(given?.timeoutMs ?? budgetMs, endsAt - host.now())),
  })
  const git: Git = {
    dir: plain.dir,
    run: (args, given) => plain.run(args, options(given)),
    text: (args, given) => plain.text(args, options(given)),
    fields: (args, given) => plain.fields(args, options(given)),
    bytes: (args, given) => plain.bytes(args, options(given)),
    succeeds: (args, given) => plain.succeeds(args, options(given)),
    at: (dir) => openGit(dir, host.env, runGitWaiting),
  }
  const { gitDir, branch } = await placeOf(git, resolve(host.cwd, told.GIT_DIR ?? '.git'))
  const common = textOf(join(gitDir, 'commondir')).trim()
  const commonDir = common === '' ? gitDir : resolve(gitDir, common)
  const objects = resolve(host.cwd, told.GIT_OBJECT_DIRECTORY ?? join(commonDir, 'objects'))
  return { ...host, git, gitDir, commonDir, objects, branch }
}

/**
 * Finds the worktree's git directory and branch. git starts hooks at the top of the worktree and names the git directory
 * unless it is `.git` there, so one file tells both; git is asked only where that is not so.
 */
async function placeOf(git: Git, usual: string): Promise<{ gitDir: string; branch: string | undefined }> {
  const head = textOf(join(usual, 'HEAD'))
  const named = /^ref: refs\/heads\/(.+)\n$/.exec(head)?.[1]
  // `.invalid` is what the reftable format leaves there for programs that do not know it.
  if (named !== undefined && named !== '.invalid') return { gitDir: usual, branch: named }
  if (/^[0-9a-f]{40,64}\n$/.test(head)) return { gitDir: usual, branch: undefined }
  const { stdout, code } = await git.run(['rev-parse', '--absolute-git-dir', '--symbolic-full-name', 'HEAD'], {
    okExit: [0, 128],
  })
  const [gitDir = '', name = ''] = stdout.split('\n')
  // Before the first commit HEAD names nothing yet, which is no reason to refuse.
  if (gitDir === '' || (code !== 0 && !gitDir.startsWith('/'))) {
    throw new ValuetrainError('VT_NO_REPOSITORY', 'this hook was called outside a git repository', {
      kind: 'environment',
      hint: 'git calls hooks by itself; `valuetrain hooks test` shows whether it does',
    })
  }
  return { gitDir, branch: name.startsWith('refs/heads/') ? name.slice('refs/heads/'.length) : undefined }
}

/** Reads a small file at once: the first read that is waited for would start Node's threads. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
