import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../core/canonical.ts'
import { writeAtomically } from '../core/files.ts'

/** A file that installing wrote. */
export interface WrittenFile {
  /** Absolute. */
  path: string
  /** SHA-256 of what we wrote; a file that differs since is somebody's, and stays. */
  digest: string
  /** Where the hook that stood there before was moved to, in the same folder. */
  chained?: string
  /** The text we added at the end of a file of the user's; the rest of the file is theirs. */
  added?: string
  /** Whether we made the file, so that it goes when nothing but our text is left. */
  isNew?: boolean
}

/** A setting that installing changed. */
export interface ChangedSetting {
  key: string
  scope: 'local' | 'worktree'
  /** Absolute folder git is called in, since a worktree has settings of its own. */
  dir: string
  before: string | null
  after: string
}

/** What was installed, so that it can be looked at, renewed and taken away. */
export interface Manifest {
  v: 1
  mode: 'native' | 'husky'
  node: string
  /** SHA-256 of the program that was copied. */
  program: string
  chain: string
  conventional: boolean
  /** Absolute folders that were made and go again when they are empty. */
  folders: string[]
  files: WrittenFile[]
  settings: ChangedSetting[]
}

/** Returns what is installed in a clone, undefined when nothing is. */
export async function readManifest(home: string): Promise<Manifest | undefined> {
  const text = await readFile(join(home, 'manifest.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const manifest = JSON.parse(text) as Manifest
    return manifest.v === 1 && Array.isArray(manifest.files) ? manifest : undefined
  } catch {
    return undefined
  }
}

/** Notes what is being installed before it is, so that an interrupted installation can be taken away, too. */
export async function writeManifest(home: string, manifest: Manifest): Promise<void> {
  await writeAtomically(join(home, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Returns the SHA-256 of a file, undefined when it is not there. */
export async function digestOfFile(path: string): Promise<string | undefined> {
  return readFile(path).then(sha256, () => undefined)
}
