import { hasObject, readBlobs } from './blobs.ts'
import { canonicalJson } from './canonical.ts'
import { ValuetrainError } from './errors.ts'
import type { Git } from './git.ts'
import { requireRefName } from './refs.ts'

const FOLDER = 'refs/valuetrain/leases'

/** What a lease ref holds. Nothing in it says who or where: `owner` is a keyed digest. */
export interface LeaseRecord {
  v: 1
  issue: number
  /** Null after a release; the record then only keeps the epoch. */
  owner: string | null
  epoch: number
  renewals: number
}

/** A record as it was read, with the object to compare with when it is swapped. */
export interface ReadRecord extends LeaseRecord {
  object: string
}

/** Where lease refs live: in this clone, or on the remote that several clones share. */
export interface LeaseRefs {
  read(issue: number): Promise<ReadRecord | undefined>
  list(): Promise<ReadRecord[]>
  /**
   * Replaces what the ref holds, if that is still `expected` (undefined: there is no ref).
   *
   * @returns the new object, `null` for a deletion, or `false` when the ref held something else
   * @throws VT_REMOTE when the remote is gone or refuses
   */
  swap(issue: number, expected: string | undefined, next: LeaseRecord | undefined): Promise<string | null | false>
}

/** Returns the ref that a claim on an issue is. */
export function leaseRef(issue: number): string {
  return `${FOLDER}/${issue}`
}

/** Returns the lease refs of a clone, or of its remote when one is named. */
export function openLeaseRefs(git: Git, remote: string | null): LeaseRefs {
  return remote === null ? localRefs(git) : remoteRefs(git, requireRefName(remote))
}

function localRefs(git: Git): LeaseRefs {
  const objectOf = async (issue: number) => {
    const found = await git.run(['rev-parse', '--verify', '--quiet', leaseRef(issue)], { okExit: [0, 1] })
    return found.code === 0 ? found.stdout.trim() : undefined
  }
  return {
    async read(issue) {
      const object = await objectOf(issue)
      return object === undefined ? undefined : readRecord(git, issue, object)
    },
    async list() {
      const lines = (await git.text(['for-each-ref', '--format=%(objectname) %(refname)', FOLDER])).split('\n')
      return readAll(git, lines, ' ')
    },
    async swap(issue, expected, next) {
      const object = next === undefined ? null : await writeRecord(git, next)
      const ref = leaseRef(issue)
      const order = orderOf(ref, object, expected)
      const done = await git.run(['update-ref', '--stdin'], { input: order, okExit: [0, 1, 128] })
      if (done.code === 0) return object
      const now = await objectOf(issue)
      if (now !== expected) return now !== undefined && now === object ? object : false
      throw new ValuetrainError('VT_GIT', `the claim ${ref} could not be written: ${done.stderr.trim().slice(0, 300)}`, {
        kind: 'environment',
        hint: `if no git runs here, move ${ref}.lock in the git directory away`,
      })
    },
  }
}

function orderOf(ref: string, object: string | null, expected: string | undefined): string {
  if (object === null) return expected === undefined ? '' : `delete ${ref} ${expected}\n`
  return expected === undefined ? `create ${ref} ${object}\n` : `update ${ref} ${object} ${expected}\n`
}

