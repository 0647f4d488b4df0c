import { lstat, mkdir, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { alone } from './alone.ts'
import { type Capture, captureCheckout } from './capture.ts'
import { ValuetrainError } from './errors.ts'
import { fileError } from './files.ts'
import { rawBelow, shown } from './leftovers.ts'
import { beginOpening, endOpening, isHalfOpened } from './opening.ts'
import { putBack } from './putback.ts'
import { requireRefName, requireRevision } from './refs.ts'
import type { Repository } from './repository.ts'
import { changedMeanwhile, keepCapture, type Rescue, requireSameState, scratchOf } from './rescue.ts'
import { isAncestor, resolveCommit } from './tree.ts'
import { listWorktrees, type WorktreeEntry } from './worktrees.ts'

export { type Disposable, openDisposable } from './disposable.ts'
export { worktreeRoot } from './repository.ts'
export { listWorktrees, type WorktreeEntry } from './worktrees.ts'

/** A linked worktree in which somebody works; never destroyed before what is in it is safe. */
export interface Worktree {
  /** Absolute. */
  dir: string
  /** Absolute; this worktree's own git directory. */
  gitDir: string
  /** Without `refs/heads/`. */
  branch: string
}

export interface WorktreeRequest {
  /** Folder the worktree is made in; made when missing. */
  root: string
  /** Name of the worktree's folder. */
  name: string
  branch: string
  /** The commit a new branch begins at, and that an existing one must contain. */
  base: string
}

/**
 * Opens a worktree on a branch: makes both, or adopts what an earlier run left of them. Only the short registration
 * is done under a lock; the files are written outside it, so many starts at once do not wait for one another's files.
 *
 * @throws VT_WORKTREE_IN_THE_WAY when the folder is somebody else's; VT_BRANCH_TAKEN when the branch is checked out
 *   elsewhere, has work that does not contain the base, or cannot be made beside another branch; VT_REVISION,
 *   VT_READ_ONLY, VT_DISK_FULL. A failed start leaves neither branch nor folder.
 */
export async function openWorktree(repo: Repository, request: WorktreeRequest): Promise<Worktree> {
  const branch = requireRefName(request.branch)
  if (!/^[A-Za-z0-9][\w.-]*$/.test(request.name)) {
    throw new ValuetrainError('VT_REF_NAME', `"${request.name.slice(0, 80)}" cannot name a worktree`, { kind: 'internal' })
  }
  const base = await resolveCommit(repo.git, request.base)
  if (!base) {
    throw new ValuetrainError('VT_REVISION', `there is no commit ${requireRevision(request.base)}`, { kind: 'environment' })
  }
  const dir = join(await makeRoot(request.root), request.name)
  const registered = await alone(repo, () => register(repo, dir, branch, base))
  const gitDir = await gitDirOf(dir)
  if (registered.isNew || (await isHalfOpened(gitDir, dir))) {
    try {
      // Nobody was ever given this checkout, so files that a killed start left in it may be written over.
      await repo.git.at(dir).run(['read-tree', ...(registered.isNew ? ['-m'] : ['--reset']), '-u', 'HEAD'], CHECKOUT)
      await endOpening(gitDir)
    } catch (cause) {
      if (registered.isNew) await undo(repo, dir, branch, registered.madeBranch ? base : undefined)
      throw cause
    }
  }
  return { dir, gitDir, branch }
}

/**
 * Closes a worktree without destroying anything: uncommitted work goes into a rescue ref, the checkout is put back to
 * its commit, its ignored files go, and then git removes it, not by force. A checkout with submodules, which git
 * removes only by force, is looked at once more first. The branch stays.
 *
 * @param options keep: globs of ignored files that are rescued, too
 * @returns the rescue when there was something to save, and the ignored paths that went with the folder
 * @throws VT_CHANGED_MEANWHILE when something is written while it closes; what is there then stays
 */
export async function closeWorktree(
  repo: Repository,
  worktree: Pick<Worktree, 'dir'>,
  options: { ticket: string; id: string; keep: readonly string[] },
): Promise<{ rescue?: Rescue; ignored: string[] }> {
  const { dir } = worktree
  if (!(await exists(dir))) {
    await alone(repo, () => repo.git.run(['worktree', 'remove', '--', dir]))
    return { ignored: [] }
  }
  const git = repo.git.at(dir)
  const look = () => captureCheckout(git, options.keep, scratchOf(repo))
  const first = await look()
  const rescue = await keepCapture(repo, first, { ...options, why: 'the worktree was closed' })
  if (rescue) {
    const second = await look()
    await requireSameState(repo, second, rescue)
    await putBack(git, second, { alsoKept: true })
  }
  const hasSubmodules = first.leftovers.submodules.length > 0
  if (rescue || hasSubmodules) requireNothingLeft(await look(), first, rescue)
  const ignored = first.leftovers.ignored
  for (const path of ignored) await rm(rawBelow(dir, path.replace(/\/$/, '')), { recursive: true, force: true })
  await alone(repo, () => repo.git.run(['worktree', 'remove', ...(hasSubmodules ? ['--force'] : []), '--', dir])).catch(
    (cause) => {
      throw refusal(cause, rescue)
    },
  )
  return { ignored: ignored.map(shown), ...(rescue ? { rescue } : {}) }
}

/** LFS and other filters of the user's own may take their time on a large checkout. */
const CHECKOUT = { timeoutMs: 1_800_000 }

async function makeRoot(root: string): Promise<string> {
  try {
    await mkdir(root, { recursive: true })
    return await realpath(root)
  } catch (cause) {
    throw fileError(cause, 'made', root)
  }
}

interface Registered {
  isNew: boolean
  madeBranch: boolean
}

async function register(repo: Repository, dir: string, branch: string, base: string): Promise<Registered> {
  const tip = await resolveCommit(repo.git, `refs/heads/${branch}`)
  if (tip !== undefined || (await exists(dir)) || (await hasRecord(repo, dir))) {
    const adopted = await adopt(repo, dir, branch)
    if (adopted) return { isNew: false, madeBranch: false }
  }
  const madeBranch = tip === undefined
  if (!madeBranch) await bringToBase(repo, branch, tip, base)
  const start = madeBranch ? ['--no-track', '-b', branch, '--', dir, base] : ['--', dir, branch]
  try {
    await repo.git.run(['worktree', 'add', '--quiet', '--no-checkout', ...start])
    await beginOpening(await gitDirOf(dir))
  } catch (cause) {
    await discard(repo, dir, branch, madeBranch ? base : undefined)
    throw (madeBranch ? await takenBeside(repo, branch) : undefined) ?? cause
  }
  return { isNew: true, madeBranch }
}

/** Tells whether the folder is already this branch's worktree. Records of worktrees that are gone are dropped. */
async function adopt(repo: Repository, dir: string, branch: string): Promise<boolean> {
  const entries = await listWorktrees(repo)
  for (const entry of entries) {
    if (entry.branch === branch && entry.dir !== dir && (await exists(entry.dir))) throw taken(branch, entry)
  }
  const here = entries.find((entry) => entry.dir === dir)
  if (here && (await exists(dir))) {
    if (here.branch === branch) return true
    throw inTheWay(dir, here.branch === null ? 'it stands on no branch' : `it stands on branch ${here.branch}`)
  }
  if (!here && !(await isFree(dir))) throw inTheWay(dir, 'it is not a worktree of this repository')
  for (const gone of entries) {
    const isOurs = gone.dir === dir || gone.branch === branch
    if (isOurs && !(await exists(gone.dir))) await repo.git.run(['worktree', 'remove', '--', gone.dir])
  }
  return false
}

/** git names the record after the folder, with a number behind it when that name is taken. */
async function hasRecord(repo: Repository, dir: string): Promise<boolean> {
  const names = await readdir(join(repo.commonDir, 'worktrees')).catch(() => [])
  return names.some((name) => name.startsWith(basename(dir)))
}

/** Returns why a branch could not be made, when another one's name is in the way: one is a folder of the other. */
async function takenBeside(repo: Repository, branch: string): Promise<ValuetrainError | undefined> {
  const ref = `refs/heads/${branch}`
  const above = ref.split('/').map((_, end, parts) => parts.slice(0, end).join('/'))
  const names = above.filter((name) => name.startsWith('refs/heads/'))
  const found = (await repo.git.text(['for-each-ref', '--format=%(refname)', '--', ...names, ref])).split('\n')
  const other = found.find((name) => names.includes(name) || name.startsWith(`${ref}/`))?.slice('refs/heads/'.length)
  if (other === undefined) return undefined
  return new ValuetrainError('VT_BRANCH_TAKEN', `branch ${branch} cannot be made beside branch ${other}`, {
    kind: 'environment',
    hint: `rename that one: \`git branch -m ${other} <name>\``,
  })
}

/** A branch that is merely behind, with no work of its own, is moved to the base. @throws VT_BRANCH_TAKEN */
async function bringToBase(repo: Repository, branch: string, tip: string, base: string): Promise<void> {
  if (await isAncestor(repo.git, base, tip)) return
  if (await isAncestor(repo.git, tip, base)) {
    await repo.git.run(['update-ref', '-m', 'valuetrain: bring to the base', `refs/heads/${branch}`, base, tip])
    return
  }
  throw new ValuetrainError('VT_BRANCH_TAKEN', `branch ${branch} exists and does not contain its base ${base.slice(0, 10)}`, {
    kind: 'environment',
    hint: `look at it with \`git log ${branch}\`, then rename it (\`git branch -m ${branch} <name>\`) or rebase it`,
    details: { branch, tip, base },
  })
}

/** Returns the worktree's own git directory, as its link says. */
async function gitDirOf(dir: string): Promise<string> {
  const link = await readFile(join(dir, '.git'), 'utf8')
  return resolve(dir, link.replace(/^gitdir: /, '').trimEnd())
}

/** Takes back a start that failed. Nobody was given the checkout; the branch goes only if it is still where we put it. */
async function undo(repo: Repository, dir: string, branch: string, base: string | undefined): Promise<void> {
  await alone(repo, () => discard(repo, dir, branch, base))
}

async function discard(repo: Repository, dir: string, branch: string, base: string | undefined): Promise<void> {
  await repo.git.run(['worktree', 'remove', '--force', '--', dir], { okExit: [0, 128] })
  if (base) await repo.git.run(['update-ref', '-d', `refs/heads/${branch}`, base], { okExit: [0, 1, 128] })
}

/**
 * The last look before the folder goes: nothing may be left that is not committed, except what stays as it was rescued
 * (submodules, files that the index hides).
 */
function requireNothingLeft(now: Capture, first: Capture, rescue: Rescue | undefined): void {
  const { changed, gone, staged, unmerged, untracked, kept } = now.leftovers
  const left = [...[...changed, ...unmerged, ...untracked, ...kept].map(({ path }) => path), ...gone, ...staged]
  const isSame = now.head === first.head && now.stays === first.stays && now.tips.every((tip) => first.tips.includes(tip))
  if (left.length === 0 && isSame) return
  const hint = rescue ? `what was there before is in ${rescue.ref}` : 'nothing was removed'
  throw changedMeanwhile([...new Set(left.map(shown))], hint)
}

/** git looks once more itself, and its refusal means that something was written in the last moment. */
function refusal(cause: unknown, rescue: Rescue | undefined): unknown {
  const isDirty = cause instanceof ValuetrainError && /contains modified or untracked files/.test(String(cause.details.stderr))
  return isDirty
    ? changedMeanwhile(['the worktree'], rescue ? `what was there before is in ${rescue.ref}` : 'nothing was removed')
    : cause
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}

async function isFree(dir: string): Promise<boolean> {
  if (!(await exists(dir))) return true
  return (await readdir(dir).catch(() => ['?'])).length === 0
}

function taken(branch: string, { dir }: WorktreeEntry): ValuetrainError {
  return new ValuetrainError('VT_BRANCH_TAKEN', `branch ${branch} is checked out in ${dir}`, {
    kind: 'environment',
    hint: `switch that checkout to another branch, or remove it with \`git worktree remove ${dir}\` when you are done there`,
    details: { branch, dir },
  })
}

function inTheWay(dir: string, why: string): ValuetrainError {
  return new ValuetrainError('VT_WORKTREE_IN_THE_WAY', `the folder ${dir} is in the way: ${why}`, {
    kind: 'environment',
    hint: 'move it away, then run the command again; nothing in it was touched',
    details: { dir },
  })
}
