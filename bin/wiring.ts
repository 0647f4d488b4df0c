import type { Config } from '../core/config.ts'
import type { FileReader, Method } from '../core/contracts/method.ts'
import type { Repository } from '../core/repository.ts'
import type { Context } from './context.ts'

/** A repository as it lies in its main working tree, for commands that read or write files there. */
export interface Here {
  repository: Repository
  /** Reads the main working tree; in a bare repository the commit HEAD names. */
  reader: FileReader
  config: Config
  /** Whether there is a configuration file. */
  found: boolean
}

/**
 * Opens the repository a command was called in, with the configuration of its working tree.
 *
 * @throws VT_NO_REPOSITORY; VT_YAML or VT_CONFIG when the file is wrong
 */
export async function openHere(context: Context): Promise<Here> {
  const [{ openRepository }, { readerAt, readerOf }, { readConfig }] = await Promise.all([
    import('../core/repository.ts'),
    import('../core/reader.ts'),
    import('../core/config.ts'),
  ])
  const repository = await openRepository(context.cwd, context.env)
  const reader = repository.root === null ? readerAt(repository.git, 'HEAD') : readerOf(repository.root)
  return { repository, reader, ...(await readConfig(reader)) }
}

/**
 * Returns the methodology that holds where a command was called: built-in, with the repository's overrides; outside
 * a repository the built-in one.
 */
export async function methodHere(context: Context): Promise<Method> {
  const { loadMethod } = await import('../modes/index.ts')
  const { reader, config } = await openHere(context).catch(nothingWithoutRepository)
  return loadMethod(reader, config)
}

async function nothingWithoutRepository(error: unknown): Promise<{ reader: FileReader; config: Config }> {
  if ((error as { code?: unknown }).code !== 'VT_NO_REPOSITORY') throw error
  const { defaultConfig } = await import('../core/config.ts')
  return { reader: { source: 'nothing', read: async () => undefined, list: async () => [] }, config: defaultConfig() }
}
