import { OBJECT_ID, ticketOfBranch } from '../core/contracts/patterns.ts'
import type { Git } from '../core/git.ts'
import { readHookRecords } from '../core/hook-inbox.ts'
import { type ChangedPath, changedPaths } from '../core/tree.ts'
import { messageFindings } from '../gates/message.ts'
import type { Ambient } from './ambient.ts'
import { type Found, judgeSecrets, judgeSessions, judgeSizes, placeOf } from './judge-files.ts'
import { dropRecord } from './records.ts'
import { sendEvidence } from './send-evidence.ts'
import { readSettings, withYaml } from './settings.ts'
import { type ChangedFile, filesOf, sizesOf } from './staged.ts'
import { conclude } from './verdict.ts'

/** One line of what git tells pre-push. */
export interface PushedRef {
  local: string
  localId: string
  remote: string
  remoteId: string
}

/** Objects and bytes that are looked through before a push; the check in continuous integration has no such bounds. */
const MOST_OBJECTS = 50_000
const MOST_BYTES = 256 * 1024 * 1024
/** Refs whose sessions are compared one by one. */
const MOST_REFS = 50

/**
 * Judges what a push brings that the remote does not have: sessions, secrets, sizes, messages on ticket branches, and
 * commits that went round their hooks. Deletions bring nothing; the zero id is never taken for a commit.
 */
export async function prePush(ambient: Ambient, [remote = '']: readonly string[]): Promise<number> {
  const { git } = ambient
  const refs = pushedRefs(await ambient.readInput()).filter(({ localId }) => !isZero(localId))
  if (refs.length === 0) return 0
  const known = await knownBases(git, refs, remote)
  const range = [...new Set(refs.map(({ localId }) => localId)), ...known.map((id) => `^${id}`)]
  const { size, conventional } = await readSettings(git)
  const brought = await newBlobs(git, range)
  const commits = await newCommits(git, range)
  const found: Found[] = [
    ...(await sessionsOf(ambient, refs, commits)),
    ...judgeSizes(brought.files, size),
    ...(await judgeContents(git, brought.files, size.maxBytes, known)),
    ...(await messagesOf(git, refs, known, conventional)),
    ...(await ungatedOf(ambient, refs, commits)),
  ]
  if (!brought.whole) {
    const message = `the push brings more than is looked through here (${MOST_OBJECTS} objects); \`valuetrain check\` judges all of it`
    found.push({ check: 'secrets', rule: 'not-judged', severity: 'warning', message })
    await dropRecord(ambient, 'pre-push', { rule: 'not-judged', severity: 'warning', message })
  }
  const { exit } = await conclude(ambient, 'pre-push', 'this push', unique(found))
  if (exit === 0) await sendEvidence(ambient, remote, refs)
  return exit
}

/** Returns the refs that standard input lists; lines of another form are git's of the future and are passed over. */
export function pushedRefs(input: string): PushedRef[] {
  return input.split('\n').flatMap((line) => {
    const [local = '', localId = '', remote = '', remoteId = ''] = line.split(' ')
    return OBJECT_ID.test(localId) && OBJECT_ID.test(remoteId) ? [{ local, localId, remote, remoteId }] : []
  })
}

function isZero(id: string): boolean {
  return /^0+$/.test(id)
}

/** Returns commits that the remote has, as far as this clone knows: what its refs were told to be, and what is tracked of it. */
async function knownBases(git: Git, refs: readonly PushedRef[], remote: string): Promise<string[]> {
  const told = [...new Set(refs.map(({ remoteId }) => remoteId).filter((id) => !isZero(id)))]
  const here = await sizesOf(git, told)
  const isName = /^[A-Za-z0-9_][A-Za-z0-9._/-]*$/.test(remote) && !remote.includes('..')
  const pattern = isName ? `refs/remotes/${remote}/` : 'refs/remotes/'
  const tracked = (await git.text(['for-each-ref', '--format=%(objectname)', pattern])).split('\n').filter((id) => id !== '')
  return [...new Set([...told.filter((id) => here.has(id)), ...tracked])]
}

/** Returns the files that new commits hold at any time, also those that a later commit takes away again. */
async function newBlobs(git: Git, range: readonly string[]): Promise<{ files: ChangedFile[]; whole: boolean }> {
  const input = `${range.join('\n')}\n`
  const listed = await git.text(['rev-list', '--objects', '--stdin'], { input })
  const paths = new Map<string, string>()
  for (const line of listed.split('\n')) {
    const [id = '', ...path] = line.split(' ')
    if (path.length > 0 && path.join(' ') !== '' && !paths.has(id)) paths.set(id, path.join(' '))
    if (paths.size > MOST_OBJECTS) break
  }
  const ids = [...paths.keys()].slice(0, MOST_OBJECTS)
  const types = await git.text(['cat-file', '--batch-check=%(objecttype) %(objectname) %(objectsize)'], {
    input: ids.map((id) => `${id}\n`).join(''),
  })
  const files = types.split('\n').flatMap((line): ChangedFile[] => {
    const [type, id = '', size = '0'] = line.split(' ')
    if (type !== 'blob') return []
    const zeros = '0'.repeat(id.length)
    const change: ChangedPath = {
      status: 'A',
      path: paths.get(id) as string,
      mode: '100644',
      blob: id,
      oldMode: '000000',
      oldBlob: zeros,
    }
    return [{ ...change, bytes: Number(size), content: undefined, before: undefined }]
  })
  return { files, whole: paths.size <= MOST_OBJECTS }
}

