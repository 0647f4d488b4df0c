import { CONFIG_FILE, type Config } from '../core/config.ts'
import type { Repository } from '../core/repository.ts'
import type { Context } from './context.ts'

/**
 * Returns the files that define how work is judged and done (configuration, pipelines, modes, roles, extensions,
 * scripts of recipes) and that lie changed or new in the main working tree. They are not used before they are committed.
 */
export async function uncommittedDefinitions(repository: Repository, config: Config): Promise<string[]> {
  if (repository.root === null) return []
  const { gates, runtimes, modes } = config.extensions
  const words = Object.values(config.recipes).flat(2)
  // Only words that are paths of the repository can match; the rest of a recipe's words match nothing.
  const scripts = words.filter((word) => /^[\w.][\w./-]*\.\w+$/.test(word) && !word.includes('..'))
  const paths = [
    CONFIG_FILE,
    '.valuetrain/pipelines',
    '.valuetrain/modes',
    '.valuetrain/roles',
    ...gates,
    ...runtimes,
    ...modes,
    ...scripts,
  ]
  const args = [
    '--literal-pathspecs',
    'status',
    '--porcelain=v1',
    '-z',
    '--untracked-files=all',
    '--no-renames',
    '--',
    ...new Set(paths),
  ]
  const fields = await repository.git.at(repository.root).fields(args)
  return fields.map((field) => field.slice(3)).sort()
}

/** Returns the one line that names them, or undefined when there is none. */
export function tellUncommitted(paths: readonly string[]): string | undefined {
  if (paths.length === 0) return undefined
  const shown = paths.slice(0, 4).join(', ') + (paths.length > 4 ? ` and ${paths.length - 4} more` : '')
  return `note: ${shown} changed and not committed; what is committed is used`
}

/** Says on standard error which uncommitted definitions are not used, if there are any. */
export async function noteUncommitted(context: Context, repository: Repository): Promise<void> {
  const { committedConfig } = await import('../conductor/definitions.ts')
  const line = tellUncommitted(await uncommittedDefinitions(repository, await committedConfig(repository)))
  if (line !== undefined) context.stderr.write(`${line}\n`)
}
