import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readBlobs } from './blobs.ts'
import { canonicalJson, sha256 } from './canonical.ts'
import type { EvidenceInput } from './contracts/evidence.ts'
import { ValuetrainError } from './errors.ts'
import { writeNote } from './files.ts'
import type { Git } from './git.ts'
import { requireRefName, requireRevision } from './refs.ts'

/** Below it every evidence ref lies. They are a convenience: what counts is judged again where it counts. */
export const EVIDENCE_REFS = 'refs/valuetrain/evidence'

/** A record as it was read, not yet checked. */
export interface StoredEvidence {
  ref: string
  commit: string
  text: string
}

/** Returns the ref that carries what was judged for a ticket. */
export function ticketEvidenceRef(ticket: string): string {
  return requireRefName(`${EVIDENCE_REFS}/${ticket}`)
}

/**
 * Returns the ref that carries what hooks of this clone judged. Its name is a digest of a key that never leaves the
 * clone, so it tells neither who nor where; the key is made at the first call.
 *
 * @param stateDir the clone's own state, `Repository.stateDir`
 */
export async function peopleEvidenceRef(stateDir: string): Promise<string> {
  const file = join(stateDir, 'evidence-writer')
  const read = async () => {
    const key = (await readFile(file, 'utf8').catch(() => '')).trim()
    return /^[0-9a-f]{64}$/.test(key) ? key : undefined
  }
  let key = await read()
  if (key === undefined) {
    await writeNote(file, `${randomBytes(32).toString('hex')}\n`)
    // Of two that make it at once the one whose file stays is used by both from now on.
    key = await read()
  }
  if (key === undefined) {
    throw new ValuetrainError('VT_READ_ONLY', `the key of this clone's evidence could not be kept in ${stateDir}`, {
      kind: 'environment',
      hint: 'make the git directory writable',
    })
  }
  return `${EVIDENCE_REFS}/people/${sha256(`evidence ${key}`).slice(0, 32)}`
}

/**
 * Appends records to an evidence ref: a commit for each, with one file, whose parent is the last one. Two git processes; index
 * and working tree are not touched, no hook runs, and the commit carries no name. A writer that comes between is waited
 * out by reading the tip again. The same record from two at once is one commit, and so said once.
 *
 * @returns the new tip
 * @throws VT_GIT when git refuses for another reason than a race
 */
export async function appendEvidence(git: Git, ref: string, ...records: readonly EvidenceInput[]): Promise<string> {
  const name = requireRefName(ref)
  for (let round = 0; ; round++) {
    const tip = await tipOf(git, name)
    const input = Buffer.from(
      `${records.map((record, index) => importOf(record, name, index === 0 ? tip : undefined)).join('')}done\n`,
    )
    const done = await git.run(['fast-import', '--quiet', '--done', '--date-format=raw'], { input, okExit: ANY })
    const now = await tipOf(git, name)
    if (done.code === 0 && now !== undefined) return now
    if (now === tip && round > 0) throw refused(name, done.stderr)
    if (round >= ROUNDS) throw refused(name, done.stderr)
    // Writers that met once would meet again in step.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * (round + 1)))
  }
}

/**
 * Writes down that a hook asked its gates of a tree, so that the commit made of it is known to be gated wherever the ref
 * goes. Costs two git processes; call it only once the commit is there.
 *
 * @param git  of the worktree
 * @param tree of the commit, without tickets and issues
 * @throws VT_GIT, VT_READ_ONLY
 */
export async function recordHookEvidence(
  git: Git,
  stateDir: string,
  { tree, stage, results, skips = [], at }: Omit<EvidenceInput, 'v' | 'by'>,
): Promise<string> {
  return appendEvidence(git, await peopleEvidenceRef(stateDir), { v: 1, by: 'hook', stage, tree, results, skips, at })
}

const FILE = 'record.json'
const ROUNDS = 60
const ANY: readonly number[] = Array.from({ length: 256 }, (_, code) => code)
/** More records than that are not read; the newest count. */
const MOST_RECORDS = 50_000

/** Returns every record of every evidence ref, those of one ref oldest first. Two calls of git when there is none. */
export async function readEvidence(git: Git): Promise<StoredEvidence[]> {
  const refs = await listEvidence(git)
  const found: StoredEvidence[] = []
  for (const { ref, tip } of refs) {
    const commits = (await git.text(['rev-list', '--first-parent', `--max-count=${MOST_RECORDS}`, tip])).split('\n').reverse()
    const blobs = await readBlobs(
      git,
      commits.map((commit) => `${commit}:${FILE}`),
    )
    for (const [index, commit] of commits.entries()) found.push({ ref, commit, text: blobs[index]?.toString('utf8') ?? '' })
  }
  return found
}

/** Returns the evidence refs there are, with their last commits. */
export async function listEvidence(git: Git): Promise<{ ref: string; tip: string }[]> {
  const lines = (await git.text(['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)', EVIDENCE_REFS])).split('\n')
  return lines.flatMap((line) => {
    const [tip = '', type, ref = ''] = line.split(' ')
    return type === 'commit' ? [{ ref, tip }] : []
  })
}

/** Removes an evidence ref if it is still at the given commit; tells whether it went. */
export function dropEvidence(git: Git, ref: string, tip: string): Promise<boolean> {
  return git.succeeds(['update-ref', '-d', requireRefName(ref), requireRevision(tip)])
}

/** One commit in the language of `git fast-import`, which goes on from the last one of the same ref by itself. */
function importOf(record: EvidenceInput, ref: string, parent: string | undefined): string {
  const content = `${canonicalJson(record)}\n`
  const seconds = Math.floor(Date.parse(record.at) / 1000)
  const from = parent === undefined ? '' : `from ${parent}\n`
  return (
    `commit ${ref}\ncommitter valuetrain <evidence@valuetrain.invalid> ${seconds} +0000\ndata 9\nEvidence\n` +
    `${from}M 100644 inline ${FILE}\ndata ${Buffer.byteLength(content)}\n${content}\n`
  )
}

async function tipOf(git: Git, ref: string): Promise<string | undefined> {
  const { stdout, code } = await git.run(['rev-parse', '--verify', '--quiet', ref], { okExit: [0, 1] })
  return code === 0 ? stdout.trim() : undefined
}

function refused(ref: string, stderr: string): ValuetrainError {
  return new ValuetrainError(
    'VT_GIT',
    `${ref} could not be written: ${stderr.trim().split('\n').slice(-2).join(' / ').slice(0, 300)}`,
    {
      kind: 'environment',
      hint: `if no git runs here, move ${ref}.lock in the git directory away`,
    },
  )
}
