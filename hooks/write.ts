import { randomBytes } from 'node:crypto'
import { chmod, lstat, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError } from '../core/files.ts'

/**
 * Replaces a file in one step, so that git finds the old one or the new one, with its mode from the first moment.
 *
 * @param mode as the file has it already, else 0o644, unless told
 * @throws VT_READ_ONLY, VT_DISK_FULL or VT_FILE
 */
export async function writeWithMode(file: string, content: string | Uint8Array, mode?: number): Promise<void> {
  const kept = mode ?? ((await lstat(file).catch(() => undefined))?.mode ?? 0o644) & 0o777
  const draft = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(draft, content, { flag: 'wx', mode: kept })
    await chmod(draft, kept)
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    throw fileError(cause, 'written', file)
  }
}