function remoteRefs(git: Git, remote: string): LeaseRefs {
  const ask = async (pattern: string) => {
    const answer = await overNetwork(git, remote, ['ls-remote', '--', remote, pattern])
    return answer.split('\n').filter((line) => line !== '')
  }
  const objectOf = async (issue: number) => (await ask(leaseRef(issue)))[0]?.split('\t')[0]
  const fetch = async (refs: readonly string[], objects: readonly string[]) => {
    const absent = []
    for (const [at, object] of objects.entries()) if (!(await hasObject(git, object))) absent.push(refs[at] as string)
    if (absent.length === 0) return
    const flags = [
      '--no-tags',
      '--no-write-fetch-head',
      '--no-auto-maintenance',
      '--no-recurse-submodules',
      '--refmap=',
      '--quiet',
    ]
    await overNetwork(git, remote, ['fetch', ...flags, '--', remote, ...absent])
  }
  return {
    async read(issue) {
      for (let round = 0; ; round++) {
        const object = await objectOf(issue)
        if (object === undefined) return undefined
        // The ref may move between the question and the fetch, which then brings the newer object.
        await fetch([leaseRef(issue)], [object]).catch((cause) => {
          if (round >= 3) throw cause
        })
        if (await hasObject(git, object)) return readRecord(git, issue, object)
        if (round >= 3)
          throw new ValuetrainError('VT_REMOTE', `the claim on issue ${issue} keeps moving`, { kind: 'environment' })
      }
    },
    async list() {
      const lines = await ask(`${FOLDER}/*`)
      const found = lines.map((line) => line.split('\t') as [string, string])
      await fetch(
        found.map(([, ref]) => ref),
        found.map(([object]) => object),
      )
      return readAll(git, lines, '\t')
    },
    async swap(issue, expected, next) {
      const object = next === undefined ? null : await writeRecord(git, next)
      const ref = leaseRef(issue)
      const lease = `--force-with-lease=${ref}:${expected ?? ''}`
      const pushed = await git.run(['push', '--quiet', '--no-verify', lease, '--', remote, `${object ?? ''}:${ref}`], {
        okExit: ANY,
      })
      if (pushed.code === 0) return object
      // A refusal and a lost race look alike in git's words, so the ref itself is asked.
      const now = await objectOf(issue)
      if (now === (object ?? undefined)) return object
      if (now !== expected) return false
      throw refused(remote, pushed.stderr)
    },
  }
}

const ANY = Array.from({ length: 256 }, (_, code) => code)

async function overNetwork(git: Git, remote: string, args: readonly string[]): Promise<string> {
  const result = await git.run(args, { okExit: ANY })
  if (result.code === 0) return result.stdout.trim()
  throw refused(remote, result.stderr)
}

/** Returns the error of a remote that says no or nothing, with its own last words. */
export function refused(remote: string, stderr: string): ValuetrainError {
  const words = stderr
    .trim()
    .split('\n')
    .slice(-6)
    .map((line) => line.trim())
    .join(' / ')
    .slice(0, 500)
  return new ValuetrainError('VT_REMOTE', `remote ${remote} refuses or is gone: ${words}`, {
    kind: 'environment',
    hint: /authentication failed|invalid username or token|could not read (?:username|password)|permission .* denied/i.test(words)
      ? 'the login or token is not good enough any more; `valuetrain doctor` looks at it, and the same command goes on afterwards'
      : `try \`git ls-remote ${remote}\`; set \`remote: null\` in .valuetrain/config.yaml to work with this clone alone`,
  })
}

/** Writes a record into the object store and returns its object. */
export async function writeRecord(git: Git, record: LeaseRecord): Promise<string> {
  return git.text(['hash-object', '-w', '--stdin'], { input: canonicalJson(record) })
}

/** A ref with something else in it counts as a claim by an unknown owner: respected, and taken over like one. */
async function readRecord(git: Git, issue: number, object: string): Promise<ReadRecord> {
  const strange: ReadRecord = { v: 1, issue, owner: 'unreadable', epoch: 1, renewals: 0, object }
  const [found] = await readBlobs(git, [object])
  try {
    const value = JSON.parse(found?.toString('utf8') ?? '') as LeaseRecord
    const isRecord =
      value.v === 1 &&
      value.issue === issue &&
      (value.owner === null || typeof value.owner === 'string') &&
      Number.isSafeInteger(value.epoch) &&
      Number.isSafeInteger(value.renewals)
    return isRecord ? { ...value, object } : strange
  } catch {
    return strange
  }
}

async function readAll(git: Git, lines: readonly string[], separator: string): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  for (const line of lines) {
    const [object, ref = ''] = line.split(separator)
    const issue = Number(/^refs\/valuetrain\/leases\/([1-9][0-9]{0,8})$/.exec(ref)?.[1])
    if (object && issue) records.push(await readRecord(git, issue, object))
  }
  return records.sort((a, b) => a.issue - b.issue)
}
