import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HookRecord } from './contracts/hook.ts'
import { fileError } from './files.ts'

/** A record as it lies in a git directory; `record` is undefined when the file holds none. */
export interface HookFile {
  /** Absolute. */
  file: string
  record: HookRecord | undefined
}

/** Returns the folder of a worktree's own git directory into which hooks and operators drop files. */
export function hookInbox(gitDir: string): string {
  return join(gitDir, 'valuetrain', 'inbox')
}

/**
 * Writes one record into a worktree's own git directory.
 *
 * @param id a ULID, so that records sort by time and never meet
 * @throws VT_READ_ONLY, VT_DISK_FULL or VT_FILE
 */
export async function dropHookRecord(gitDir: string, id: string, record: HookRecord): Promise<void> {
  const folder = hookInbox(gitDir)
  const file = join(folder, `hook-${id}.json`)
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(`${file}.part`, `${JSON.stringify(record)}\n`, { flag: 'wx' })
    await rename(`${file}.part`, file)
  } catch (cause) {
    throw fileError(cause, 'written', file)
  }
}

/**
 * Returns the records of a worktree, oldest first. Their form is only looked at; whoever acts on one checks it with the
 * schema.
 */
export async function readHookRecords(gitDir: string): Promise<HookFile[]> {
  const folder = hookInbox(gitDir)
  const names = (await readdir(folder).catch(() => [])).filter((name) => /^hook-[0-9A-Z]{26}\.json$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const file = join(folder, name)
      const text = await readFile(file, 'utf8').catch(() => '')
      return { file, record: recordIn(text) }
    }),
  )
}

function recordIn(text: string): HookRecord | undefined {
  try {
    const value = JSON.parse(text) as HookRecord
    const whole = value.v === 1 && typeof value.hook === 'string' && typeof value.finding?.rule === 'string'
    return whole ? value : undefined
  } catch {
    return undefined
  }
}
