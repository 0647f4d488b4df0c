import { copyFile, lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../core/canonical.ts'
import { openDisposable } from '../core/disposable.ts'
import { ValuetrainError } from '../core/errors.ts'
import { fileError, resolveInside } from '../core/files.ts'
import type { Git } from '../core/git.ts'
import { runProcess } from '../core/process.ts'
import type { Repository } from '../core/repository.ts'
import { type ChangedPath, changedPaths, readBlobs } from '../core/tree.ts'
import { stagedChanges } from './staged.ts'
import { writeWithMode } from './write.ts'

/** What fixing is told. */
export interface FixRequest {
  /** Absolute; top of the worktree. */
  top: string
  /** Absolute; the worktree's own git directory. */
  gitDir: string
  /** Programs and arguments, run one after another in a checkout of what is staged. */
  commands: readonly (readonly string[])[]
  env: Readonly<Record<string, string>>
  /** Milliseconds for each command. */
  limitMs: number
}

/** What was fixed. */
export interface Fixed {
  /** Staged paths whose content was changed, in the index and in the working tree. */
  fixed: string[]
  /** Staged paths that a command would change, but whose unstaged changes stand in the way; they stay as they are. */
  left: string[]
}

/**
 * Runs fixers over what is staged, and nothing else: in a checkout of the staged tree, so that unstaged and untracked work is out
 * of their reach. What they change in staged files is brought into the index, and into the working tree by a three-way merge
 * where that differs. The index is replaced in one step under git's own lock.
 *
 * @throws VT_FIX_FAILED when a command fails; VT_INDEX_HELD when git works on the index; VT_CHANGED_MEANWHILE when the
 *   index changed while fixers ran. Then nothing is changed
 */
export async function fixStaged(repository: Repository, request: FixRequest): Promise<Fixed> {
  const git = repository.git.at(request.top)
  const staged = (await stagedChanges(git)).filter(({ status }) => status !== 'D')
  if (staged.length === 0) return { fixed: [], left: [] }
  const index = join(request.gitDir, 'index')
  const seen = sha256(await readFile(index))
  const scratch = join(repository.stateDir, `fix-${seen.slice(0, 16)}`)
  await mkdir(repository.stateDir, { recursive: true })
  try {
    await copyFile(index, scratch)
    const own = { GIT_INDEX_FILE: scratch }
    const tree = await git.text(['write-tree'], { env: own })
    const changes = await runFixers(repository, tree, staged, request)
    const plan = await planWrites(git, request.top, changes)
    const ready = plan.filter(({ text }) => text !== undefined)
    if (ready.length > 0) {
      const input = ready.map(({ path, mode, blob }) => `${mode} ${blob}\t${path}\0`).join('')
      await git.run(['update-index', '-z', '--index-info'], { env: own, input })
      await apply(request, ready, { index, seen, scratch })
    }
    const paths = (part: readonly Write[]) => part.map(({ path }) => path).sort()
    return { fixed: paths(ready), left: paths(plan.filter(({ text }) => text === undefined)) }
  } finally {
    await rm(scratch, { force: true })
  }
}

/** Returns what the fixers make of the staged files. */
async function runFixers(
  repository: Repository,
  tree: string,
  staged: readonly ChangedPath[],
  { commands, env, limitMs }: FixRequest,
): Promise<ChangedPath[]> {
  const dates = { GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' }
  const commit = await repository.git.text(['commit-tree', tree, '-m', 'Staged'], { env: { ...WHO, ...dates } })
  const place = await openDisposable(repository, { root: join(repository.stateDir, 'fixes'), commit })
  try {
    for (const argv of commands) {
      const { exit, timedOut, outputTail } = await runProcess(argv, {
        cwd: place.dir,
        env,
        limits: { totalMs: limitMs, outputBytes: 20_000 },
      })
      if (exit === 0) continue
      const how = timedOut ? `did not end within ${limitMs / 1000} s` : `ended with ${exit}`
      throw new ValuetrainError('VT_FIX_FAILED', `${argv.join(' ').slice(0, 200)} ${how}`, {
        kind: 'gate',
        hint: outputTail.trim().split('\n').at(-1)?.slice(0, 300) ?? 'run it by hand',
      })
    }
    const there = repository.git.at(place.dir)
    await there.run(['add', '--update', '--', '.'])
    const after = await there.text(['write-tree'])
    const wanted = new Set(staged.map(({ path }) => path))
    return (await changedPaths(there, tree, after)).filter(({ path, status }) => status === 'M' && wanted.has(path))
  } finally {
    await place.close()
  }
}

const WHO = {
  GIT_AUTHOR_NAME: 'Value Train',
  GIT_AUTHOR_EMAIL: 'fix@valuetrain.invalid',
  GIT_COMMITTER_NAME: 'Value Train',
  GIT_COMMITTER_EMAIL: 'fix@valuetrain.invalid',
}

interface Write extends ChangedPath {
  /** What the file in the working tree becomes; undefined where unstaged changes are in the way. */
  text: Buffer | undefined
  /** SHA-256 of what it was when this was planned. */
  was: string
}

async function planWrites(git: Git, top: string, changes: readonly ChangedPath[]): Promise<Write[]> {
  const contents = await readBlobs(
    git,
    changes.flatMap(({ oldBlob, blob }) => [oldBlob, blob]),
  )
  return Promise.all(
    changes.map(async (change, at): Promise<Write> => {
      const before = contents[at * 2] as Buffer
      const after = contents[at * 2 + 1] as Buffer
      const file = await resolveInside(top, change.path)
      const now = (await lstat(file).catch(() => undefined))?.isFile() ? await readFile(file) : undefined
      if (now === undefined) return { ...change, text: undefined, was: '' }
      const text = now.equals(before) ? after : await merged(git, now, before, after)
      return { ...change, text, was: sha256(now) }
    }),
  )
}

/** Brings a fix into a file that has unstaged changes, too; undefined when both changed the same lines. */
async function merged(git: Git, now: Buffer, before: Buffer, after: Buffer): Promise<Buffer | undefined> {
  const write = async (content: Buffer) => git.text(['hash-object', '-w', '--stdin'], { input: content })
  const [ours, base, theirs] = await Promise.all([write(now), write(before), write(after)])
  // As trees of one file, which needs neither an index nor files.
  const commitOf = async (blob: string, parents: readonly string[]) => {
    const tree = await git.text(['mktree'], { input: `100644 blob ${blob}\tfile\n` })
    return git.text(['commit-tree', tree, '-m', 'x', ...parents.flatMap((parent) => ['-p', parent])], { env: WHO })
  }
  const root = await commitOf(base, [])
  const [one, other] = [await commitOf(ours, [root]), await commitOf(theirs, [root])]
  const answer = await git.run(['merge-tree', '--write-tree', '--no-messages', one, other], { okExit: [0, 1] })
  if (answer.code !== 0) return undefined
  return git.bytes(['cat-file', 'blob', `${answer.stdout.trim()}:file`])
}

/** Writes the files and puts the new index in the place of the old one, by git's own protocol for that. */
async function apply(
  { top }: FixRequest,
  writes: readonly Write[],
  { index, seen, scratch }: { index: string; seen: string; scratch: string },
): Promise<void> {
  const lock = `${index}.lock`
  const handle = await open(lock, 'wx').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw fileError(cause, 'written', lock)
    throw new ValuetrainError('VT_INDEX_HELD', 'another git process holds the index', {
      kind: 'environment',
      hint: 'wait for it and run this again; nothing was changed',
    })
  })
  try {
    if (sha256(await readFile(index)) !== seen) throw changedMeanwhile('the index')
    for (const { path, was } of writes) {
      if (sha256(await readFile(await resolveInside(top, path))) !== was) throw changedMeanwhile(path)
    }
    await handle.writeFile(await readFile(scratch))
    await handle.sync()
    await handle.close()
    for (const { path, text } of writes) {
      await writeWithMode(await resolveInside(top, path), text as Buffer)
    }
    await rename(lock, index)
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(lock, { force: true })
    throw error
  }
}

function changedMeanwhile(what: string): ValuetrainError {
  return new ValuetrainError('VT_CHANGED_MEANWHILE', `${what} changed while fixers ran`, {
    kind: 'environment',
    hint: 'run this again; nothing was changed',
  })
}
