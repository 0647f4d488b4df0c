import { randomBytes } from 'node:crypto'
import { lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { arch, platform, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { version } from 'node:process'
import { digestOf } from '../core/canonical.ts'
import type { Config } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import { fileError, resolveInside } from '../core/files.ts'
import type { Git } from '../core/git.ts'
import { runProcess } from '../core/process.ts'
import { type Repository, worktreeRoot } from '../core/repository.ts'
import { commitTree, readerAt, resolveCommit } from '../core/tree.ts'
import { openDisposable } from '../core/worktree.ts'
import { environmentOf, presentable } from './kinds/command.ts'

/** A prepared checkout that no person or agent was given, for commands that judge. */
export interface Checkout {
  dir: string
  /**
   * Returns the folder with every file that git does not ignore as the commit and the set-up left it. What earlier
   * commands changed or left there is gone, so that one gate cannot answer for another.
   */
  fresh(): Promise<string>
  close(): Promise<void>
}

/**
 * Opens a clean checkout and runs the set-up commands in it. Where `workspace.cache` names folders, what set-up put into
 * them is kept in this clone's state by the digest of everything set-up depends on, and later copied instead of made
 * again. Only a fresh checkout, in which no gate has run, ever fills that cache, and a copy is never shared.
 *
 * @param treeish a commit, or a tree for what is only staged
 * @param env     variables that set-up may get, as for gates
 * @throws VT_SETUP when a set-up command fails; VT_OUTSIDE when a cached folder is a link out of the checkout
 */
export async function openCheckout(
  repository: Repository,
  config: Config,
  treeish: string,
  env: Readonly<Record<string, string>>,
): Promise<Checkout> {
  const commit = await commitFor(repository.git, treeish)
  const disposable = await openDisposable(repository, { root: worktreeRoot(repository, config), commit })
  try {
    await prepare(repository, config, commit, disposable.dir, env)
    const git = repository.git.at(disposable.dir)
    const ours = await git.fields(['ls-files', '-z', '--others', '--exclude-standard', '--directory'])
    const kept = [...ours, ...config.workspace.cache].flatMap((path) => [
      '-e',
      `/${path.replace(/^\.?\/|\/$/g, '').replace(/[\\*?[!#]/g, '\\$&')}`,
    ])
    let given = false
    return {
      dir: disposable.dir,
      async fresh() {
        if (given) {
          await git.run(['read-tree', '--reset', '-u', commit])
          await git.run(['clean', '-ffdq', ...kept])
        }
        given = true
        return disposable.dir
      },
      close: disposable.close,
    }
  } catch (error) {
    await disposable.close()
    throw error
  }
}

async function commitFor(git: Git, treeish: string): Promise<string> {
  const commit = await resolveCommit(git, treeish)
  return commit ?? commitTree(git, { tree: treeish, parents: [], message: 'What is staged' })
}

async function prepare(
  repository: Repository,
  config: Config,
  commit: string,
  dir: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const { setup, cache } = config.workspace
  if (setup.length === 0) return
  if (cache.length === 0) return runSetup(repository, config, dir, env)
  const folders = await Promise.all(cache.map((folder) => cachedFolder(dir, folder)))
  const store = join(repository.stateDir, 'setups', await setupKey(repository.git, config, commit, env))
  if (await isFolder(store)) {
    for (const [index, folder] of folders.entries()) await copyFolder(join(store, String(index)), folder)
    return
  }
  await runSetup(repository, config, dir, env)
  await keep(store, await Promise.all(cache.map((folder) => cachedFolder(dir, folder))))
}

/** Everything that what set-up makes depends on: its commands, its inputs as committed, and what it runs on. */
async function setupKey(git: Git, config: Config, commit: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { setup, cache, inputs, env: names } = config.workspace
  const reader = readerAt(git, commit)
  const files = await Promise.all(inputs.map(async (path) => [path, (await reader.read(path)) ?? null]))
  const variables = ['PATH', 'LANG', ...names].map((name) => [name, env[name] ?? null])
  return digestOf({ setup, cache, files, variables, platform: platform(), arch: arch(), node: version })
}

async function runSetup(
  repository: Repository,
  config: Config,
  dir: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), 'vt-setup-'))
  try {
    await Promise.all(['home', 'tmp'].map((name) => mkdir(join(place, name))))
    const variables = environmentOf({ env, config }, join(place, 'home'), join(place, 'tmp'))
    for (const argv of config.workspace.setup) {
      const totalMs = config.limits.setupMs
      const limits = { totalMs, outputBytes: config.limits.outputBytes }
      const run = await runProcess(argv, { cwd: dir, env: variables, limits, record: repository.stateDir })
      if (run.exit === 0 && run.timedOut === undefined) continue
      const roots = [dir, place, repository.commonDir, ...(repository.root ? [repository.root] : [])]
      const how = run.missing
        ? 'could not be found'
        : run.timedOut
          ? `took longer than ${totalMs / 1000} s`
          : `ended with ${run.exit ?? run.signal}`
      throw new ValuetrainError('VT_SETUP', `set-up command \`${argv.join(' ').slice(0, 200)}\` ${how}`, {
        kind: 'environment',
        hint: 'run it by hand in a fresh clone, or mend `workspace.setup` in .valuetrain/config.yaml',
        details: { exit: run.exit, output: presentable(run.outputTail, roots) },
      })
    }
  } finally {
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** A cached folder that the tree makes a link would carry the copy to wherever the link leads. */
async function cachedFolder(dir: string, folder: string): Promise<string> {
  const path = await resolveInside(dir, folder)
  const found = await lstat(join(dir, folder)).catch(() => undefined)
  if (path !== dir && basename(path) !== '.git' && (found === undefined || found.isDirectory())) return path
  throw new ValuetrainError('VT_OUTSIDE', `workspace.cache names "${folder.slice(0, 100)}", which is no folder of its own`, {
    kind: 'config',
    hint: 'name folders that set-up makes, such as node_modules',
  })
}

async function keep(store: string, folders: readonly string[]): Promise<void> {
  const draft = `${store}.${randomBytes(6).toString('hex')}`
  try {
    await mkdir(draft, { recursive: true })
    for (const [index, folder] of folders.entries()) {
      if (await isFolder(folder)) await copyFolder(folder, join(draft, String(index)))
    }
    // Whoever comes second finds the first one's folder in place, which holds the same.
    await rename(draft, store).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw fileError(error, 'written', store)
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** `cp` keeps links as they are and shares blocks where the file system can, which `fs.cp` does not. */
async function copyFolder(from: string, to: string): Promise<void> {
  if (!(await isFolder(from))) return
  await rm(to, { recursive: true, force: true })
  await mkdir(dirname(to), { recursive: true })
  const reflink = platform() === 'linux' ? ['--reflink=auto'] : []
  const limits = { totalMs: 600_000 }
  const env = { PATH: '/usr/bin:/bin:/usr/local/bin' }
  const run = await runProcess(['cp', '-a', ...reflink, '--', from, to], { cwd: dirname(to), env, limits })
  if (run.exit === 0) return
  throw new ValuetrainError('VT_SETUP', `a prepared folder could not be copied: ${run.outputTail.trim().slice(-300)}`, {
    kind: 'environment',
    hint: 'make room on the disk, then run the command again',
  })
}

async function isFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isDirectory() ?? false
}
