import { OBJECT_ID, ticketOfBranch } from '../core/contracts/patterns.ts'
import { readHookRecords } from '../core/hook-inbox.ts'
import { changedPaths } from '../core/tree.ts'
import type { Ambient } from './ambient.ts'
import { operationIn, ticketAt } from './commit.ts'
import { judgeSecrets, judgeSessions, judgeSizes } from './judge-files.ts'
import { dropRecord } from './records.ts'
import { usualLimits, withYaml } from './settings.ts'
import { filesOf } from './staged.ts'

/** Pairs of a rebase that a record lists. */
const MOST_PAIRS = 1000

/**
 * Records a commit whose pre-commit did not run in the same git process: `--no-verify`, or an operation for which git asks
 * nobody. Never fails, since the commit is made.
 */
export async function postCommit(ambient: Ambient): Promise<number> {
  const head = await headOf(ambient)
  if (head === undefined) return 0
  const operation = operationIn(ambient.gitDir) ?? /^(cherry-pick|revert|rebase|am)\b/.exec(head.story)?.[1]
  const how = operation === undefined ? 'without its checks (--no-verify)' : `by ${operation}, for which git runs no checks`
  await noteUngated(ambient, 'post-commit', head.commit, how)
  return 0
}

/** The same for a merge commit; a merge that only moved the branch made nothing that could have been judged. */
export async function postMerge(ambient: Ambient): Promise<number> {
  const head = await headOf(ambient)
  const isOwn =
    head !== undefined && head.parents.length > 1 && !/fast-forward/i.test(head.story) && /^(?:merge|pull)\b/.test(head.story)
  if (isOwn) await noteUngated(ambient, 'post-merge', head.commit, 'as a merge without its checks (--no-verify)')
  return 0
}

/**
 * Follows commits that an amend or a rebase replaced. What replaces an ungated commit is ungated, too, unless an amend made it
 * with hooks and nothing is wrong with all that it now brings. A rebase makes trees that nobody judged.
 */
export async function postRewrite(ambient: Ambient, [act = '']: readonly string[]): Promise<number> {
  const pairs = pairsIn(await ambient.readInput())
  if (pairs.length === 0) return 0
  const records = await readHookRecords(ambient.gitDir)
  const ungated = new Set(
    records.flatMap(({ record }) => (record?.finding.rule === 'ungated-commit' ? [record.finding.commit] : [])),
  )
  if (act === 'amend') {
    for (const { from, to } of pairs) {
      if (ungated.has(from) && !(ungated.has(to) || (await isClean(ambient, to)))) {
        await noteUngated(ambient, 'post-rewrite', to, 'by amending one that was not checked, and its content does not pass')
      }
    }
    return 0
  }
  const moved = pairs.filter(({ from, to }) => from !== to)
  if (moved.length === 0) return 0
  const ticket = ticketAt(ambient)
  const where = ticket === undefined ? '' : ` on the branch of ${ticket}`
  const message = `${act}${where} made ${moved.length} ${moved.length === 1 ? 'commit' : 'commits'} for which git runs no checks; the gates of the new tree are due`
  const commit = moved.at(-1)?.to as string
  await dropRecord(
    ambient,
    'post-rewrite',
    { rule: 'needs-gates', severity: ticket === undefined ? 'notice' : 'warning', message, commit },
    { rewritten: moved.slice(-MOST_PAIRS) },
  )
  return 0
}

async function noteUngated(ambient: Ambient, hook: string, commit: string, how: string): Promise<void> {
  const ticket = ticketAt(ambient)
  const message = `commit ${commit.slice(0, 10)} was made ${how}`
  const severity = ticket === undefined ? ('notice' as const) : ('error' as const)
  await dropRecord(ambient, hook, { rule: 'ungated-commit', severity, message, commit })
  ambient.say(`valuetrain: ${message}; it is recorded, and the check of the range judges it\n`)
}

interface Head {
  commit: string
  parents: string[]
  /** What the reflog says made it, e.g. `commit (amend): Mend it`; empty where there is no reflog. */
  story: string
}

async function headOf({ git, env }: Ambient): Promise<Head | undefined> {
  const told = (await git.run(['log', '--walk-reflogs', '-1', '--format=%H%n%P%n%gs', 'HEAD'], { okExit: [0, 128] })).stdout
  const story = told.split('\n')[2] ?? ''
  const now = await git.run(['log', '--no-walk', '--format=%H%n%P', 'HEAD'], { okExit: [0, 128] })
  const [commit = '', parents = ''] = now.stdout.split('\n')
  if (!OBJECT_ID.test(commit)) return undefined
  return {
    commit,
    parents: parents.split(' ').filter((parent) => parent !== ''),
    story: told.startsWith(commit) ? story : (env.GIT_REFLOG_ACTION ?? ''),
  }
}

/** Judges all that a commit brings over its first parent, as pre-commit would have. */
async function isClean(ambient: Ambient, commit: string): Promise<boolean> {
  const { git } = ambient
  const parent = await git.run(['rev-parse', '--verify', '--quiet', `${commit}^1`], { okExit: [0, 1, 128] })
  const from = parent.code === 0 ? parent.stdout.trim() : await git.text(['hash-object', '-t', 'tree', '--stdin'])
  const files = await filesOf(git, await changedPaths(git, from, commit), usualLimits().maxBytes)
  const ticket = ambient.branch === undefined ? undefined : ticketOfBranch(ambient.branch)
  const sessions = await withYaml((readYaml) => judgeSessions(files, ticket, readYaml))
  const found = [...sessions.findings, ...judgeSecrets(files), ...judgeSizes(files, usualLimits())]
  return found.every(({ severity }) => severity !== 'error')
}

function pairsIn(input: string): { from: string; to: string }[] {
  return input.split('\n').flatMap((line) => {
    const [from = '', to = ''] = line.split(' ')
    return OBJECT_ID.test(from) && OBJECT_ID.test(to) ? [{ from, to }] : []
  })
}
