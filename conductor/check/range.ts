import { parseTicket } from '../../core/contracts/names.ts'
import type { Git } from '../../core/git.ts'
import { requireRevision } from '../../core/refs.ts'
import { subjectTrees } from '../../core/subjects.ts'
import { type ChangedPath, changedPaths } from '../../core/tree.ts'

/** A commit that the head has and the base has not. */
export interface RangeCommit {
  commit: string
  parents: string[]
  /** First line of its message. */
  title: string
  /** Tickets that its trailers name. */
  tickets: string[]
  /** Root tree without tickets and issues. */
  tree: string
}

/** What a head adds to a base. */
export interface Range {
  base: string
  head: string
  /** Where the two histories part; the base itself when they have nothing in common. */
  from: string
  /** Whether there is a common commit. */
  related: boolean
  /** Oldest first. */
  commits: RangeCommit[]
  changes: ChangedPath[]
  /** Tickets whose folder is changed or that a commit names, sorted. */
  tickets: string[]
  /** Subject trees that the base has: at its tip and where the range begins. */
  trusted: ReadonlySet<string>
  headTree: string
}

/** Reads a range in a handful of git calls, whatever its length. */
export async function readRange(git: Git, base: string, head: string): Promise<Range> {
  const found = await git.run(['merge-base', requireRevision(base), requireRevision(head)], { okExit: [0, 1] })
  const related = found.code === 0
  const from = related ? found.stdout.trim() : base
  const [logged, changes] = await Promise.all([readLog(git, base, head), changedPaths(git, from, head)])
  const trees = await subjectTrees(git, [...new Set([base, from, head, ...logged.map(({ commit }) => commit)])])
  const treeOf = (commit: string) => trees.get(commit) as string
  const commits = logged.map((commit) => ({ ...commit, tree: treeOf(commit.commit) }))
  const touched = changes.flatMap(({ path }) => /^\.valuetrain\/tickets\/([^/]+)\//.exec(path)?.[1] ?? [])
  const tickets = [...new Set([...touched, ...commits.flatMap((commit) => commit.tickets)])].filter(parseTicket).sort()
  return {
    base,
    head,
    from,
    related,
    commits,
    changes,
    tickets,
    trusted: new Set([treeOf(base), treeOf(from)]),
    headTree: treeOf(head),
  }
}

async function readLog(git: Git, base: string, head: string): Promise<Omit<RangeCommit, 'tree'>[]> {
  const format = '--format=%H%x00%P%x00%s%x00%(trailers:key=Valuetrain-Ticket,valueonly,separator=%x20)%x00%x00'
  const output = await git.text(['log', '--no-show-signature', '--reverse', '--topo-order', format, `${base}..${head}`, '--'])
  return output.split('\0\0\n').flatMap((record) => {
    const [commit = '', parents = '', title = '', tickets = ''] = record.replace(/\0\0$/, '').split('\0')
    if (commit.trim() === '') return []
    const words = (text: string) => text.split(' ').filter((word) => word !== '')
    return [{ commit: commit.trim(), parents: words(parents), title, tickets: words(tickets) }]
  })
}