/** Looks through contents in portions, so that memory stays bounded; what a known base holds at the same place is not new. */
async function judgeContents(
  git: Git,
  files: readonly ChangedFile[],
  maxBytes: number,
  known: readonly string[],
): Promise<Found[]> {
  const found: Found[] = []
  let bytes = 0
  let portion: ChangedFile[] = []
  const look = async () => {
    const read = await filesOf(git, portion, maxBytes)
    found.push(...judgeSecrets(read))
    portion = []
    bytes = 0
  }
  let total = 0
  for (const file of files.filter((one) => one.bytes <= maxBytes)) {
    if (total + file.bytes > MOST_BYTES) {
      found.push({
        check: 'secrets',
        rule: 'not-judged',
        severity: 'warning',
        message: `${file.path} and more were not looked through here`,
      })
      break
    }
    total += file.bytes
    bytes += file.bytes
    portion.push(file)
    if (bytes > 16 * 1024 * 1024 || portion.length >= 500) await look()
  }
  await look()
  if (found.length === 0 || known.length === 0) return found
  return withoutKnown(git, found, files, known, maxBytes)
}

/** A secret-looking text that the remote holds in the same file already is not what this push brings. */
async function withoutKnown(
  git: Git,
  found: readonly Found[],
  files: readonly ChangedFile[],
  known: readonly string[],
  maxBytes: number,
): Promise<Found[]> {
  const paths = new Set(found.map(({ path }) => path))
  const again: ChangedFile[] = []
  const bases = known.slice(0, 20)
  for (const file of files) {
    if (!paths.has(file.path) || file.bytes > maxBytes) continue
    const before = await git.run(['rev-parse', '--verify', '--quiet', ...bases.slice(0, 1).map((id) => `${id}:${file.path}`)], {
      okExit: [0, 1, 128],
    })
    again.push({ ...file, ...(before.code === 0 ? { oldMode: '100644', oldBlob: before.stdout.trim() } : {}) })
  }
  const others = found.filter(({ path }) => path === undefined)
  return [...judgeSecrets(await filesOf(git, again, maxBytes)), ...others]
}

async function newCommits(git: Git, range: readonly string[]): Promise<ReadonlySet<string>> {
  const listed = await git.text(['rev-list', '--stdin'], { input: `${range.join('\n')}\n` })
  return new Set(listed.split('\n'))
}

/** Each branch's sessions must go on from what the remote has of them. */
async function sessionsOf(ambient: Ambient, refs: readonly PushedRef[], commits: ReadonlySet<string>): Promise<Found[]> {
  const { git } = ambient
  const found: Found[] = []
  const branches = refs
    .filter(({ remote, localId }) => remote.startsWith('refs/heads/') && commits.has(localId))
    .slice(0, MOST_REFS)
  for (const { localId, remoteId, remote } of branches) {
    const from = await baseOf(git, localId, remoteId)
    if (from === undefined) continue
    const changes = (await changedPaths(git, from, localId)).filter(({ path }) => placeOf(path)?.segment !== undefined)
    if (changes.length === 0) continue
    const files = await filesOf(git, changes, Number.POSITIVE_INFINITY)
    // A ticket's branch brings, from a merge of the default branch, records of others; they are judged, not refused.
    const answer = await withYaml((readYaml) => judgeSessions(files, undefined, readYaml))
    found.push(...answer.findings.map((one) => ({ ...one, message: `${remote.replace('refs/heads/', '')}: ${one.message}` })))
  }
  return found
}

/** What to compare a branch with: where it is at the remote, else where it left what is tracked, else nothing at all. */
async function baseOf(git: Git, localId: string, remoteId: string): Promise<string | undefined> {
  if (!isZero(remoteId)) {
    const known = await git.succeeds(['cat-file', '-e', `${remoteId}^{commit}`])
    return known ? remoteId : undefined
  }
  const walked = await git.text(['rev-list', '--boundary', localId, '--not', '--remotes'])
  const edge = walked.split('\n').find((line) => line.startsWith('-'))
  return edge?.slice(1) ?? git.text(['hash-object', '-t', 'tree', '--stdin'])
}

async function messagesOf(
  git: Git,
  refs: readonly PushedRef[],
  known: readonly string[],
  conventional: boolean,
): Promise<Found[]> {
  const found: Found[] = []
  for (const { remote, localId } of refs) {
    const ticket = ticketOfBranch(remote.replace('refs/heads/', ''))
    if (ticket === undefined) continue
    const input = `${[localId, ...known.map((id) => `^${id}`)].join('\n')}\n`
    const listed = await git.fields(['log', '-z', '--format=%H%n%P%n%B', '--stdin'], { input })
    for (const record of listed) {
      const [id = '', parents = '', ...rest] = record.split('\n')
      const commit = { id, parents: parents.split(' ').filter((parent) => parent !== ''), message: rest.join('\n') }
      found.push(...messageFindings(commit, ticket, conventional).map((finding) => ({ ...finding, check: 'message' as const })))
    }
  }
  return found
}

/** On a ticket's branch a commit that went round its hooks is refused here; elsewhere the range check judges it. */
async function ungatedOf({ gitDir }: Ambient, refs: readonly PushedRef[], commits: ReadonlySet<string>): Promise<Found[]> {
  const isTicket = refs.some(({ remote }) => ticketOfBranch(remote.replace('refs/heads/', '')) !== undefined)
  return (await readHookRecords(gitDir)).flatMap(({ record }): Found[] => {
    const finding = record?.finding
    if (finding?.rule !== 'ungated-commit' || finding.commit === undefined || !commits.has(finding.commit)) return []
    const hint = finding.severity === 'error' && isTicket ? '; `git commit --amend --no-edit` has the last one checked' : ''
    return [
      { ...finding, severity: isTicket ? finding.severity : 'notice', message: `${finding.message}${hint}`, check: 'message' },
    ]
  })
}

function unique(found: readonly Found[]): Found[] {
  return [...new Map(found.map((one) => [`${one.rule} ${one.message}`, one])).values()]
}
