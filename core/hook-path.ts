import { isAbsolute, join, resolve } from 'node:path'
import type { Git } from './git.ts'

/** Where a setting comes from, as git names it. */
export type Scope = 'command' | 'worktree' | 'local' | 'global' | 'system'

/** How git finds hooks in one worktree. */
export interface HookPath {
  /** The setting as written; undefined when git looks in the common hooks directory. */
  value: string | undefined
  scope: Scope | undefined
  /** Absolute folder that git looks in. */
  folder: string
}

/** Returns where git looks for hooks in a worktree. */
export async function hookPathOf(git: Git, top: string, commonDir: string): Promise<HookPath> {
  // Our own calls of git switch hooks off by this very setting, so its files are asked for, not its value.
  const listed = await git.run(['config', '--show-scope', '--get-all', 'core.hooksPath'], { okExit: [0, 1], hooks: true })
  const last = listed.stdout.split('\n').findLast((line) => line !== '')
  const [scope, ...rest] = (last ?? '').split('\t')
  const value = rest.join('\t')
  if (last === undefined || value === '') return { value: undefined, scope: undefined, folder: join(commonDir, 'hooks') }
  const expanded = value.startsWith('~')
    ? await git.text(['config', '--type=path', '--get', 'core.hooksPath'], { hooks: true })
    : value
  return { value, scope: scope as Scope, folder: isAbsolute(expanded) ? expanded : resolve(top, expanded) }
}
