import { lstat, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ValuetrainError } from './errors.ts'
import type { Git } from './git.ts'

/** A checkout that is held to what it was while foreign programs run in it. */
export interface Pin {
  /**
   * Calls git on this checkout by the git directory it was opened with, whatever its `.git` says by now; puts that file back
   * where it was changed.
   *
   * @throws VT_OUTSIDE when another folder, or a link to one, stands where the checkout was: then git would work there
   */
  run(args: readonly string[]): Promise<void>
}

/**
 * Pins a linked worktree before anything of the change has run in it. A program that runs there can make a link of the folder,
 * or a pointer to another repository of its `.git`, and the next call of ours would write over somebody's work.
 *
 * @param dir absolute
 */
export async function pinCheckout(git: Git, dir: string): Promise<Pin> {
  const at = git.at(dir)
  const gitDir = await at.text(['rev-parse', '--absolute-git-dir'])
  const file = join(dir, '.git')
  const [folder, pointer] = await Promise.all([identityOf(dir), readFile(file, 'utf8')])
  return {
    async run(args) {
      if ((await identityOf(dir)) !== folder) {
        throw new ValuetrainError('VT_OUTSIDE', 'the checkout was moved away or replaced by what ran in it', {
          kind: 'environment',
          hint: 'look at what the gate before does; the checkout is not used any more',
        })
      }
      if (!(await isSame(file, pointer))) {
        await rm(file, { recursive: true, force: true })
        await writeFile(file, pointer)
      }
      await at.run(args, { env: { GIT_DIR: gitDir, GIT_WORK_TREE: dir } })
    },
  }
}

/** A link has an identity of its own, so that one is never taken for the folder it leads to. */
async function identityOf(path: string): Promise<string> {
  const found = await lstat(path).catch(() => undefined)
  return found?.isDirectory() ? `${found.dev} ${found.ino}` : 'none'
}

async function isSame(file: string, text: string): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined)
  return found?.isFile() === true && (await readFile(file, 'utf8')) === text
}
