import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { TurnRequest } from '../../core/contracts/runtime.ts'
import { openGit } from '../../core/git.ts'
import { fingerprintOf } from './fingerprint.ts'

/** What a worktree was before an agent had it. */
export interface Traces {
  /**
   * Tells what is different, or that nothing is; `spoilt` says what an agent must not do and this one did. Locks of git that the
   * agent left are moved out of the way, under names that say so: all its processes have ended by now.
   */
  compare(): Promise<{ changed: boolean; spoilt?: string }>
}

/** Looks at a worktree before a turn: files, staged or not, the branch and its commit. Git runs nothing of the worktree. */
export async function openTraces({ cwd, turn }: Pick<TurnRequest, 'cwd' | 'turn'>, env: NodeJS.ProcessEnv): Promise<Traces> {
  const git = openGit(cwd, env)
  const look = async () => {
    const [files, branch, place] = await Promise.all([
      fingerprintOf(git, [], ''),
      git.text(['symbolic-ref', '--quiet', 'HEAD']),
      git.text(['rev-parse', '--absolute-git-dir', 'HEAD']),
    ])
    // The folder's name may hold any character, the commit none.
    const end = place.lastIndexOf('\n')
    return { files, branch, folder: place.slice(0, end), commit: place.slice(end + 1) }
  }
  const before = await look()
  const locks = async () => (await readdir(before.folder).catch(() => [])).filter((name) => name.endsWith('.lock'))
  const earlier = new Set(await locks())
  return {
    async compare() {
      for (const name of await locks()) {
        if (!earlier.has(name))
          await rename(join(before.folder, name), join(before.folder, `${name}.left-${turn}`)).catch(() => {})
      }
      const after = await look().catch((error: unknown) => error as Error)
      if (after instanceof Error) return { changed: true, spoilt: 'its worktree is no longer one that git can read' }
      if (after.branch !== before.branch) return { changed: true, spoilt: 'it switched the branch of its worktree' }
      if (after.commit !== before.commit) return { changed: true, spoilt: 'it committed by itself' }
      return { changed: after.files !== before.files }
    },
  }
}
