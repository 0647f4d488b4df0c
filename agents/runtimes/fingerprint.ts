import { copyFile, mkdtemp, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '../../core/canonical.ts'
import type { Git } from '../../core/git.ts'

/**
 * Returns a digest of everything in a worktree that is not ignored, committed or not: equal digests, equal content. The index is
 * copied and only the copy is written, so whatever is staged stays as it is.
 *
 * @param except folders that do not count, repository paths ending with a slash
 * @param more text that counts besides
 */
export async function fingerprintOf(git: Git, except: readonly string[], more: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vt-index-'))
  try {
    const index = join(folder, 'index')
    const real = await git.text(['rev-parse', '--path-format=absolute', '--git-path', 'index'])
    await copyIndex(real, index)
    const env = { GIT_INDEX_FILE: index }
    await git.run(['add', '--all', '--', '.'], { env })
    const entries = await git.fields(['ls-files', '--stage', '-z'], { env })
    const counted = entries.filter((entry) => !except.some((prefix) => entry.slice(entry.indexOf('\t') + 1).startsWith(prefix)))
    return sha256(`${counted.join('\0')}\0\0${more}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The copy keeps git's notes on what it has read already. It also has to keep the time: a file as old as the index is read again,
 * since it may have changed in the same second, and a copy that looks newer would hide such a change.
 */
async function copyIndex(from: string, to: string): Promise<void> {
  const found = await stat(from).catch(() => undefined)
  // Without an index all files are read.
  if (found === undefined) return
  await copyFile(from, to)
  await utimes(to, found.atime, found.mtime)
}
