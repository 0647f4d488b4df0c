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
import { pinCheckout } from '../core/pin.ts'
import { runProcess } from '../core/process.ts'
import { type Repository, worktreeRoot } from '../core/repository.ts'
import { commitTree, readerAt, resolveCommit } from '../core/tree.ts'
import { openDisposable } from '../core/worktree.ts'
import { type Guard, isGuarded, runGuarded } from './guarded.ts'
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
 * again. Only a fresh checkout, in which no gate has run, ever fills that cache, and a copy is never shared. It runs in the
 * jail, where there is one.
 *
 * @param treeish a commit, or a tree for what is only staged
 * @param env     variables that set-up may get, as for gates
 * @param options isJailWaived: whether the operator said `--no-jail`; base: the commit that the
 *   change starts from; absent, the commit itself is trusted like one
 * @throws VT_SETUP when a set-up command fails; VT_OUTSIDE when a cached folder is a link out of the checkout
 */
export async function openCheckout(
  repository: Repository,
  config: Config,
  treeish: string,
  env: Readonly<Record<string, string>>,
  options: { isJailWaived?: boolean | undefined; base?: string } = {},
): Promise<Checkout> {
  const commit = await commitFor(repository.git, treeish)
  const disposable = await openDisposable(repository, { root: worktreeRoot(repository, config), commit })
  try {
    const pinned = await pinCheckout(repository.git, disposable.dir)
    await prepare({ repository, config, env, isJailWaived: options.isJailWaived }, commit, disposable.dir, options.base)
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
          await pinned.run(['read-tree', '--reset', '-u', commit])
          await pinned.run(['clean', '-ffdq', ...kept])
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

/** What set-up is run with. */
interface SetUp extends Guard {
  repository: Repository
}

async function prepare(setUp: SetUp, commit: string, dir: string, base: string | undefined): Promise<void> {
  const { setup, cache } = setUp.config.workspace
  if (setup.length === 0) return
  if (cache.length === 0) return runSetup(setUp, dir)
  const folders = await cachedFolders(setUp, dir)
  const store = await storeOf(setUp, commit, base)
  if (!(await isFolder(store.folder))) {
    if (store.madeFrom === commit) {
      await runSetup(setUp, dir)
      return keep(store.folder, await cachedFolders(setUp, dir))
    }
    await fillFrom(setUp, store.madeFrom, store.folder)
  }
  for (const [index, folder] of folders.entries()) await copyFolder(join(store.folder, String(index)), folder)
}

/**
 * Where what set-up makes for a commit is kept, and the commit it is made from. Set-up runs scripts of the tree: what it makes of a
 * change that leaves the inputs alone is made from the base, so that no change can leave something there for another. What it
 * makes of other inputs is for that very tree.
 */
async function storeOf(setUp: SetUp, commit: string, base: string = commit): Promise<{ folder: string; madeFrom: string }> {
  const stores = join(setUp.repository.stateDir, 'setups')
  const [own, theirs] = await Promise.all([setupKey(setUp, commit), setupKey(setUp, base)])
  if (own === theirs) return { folder: join(stores, own), madeFrom: base }
  const tree = await setUp.repository.git.text(['rev-parse', '--verify', '--end-of-options', `${commit}^{tree}`])
  return { folder: join(stores, digestOf([own, tree])), madeFrom: commit }
}

async function fillFrom(setUp: SetUp, commit: string, store: string): Promise<void> {
  const { repository, config } = setUp
  const disposable = await openDisposable(repository, { root: worktreeRoot(repository, config), commit })
  try {
    await runSetup(setUp, disposable.dir)
    await keep(store, await cachedFolders(setUp, disposable.dir))
  } finally {
    await disposable.close()
  }
}

/** Everything that what set-up makes depends on: its commands, its inputs as committed, and what it runs on and in. */
async function setupKey(setUp: SetUp, commit: string): Promise<string> {
  const { repository, config, env } = setUp
  const { setup, cache, inputs, env: names, hosts } = config.workspace
  const reader = readerAt(repository.git, commit)
  const files = await Promise.all(inputs.map(async (path) => [path, (await reader.read(path)) ?? null]))
  const variables = ['PATH', 'LANG', ...names].map((name) => [name, env[name] ?? null])
  const jailed = await isGuarded(setUp)
  return digestOf({ setup, cache, files, variables, hosts, jailed, platform: platform(), arch: arch(), node: version })
}

async function runSetup(setUp: SetUp, dir: string): Promise<void> {
  const { repository, config, env } = setUp
  const place = await mkdtemp(join(tmpdir(), 'vt-setup-'))
  try {
    await Promise.all(['home', 'tmp'].map((name) => mkdir(join(place, name))))
    const variables = environmentOf({ env, config }, join(place, 'home'), join(place, 'tmp'))
    for (const argv of config.workspace.setup) {
      const totalMs = config.limits.setupMs
      const limits = { totalMs, outputBytes: config.limits.outputBytes }
      const options = { cwd: dir, env: variables, limits, record: repository.stateDir }
      const run = await runGuarded(setUp, argv, dir, options, config.workspace.hosts)
      if (run.exit === 0 && run.timedOut === undefined) continue
      const roots = [dir, place, repository.commonDir, ...(repository.root ? [repository.root] : [])]
      const how = run.missing
        ? 'could not be found'
        : run.timedOut
          ? `took longer than ${totalMs / 1000} s`
          : `ended with ${run.exit ?? run.signal}`
      const reach = config.workspace.hosts.length === 0 ? 'no network' : 'no other network than it names'
      throw new ValuetrainError('VT_SETUP', `set-up command \`${argv.join(' ').slice(0, 200)}\` ${how}`, {
        kind: 'environment',
        hint: run.jailed
          ? `it ran in the jail, with ${reach}: name the hosts it needs in \`workspace.hosts\`, or mend \`workspace.setup\` in .valuetrain/config.yaml`
          : 'run it by hand in a fresh clone, or mend `workspace.setup` in .valuetrain/config.yaml',
        details: { exit: run.exit, output: presentable(run.outputTail, roots) },
      })
    }
  } finally {
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
  }
}

function cachedFolders({ config }: SetUp, dir: string): Promise<string[]> {
  return Promise.all(config.workspace.cache.map((folder) => cachedFolder(dir, folder)))
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
