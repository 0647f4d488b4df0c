import { mkdir, readFile, rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { openDisposable } from '../core/disposable.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import type { Repository } from '../core/repository.ts'
import { resolveCommit } from '../core/tree.ts'
import { hookPathOf } from './layout.ts'

/** What a real commit in a throw-away worktree showed. */
export interface Probe {
  /** Names of our hooks that git called, in order. */
  fired: string[]
  /** Names that every commit should have called and this one did not. */
  missing: string[]
  /** Why, as far as it can be told; null when all fired. */
  why: string | null
}

const EXPECTED = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit']
const LIMIT_MS = 60_000

/**
 * Makes an empty commit in a throw-away linked worktree and returns which of our hooks git called: files being in place proves
 * nothing. The worktree holds nothing but the folder of hooks, the commit is on no branch, and both are gone afterwards.
 *
 * @param id names the note that hooks leave
 */
export async function probeHooks(repository: Repository, id: string): Promise<Probe> {
  const { git, stateDir, root, commonDir } = repository
  const path = await hookPathOf(git, root ?? commonDir, commonDir)
  const relative = path.value !== undefined && !isAbsolute(path.value) && !path.value.startsWith('~') ? path.value : undefined
  const note = join(stateDir, `probe-${id}`)
  await mkdir(stateDir, { recursive: true })
  const tree = await smallTree(git, relative)
  const commit = await git.text(['commit-tree', tree, '-m', 'Probe'], { env: { ...IDENTITY, ...DATES } })
  const place = await openDisposable(repository, { root: join(stateDir, 'probes'), commit })
  try {
    const failure = await commitIn(git.at(place.dir), note)
    const fired = (await readFile(note, 'utf8').catch(() => '')).split('\n').filter((name) => name !== '')
    const missing = EXPECTED.filter((name) => !fired.includes(name))
    return { fired, missing, why: missing.length === 0 ? null : reasonOf(failure, relative, path.folder) }
  } finally {
    await place.close()
    await rm(note, { force: true })
  }
}

/** The commits are ours, whoever works here. */
const IDENTITY = {
  GIT_AUTHOR_NAME: 'Value Train',
  GIT_AUTHOR_EMAIL: 'probe@valuetrain.invalid',
  GIT_COMMITTER_NAME: 'Value Train',
  GIT_COMMITTER_EMAIL: 'probe@valuetrain.invalid',
}

/** Fixed, so that probing again makes no new object. */
const DATES = { GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' }

async function commitIn(git: Git, note: string): Promise<string | undefined> {
  const args = ['-c', 'commit.gpgSign=false', 'commit', '--quiet', '--allow-empty', '--message', 'Probe']
  try {
    await git.run(args, { hooks: true, env: { ...IDENTITY, VALUETRAIN_PROBE: note }, timeoutMs: LIMIT_MS })
    return undefined
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    return String(error.details.stderr ?? error.message)
      .trim()
      .split('\n')
      .at(-1)
  }
}

/** The whole tree may take seconds to check out; of it only the folder that a relative setting names matters. */
async function smallTree(git: Git, relative: string | undefined): Promise<string> {
  const top = relative?.replace(/^\.\//, '').split('/')[0]
  const head = await resolveCommit(git, 'HEAD')
  const lines = top && head ? await git.fields(['ls-tree', '-z', head, '--', top]) : []
  return git.text(['mktree', '-z', '--missing'], { input: lines.map((line) => `${line}\0`).join('') })
}

function reasonOf(failure: string | undefined, relative: string | undefined, folder: string): string {
  if (failure !== undefined) return `the commit was refused before they were called: ${failure.slice(0, 200)}`
  if (relative !== undefined) return `core.hooksPath is ${relative}, relative, and that folder is not in a new worktree`
  return `git looks in ${folder}, and the hooks there do not call ours`
}
