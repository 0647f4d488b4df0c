import { defaultConfig } from '../../core/config.ts'
import type { Method } from '../../core/contracts/method.ts'
import { loadMethod } from '../../modes/index.ts'
import { readerOfFiles } from '../support/reader.ts'

/** Returns the methodology of a repository that has only these files. */
export function methodOf(files: Readonly<Record<string, string>> = {}, extensionModes: readonly string[] = []): Promise<Method> {
  const config = defaultConfig()
  return loadMethod(readerOfFiles(files), { extensions: { ...config.extensions, modes: [...extensionModes] } })
}
