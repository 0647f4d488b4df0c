import { readBlobs } from '../core/blobs.ts'
import type { Git } from '../core/git.ts'
import { type ChangedPath, parseRawDiff } from '../core/tree.ts'

/** A file that a change brings: what it was, and what it is. */
export interface ChangedFile extends ChangedPath {
  /** Bytes of the new content. */
  bytes: number
  /** Undefined when the file is gone, is no file, or is too large to be read. */
  content: Buffer | undefined
  /** The same of the content before. */
  before: Buffer | undefined
}

const RAW = ['-r', '--raw', '-z', '--no-renames', '--no-abbrev', '--ignore-submodules=none']

/** Returns what is staged, against HEAD; before the first commit against nothing. The index is only read. */
export async function stagedChanges(git: Git): Promise<ChangedPath[]> {
  const args = (against: string) => ['diff-index', '--cached', ...RAW.slice(1), against]
  const found = await git.run(args('HEAD'), { okExit: [0, 128] })
  if (found.code === 0) return parseRawDiff(found.stdout)
  const empty = await git.text(['hash-object', '-t', 'tree', '--stdin'])
  return parseRawDiff(await git.text(args(empty)))
}

/**
 * Returns changes with their contents, sizes first, so that a file of gigabytes is never read.
 *
 * @param maxBytes of one file, above which it is not read
 */
export async function filesOf(git: Git, changes: readonly ChangedPath[], maxBytes: number): Promise<ChangedFile[]> {
  const isFile = (mode: string) => mode.startsWith('100') || mode === '120000'
  const ids = new Set(
    changes.flatMap(({ mode, blob, oldMode, oldBlob }) => [
      ...(isFile(mode) ? [blob] : []),
      ...(isFile(oldMode) ? [oldBlob] : []),
    ]),
  )
  const sizes = await sizesOf(git, [...ids])
  const small = [...ids].filter((id) => (sizes.get(id) ?? 0) <= maxBytes)
  const contents = await readBlobs(git, small)
  const content = new Map(small.map((id, index) => [id, contents[index]]))
  return changes.map((change) => ({
    ...change,
    bytes: sizes.get(change.blob) ?? 0,
    content: content.get(change.blob),
    before: content.get(change.oldBlob),
  }))
}

/** Returns the sizes of objects, by id; those that are not here are left out. */
export async function sizesOf(git: Git, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const input = ids.map((id) => `${id}\n`).join('')
  const lines = (await git.text(['cat-file', '--batch-check=%(objectname) %(objectsize)'], { input })).split('\n')
  return new Map(
    lines.flatMap((line) => {
      const [id = '', size = ''] = line.split(' ')
      return /^\d+$/.test(size) ? [[id, Number(size)] as const] : []
    }),
  )
}
