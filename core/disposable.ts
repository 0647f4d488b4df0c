import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { alone } from './alone.ts'
import { fileError, writeNote } from './files.ts'
import { fateOf, type ProcessIdentity } from './identity.ts'
import { ownIdentity } from './lock.ts'
import { requireRevision } from './refs.ts'
import type { Repository } from './repository.ts'

/** A checkout of one commit that no agent or person was ever given; it may be removed by force. */
export interface Disposable {
  /** Absolute. */
  dir: string
  /** Removes folder and registration; safe to call twice. */
  close(): Promise<void>
}

interface Note {
  dir: string
  owner: ProcessIdentity
}

/**
 * Opens a detached checkout of a commit, for gates, probes and merges. It is noted in the clone's state before it
 * exists; those whose process is gone are removed at the next opening.
 *
 * @param request root: folder it is made in, made when missing
 * @throws VT_GIT when the commit is unknown, VT_READ_ONLY, VT_DISK_FULL; then nothing is left
 */
export async function openDisposable(repo: Repository, request: { root: string; commit: string }): Promise<Disposable> {
  await removeAbandoned(repo)
  const root = await mkdir(request.root, { recursive: true })
    .then(() => realpath(request.root))
    .catch((cause) => {
      throw fileError(cause, 'made', request.root)
    })
  const dir = join(root, `checkout-${randomUUID().slice(0, 13)}`)
  const file = join(notesOf(repo), `${basename(dir)}.json`)
  await writeNote(file, JSON.stringify({ dir, owner: await ownIdentity() } satisfies Note))
  const close = () => remove(repo, dir, file)
  try {
    const add = ['worktree', 'add', '--quiet', '--detach', '--no-checkout', '--', dir, requireRevision(request.commit)]
    await alone(repo, () => repo.git.run(add))
    await repo.git.at(dir).run(['read-tree', '-m', '-u', 'HEAD'], { timeoutMs: 1_800_000 })
  } catch (cause) {
    await close()
    throw cause
  }
  return { dir, close }
}

/** Removes the disposable checkouts whose process is gone; returns their folders. */
export async function removeAbandoned(repo: Repository): Promise<string[]> {
  const removed: string[] = []
  for (const name of await readdir(notesOf(repo)).catch(() => [])) {
    if (!name.endsWith('.json')) continue
    const file = join(notesOf(repo), name)
    const note = await readFile(file, 'utf8')
      .then((text) => JSON.parse(text) as Note)
      .catch(() => undefined)
    // A note says what may be removed by force, so it has to name exactly the folder that its own name stands for.
    if (note === undefined || `${basename(note.dir)}.json` !== name || !name.startsWith('checkout-')) continue
    if ((await fateOf(note.owner)) !== 'gone') continue
    await remove(repo, note.dir, file)
    removed.push(note.dir)
  }
  return removed
}

/** The files go first, outside the lock, since there may be many. */
async function remove(repo: Repository, dir: string, file: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  await alone(repo, () => repo.git.run(['worktree', 'remove', '--force', '--', dir], { okExit: [0, 128] }))
  await rm(file, { force: true })
}

function notesOf(repo: Repository): string {
  return join(repo.stateDir, 'disposable')
}
