import type { FileReader } from '../core/contracts/method.ts'
import { type PlannedFile, readAsset } from './plan.ts'

/** Where the container file lies in a repository. */
export const CONTAINER_FILE = '.valuetrain/container/Containerfile'

/**
 * Returns the file of a container in which a jail can be built, for machines that have none. One that is there is kept.
 *
 * @param version of the package that it installs
 */
export async function containerFile(version: string, reader: FileReader): Promise<PlannedFile> {
  if ((await reader.read(CONTAINER_FILE)) !== undefined) return { path: CONTAINER_FILE, action: 'keep', why: 'is there' }
  const content = (await readAsset('container/Containerfile')).replaceAll('{{version}}', version)
  return { path: CONTAINER_FILE, action: 'create', content, why: 'a container with a jail, for machines that have none' }
}
