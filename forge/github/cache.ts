import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../core/canonical.ts'
import { writeNote } from '../../core/files.ts'

/** An answer that may be asked for again with its tag: as long as nothing changed, that costs nothing of the limit. */
export interface Kept {
  etag: string
  data: unknown
  /** Address of the next page. */
  next?: string
}

/** Answers of the forge by address. A cache and nothing else: deleting its folder changes no result. */
export interface AnswerCache {
  read(key: string): Promise<Kept | undefined>
  write(key: string, kept: Kept): Promise<void>
}

const MOST_FILES = 2000
/** Larger answers are not kept; asking for them again is no worse than reading them from here. */
const MOST_BYTES = 2_000_000

/** Opens a cache in a folder of the clone's own state, and lets go of the oldest answers when there are very many. */
export async function openCache(folder: string): Promise<AnswerCache> {
  await thin(folder)
  const memory = new Map<string, Kept>()
  const fileOf = (key: string) => join(folder, `${sha256(key).slice(0, 40)}.json`)
  return {
    async read(key) {
      const known = memory.get(key)
      if (known) return known
      const text = await readFile(fileOf(key), 'utf8').catch(() => undefined)
      const kept = text === undefined ? undefined : parse(text, key)
      if (kept) memory.set(key, kept)
      return kept
    },
    async write(key, kept) {
      memory.set(key, kept)
      const text = JSON.stringify({ v: 1, key, ...kept })
      // A disk that is full or read-only makes the next start slower, nothing else.
      if (text.length <= MOST_BYTES) await writeNote(fileOf(key), text).catch(() => {})
    },
  }
}

function parse(text: string, key: string): Kept | undefined {
  try {
    const { v, key: of, etag, data, next } = JSON.parse(text)
    return v === 1 && of === key && typeof etag === 'string'
      ? { etag, data, ...(typeof next === 'string' ? { next } : {}) }
      : undefined
  } catch {
    return undefined
  }
}

async function thin(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  if (names.length <= MOST_FILES) return
  const files = names.map((name) => join(folder, name))
  const times = await Promise.all(
    files.map(async (file) => ({ file, at: (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 })),
  )
  const oldest = times.sort((a, b) => a.at - b.at).slice(0, names.length - MOST_FILES / 2)
  await Promise.all(oldest.map(({ file }) => rm(file, { force: true })))
}
