import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** File in `dist/` that says which sources it was built from. */
export const STAMP = '.stamp'

/** Folders whose TypeScript is compiled and whose other files are copied beside it. */
export const FOLDERS = [
  'core',
  'modes',
  'templates',
  'forge',
  'sessions',
  'gates',
  'conductor',
  'agents',
  'hooks',
  'training',
  'hub',
  'bin',
]
/** Folders that are copied whole, TypeScript included: they are matter, not engine. */
const MATTER = ['examples', 'templates/files']
const SETTINGS = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
  'scripts/hook-bundle.mjs',
  'scripts/sources.mjs',
]
const SKIPPED = new Set(['node_modules', '.git', 'dist', '.DS_Store', 'coverage'])

/** Returns the files that are copied to `dist/` as they are, sorted, as paths from the root. */
export async function assets(root) {
  const files = new Set()
  for (const folder of MATTER) for (const file of await list(root, folder)) files.add(file)
  for (const folder of FOLDERS) {
    for (const file of await list(root, folder)) {
      // bin/*.js are the shims; they stay where the package's `bin` names them.
      if (!file.endsWith('.ts') && !/^bin\/[^/]+\.js$/.test(file)) files.add(file)
    }
  }
  return [...files].sort()
}

/** Returns a digest over everything the build reads; equal digests build equal trees. */
export async function sourceDigest(root) {
  const files = new Set(SETTINGS)
  for (const name of await readdir(root)) if (name.endsWith('.ts')) files.add(name)
  for (const folder of [...FOLDERS, ...MATTER]) for (const file of await list(root, folder)) files.add(file)
  const hash = createHash('sha256')
  for (const file of [...files].sort()) {
    const content = await readFile(join(root, file)).catch(() => undefined)
    if (content !== undefined) hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

async function list(root, folder) {
  const entries = await readdir(join(root, folder), { withFileTypes: true, recursive: true }).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath ?? entry.path, entry.name)
        .slice(root.length)
        .replaceAll('\\', '/')
        .replace(/^\//, ''),
    )
    .filter((file) => !file.split('/').some((part) => SKIPPED.has(part)))
}
