import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from './clock.ts'
import { ValuetrainError } from './errors.ts'
import { writeNote } from './files.ts'
import { fateOf, type ProcessIdentity } from './identity.ts'
import { ownIdentity } from './lock.ts'

/** Lies in a worktree's git directory from its registration until its files are all written. */
const MARKER = 'valuetrain-opening'

/** Notes that this process is about to write a new worktree's files. */
export async function beginOpening(gitDir: string): Promise<void> {
  await writeNote(join(gitDir, MARKER), JSON.stringify(await ownIdentity()))
}

/** Notes that a worktree's files are complete: from now on it may hold somebody's work. */
export async function endOpening(gitDir: string): Promise<void> {
  await rm(join(gitDir, MARKER), { force: true })
}

/**
 * Tells whether a worktree's files were never completely written, because the process that began died; nobody was
 * given such a worktree. Waits while another process is still at it.
 *
 * @throws VT_WORKTREE_IN_THE_WAY when that takes longer than a minute
 */
export async function isHalfOpened(gitDir: string, dir: string): Promise<boolean> {
  for (let round = 0; round < 600; round++) {
    const text = await readFile(join(gitDir, MARKER), 'utf8').catch(() => undefined)
    if (text === undefined) return isUntouched(gitDir, dir)
    if ((await fateOf(JSON.parse(text) as ProcessIdentity)) === 'gone') return true
    await systemClock.sleep(100)
  }
  throw new ValuetrainError('VT_WORKTREE_IN_THE_WAY', `the worktree ${dir} is still being opened by another process`, {
    kind: 'environment',
    hint: 'wait for it, then run the command again',
  })
}

/** Died between registration and marker: no index yet, and nothing in the folder but git's own link. */
async function isUntouched(gitDir: string, dir: string): Promise<boolean> {
  const hasIndex = (await readdir(gitDir)).includes('index')
  return !hasIndex && (await readdir(dir)).every((name) => name === '.git')
}
