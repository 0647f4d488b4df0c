import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Git } from '../core/git.ts'
import { changedPaths } from '../core/tree.ts'

/** A working tree that has the default branch checked out. */
export interface Checkout {
  git: Git
  /** What a person is in the middle of there, if anything: a merge, a rebase… */
  busy: string | undefined
}

/** Returns the checkout of a branch, or undefined when no worktree has it (one whose folder is gone counts as none). */
export async function checkoutOf(git: Git, branch: string): Promise<Checkout | undefined> {
  const listed = await git.text(['worktree', 'list', '--porcelain', '-z'])
  for (const record of listed.split('\0\0')) {
    const lines = record.split('\0')
    const dir = lines.find((line) => line.startsWith('worktree '))?.slice('worktree '.length)
    if (dir === undefined || lines.some((line) => line === 'bare' || line.startsWith('prunable'))) continue
    const at = git.at(dir)
    if (lines.includes(`branch refs/heads/${branch}`)) return { git: at, busy: await unfinished(at, `refs/heads/${branch}`) }
    // During a rebase the branch reads as detached and yet is spoken for.
    if (lines.includes('detached') && (await rebased(at)) === `refs/heads/${branch}`) return { git: at, busy: 'a rebase' }
  }
  return undefined
}

/**
 * Returns the paths with uncommitted work that a fast-forward would have to write, sorted: staged, unstaged, untracked and
 * ignored ones, and files where the change needs a folder or the other way round. Reads only.
 */
export async function pathsInTheWay(checkout: Git, from: string, to: string): Promise<string[]> {
  const changed = (await changedPaths(checkout, from, to)).map((change) => change.path)
  const dirty = await dirtyPaths(checkout)
  const inTheWay = new Set(dirty.filter((path) => changed.some((other) => overlaps(path, other))))
  const tracked = new Set(await checkout.fields(['ls-files', '-z']))
  for (const path of changed) {
    const found = tracked.has(path) ? undefined : await untrackedAt(checkout.dir, path, tracked)
    if (found !== undefined) inTheWay.add(found)
  }
  return [...inTheWay].sort()
}

async function dirtyPaths(checkout: Git): Promise<string[]> {
  const status = await checkout.fields([
    'status',
    '--porcelain=v1',
    '-z',
    '--no-renames',
    '--untracked-files=all',
    '--ignore-submodules=none',
  ])
  return status.map((line) => line.slice(3).replace(/\/$/, ''))
}

function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)
}

/** Ignored files are in no status, and git takes them for expendable; to their owner they are not. */
async function untrackedAt(root: string, path: string, tracked: ReadonlySet<string>): Promise<string | undefined> {
  const parts = path.split('/')
  for (let depth = 1; depth <= parts.length; depth++) {
    const part = parts.slice(0, depth).join('/')
    const found = await lstat(join(root, part)).catch(() => undefined)
    if (found === undefined) return undefined
    if (!found.isDirectory()) return tracked.has(part) ? undefined : part
  }
  return undefined
}

async function unfinished(git: Git, ref: string): Promise<string | undefined> {
  if (await git.succeeds(['rev-parse', '--verify', '--quiet', 'MERGE_HEAD'])) return 'a merge'
  if (await git.succeeds(['rev-parse', '--verify', '--quiet', 'CHERRY_PICK_HEAD'])) return 'a cherry-pick'
  if (await git.succeeds(['rev-parse', '--verify', '--quiet', 'REVERT_HEAD'])) return 'a revert'
  return (await rebased(git)) === ref ? 'a rebase' : undefined
}

async function rebased(git: Git): Promise<string | undefined> {
  const [merge, apply] = (
    await git.text([
      'rev-parse',
      '--path-format=absolute',
      '--git-path',
      'rebase-merge/head-name',
      '--git-path',
      'rebase-apply/head-name',
    ])
  ).split('\n')
  for (const file of [merge, apply]) {
    const name = await readFile(file as string, 'utf8').catch(() => undefined)
    if (name !== undefined) return name.trim()
  }
  return undefined
}
