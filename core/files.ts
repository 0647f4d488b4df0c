import { randomBytes } from 'node:crypto'
import { lstat, mkdir, open, readlink, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { ValuetrainError } from './errors.ts'

/**
 * Replaces a file's content as one step: a reader sees the old text or the new one, never a part, and after a
 * power cut one of the two is there. Missing folders are made.
 *
 * @throws VT_READ_ONLY, VT_DISK_FULL or VT_FILE
 */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  await replaceBy(file, (draft) => writeSynced(draft, content, 'wx'))
  await syncFolder(dirname(file))
}

/**
 * The same without waiting for the disk: for notes about running processes, which a power cut ends as well.
 *
 * @throws VT_READ_ONLY, VT_DISK_FULL or VT_FILE
 */
export async function writeNote(file: string, content: string): Promise<void> {
  await replaceBy(file, (draft) => writeFile(draft, content, { flag: 'wx' }))
}

/**
 * Appends to a file and returns only when the bytes are on the disk. The file and its folders are made when missing.
 *
 * @throws VT_READ_ONLY, VT_DISK_FULL or VT_FILE
 */
export async function appendDurably(file: string, content: string | Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    const isNew = await writeSynced(file, content, 'a')
    if (isNew) await syncFolder(dirname(file))
  } catch (cause) {
    throw fileError(cause, 'written', file)
  }
}

/**
 * Returns the real absolute path that `path` names from `root`, whether or not it exists yet. Symbolic links are
 * followed, dangling ones too, so a write to the answer cannot leave the folder.
 *
 * @param root an existing folder
 * @throws VT_OUTSIDE when the path, or a link on the way, leaves the folder
 */
export async function resolveInside(root: string, path: string): Promise<string> {
  const home = await realpath(root)
  const target = await followLinks(resolve(home, path))
  if (isInside(home, target)) return target
  throw new ValuetrainError('VT_OUTSIDE', `path ${JSON.stringify(path.slice(0, 200))} leaves its folder`, {
    hint: 'name a path inside the folder; links that lead out of it are not followed',
    details: { path: path.slice(0, 200) },
  })
}

/** Tells whether a path is the folder itself or below it. Both absolute; links are not looked at. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

/**
 * Returns a file system failure as an error of ours, which names the path and what to do; anything else as it is.
 *
 * @param done what could not be done, as a participle: "written", "read", "made"
 */
export function fileError(cause: unknown, done: string, path: string): unknown {
  const code = (cause as NodeJS.ErrnoException)?.code
  if (cause instanceof ValuetrainError || typeof code !== 'string') return cause
  const options = { kind: 'environment' as const, cause, details: { path, code } }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ValuetrainError('VT_DISK_FULL', `${path} could not be ${done}: the disk is full`, {
      ...options,
      hint: 'make room and run the same command again; nothing was lost',
    })
  }
  if (['EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'EEXIST'].includes(code)) {
    return new ValuetrainError('VT_READ_ONLY', `${path} could not be ${done} (${code})`, {
      ...options,
      hint: 'make the folder writable for this user, or choose another place in the configuration',
    })
  }
  if (code === 'ENOENT' && done === 'read') {
    return new ValuetrainError('VT_FILE', `${path} could not be read: there is no such file`, {
      ...options,
      hint: 'name one that is there, by a path from the folder that the command runs in',
    })
  }
  return new ValuetrainError('VT_FILE', `${path} could not be ${done} (${code})`, options)
}

async function replaceBy(file: string, write: (draft: string) => Promise<unknown>): Promise<void> {
  const draft = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(dirname(file), { recursive: true })
    await write(draft)
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    throw fileError(cause, 'written', file)
  }
}

async function writeSynced(file: string, content: string | Uint8Array, flag: 'a' | 'wx'): Promise<boolean> {
  const handle = await open(file, flag)
  try {
    const isNew = (await handle.stat()).size === 0
    await handle.writeFile(content)
    await handle.sync()
    return isNew
  } finally {
    await handle.close()
  }
}

/** A new name in a folder is durable only when the folder is flushed, too; some file systems cannot and say so. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (cause) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
  } finally {
    await handle.close()
  }
}

async function followLinks(path: string, hops = 0): Promise<string> {
  try {
    return await realpath(path)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || hops > 40) throw fileError(cause, 'read', path)
  }
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSymbolicLink()) return followLinks(resolve(dirname(path), await readlink(path)), hops + 1)
  return dirname(path) === path ? path : join(await followLinks(dirname(path), hops), basename(path))
}
