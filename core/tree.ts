import { sha256 } from './canonical.ts'
import { ValuetrainError } from './errors.ts'
import type { Git } from './git.ts'
import { requireRevision } from './refs.ts'

export { blobSizes, readBlobs } from './blobs.ts'
export { listFolders } from './listing.ts'
export { readerAt, readerOf, type TreeReader } from './reader.ts'

/** One path that differs between two trees. The side on which it is not has mode `000000` and an id of zeros. */
export interface ChangedPath {
  /** Added, modified, deleted, or its type changed (file, link, submodule). */
  status: 'A' | 'M' | 'D' | 'T'
  path: string
  mode: string
  blob: string
  oldMode: string
  oldBlob: string
}

/** Returns the commit a revision names, or undefined when it names none. */
export async function resolveCommit(git: Git, rev: string): Promise<string | undefined> {
  return resolveObject(git, `${requireRevision(rev)}^{commit}`)
}

/** Returns the id of what a name stands for, such as `<commit>:<path>`, or undefined when it stands for nothing. */
export async function resolveObject(git: Git, name: string): Promise<string | undefined> {
  const found = await git.objects?.look(name)
  if (found !== undefined) return found === 'missing' ? undefined : found.id
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', requireRevision(name)]
  const { stdout, code } = await git.run(args, { okExit: [0, 1, 128] })
  return code === 0 ? stdout.trim() : undefined
}

/** Tells whether commit `a` is `b` or one of its ancestors. @throws VT_GIT when one of them is no commit */
export async function isAncestor(git: Git, a: string, b: string): Promise<boolean> {
  const args = ['merge-base', '--is-ancestor', requireRevision(a), requireRevision(b)]
  return (await git.run(args, { okExit: [0, 1] })).code === 0
}

/** Returns the id of a revision's whole root tree. @throws VT_GIT when the revision names no tree */
export async function rootTree(git: Git, treeish: string): Promise<string> {
  const name = `${requireRevision(treeish)}^{tree}`
  const found = await git.objects?.look(name)
  // Where there is none, git says why.
  if (found !== undefined && found !== 'missing') return found.id
  return git.text(['rev-parse', '--verify', '--end-of-options', name])
}

/** Folders under `.valuetrain` that hold the record of the work and are no part of what is judged. */
const RECORDS = new Set(['tickets', 'issues'])

/**
 * Returns the id of a revision's root tree without `.valuetrain/tickets` and `.valuetrain/issues`: what gates judge.
 * Writes the smaller trees into the object store.
 *
 * @throws VT_GIT when the revision names no tree
 */
export async function subjectTree(git: Git, treeish: string): Promise<string> {
  const root = await linesOf(git, `${requireRevision(treeish)}^{tree}`)
  // What a listing comes to never changes, and its objects are in this repository by then.
  const key = `${git.dir}\0${sha256(root.join('\0'))}`
  const known = subjects.get(key)
  if (known !== undefined) return known
  if (subjects.size >= 1_000) subjects.clear()
  const subject = await subjectOf(git, treeish, root)
  subjects.set(key, subject)
  return subject
}

const subjects = new Map<string, string>()

async function subjectOf(git: Git, treeish: string, root: readonly string[]): Promise<string> {
  const folder = root.findIndex((line) => /^040000 tree [0-9a-f]+\t\.valuetrain$/.test(line))
  const inner = folder < 0 ? [] : await linesOf(git, idOf(root[folder] as string))
  const kept = inner.filter((line) => !RECORDS.has(nameOf(line)))
  if (kept.length === inner.length) return rootTree(git, treeish)
  const rest = root.filter((_, index) => index !== folder)
  if (kept.length > 0) rest.push(`040000 tree ${await makeTree(git, kept)}\t.valuetrain`)
  return makeTree(git, rest)
}

/**
 * Returns the tree that merging two commits gives, or the paths in conflict. Touches neither index nor working tree.
 *
 * @throws VT_GIT when one of them is no commit, or the two share no history
 */
export async function mergeTree(git: Git, base: string, head: string): Promise<{ tree: string } | { conflicts: string[] }> {
  const flags = ['--write-tree', '-z', '--name-only', '--no-messages']
  const merged = await git.run(['merge-tree', ...flags, requireRevision(base), requireRevision(head)], { okExit: [0, 1] })
  const [tree, ...conflicts] = merged.stdout.split('\0').filter((field) => field !== '')
  return merged.code === 0 ? { tree: tree as string } : { conflicts: [...new Set(conflicts)] }
}

/**
 * Returns the tree of a merge in which the base's side stands wherever the two conflict, and the paths where it did. Depends on
 * the two commits alone, so that anybody can make it again. No index and no working tree is touched.
 */
export async function mergeTaking(git: Git, base: string, head: string): Promise<{ tree: string; conflicts: string[] }> {
  const flags = ['--write-tree', '-z', '--name-only', '--no-messages']
  const merged = await git.run(['merge-tree', ...flags, requireRevision(base), requireRevision(head)], { okExit: [0, 1] })
  const [tree = '', ...listed] = merged.stdout.split('\0').filter((field) => field !== '')
  const conflicts = merged.code === 0 ? [] : [...new Set(listed)]
  const ours = new Map<string, string>()
  for (const line of conflicts.length > 0 ? await git.fields(['ls-tree', '-r', '-z', '--full-tree', requireRevision(base)]) : [])
    ours.set(nameOf(line), line)
  let taken = tree
  for (const path of conflicts)
    taken = (await replaceEntry(git, taken, path.split('/'), ours.get(path))) ?? (await makeTree(git, []))
  return { tree: taken, conflicts }
}

