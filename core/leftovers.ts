import { lstat, readdir } from 'node:fs/promises'
import { fileError } from './files.ts'
import type { Git } from './git.ts'

/**
 * A path as the bytes the file system has, one character a byte (latin1), since a name need not be UTF-8.
 * Relative, with forward slashes. `shown` makes it readable.
 */
export type RawPath = string

/** One file or link that is there, with marks that change when somebody writes to it. */
export interface Found {
  path: RawPath
  mode: '100644' | '100755' | '120000'
  /** Inode, size and times in nanoseconds; equal marks mean nobody touched it in between. */
  mark: string
}

/** Everything in a checkout that its HEAD commit does not have. */
export interface Leftovers {
  /** Tracked paths that differ between HEAD and index, or index and working tree, as they are now. */
  changed: Found[]
  /** Tracked paths that the index hides from `git status`, as they are now, changed or not. */
  hidden: Found[]
  /** Tracked paths that are gone from the working tree. */
  gone: RawPath[]
  /** Tracked paths whose index entry differs from HEAD, or is in conflict. */
  staged: RawPath[]
  unmerged: { stage: string; mode: string; id: string; path: RawPath }[]
  untracked: Found[]
  /** Untracked folders that are repositories of their own; their files are among `untracked`. */
  nested: RawPath[]
  /** Ignored files that the `keep` globs name. */
  kept: Found[]
  /** All ignored paths, whole folders as one with a slash at the end. */
  ignored: RawPath[]
  /** Submodules of the index; `populated` ones have a checkout of their own. */
  submodules: { path: RawPath; id: string; populated: boolean }[]
}

/**
 * Returns what is not committed in a checkout, without touching anything in it: no index is refreshed.
 *
 * @param git for the checkout's root
 * @param keep globs of ignored files to look at; one without a slash means any folder
 */
export async function findLeftovers(git: Git, keep: readonly string[]): Promise<Leftovers> {
  const flags = ['--porcelain=v2', '-z', '--no-renames', '--untracked-files=all', '--ignored=matching', '--ignore-submodules=all']
  const [status, index] = await Promise.all([
    rawFields(git, ['status', ...flags]),
    rawFields(git, ['ls-files', '--stage', '-v', '-z']),
  ])
  const names = { changed: new Set<RawPath>(), staged: [] as RawPath[], untracked: [] as RawPath[], ignored: [] as RawPath[] }
  for (const line of status) sortLine(line, names)
  const { unmerged, submodules, hidden } = readIndex(index)
  for (const path of [...hidden, ...submodules.map((sub) => sub.path)]) names.changed.delete(path)
  const checked = await Promise.all(submodules.map(async (sub) => ({ ...sub, populated: await isPopulated(git, sub.path) })))
  // Files where a submodule should be are in no list of git's.
  const strays = checked.filter(({ populated }) => !populated).map(({ path }) => `${path}/`)
  const present = await observeAll(git.dir, names.changed)
  const isThere = new Set(present.map(({ path }) => path))
  const folders = new Set(submodules.map(({ path }) => path))
  return {
    changed: present,
    hidden: await observeAll(git.dir, hidden),
    gone: [...names.changed].filter((path) => !isThere.has(path)),
    staged: names.staged,
    unmerged,
    untracked: await observeAll(git.dir, [...names.untracked, ...strays]),
    nested: names.untracked.filter((path) => path.endsWith('/')),
    kept: await observeAll(git.dir, await keptPaths(git, keep, folders)),
    ignored: names.ignored,
    submodules: checked,
  }
}

/** Returns the file or link at a path now, or undefined when there is none; folders and devices count as none. */
export async function observe(dir: string, path: RawPath): Promise<Found | undefined> {
  const stat = await observeType(dir, path)
  if (stat === undefined || !(stat.isFile() || stat.isSymbolicLink())) return undefined
  const mode = stat.isSymbolicLink() ? '120000' : stat.mode & 0o100n ? '100755' : '100644'
  return { path, mode, mark: `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}` }
}

/** Returns a raw path below a folder as the bytes file system calls take. */
export function rawBelow(dir: string, path: RawPath): Buffer {
  return Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(path, 'latin1')])
}

