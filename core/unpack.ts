import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { readBlobs } from './blobs.ts'
import { ValuetrainError } from './errors.ts'
import { fileError } from './files.ts'
import { type RawPath, rawBelow, shown } from './leftovers.ts'
import type { Repository } from './repository.ts'
import { listRescues, type Rescue } from './rescue.ts'
import { type ChangedPath, parseRawDiff } from './tree.ts'

/** A rescue laid out in a folder. */
export interface Unpacked {
  rescue: Rescue
  /** Absolute. */
  dir: string
  /** Files below `dir`: `worktree/<path>`, `index/<path>` where only the index had it, `conflict/<side>/<path>`. */
  written: string[]
  /** Paths that were deleted in the working tree. */
  deleted: string[]
  /** The commit that the checkout stood on. */
  head: string
}

/**
 * Lays what a rescue holds beyond its HEAD commit out in a new folder. No existing file is written over, nothing of
 * the repository changes.
 *
 * @param refOrId the ref, its id, or the beginning of the id
 * @param into a folder that does not exist or is empty; `<repository>.rescued/<ticket>-<id>` unless told
 * @throws VT_RESCUE_UNKNOWN, VT_FOLDER_IN_THE_WAY
 */
export async function restoreRescue(repo: Repository, refOrId: string, options: { into?: string } = {}): Promise<Unpacked> {
  const rescue = await findRescue(repo, refOrId)
  const home = repo.root ?? repo.commonDir
  const dir = resolve(home, options.into ?? `${home}.rescued/${rescue.ticket}-${rescue.id}`)
  await makeEmptyFolder(dir)
  const parents = (await repo.git.text(['rev-parse', `${rescue.commit}^@`])).split('\n') as [string, string, ...string[]]
  const [head, index] = parents
  const worktree = await rawDiff(repo, head, rescue.commit)
  const stagedOnly = await inBoth(await rawDiff(repo, head, index), await rawDiff(repo, rescue.commit, index))
  const conflict = rescue.hasConflict ? await rawDiff(repo, await emptyTree(repo), `${parents[2]}^{tree}`) : []
  const written = [
    ...(await layOut(repo, dir, 'worktree', worktree)),
    ...(await layOut(repo, dir, 'index', stagedOnly)),
    ...(await layOut(repo, dir, 'conflict', conflict)),
  ]
  const deleted = worktree.filter(({ status }) => status === 'D').map(({ path }) => shown(path))
  return { rescue, dir, written: written.map(shown).sort(), deleted: deleted.sort(), head }
}

async function findRescue(repo: Repository, refOrId: string): Promise<Rescue> {
  const all = await listRescues(repo)
  const exact = all.filter(({ ref, id }) => ref === refOrId || id === refOrId)
  const found = exact.length > 0 ? exact : all.filter(({ id }) => refOrId !== '' && id.startsWith(refOrId.toUpperCase()))
  if (found.length === 1) return found[0] as Rescue
  const problem = found.length === 0 ? 'there is no rescue' : `${found.length} rescues begin with`
  throw new ValuetrainError('VT_RESCUE_UNKNOWN', `${problem} ${JSON.stringify(refOrId.slice(0, 120))}`, {
    hint: '`valuetrain rescue list` shows them all',
  })
}

async function makeEmptyFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true })
    if ((await readdir(dir)).length === 0) return
  } catch (cause) {
    throw fileError(cause, 'made', dir)
  }
  throw new ValuetrainError('VT_FOLDER_IN_THE_WAY', `the folder ${dir} is not empty`, {
    hint: 'name a new folder with `--into`; nothing is written over',
  })
}

async function rawDiff(repo: Repository, from: string, to: string): Promise<ChangedPath[]> {
  const flags = ['-r', '-z', '--raw', '--no-renames', '--no-abbrev']
  return parseRawDiff((await repo.git.bytes(['diff-tree', ...flags, from, to])).toString('latin1'))
}

async function emptyTree(repo: Repository): Promise<string> {
  return repo.git.text(['hash-object', '-t', 'tree', '-w', '--stdin'], { input: '' })
}

function inBoth(changes: readonly ChangedPath[], others: readonly ChangedPath[]): ChangedPath[] {
  const named = new Set(others.map(({ path }) => path))
  return changes.filter(({ path }) => named.has(path))
}

async function layOut(repo: Repository, dir: string, part: string, changes: readonly ChangedPath[]): Promise<RawPath[]> {
  const files = changes.filter(({ status, mode }) => status !== 'D' && mode !== '160000')
  const contents = await readBlobs(
    repo.git,
    files.map(({ blob }) => blob),
  )
  // Links last, so that nothing is ever written through one.
  const order = [...files.keys()].sort((a, b) => Number(isLink(files[a])) - Number(isLink(files[b])))
  const written: RawPath[] = []
  for (const at of order) {
    const file = files[at] as ChangedPath
    const content = contents[at]
    const path = `${part}/${file.path}`
    if (content === undefined || path.split('/').includes('..')) continue
    const target = rawBelow(dir, path)
    await mkdir(Buffer.from(dirname(target.toString('latin1')), 'latin1') as unknown as string, { recursive: true })
    if (isLink(file)) await symlink(content, target)
    else await writeFile(target, content, { flag: 'wx' })
    if (file.mode === '100755') await chmod(target, 0o755)
    written.push(path)
  }
  return written
}

function isLink(file: ChangedPath | undefined): boolean {
  return file?.mode === '120000'
}
