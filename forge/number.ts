import { canonicalJson } from '../core/canonical.ts'
import type { Config } from '../core/config.ts'
import { parseTicket, ticketOfBranch } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import type { Ids } from '../core/ids.ts'
import { numberOfFile } from './issue-file.ts'

const ISSUE_REFS = 'refs/valuetrain/issues/'
const MAX_TRIES = 1000

/** What a number can be taken from. `names` are the file names in the issue folder. */
export interface NumberSource {
  git: Git
  config: Pick<Config, 'branch' | 'remote'>
  ids: Ids
  names: readonly string[]
}

/**
 * Returns an issue number that nobody had and nobody else will get, by creating `refs/valuetrain/issues/<number>`.
 * Git creates a ref once; whoever comes second takes the next number. With a remote the ref is created there, too, so that
 * two clones never number alike. Numbers of files, branches and tickets count as taken, since a new issue must not
 * inherit the ticket of an old one.
 *
 * @throws VT_REMOTE when the remote does not answer or refuses the ref
 */
export async function takeNumber(source: NumberSource): Promise<number> {
  const { git, config, ids } = source
  const claim = await claimBlob(git, ids)
  let number = (await highestNumber(source)) + 1
  for (let tries = 0; tries < MAX_TRIES; tries++, number++) {
    if (!(await createRef(git, number, claim))) continue
    if (config.remote === null || (await publishRef(git, config.remote, number, claim))) return number
    await git.run(['update-ref', '-d', ISSUE_REFS + number, claim])
  }
  throw new ValuetrainError('VT_ISSUE_NUMBER', `no free issue number was found between ${number - MAX_TRIES} and ${number - 1}`, {
    kind: 'environment',
    hint: 'see whether refs/valuetrain/issues can be written',
  })
}

/** Every claim is a blob of its own: git calls a push of an equal value up to date, and both would think they won. */
async function claimBlob(git: Git, ids: Ids): Promise<string> {
  return git.text(['hash-object', '-w', '--stdin'], { input: canonicalJson({ v: 1, claim: ids.ulid() }) })
}

async function createRef(git: Git, number: number, claim: string): Promise<boolean> {
  const ref = ISSUE_REFS + number
  const nothing = '0'.repeat(claim.length)
  const created = await git.run(['update-ref', ref, claim, nothing], { okExit: [0, 128] })
  if (created.code === 0) return true
  // It is there, or another process is making it at this moment. git is called with the C locale.
  if (/already exists|but expected|File exists/.test(created.stderr)) return false
  throw new ValuetrainError('VT_READ_ONLY', `${ref} could not be created: ${created.stderr.trim().slice(0, 300)}`, {
    kind: 'environment',
    hint: 'see whether the git directory can be written and the disk has room',
  })
}

async function publishRef(git: Git, remote: string, number: number, claim: string): Promise<boolean> {
  const ref = ISSUE_REFS + number
  const push = await git.run(['push', '--quiet', `--force-with-lease=${ref}:`, '--', remote, `${claim}:${ref}`], {
    okExit: [0, 1, 128],
  })
  if (push.code === 0) return true
  const there = await git.run(['ls-remote', '--', remote, ref], { okExit: [0, 128] })
  const owner = there.stdout.split('\t')[0]
  if (there.code === 0 && owner === claim) return true
  if (there.code === 0 && owner !== '') return false
  await git.run(['update-ref', '-d', ref, claim])
  throw new ValuetrainError('VT_REMOTE', `the number ${number} could not be taken on ${remote}: ${lastLine(push.stderr)}`, {
    kind: 'environment',
    hint: `numbers are unique among all clones; try again when ${remote} answers, or set \`remote: null\``,
  })
}

async function highestNumber({ git, config, names }: NumberSource): Promise<number> {
  const [refs, remoteRefs, issueFiles, tickets] = await Promise.all([
    git.text(['for-each-ref', '--format=%(refname)', 'refs/valuetrain/issues', 'refs/heads/phase', 'refs/remotes']),
    remoteNumbers(git, config.remote),
    namesAt(git, config.branch, '.valuetrain/issues/'),
    namesAt(git, config.branch, '.valuetrain/tickets/'),
  ])
  const numbers = [
    ...refs.split('\n').map(numberOfRef),
    ...remoteRefs,
    ...[...names, ...issueFiles].map(numberOfFile),
    ...tickets.map((name) => parseTicket(name)?.issue),
  ]
  return numbers.reduce<number>((highest, number) => Math.max(highest, number ?? 0), 0)
}

async function remoteNumbers(git: Git, remote: string | null): Promise<(number | undefined)[]> {
  if (remote === null) return []
  const listed = await git.run(['ls-remote', '--', remote, `${ISSUE_REFS}*`], { okExit: [0, 128] })
  // A remote that does not answer is told when the number is published.
  return listed.stdout.split('\n').map((line) => numberOfRef(line.split('\t')[1] ?? ''))
}

async function namesAt(git: Git, branch: string, folder: string): Promise<string[]> {
  const listed = await git.run(['ls-tree', '-z', '--name-only', `refs/heads/${branch}`, '--', folder], { okExit: [0, 128] })
  return listed.stdout.split('\0').map((path) => path.slice(folder.length))
}

function numberOfRef(ref: string): number | undefined {
  if (ref.startsWith(ISSUE_REFS)) return Number(/^[1-9][0-9]{0,8}$/.exec(ref.slice(ISSUE_REFS.length))?.[0] ?? 0)
  const ticket = ticketOfBranch(ref.replace(/^refs\/heads\/|^refs\/remotes\/[^/]+\//, ''))
  return ticket === undefined ? undefined : parseTicket(ticket)?.issue
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, 300)
}
