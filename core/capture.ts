import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from './canonical.ts'
import { OBJECT_ID } from './contracts/names.ts'
import { ValuetrainError } from './errors.ts'
import { fileError } from './files.ts'
import type { Git } from './git.ts'
import { type Found, findLeftovers, type Leftovers, type RawPath, rawBelow, shown } from './leftovers.ts'

/** A checkout's whole state as git objects: nothing of it points back at the checkout. */
export interface Capture {
  head: string
  /** Root tree with working tree, untracked and kept files, bytes as they are on the disk (no filters). */
  tree: string
  /** Root tree of the index. */
  indexTree: string
  /** Tree `<stage>/<path>` of a conflict's sides. */
  unmergedTree: string | undefined
  /** Commits that only this checkout holds on to: a detached HEAD, a merge under way, refs of its own. */
  tips: string[]
  submodules: { path: RawPath; git: Git; capture: Capture }[]
  /** Digest of what stays when the rest is put back: hidden files and submodules. */
  stays: string
  leftovers: Leftovers
  /** Whether there is anything here that its branch does not have. */
  isClean: boolean
  /** Digest of all of it; two equal ones mean nothing changed in between. */
  state: string
}

/** A rescue comes before a removal, so its objects have to be on the disk and not only in memory. */
export const DURABLE = ['-c', 'core.fsync=loose-object,reference']

/**
 * Returns everything a checkout holds, written into its object store. Index and working tree stay as they are:
 * the work is done in an index of its own.
 *
 * @param git for the checkout's root
 * @param keep globs of ignored files that are captured, too
 * @param scratch folder for temporary files, made when missing
 */
export async function captureCheckout(git: Git, keep: readonly string[], scratch: string): Promise<Capture> {
  const room = join(scratch, randomUUID())
  await mkdir(room, { recursive: true }).catch((cause) => {
    throw fileError(cause, 'made', room)
  })
  try {
    return await capture(git, keep, room)
  } finally {
    await rm(room, { recursive: true, force: true })
  }
}

async function capture(git: Git, keep: readonly string[], room: string): Promise<Capture> {
  const facts = await git.run(['rev-parse', '--absolute-git-dir', 'HEAD^{commit}', 'HEAD^{tree}'], { okExit: [0, 128] })
  const [gitDir = '', head = '', headTree = ''] = facts.stdout.trimEnd().split('\n')
  if (facts.code !== 0) throw unborn(git.dir)
  const leftovers = await findLeftovers(git, keep)
  const trees = await captureTrees(git, join(gitDir, 'index'), headTree, leftovers, room)
  const submodules = await captureSubmodules(git, leftovers, keep, room)
  const state = {
    head,
    tree: trees.tree,
    indexTree: trees.indexTree,
    unmergedTree: await unmergedTree(git, leftovers, room),
    tips: await looseTips(git, gitDir),
    submodules: submodules.map(({ path, capture }) => [path, capture.state]),
  }
  const isSame =
    state.tree === headTree && state.indexTree === headTree && state.unmergedTree === undefined && state.tips.length === 0
  return {
    ...state,
    submodules,
    leftovers,
    stays: digestOf([trees.hidden, state.submodules]),
    isClean: isSame && submodules.every((sub) => sub.capture.isClean),
    state: digestOf(state),
  }
}

async function captureTrees(git: Git, index: string, headTree: string, leftovers: Leftovers, room: string) {
  const { changed, hidden, untracked, kept, gone, staged, unmerged } = leftovers
  const found = [...changed, ...hidden, ...untracked, ...kept]
  if (found.length + gone.length + staged.length === 0) return { tree: headTree, indexTree: headTree, hidden: [] }
  const env = { GIT_INDEX_FILE: join(room, 'index') }
  await copyIndex(index, env.GIT_INDEX_FILE)
  const conflicted = [...new Set(unmerged.map(({ path }) => path))]
  await updateIndex(git, env, conflicted.map(removal))
  const indexTree = await git.text([...DURABLE, 'write-tree', '--missing-ok'], { env })
  const ids = await writeBlobs(git, found, room)
  await updateIndex(git, env, [
    ...gone.map(removal),
    ...found.map(({ mode, path }, at) => `${mode} ${ids[at]}\t${rescuedName(path)}`),
  ])
  const tree = await git.text([...DURABLE, 'write-tree', '--missing-ok'], { env })
  return { tree, indexTree, hidden: hidden.map(({ path, mode }, at) => [path, mode, ids[changed.length + at]]) }
}

/** `.git` cannot be a name in a tree; the git directory of a repository inside the checkout gets another one. */
export function rescuedName(path: RawPath): RawPath {
  return path
    .split('/')
    .map((part) => (/^\.git$/i.test(part) ? `${part}.rescued` : part))
    .join('/')
}

async function copyIndex(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((cause: NodeJS.ErrnoException) => {
    // No index is an empty one; the copy is then made by the first update.
    if (cause.code !== 'ENOENT') throw fileError(cause, 'read', from)
  })
}