/** Returns a tree with the entry of a path replaced by a line of `ls-tree`, or removed; undefined when nothing is left of it. */
async function replaceEntry(
  git: Git,
  tree: string | undefined,
  [name = '', ...rest]: readonly string[],
  line: string | undefined,
): Promise<string | undefined> {
  const lines = tree === undefined ? [] : await git.fields(['ls-tree', '-z', tree])
  const there = lines.find((entry) => nameOf(entry) === name)
  const others = lines.filter((entry) => entry !== there)
  if (rest.length === 0) {
    const entry = line === undefined ? [] : [`${line.slice(0, line.indexOf('\t'))}\t${name}`]
    return others.length + entry.length === 0 ? undefined : makeTree(git, [...others, ...entry])
  }
  const below = there?.startsWith('040000 tree ') ? idOf(there) : undefined
  const inner = await replaceEntry(git, below, rest, line)
  const entry = inner === undefined ? [] : [`040000 tree ${inner}\t${name}`]
  return others.length + entry.length === 0 ? undefined : makeTree(git, [...others, ...entry])
}

/**
 * Makes a commit of a tree and returns it; no ref moves, no hook runs.
 *
 * @param date for author and committer, as git reads dates; now unless told
 */
export async function commitTree(
  git: Git,
  options: { tree: string; parents: readonly string[]; message: string; date?: string },
): Promise<string> {
  const parents = options.parents.flatMap((parent) => ['-p', requireRevision(parent)])
  const dates: Record<string, string> =
    options.date === undefined ? {} : { GIT_AUTHOR_DATE: options.date, GIT_COMMITTER_DATE: options.date }
  return git.text(['commit-tree', requireRevision(options.tree), ...parents, '-F', '-'], { input: options.message, env: dates })
}

/**
 * Returns the root tree of a revision with one file added or replaced; no index and no working tree is touched.
 *
 * @throws VT_GIT when the revision names no tree
 */
export async function withFile(git: Git, treeish: string, path: string, content: string): Promise<string> {
  const blob = await git.text(['hash-object', '-w', '--no-filters', '--stdin'], { input: content })
  const put = async (tree: string | undefined, [name = '', ...rest]: readonly string[]): Promise<string> => {
    const lines = tree === undefined ? [] : await git.fields(['ls-tree', '-z', tree])
    const there = lines.find((line) => nameOf(line) === name)
    const below = there?.startsWith('040000 tree ') ? idOf(there) : undefined
    const entry = rest.length === 0 ? `100644 blob ${blob}\t${name}` : `040000 tree ${await put(below, rest)}\t${name}`
    return makeTree(git, [...lines.filter((line) => line !== there), entry])
  }
  const root = await rootTree(git, treeish)
  return put(root, path.split('/'))
}

/** Returns the paths that differ between two trees or commits, in git's order, renames as a deletion and an addition. */
export async function changedPaths(git: Git, from: string, to: string): Promise<ChangedPath[]> {
  const flags = ['-r', '-z', '--raw', '--no-renames', '--no-abbrev', '--ignore-submodules=none']
  return parseRawDiff(await git.text(['diff-tree', ...flags, requireRevision(from), requireRevision(to)]))
}

/** Returns the changes that a `--raw -z --no-renames --no-abbrev` diff prints. */
export function parseRawDiff(output: string): ChangedPath[] {
  const fields = output.split('\0')
  const changes: ChangedPath[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [oldMode, mode, oldBlob, blob, status] = (fields[at] as string).slice(1).split(' ')
    if (status === undefined) throw new ValuetrainError('VT_GIT', 'a raw diff of git could not be read', { kind: 'internal' })
    changes.push({
      status: status.charAt(0) as ChangedPath['status'],
      path: fields[at + 1] as string,
      mode: mode as string,
      blob: blob as string,
      oldMode: oldMode as string,
      oldBlob: oldBlob as string,
    })
  }
  return changes
}

async function makeTree(git: Git, lines: readonly string[]): Promise<string> {
  // A submodule's commit is not in this object store; a blob that a partial clone left out may not be, either.
  return git.text(['mktree', '-z', '--missing'], { input: lines.map((line) => `${line}\0`).join('') })
}

/** Returns the lines of `ls-tree -z` for a tree, read without a process of its own where that can be. */
async function linesOf(git: Git, tree: string): Promise<string[]> {
  const found = await git.objects?.read(tree)
  if (found === undefined || found === 'missing' || found.type !== 'tree')
    return git.fields(['ls-tree', '-z', '--full-tree', tree])
  const idBytes = found.id.length / 2
  const lines: string[] = []
  // `<mode> <name>NUL<id>` each; the mode of a folder has no leading zero here.
  for (let at = 0; at < found.content.length; ) {
    const end = found.content.indexOf(0, at)
    const [mode = '', ...name] = found.content.toString('utf8', at, end).split(' ')
    const id = found.content.toString('hex', end + 1, end + 1 + idBytes)
    const type = mode === '40000' ? 'tree' : mode === '160000' ? 'commit' : 'blob'
    lines.push(`${mode.padStart(6, '0')} ${type} ${id}\t${name.join(' ')}`)
    at = end + 1 + idBytes
  }
  return lines
}

function idOf(line: string): string {
  return line.slice(0, line.indexOf('\t')).split(' ')[2] as string
}

function nameOf(line: string): string {
  return line.slice(line.indexOf('\t') + 1)
}
