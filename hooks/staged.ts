import { readSync, statSync } from 'node:fs'
import { join } from 'node:path'
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

/**
 * Returns what is staged as the dispatcher's own diff says it, which it passes on so that the index is read once; undefined when
 * it passes none on. The patch behind it is not read.
 *
 * @param descriptor of standard input
 */
export function toldChanges(descriptor: number): ChangedPath[] | undefined {
  const lines = firstLines(descriptor)
  if (lines.length === 0) return undefined
  const changes = lines.map(changeIn)
  return changes.every((change) => change !== undefined) ? changes : undefined
}

/** Reads the lines that begin with a colon; what follows may be megabytes. */
function firstLines(descriptor: number): string[] {
  const chunk = Buffer.alloc(65_536)
  let text = Buffer.alloc(0)
  try {
    for (;;) {
      const read = readSync(descriptor, chunk)
      text = Buffer.concat([text, chunk.subarray(0, read)])
      const lines = text.toString('utf8').split('\n')
      const end = lines.findIndex((line) => !line.startsWith(':'))
      if (end >= 0 && end < lines.length - 1) return lines.slice(0, end)
      if (read === 0) return []
    }
  } catch {
    // A terminal, or nothing at all: called by hand.
    return []
  }
}

/** @see git-diff-index(1), raw output format; paths with unusual characters stand in quotes, as C writes them */
function changeIn(line: string): ChangedPath | undefined {
  const [, oldMode, mode, oldBlob, blob, status, path] = RAW_LINE.exec(line) ?? []
  if (path === undefined) return undefined
  const name = path.startsWith('"') ? unquoted(path) : path
  if (name === undefined) return undefined
  return {
    status: status as ChangedPath['status'],
    path: name,
    mode: mode as string,
    blob: blob as string,
    oldMode: oldMode as string,
    oldBlob: oldBlob as string,
  }
}

const RAW_LINE = /^:([0-7]{6}) ([0-7]{6}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ([AMDT])\t(.+)$/
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
}

function unquoted(path: string): string | undefined {
  const [, inner] = /^"((?:[^"\\]|\\(?:[abtnvfr"\\]|[0-7]{3}))*)"$/.exec(path) ?? []
  return inner?.replace(/\\(?:([0-7]{3})|(.))/g, (_, octal?: string, letter = '') =>
    octal === undefined ? (ESCAPES[letter] as string) : String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

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
 * @param objects folder of the object store: what lies there by itself and is small needs no asking for its size
 */
export async function filesOf(
  git: Git,
  changes: readonly ChangedPath[],
  maxBytes: number,
  objects?: string,
): Promise<ChangedFile[]> {
  const isFile = (mode: string) => mode.startsWith('100') || mode === '120000'
  const ids = new Set(
    changes.flatMap(({ mode, blob, oldMode, oldBlob }) => [
      ...(isFile(mode) ? [blob] : []),
      ...(isFile(oldMode) ? [oldBlob] : []),
    ]),
  )
  const isLight = objects !== undefined && weightOf(objects, [...ids]) <= LIGHT
  const asked = isLight ? undefined : await sizesOf(git, [...ids])
  const small = [...ids].filter((id) => (asked?.get(id) ?? 0) <= maxBytes)
  const contents = await readBlobs(git, small)
  const content = new Map(small.map((id, index) => [id, contents[index]]))
  return changes.map((change) => ({
    ...change,
    bytes: asked?.get(change.blob) ?? content.get(change.blob)?.length ?? 0,
    content: content.get(change.blob),
    before: content.get(change.oldBlob),
  }))
}

/** Compressed bytes up to which everything is simply read: a thousandfold is the most that zlib can make of them. */
const LIGHT = 100_000

/** Returns how many bytes loose objects take together; endless when one of them lies in a pack or nowhere. */
function weightOf(objects: string, ids: readonly string[]): number {
  let bytes = 0
  for (const id of ids) {
    const file = statSync(join(objects, id.slice(0, 2), id.slice(2)), { throwIfNoEntry: false })
    bytes += file?.size ?? Number.POSITIVE_INFINITY
  }
  return bytes
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