async function updateIndex(git: Git, env: { GIT_INDEX_FILE: string }, lines: readonly string[]): Promise<void> {
  const input = Buffer.from(lines.map((line) => `${line}\0`).join(''), 'latin1')
  const lax = ['-c', 'core.protectNTFS=false', '-c', 'core.protectHFS=false']
  if (lines.length > 0) await git.run([...lax, 'update-index', '-z', '--index-info'], { env, input })
}

function removal(path: RawPath): string {
  return `0 ${'0'.repeat(40)}\t${path}`
}

/** Returns the ids of the files' bytes, written without filters; a link's bytes are where it points. */
async function writeBlobs(git: Git, found: readonly Found[], room: string): Promise<string[]> {
  if (found.length === 0) return []
  const lines: Buffer[] = []
  for (const [at, { path, mode }] of found.entries()) {
    if (mode !== '120000') lines.push(quoted(rawBelow(git.dir, path)))
    else {
      const copy = join(room, `link-${at}`)
      await writeFile(copy, await readlink(rawBelow(git.dir, path), { encoding: 'buffer' }))
      lines.push(quoted(Buffer.from(copy)))
    }
  }
  const args = [...DURABLE, 'hash-object', '-w', '--no-filters', '--stdin-paths']
  return (await git.text(args, { input: Buffer.concat(lines), timeoutMs: 1_800_000 })).split('\n')
}

/** git reads one path a line; a quoted one may hold anything. */
function quoted(path: Buffer): Buffer {
  const escaped = path.toString('latin1').replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')
  return Buffer.from(`"${escaped}"\n`, 'latin1')
}

async function unmergedTree(git: Git, { unmerged }: Leftovers, room: string): Promise<string | undefined> {
  if (unmerged.length === 0) return undefined
  const env = { GIT_INDEX_FILE: join(room, 'unmerged') }
  await updateIndex(
    git,
    env,
    unmerged.map(({ stage, mode, id, path }) => `${mode} ${id}\t${stage}/${path}`),
  )
  return git.text([...DURABLE, 'write-tree', '--missing-ok'], { env })
}

const UNDER_WAY = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'REBASE_HEAD'] as const
const OWN_REFS = ['worktree', 'bisect', 'rewritten'] as const

/** Returns commits that no shared ref may hold on to once this checkout is gone. */
async function looseTips(git: Git, gitDir: string): Promise<string[]> {
  const tips = new Set<string>()
  const textOf = (name: string) => readFile(join(gitDir, name), 'utf8').catch(() => '')
  for (const name of UNDER_WAY) {
    for (const id of (await textOf(name)).split('\n')) if (OBJECT_ID.test(id)) tips.add(id)
  }
  const own: string[] = await readdir(join(gitDir, 'refs')).catch(() => [])
  if (OWN_REFS.some((name) => own.includes(name))) {
    const format = ['for-each-ref', '--format=%(objectname)', '--', ...OWN_REFS.map((name) => `refs/${name}`)]
    for (const id of (await git.text(format)).split('\n')) if (id !== '') tips.add(id)
  }
  const head = (await textOf('HEAD')).trim()
  if (!head.startsWith('ref:')) {
    const holders = ['refs/heads', 'refs/remotes', 'refs/tags']
    const held = await git.text(['for-each-ref', '--count=1', '--contains=HEAD', '--format=%(refname)', ...holders])
    if (held === '') tips.add(head)
  }
  return [...tips].sort()
}

/**
 * A submodule in a linked worktree has its whole git directory there, so besides its files its commits go, too,
 * unless its remote is known to have them.
 */
async function captureSubmodules(git: Git, { submodules }: Leftovers, keep: readonly string[], room: string) {
  const captured: Capture['submodules'] = []
  for (const { path, populated } of submodules) {
    if (!populated) continue
    const inner = git.at(`${git.dir}/${shown(path)}`)
    const one = await capture(inner, keep, await emptyRoom(room))
    const tips = [...new Set([...one.tips, ...(await unpublishedTips(inner))])].sort()
    const isClean = one.isClean && tips.length === 0
    captured.push({ path, git: inner, capture: { ...one, tips, isClean, state: digestOf([one.state, tips]) } })
  }
  return captured
}

async function emptyRoom(room: string): Promise<string> {
  const inner = join(room, randomUUID())
  await mkdir(inner)
  return inner
}

async function unpublishedTips(git: Git): Promise<string[]> {
  const commits = new Set(
    (await git.text(['rev-list', '--branches', '--tags', '--glob=refs/stash', 'HEAD', '--not', '--remotes'])).split('\n'),
  )
  const refs = (
    await git.text(['for-each-ref', '--format=%(objectname) %(*objectname)', 'refs/heads', 'refs/tags', 'refs/stash'])
  ).split(/\s+/)
  return [...refs, await git.text(['rev-parse', 'HEAD'])].filter((id) => commits.has(id))
}

function unborn(dir: string): ValuetrainError {
  return new ValuetrainError('VT_UNBORN', `the checkout ${dir} has no commit, so what is in it cannot be rescued`, {
    kind: 'environment',
    hint: 'make a first commit there, or move its files away',
  })
}
