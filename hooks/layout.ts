import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Repository } from '../core/repository.ts'

export { type HookPath, hookPathOf } from '../core/hook-path.ts'

/** Tools that bring hooks of their own. */
export interface HookTools {
  husky: boolean
  lefthook: boolean
  /** pre-commit and prek, which read the same file. */
  preCommit: boolean
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
