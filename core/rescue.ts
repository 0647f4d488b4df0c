import { join } from 'node:path'
import { canonicalJson } from './canonical.ts'
import { type Capture, captureCheckout, DURABLE } from './capture.ts'
import { parseTicket } from './contracts/names.ts'
import { ValuetrainError } from './errors.ts'
import type { Git } from './git.ts'
import { shown } from './leftovers.ts'
import { putBack } from './putback.ts'
import { isRefName } from './refs.ts'
import type { Repository } from './repository.ts'
import { changedPaths } from './tree.ts'

const FOLDER = 'refs/valuetrain/rescue'

/** A checkout's uncommitted state, kept in a ref of the clone. */
export interface Rescue {
  /** `refs/valuetrain/rescue/<ticket>/<id>` */
  ref: string
  id: string
  ticket: string
  /** Its tree is the working tree with untracked files; its parents are HEAD, the index, a conflict's sides, loose commits. */
  commit: string
  why: string
  /** ISO 8601, UTC. */
  at: string
  /** How many paths were captured: changed, deleted, staged, untracked and kept ones. */
  files: number
  /** Ignored paths that were not captured, whole folders as one. */
  ignored: string[]
  /** Globs of ignored files that were captured, too. */
  keep: string[]
  /** Submodules whose state is in refs of its own. */
  submodules: { path: string; ref: string }[]
  hasConflict: boolean
  /** Digest of the whole captured state. */
  state: string
}

export interface RescueRequest {
  ticket: string
  /** A new ULID. */
  id: string
  why: string
  keep: readonly string[]
}

/**
 * Keeps what is uncommitted in a checkout in a rescue ref: index, working tree, untracked files and the ignored ones
 * that `keep` names, submodules likewise. Index and working tree are not touched. Undefined when all is committed.
 *
 * @throws VT_REF_NAME, VT_UNBORN or VT_GIT; then nothing was done
 */
export async function takeRescue(repo: Repository, worktreeDir: string, request: RescueRequest): Promise<Rescue | undefined> {
  const capture = await captureCheckout(repo.git.at(worktreeDir), request.keep, scratchOf(repo))
  return keepCapture(repo, capture, request)
}

/** Keeps a capture in a rescue ref; undefined when there is nothing in it that is not committed. */
export async function keepCapture(repo: Repository, capture: Capture, request: RescueRequest): Promise<Rescue | undefined> {
  if (capture.isClean) return undefined
  const ref = `${FOLDER}/${request.ticket}/${request.id}`
  if (!parseTicket(request.ticket) || !isRefName(ref)) {
    throw new ValuetrainError('VT_REF_NAME', `"${ref.slice(0, 120)}" cannot name a rescue`, { kind: 'internal' })
  }
  const { leftovers } = capture
  const submodules: Rescue['submodules'] = []
  for (const [index, sub] of capture.submodules.entries()) {
    if (sub.capture.isClean) continue
    const inner = `${ref}-sub${index + 1}`
    const note = { v: 1, ticket: request.ticket, id: request.id, submodule: shown(sub.path), state: sub.capture.state }
    await createRef(sub.git, inner, await rescueCommit(sub.git, sub.capture, `Rescue ${request.ticket}: a submodule`, note))
    await repo.git.run([
      ...DURABLE,
      'fetch',
      '--no-tags',
      '--no-write-fetch-head',
      '--quiet',
      '--',
      sub.git.dir,
      `${inner}:${inner}`,
    ])
    submodules.push({ path: shown(sub.path), ref: inner })
  }
  const { changed, gone, staged, untracked, kept } = leftovers
  const paths = new Set([...[...changed, ...untracked, ...kept].map(({ path }) => path), ...gone, ...staged])
  const captured = new Set(kept.map(({ path }) => path))
  const note = {
    v: 1,
    id: request.id,
    ticket: request.ticket,
    why: request.why,
    at: new Date().toISOString(),
    files: paths.size,
    ignored: leftovers.ignored.filter((path) => !captured.has(path)).map(shown),
    keep: [...request.keep],
    submodules,
    hasConflict: capture.unmergedTree !== undefined,
    state: capture.state,
  }
  const git = repo.git
  const commit = await rescueCommit(git, capture, `Rescue ${request.ticket}: ${request.why}`, note)
  await createRef(git, ref, commit)
  const { v: _, ...rest } = note
  return { ref, commit, ...rest }
}

