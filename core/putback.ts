import { readdir, rmdir, unlink } from 'node:fs/promises'
import type { Capture } from './capture.ts'
import { ValuetrainError } from './errors.ts'
import { fileError } from './files.ts'
import type { Git } from './git.ts'
import { type Found, observe, type RawPath, rawBelow, shown } from './leftovers.ts'

/**
 * Makes a checkout equal its HEAD commit, given a capture of its present state that is safely kept. Just before a path
 * is touched its marks are compared with the capture's; at the first difference everything stops.
 *
 * @param alsoKept whether captured ignored files go, too
 * @throws VT_CHANGED_MEANWHILE
 */
export async function putBack(
  git: Git,
  capture: Capture,
  { alsoKept }: { alsoKept: boolean },
): Promise<{ restored: string[]; deleted: string[] }> {
  const { changed, gone, staged, unmerged, untracked, kept, nested } = capture.leftovers
  const doomed = [...untracked, ...(alsoKept ? kept : [])]
  for (const found of doomed) await deleteUnchanged(git.dir, found)
  for (const folder of nested) await dropEmptyBelow(rawBelow(git.dir, folder.replace(/\/$/, '')))
  await dropEmptyParents(
    git.dir,
    doomed.map(({ path }) => path),
  )
  const wasDoomed = new Set(doomed.map(({ path }) => path))
  for (const found of changed) if (!wasDoomed.has(found.path)) await requireUnchanged(git.dir, found)
  const paths = [...new Set([...changed.map(({ path }) => path), ...gone, ...staged, ...unmerged.map(({ path }) => path)])]
  await restorePaths(git, paths)
  await dropOperation(git)
  return { restored: paths.map(shown).sort(), deleted: doomed.map(({ path }) => shown(path)).sort() }
}

async function deleteUnchanged(dir: string, found: Found): Promise<void> {
  await requireUnchanged(dir, found)
  await unlink(rawBelow(dir, found.path)).catch((cause) => {
    throw fileError(cause, 'deleted', shown(found.path))
  })
}

async function requireUnchanged(dir: string, found: Found): Promise<void> {
  const now = await observe(dir, found.path)
  if (now?.mark === found.mark && now.mode === found.mode) return
  throw new ValuetrainError('VT_CHANGED_MEANWHILE', `${JSON.stringify(shown(found.path))} changed while it was being put back`, {
    kind: 'environment',
    hint: 'see what is writing there, then run the command again; what was there before is in the rescue ref',
    details: { paths: [shown(found.path)] },
  })
}

async function restorePaths(git: Git, paths: readonly RawPath[]): Promise<void> {
  if (paths.length === 0) return
  const flags = ['--source=HEAD', '--staged', '--worktree', '--pathspec-from-file=-', '--pathspec-file-nul']
  const input = Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1')
  await git.run(['--literal-pathspecs', 'restore', ...flags], { input })
}

/** A merge, pick or revert under way would leak into the next commit; its commit is kept by the rescue. */
async function dropOperation(git: Git): Promise<void> {
  for (const [name, command] of [
    ['MERGE_HEAD', 'merge'],
    ['CHERRY_PICK_HEAD', 'cherry-pick'],
    ['REVERT_HEAD', 'revert'],
  ] as const) {
    if (await git.succeeds(['rev-parse', '--verify', '--quiet', name])) await git.run([command, '--quit'])
  }
}

async function dropEmptyParents(dir: string, paths: readonly RawPath[]): Promise<void> {
  const folders = new Set<RawPath>()
  for (const path of paths) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) folders.add(path.slice(0, end))
  }
  const deepestFirst = [...folders].sort((a, b) => b.split('/').length - a.split('/').length)
  for (const folder of deepestFirst) await dropIfEmpty(rawBelow(dir, folder))
}

async function dropEmptyBelow(folder: Buffer): Promise<void> {
  const entries = await readdir(folder, { encoding: 'buffer', withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (entry.isDirectory()) await dropEmptyBelow(Buffer.concat([folder, Buffer.from('/'), entry.name as unknown as Buffer]))
  }
  await dropIfEmpty(folder)
}

async function dropIfEmpty(folder: Buffer): Promise<void> {
  await rmdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(cause.code ?? '')) throw cause
  })
}
