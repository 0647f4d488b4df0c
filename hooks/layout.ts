import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import type { Git } from '../core/git.ts'
import type { Repository } from '../core/repository.ts'

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

/** Tools that bring hooks of their own. */
export interface HookTools {
  husky: boolean
  lefthook: boolean
  /** pre-commit and prek, which read the same file. */
  preCommit: boolean
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

/** Returns which other tools a working tree names. */
export async function hookToolsOf(root: string): Promise<HookTools> {
  const has = (...names: string[]) => names.some((name) => existsSync(join(root, name)))
  const manifest = await readFile(join(root, 'package.json'), 'utf8').catch(() => '{}')
  return {
    husky: has('.husky') || namesHusky(manifest),
    lefthook: has('lefthook.yml', 'lefthook.yaml', '.lefthook.yml', '.lefthook.yaml', 'lefthook.toml', 'lefthook.json'),
    preCommit: has('.pre-commit-config.yaml', '.pre-commit-config.yml', 'prek.toml'),
  }
}

/** Returns the folder of a clone in which the dispatcher, its program and its manifest lie. */
export function hookHome(repository: Pick<Repository, 'stateDir'>): string {
  return join(repository.stateDir, 'hooks')
}

function namesHusky(manifest: string): boolean {
  try {
    const { dependencies, devDependencies } = JSON.parse(manifest) as Record<string, Record<string, unknown> | undefined>
    return dependencies?.husky !== undefined || devDependencies?.husky !== undefined
  } catch {
    return false
  }
}
