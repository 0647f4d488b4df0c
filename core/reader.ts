import { readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { readBlobs } from './blobs.ts'
import type { FileReader } from './contracts/method.ts'
import { ValuetrainError } from './errors.ts'
import { fileError, resolveInside } from './files.ts'
import type { Git } from './git.ts'
import { type Listing, openListing } from './listing.ts'

/** A reader that can also tell which folders there are. */
export interface TreeReader extends FileReader {
  /** Returns the names of the folders directly in a folder, sorted; empty when there is none. */
  folders(folder: string): Promise<string[]>
}

/**
 * Returns a reader of one revision. What lies where is looked up once; reads asked for at the same moment are one call of git at
 * most, and no blob is read twice. A link, to a file or on the way to it, is followed within the tree; but none is that stands in
 * `.valuetrain` outside of artifacts, since whoever watches those files for changes would not see the one behind it.
 *
 * @param rev a commit, branch or tree; it is looked up at the first read and not again
 * @throws VT_REVISION at the first read when there is no such revision; VT_OUTSIDE for a link that leaves the tree;
 *   VT_LINK for a link where none may be
 */
export function readerAt(git: Git, rev: string): TreeReader {
  let listing: Promise<Listing> | undefined
  const listed = () => {
    listing ??= openListing(git, rev)
    return listing
  }
  const blobs = blobReader(git)
  return {
    source: rev,
    async read(path) {
      const tree = await listed()
      let at = clean(path)
      for (let hops = 0; hops <= 10; hops++) {
        const file = await tree.find(at)
        if (file === undefined) return undefined
        const { place } = file
        const content = (await blobs(file.id))?.toString('utf8')
        if (content === undefined || !file.isLink) return content
        if (RULES.test(place)) throw mayNotBeLink(place, rev)
        at = posix.normalize(posix.join(posix.dirname(place), content, at.slice(place.length)))
        if (content.startsWith('/') || at.startsWith('..')) throw leaves(path, rev)
      }
      throw leaves(path, rev)
    },
    list: async (folder) => (await (await listed()).filesIn(clean(folder))).sort(),
    folders: async (folder) => (await (await listed()).foldersIn(clean(folder))).sort(),
  }
}

/**
 * Returns a reader of a folder as it lies on the disk.
 *
 * @throws VT_OUTSIDE when a path, or a link on the way, leaves the folder
 */
export function readerOf(dir: string): TreeReader {
  const entries = async (folder: string, wanted: 'file' | 'folder') => {
    try {
      const found = await readdir(await resolveInside(dir, clean(folder) || '.'), { withFileTypes: true })
      return found
        .filter((entry) => (wanted === 'folder' ? entry.isDirectory() : entry.isFile() || entry.isSymbolicLink()))
        .map((entry) => entry.name)
        .sort()
    } catch (cause) {
      if (isAbsent(cause)) return []
      throw fileError(cause, 'read', join(dir, folder))
    }
  }
  return {
    source: dir,
    async read(path) {
      try {
        return await readFile(await resolveInside(dir, clean(path)), 'utf8')
      } catch (cause) {
        if (isAbsent(cause)) return undefined
        throw fileError(cause, 'read', join(dir, path))
      }
    },
    list: (folder) => entries(folder, 'file'),
    folders: (folder) => entries(folder, 'folder'),
  }
}

/** Collects the ids asked for in one turn of the event loop and reads them together. */
function blobReader(git: Git): (id: string) => Promise<Buffer | undefined> {
  const cache = new Map<string, Promise<Buffer | undefined>>()
  let waiting: { ids: string[]; contents: Promise<(Buffer | undefined)[]> } | undefined
  return (id) => {
    const cached = cache.get(id)
    if (cached) return cached
    if (!waiting) {
      const ids: string[] = []
      const contents = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        waiting = undefined
        return readBlobs(git, ids)
      })
      waiting = { ids, contents }
    }
    const place = waiting.ids.push(id) - 1
    const content = waiting.contents.then((all) => all[place])
    cache.set(id, content)
    return content
  }
}

function clean(path: string): string {
  const normal = posix.normalize(path).replace(/^\.\/|\/$/g, '')
  return normal === '.' ? '' : normal
}

function isAbsent(cause: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes((cause as NodeJS.ErrnoException)?.code ?? '')
}

/** Rules and records, which are held to what they were; artifacts are results, and those are whatever they lead to. */
const RULES = /^\.valuetrain(?:$|\/(?!tickets\/[^/]+\/artifacts\/))/

function mayNotBeLink(path: string, rev: string): ValuetrainError {
  return new ValuetrainError('VT_LINK', `${path} is a link at ${rev.slice(0, 40)}`, {
    kind: 'config',
    hint: 'commit the file itself: rules and records are compared as they stand in .valuetrain, and a link hides a change',
  })
}

function leaves(path: string, rev: string): ValuetrainError {
  return new ValuetrainError('VT_OUTSIDE', `the link ${path} at ${rev.slice(0, 40)} leaves the tree`, {
    hint: 'commit the file itself, or a link to a file of this repository',
  })
}
