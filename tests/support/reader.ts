import type { FileReader } from '../../core/contracts/method.ts'

/** Returns a reader of files that are only in memory, by repository path. */
export function readerOfFiles(files: Readonly<Record<string, string>>): FileReader {
  return {
    source: 'memory',
    read: async (path) => files[path],
    async list(folder) {
      const prefix = folder === '.' || folder === '' ? '' : `${folder}/`
      const below = Object.keys(files).filter((path) => path.startsWith(prefix))
      return below
        .map((path) => path.slice(prefix.length))
        .filter((name) => !name.includes('/'))
        .sort()
    },
  }
}