/** Returns a raw path as text for people and records. */
export function shown(path: RawPath): string {
  return Buffer.from(path, 'latin1').toString('utf8')
}

/** Returns the NUL-separated fields git prints, as raw paths. */
export async function rawFields(git: Git, args: readonly string[], env?: Record<string, string>): Promise<string[]> {
  const output = await git.bytes(args, env ? { env } : {})
  return output
    .toString('latin1')
    .split('\0')
    .filter((field) => field !== '')
}

interface Names {
  changed: Set<RawPath>
  staged: RawPath[]
  untracked: RawPath[]
  ignored: RawPath[]
}

/** @see git-status(1), porcelain format version 2 */
function sortLine(line: string, names: Names): void {
  const kind = line[0]
  if (kind === '?') names.untracked.push(line.slice(2))
  else if (kind === '!') names.ignored.push(line.slice(2))
  else if (kind === '1' || kind === 'u') {
    const path = line
      .split(' ')
      .slice(kind === '1' ? 8 : 10)
      .join(' ')
    names.changed.add(path)
    if (kind === 'u' || line[2] !== '.') names.staged.push(path)
  }
}

/**
 * Entries marked "assume unchanged" or "skip worktree" (a lower-case or S tag) are invisible to `git status`, and so
 * would be an edit to such a file; they are looked at like changed ones.
 */
function readIndex(lines: readonly string[]) {
  const unmerged: Leftovers['unmerged'] = []
  const submodules: { path: RawPath; id: string }[] = []
  const hidden = new Set<RawPath>()
  for (const line of lines) {
    const tab = line.indexOf('\t')
    const path = line.slice(tab + 1)
    const [tag, mode, id, stage] = line.slice(0, tab).split(' ') as [string, string, string, string]
    if (stage !== '0') unmerged.push({ stage, mode, id, path })
    else if (mode === '160000') submodules.push({ path, id })
    else if (tag === 'S' || tag !== tag.toUpperCase()) hidden.add(path)
  }
  return { unmerged, submodules, hidden }
}

async function keptPaths(git: Git, keep: readonly string[], submodules: ReadonlySet<RawPath>): Promise<RawPath[]> {
  if (keep.length === 0) return []
  const specs = keep.map((glob) => `:(glob)${glob.includes('/') ? glob : `**/${glob}`}`)
  const paths = await rawFields(git, ['ls-files', '--others', '--ignored', '--exclude-standard', '-z', '--', ...specs])
  return paths.filter((path) => !submodules.has(path.replace(/\/$/, '')))
}

async function observeAll(dir: string, paths: Iterable<RawPath>): Promise<Found[]> {
  const found: Found[] = []
  for (const path of paths) {
    // git names a repository inside the checkout as one folder, with a slash at the end.
    if (path.endsWith('/')) found.push(...(await observeFolder(dir, path.slice(0, -1))))
    else {
      const one = await observe(dir, path)
      if (one) found.push(one)
    }
  }
  return found
}

/** A submodule has a repository of its own only if git, asked there, does not answer for the one around it. */
async function isPopulated(git: Git, path: RawPath): Promise<boolean> {
  const stat = await observeType(git.dir, path)
  if (!stat?.isDirectory()) return false
  const top = await git.at(`${git.dir}/${shown(path)}`).run(['rev-parse', '--show-prefix'], { okExit: [0, 128] })
  return top.code === 0 && top.stdout.trim() === ''
}

async function observeFolder(dir: string, folder: RawPath): Promise<Found[]> {
  if (!(await observeType(dir, folder))?.isDirectory()) return []
  const names = await readdir(rawBelow(dir, folder), { encoding: 'buffer', withFileTypes: true })
  const found: Found[] = []
  for (const entry of names) {
    const path = `${folder}/${(entry.name as unknown as Buffer).toString('latin1')}`
    if (entry.isDirectory()) found.push(...(await observeFolder(dir, path)))
    else {
      const one = await observe(dir, path)
      if (one) found.push(one)
    }
  }
  return found
}

async function observeType(dir: string, path: RawPath) {
  try {
    return await lstat(rawBelow(dir, path), { bigint: true })
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw fileError(cause, 'read', shown(path))
  }
}
