import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from './types.ts'
import type { RepoState } from './world.ts'

/** Whoever merges on the web: merging there never keeps a commit's committer. */
const BY_THE_WEB = { GIT_COMMITTER_NAME: 'GitHub', GIT_COMMITTER_EMAIL: 'noreply@github.com' }

/** The three ways in which a pull request can come in. */
export type MergeMethod = 'merge' | 'squash' | 'rebase'

/**
 * Makes the commit that a base would be moved to. As on GitHub a rebase gives every commit a new id, also where the branch
 * already lies on the base, and leaves merge commits out.
 *
 * @returns undefined when the commits do not apply one after another
 */
export async function buildMerge(
  state: RepoState,
  { base, head, title, message }: { base: string; head: string; title: string; message: string },
  method: MergeMethod,
): Promise<string | undefined> {
  if (method === 'rebase') return replay(state, base, head)
  const { git } = state.repository
  const tree = (await state.facts.merge(base, head)) as string
  const parents = method === 'merge' ? ['-p', base, '-p', head] : ['-p', base]
  return git.text(['commit-tree', tree, ...parents, '-F', '-'], { input: `${title}\n\n${message}\n`, env: BY_THE_WEB })
}

async function replay({ repository: { git } }: RepoState, base: string, head: string): Promise<string | undefined> {
  const dir = await mkdtemp(join(tmpdir(), 'vt-replay-'))
  try {
    await git.run(['worktree', 'add', '--quiet', '--detach', dir, base])
    const own = git.at(dir)
    const commits = (await git.text(['rev-list', '--reverse', '--topo-order', '--no-merges', `${base}..${head}`])).split('\n')
    const pick = ['cherry-pick', '--allow-empty', '--keep-redundant-commits', ...commits]
    const picked = await own.run(pick, { env: BY_THE_WEB, okExit: [0, 1] })
    return picked.code === 0 ? await own.text(['rev-parse', 'HEAD']) : undefined
  } finally {
    await rm(dir, { recursive: true, force: true })
    await git.run(['worktree', 'prune'])
  }
}

/** Title and message as GitHub would write them for a pull request. */
export function mergeWords(state: RepoState, pull: Json, method: MergeMethod): { title: string; message: string } {
  const { owner } = state.repository
  return method === 'squash'
    ? { title: `${pull.title} (#${pull.number})`, message: '' }
    : { title: `Merge pull request #${pull.number} from ${owner}/${pull.head.ref}`, message: pull.title }
}
