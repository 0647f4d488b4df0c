import { open, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { sha256 } from '../core/canonical.ts'
import { ValuetrainError } from '../core/errors.ts'
import { fileError, writeAtomically } from '../core/files.ts'
import { parseSegment } from './segment.ts'

/** What was set aside: the data of a LINE_SET_ASIDE event but for its actor. */
export interface TornLine {
  segment: string
  bytes: number
  digest: string
  /** Name of the file that keeps it, in the ticket's folder. */
  kept: string
}

/**
 * Moves what a crash left behind the last whole entry of a session file into `<file>.torn-<first 8 digits of its
 * SHA-256>` beside it, and cuts it off the session file. Safe to repeat after a crash of its own: the copy is on the disk
 * before anything is cut.
 *
 * @param folder absolute; the ticket's folder
 * @param segmentFile the session file's name, or any path that ends with it
 * @throws VT_SESSION_NOT_TORN when the file ends with a whole entry
 */
export async function setAsideTorn(folder: string, segmentFile: string): Promise<TornLine> {
  const name = basename(segmentFile)
  const file = join(folder, name)
  const content = await readFile(file).catch((cause) => {
    throw fileError(cause, 'read', file)
  })
  const text = content.toString('utf8')
  const segment = parseSegment(text, name)
  if (!segment.torn) {
    throw new ValuetrainError('VT_SESSION_NOT_TORN', `${name} ends with a whole entry`, { kind: 'internal' })
  }
  // Counted from the front: a character cut in half has another length when it is read as text.
  const keep = Buffer.byteLength(text.slice(0, text.length - segment.torn.text.length))
  const tail = content.subarray(keep)
  const digest = sha256(tail)
  const kept = `${name}.torn-${digest.slice(0, 8)}`
  await writeAtomically(join(folder, kept), tail)
  await truncate(file, keep)
  return { segment: segment.header.segment, bytes: tail.length, digest, kept }
}

async function truncate(file: string, bytes: number): Promise<void> {
  try {
    const handle = await open(file, 'r+')
    try {
      await handle.truncate(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw fileError(cause, 'written', file)
  }
}
