import { posix } from 'node:path'
import { ValuetrainError } from './errors.ts'
import type { Git } from './git.ts'
import type { Answer, GitObject, Objects } from './objects.ts'
import { requireRevision } from './refs.ts'
import { parseTree } from './tree-entries.ts'

/** A file of a tree. */
export interface ListedFile {
  /** Object of its content; of where it leads to, for a link. */
  id: string
  isLink: boolean
}

/** What lies where in a tree. Paths are clean: no `.`, no slash at the end, and `''` for the root. */
export interface Listing {
  /** Returns a file, or the link above it that is on the way, each with its place. */
  find(path: string): Promise<(ListedFile & { place: string }) | undefined>
  /** Returns the names of files and links directly in a folder. */
  filesIn(folder: string): Promise<string[]>
  foldersIn(folder: string): Promise<string[]>
}

/**
 * Returns the listing of a revision: folder by folder as they are asked for where objects are read without a process each, so
 * that it does not matter how much else there is; else the whole tree in one call of git.
 *
 * @throws VT_REVISION when there is no such revision
 */
export async function openListing(git: Git, rev: string): Promise<Listing> {
  const root = await rootOf(git.objects, requireRevision(rev))
  if (root === 'missing') throw unknown(rev)
  return git.objects && root ? walking(git, git.objects, root.id) : whole(git, rev)
}

/** A name of the shape `<revision>:<folder>` takes no `^{tree}`, so it is looked up first. */
async function rootOf(objects: Objects | undefined, rev: string): Promise<Answer<GitObject>> {
  const found = await objects?.look(rev)
  return typeof found === 'object' && found.type !== 'tree' ? objects?.look(`${found.id}^{tree}`) : found
}

/** Returns the folders directly in a folder of a revision, by name, with the ids of their trees; none when it is not there. */
export async function listFolders(git: Git, rev: string, folder: string): Promise<Map<string, string>> {
  const name = `${requireRevision(rev)}:${folder}`
  const found = await git.objects?.read(name)
  if (found === 'missing') return new Map()
  if (found?.type === 'tree') {
    const entries = parseTree(found.content, found.id.length / 2).filter(({ mode }) => mode === '40000')
    return new Map(entries.map((entry) => [entry.name, entry.id]))
  }
  const lines = (await git.run(['ls-tree', '-z', name], { okExit: [0, 128] })).stdout.split('\0')
  return new Map(
    lines.flatMap((line) => {
      const [, id, entry] = /^040000 tree ([0-9a-f]+)\t(.+)$/s.exec(line) ?? []
      return id === undefined || entry === undefined ? [] : [[entry, id] as const]
    }),
  )
}

interface Entry extends ListedFile {
  kind: 'file' | 'folder' | 'other'
}

type Folder = ReadonlyMap<string, Entry>

function walking(git: Git, objects: Objects, root: string): Listing {
  const read = new Map<string, Promise<Folder>>()
  const folderOf = (id: string) => {
    const folder = read.get(id) ?? readFolder(git, objects, id)
    read.set(id, folder)
    return folder
  }
  const folderAt = async (path: string): Promise<Folder | undefined> => {
    let id = root
    for (const name of partsOf(path)) {
      const entry = (await folderOf(id)).get(name)
      if (entry?.kind !== 'folder') return undefined
      id = entry.id
    }
    return folderOf(id)
  }
  const names = async (path: string, kind: Entry['kind']) =>
    [...((await folderAt(path)) ?? [])].flatMap(([name, entry]) => (entry.kind === kind ? [name] : []))
  return {
    async find(path) {
      let id = root
      const parts = partsOf(path)
      for (const [at, name] of parts.entries()) {
        const entry = (await folderOf(id)).get(name)
        if (entry?.kind === 'file') {
          const isThere = at === parts.length - 1 || entry.isLink
          return isThere ? { id: entry.id, isLink: entry.isLink, place: parts.slice(0, at + 1).join('/') } : undefined
        }
        if (entry?.kind !== 'folder') return undefined
        id = entry.id
      }
      return undefined
    },
    filesIn: (folder) => names(folder, 'file'),
    foldersIn: (folder) => names(folder, 'folder'),
  }
}

async function readFolder(git: Git, objects: Objects, id: string): Promise<Folder> {
  const found = await objects.read(id)
  const content = typeof found === 'object' && found.type === 'tree' ? found.content : await git.bytes(['cat-file', 'tree', id])
  const folder = new Map<string, Entry>()
  for (const { mode, name, id: object } of parseTree(content, id.length / 2)) {
    const kind = mode === '40000' ? 'folder' : mode === '160000' ? 'other' : 'file'
    folder.set(name, { id: object, kind, isLink: mode === '120000' })
  }
  return folder
}

async function whole(git: Git, rev: string): Promise<Listing> {
  const result = await git.run(['ls-tree', '-r', '-z', '--full-tree', requireRevision(rev)], { okExit: [0, 128] })
  if (result.code !== 0) throw unknown(rev)
  const files = new Map<string, ListedFile>()
  const [filesIn, foldersIn] = [new Map<string, Set<string>>(), new Map<string, Set<string>>()]
  for (const line of result.stdout.split('\0')) {
    const tab = line.indexOf('\t')
    const [mode, type, id] = line.slice(0, tab).split(' ')
    if (tab < 0 || type !== 'blob') continue
    const path = line.slice(tab + 1)
    files.set(path, { id: id as string, isLink: mode === '120000' })
    note(filesIn, foldersIn, path)
  }
  return {
    async find(path) {
      const place = files.has(path) ? path : linkOnTheWay(files, path)
      const file = place === undefined ? undefined : files.get(place)
      return place === undefined || file === undefined ? undefined : { ...file, place }
    },
    filesIn: async (folder) => [...(filesIn.get(folder) ?? [])],
    foldersIn: async (folder) => [...(foldersIn.get(folder) ?? [])],
  }
}

function note(filesIn: Map<string, Set<string>>, foldersIn: Map<string, Set<string>>, path: string): void {
  let parent = parentOf(path)
  add(filesIn, parent, posix.basename(path))
  while (parent !== '') {
    const above = parentOf(parent)
    if (!add(foldersIn, above, posix.basename(parent))) return
    parent = above
  }
}

function add(map: Map<string, Set<string>>, key: string, name: string): boolean {
  const names = map.get(key) ?? new Set()
  map.set(key, names)
  const isNew = !names.has(name)
  names.add(name)
  return isNew
}

/** Returns the folder above a path that is a link. */
function linkOnTheWay(files: ReadonlyMap<string, ListedFile>, path: string): string | undefined {
  let above = parentOf(path)
  while (above !== '' && !files.has(above)) above = parentOf(above)
  return files.get(above)?.isLink ? above : undefined
}

function parentOf(path: string): string {
  const parent = posix.dirname(path)
  return parent === '.' ? '' : parent
}

function partsOf(path: string): string[] {
  return path === '' ? [] : path.split('/')
}

function unknown(rev: string): ValuetrainError {
  return new ValuetrainError('VT_REVISION', `there is no revision ${rev.slice(0, 100)} in this repository`, {
    kind: 'environment',
    hint: 'fetch it, or name another one',
  })
}
