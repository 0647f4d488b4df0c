import { join } from 'node:path'
import { systemClock } from './clock.ts'
import { withLock } from './lock.ts'

/**
 * Runs what must not run beside a `git worktree add` of another process of ours: any git command that makes, removes
 * or looks at all worktrees dies when it reads the half-written record of one that is just being added
 * ("failed to read .git/worktrees/…/commondir", git 2.39 to 2.55). Keep it short; files are written outside.
 */
export function alone<T>(repo: { stateDir: string }, fn: () => Promise<T>): Promise<T> {
  return withLock(join(repo.stateDir, 'locks', 'worktrees'), fn, { waitMs: 300_000, clock: systemClock })
}
