import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openGit } from '../core/git.ts'
import type { Context } from './context.ts'

/** Returns the absolute path of the bundled program that hooks start, and of the Node to start it with. */
export function hookProgram(): { program: string; node: string } {
  const beside = fileURLToPath(new URL('./hook.cjs', import.meta.url))
  // From source, the built one of the same package.
  const built = fileURLToPath(new URL('../dist/bin/hook.cjs', import.meta.url))
  return { program: existsSync(beside) ? beside : built, node: process.execPath }
}

/** Returns the git directory of the worktree a command was called in. */
export async function ownGitDir({ cwd, env }: Pick<Context, 'cwd' | 'env'>): Promise<string> {
  return openGit(cwd, env).text(['rev-parse', '--absolute-git-dir'])
}