/**
 * Makes working tree and index equal HEAD, when they still are what the rescue holds. Ignored files stay.
 *
 * @returns tracked paths put back and untracked files deleted
 * @throws VT_CHANGED_MEANWHILE when anything is not what was rescued
 */
export async function restoreCommitted(
  repo: Repository,
  worktreeDir: string,
  rescue: Rescue,
): Promise<{ restored: string[]; deleted: string[] }> {
  const git = repo.git.at(worktreeDir)
  const capture = await captureCheckout(git, rescue.keep, scratchOf(repo))
  await requireSameState(repo, capture, rescue)
  return putBack(git, capture, { alsoKept: false })
}

/** @throws VT_CHANGED_MEANWHILE naming the paths that are not as the rescue has them */
export async function requireSameState(repo: Repository, capture: Capture, rescue: Rescue): Promise<void> {
  if (capture.state === rescue.state) return
  const differing = (await changedPaths(repo.git, rescue.commit, capture.tree)).map(({ path }) => path)
  throw changedMeanwhile(differing, `what was there before is in ${rescue.ref}`)
}

/** The error of a second look that found something else than the first. */
export function changedMeanwhile(paths: readonly string[], hint: string): ValuetrainError {
  const named = paths.slice(0, 5).map((path) => JSON.stringify(path))
  const what = named.length === 0 ? 'the index or a submodule' : named.join(', ') + (paths.length > 5 ? ', …' : '')
  return new ValuetrainError('VT_CHANGED_MEANWHILE', `${what} changed while the checkout was being put back`, {
    kind: 'environment',
    hint: `${hint}; see what is writing there, then run the command again`,
    details: { paths: paths.slice(0, 100) },
  })
}

/** Where temporary files of captures lie. */
export function scratchOf(repo: Repository): string {
  return join(repo.stateDir, 'tmp')
}

/** Returns all rescues of the clone, oldest first. */
export async function listRescues(repo: Repository): Promise<Rescue[]> {
  const output = await repo.git.text(['for-each-ref', '--format=%(refname) %(objectname) %(contents:body)', FOLDER])
  const rescues: Rescue[] = []
  for (const line of output.split('\n')) {
    const [, ref, commit, body] = /^(refs\/\S+) (\S+) (\{.*\})$/.exec(line) ?? []
    if (ref === undefined || commit === undefined || body === undefined) continue
    const { v, ...note } = JSON.parse(body) as Omit<Rescue, 'ref' | 'commit'> & { v: number; submodule?: string }
    if (v === 1 && note.submodule === undefined) rescues.push({ ...note, ref, commit })
  }
  return rescues.sort((a, b) => (a.at === b.at ? a.id.localeCompare(b.id) : a.at < b.at ? -1 : 1))
}

/** Its own identity, since a rescue must not fail where none is configured. */
const RESCUER = {
  GIT_AUTHOR_NAME: 'valuetrain',
  GIT_AUTHOR_EMAIL: 'rescue@valuetrain.invalid',
  GIT_COMMITTER_NAME: 'valuetrain',
  GIT_COMMITTER_EMAIL: 'rescue@valuetrain.invalid',
}

async function rescueCommit(git: Git, capture: Capture, subject: string, note: object): Promise<string> {
  const make = (tree: string, parents: readonly string[], message: string) => {
    const flags = [...new Set(parents)].flatMap((parent) => ['-p', parent])
    return git.text([...DURABLE, 'commit-tree', tree, ...flags, '-F', '-'], { env: RESCUER, input: message })
  }
  const parents = [capture.head, await make(capture.indexTree, [capture.head], 'The index\n')]
  if (capture.unmergedTree) parents.push(await make(capture.unmergedTree, [capture.head], 'The sides of a conflict\n'))
  const title = subject.replace(/\s+/g, ' ').slice(0, 200)
  return make(capture.tree, [...parents, ...capture.tips], `${title}\n\n${canonicalJson(note)}\n`)
}

async function createRef(git: Git, ref: string, commit: string): Promise<void> {
  await git.run([...DURABLE, 'update-ref', '--stdin'], { input: `create ${ref} ${commit}\n` })
}
