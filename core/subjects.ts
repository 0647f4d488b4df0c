import { createHash } from 'node:crypto'
import { ValuetrainError } from './errors.ts'
import type { Git } from './git.ts'
import { requireRevision } from './refs.ts'
import { parseTree, type TreeEntry } from './tree-entries.ts'

/** Folders under `.valuetrain` that hold the record of the work and are no part of what is judged. */
const RECORDS = new Set(['tickets', 'issues'])

/**
 * Returns the subject trees of many commits: what `subjectTree` says of each, by commit, in three calls of git whatever
 * their number. The smaller trees are only named, not written into the object store.
 *
 * @throws VT_GIT when one of them names no tree
 */
export async function subjectTrees(git: Git, commits: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (commits.length === 0) return new Map()
  const input = commits.map((commit) => `${requireRevision(commit)}^{tree}\n`).join('')
  const listed = (await git.text(['cat-file', '--batch-check=%(objectname)'], { input })).split('\n')
  const roots = new Map(commits.map((commit, index) => [commit, idOf(listed[index], commit)]))
  const contents = await readTrees(git, [...new Set(roots.values())])
  const folders = [...contents].flatMap(([, entries]) => folderOf(entries)?.id ?? [])
  const inner = await readTrees(git, [...new Set(folders)])
  const subjects = new Map([...contents].map(([root, entries]) => [root, without(root, entries, inner)]))
  return new Map([...roots].map(([commit, root]) => [commit, subjects.get(root) as string]))
}

function without(root: string, entries: readonly TreeEntry[], inner: ReadonlyMap<string, readonly TreeEntry[]>): string {
  const folder = folderOf(entries)
  const inside = folder === undefined ? [] : (inner.get(folder.id) ?? [])
  const kept = inside.filter(({ name }) => !RECORDS.has(name))
  if (folder === undefined || kept.length === inside.length) return root
  const rest = entries.flatMap((entry) => {
    if (entry !== folder) return [entry.bytes]
    if (kept.length === 0) return []
    const id = treeId(
      kept.map(({ bytes }) => bytes),
      root.length,
    )
    return [Buffer.concat([entry.bytes.subarray(0, entry.bytes.length - id.length / 2), Buffer.from(id, 'hex')])]
  })
  return treeId(rest, root.length)
}

function folderOf(entries: readonly TreeEntry[]): TreeEntry | undefined {
  return entries.find(({ name, bytes }) => name === '.valuetrain' && bytes.subarray(0, 6).toString('latin1') === '40000 ')
}

/** The id git would give a tree of these entries, in the repository's own hash. */
function treeId(entries: readonly Buffer[], digits: number): string {
  const content = Buffer.concat(entries)
  const hash = createHash(digits === 64 ? 'sha256' : 'sha1')
  return hash.update(`tree ${content.length}\0`).update(content).digest('hex')
}

async function readTrees(git: Git, ids: readonly string[]): Promise<Map<string, TreeEntry[]>> {
  const trees = new Map<string, TreeEntry[]>()
  if (ids.length === 0) return trees
  const output = await git.bytes(['cat-file', '--batch'], { input: ids.map((id) => `${id}\n`).join('') })
  let at = 0
  for (const id of ids) {
    const end = output.indexOf(0x0a, at)
    const [, type, size] = output.subarray(at, end).toString('latin1').split(' ')
    if (type !== 'tree') throw unreadable(id)
    trees.set(id, parseTree(output.subarray(end + 1, end + 1 + Number(size)), id.length / 2))
    at = end + 1 + Number(size) + 1
  }
  return trees
}

function idOf(line: string | undefined, commit: string): string {
  if (line !== undefined && /^[0-9a-f]+$/.test(line)) return line
  throw unreadable(commit)
}

function unreadable(name: string): ValuetrainError {
  return new ValuetrainError('VT_GIT', `${name.slice(0, 80)} names no tree of this repository`, {
    kind: 'environment',
    hint: 'fetch the whole history, then run the command again',
  })
}
