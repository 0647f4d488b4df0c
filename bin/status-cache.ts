import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TicketView } from '../conductor/view.ts'
import { openGit } from '../core/git.ts'
import type { Context } from './context.ts'

/** A file written less than this before the cache could change once more without showing it. */
const RACY_MS = 100

/**
 * Returns the tickets' views: from this clone's cache when nothing that they are folded from has changed since it was
 * written, else folded anew. Everything is in the key: the commit that configures, all branches, all worktrees, and
 * name, size and times of the session files in worktrees of tickets. The cache is not truth and may be deleted.
 */
export async function knownViews(context: Context, fold: () => Promise<TicketView[]>): Promise<TicketView[]> {
  const state = await stateOf(context)
  if (state === undefined) return fold()
  const file = join(state.commonDir, 'valuetrain', 'cache', 'status.json')
  const known = await readCache(file)
  if (known?.key === state.key) return known.views
  const views = await fold()
  // What changed while folding belongs to neither key.
  const after = await stateOf(context)
  if (after?.key === state.key && context.clock.now() - state.newestMs > RACY_MS)
    await writeCache(file, { key: state.key, views })
  return views
}

interface State {
  key: string
  commonDir: string
  /** When the youngest file of the key was written, milliseconds since 1970. */
  newestMs: number
}

/** Returns what the views depend on, or undefined where that cannot be told this way; then there is no cache. */
async function stateOf({ cwd, env, version }: Context): Promise<State | undefined> {
  try {
    const git = openGit(cwd, env)
    const [folder, refs, program] = await Promise.all([
      git.text(['rev-parse', '--path-format=absolute', '--git-common-dir']),
      git.text(['for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads/', 'refs/remotes/']),
      // The folder of the program: a build makes it anew.
      stat(fileURLToPath(new URL('.', import.meta.url))),
    ])
    const head = await readFile(join(folder, 'HEAD'), 'utf8')
    // In the reftable format this file says nothing.
    if (head.includes('.invalid')) return undefined
    const worktrees = await worktreesOf(folder)
    const facts = [version, program.mtimeMs, program.ino, head, refs, worktrees.facts]
    return {
      key: createHash('sha256').update(JSON.stringify(facts)).digest('hex'),
      commonDir: folder,
      newestMs: worktrees.newestMs,
    }
  } catch {
    // Whatever is wrong here, the fold finds it, too, and says it properly.
    return undefined
  }
}

async function worktreesOf(commonDir: string): Promise<{ facts: unknown[]; newestMs: number }> {
  const folder = join(commonDir, 'worktrees')
  const names = await readdir(folder).catch(() => [])
  let newestMs = 0
  const facts = await Promise.all(
    names.sort().map(async (name) => {
      const [head, gitFile] = await Promise.all([
        readFile(join(folder, name, 'HEAD'), 'utf8').catch(() => ''),
        readFile(join(folder, name, 'gitdir'), 'utf8').catch(() => ''),
      ])
      const ticket = /^ref: refs\/heads\/phase\/(\S+)$/m.exec(head)?.[1]
      const dir = ticket === undefined ? undefined : join(dirname(gitFile.trim()), '.valuetrain', 'tickets', ticket)
      const files = dir === undefined ? [] : await filesOf(dir)
      for (const { changedMs } of files) newestMs = Math.max(newestMs, changedMs)
      return [name, head, gitFile, files]
    }),
  )
  return { facts, newestMs }
}

async function filesOf(dir: string): Promise<{ name: string; size: number; changedMs: number; inode: number }[]> {
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.startsWith('session-')).sort()
  return Promise.all(
    names.map(async (name) => {
      const { size, ctimeMs, mtimeMs, ino } = await stat(join(dir, name))
      return { name, size, changedMs: Math.max(ctimeMs, mtimeMs), inode: ino }
    }),
  )
}

interface Cache {
  key: string
  views: TicketView[]
}

async function readCache(file: string): Promise<Cache | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Cache
  } catch {
    return undefined
  }
}

async function writeCache(file: string, cache: Cache): Promise<void> {
  const { writeAtomically } = await import('../core/files.ts')
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeAtomically(file, JSON.stringify(cache))
  } catch {
    // On a read-only disk everything is folded each time; that is slow and right.
  }
}
