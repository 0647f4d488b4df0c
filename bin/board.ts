import type { Forge } from '../core/contracts/forge.ts'
import type { Issue } from '../core/contracts/issue.ts'
import type { IssueReading, LocalForge } from '../forge/index.ts'
import type { Context } from './context.ts'
import { openIssues } from './wiring.ts'

/** An issue with what became of it, folded from its tickets. */
export interface IssueOnBoard extends Issue {
  /** Its ticket that counts now: the one under way, else the last. */
  ticket: { ticket: string; status: string } | null
  /** Whether Auto-Pilot may take it. */
  ready: boolean
  /** Why not, in a few words; empty when ready. */
  why: string
}

export interface IssueBoard {
  issues: IssueOnBoard[]
  /** Files that could not be read as issues. */
  problems: { file: string; message: string }[]
  /** What tickets noted on an issue, oldest first. */
  comments: Map<number, { at: string; text: string }[]>
}

/** A local forge also tells which files it could not read; elsewhere there are none. */
async function readIssues(forge: Forge): Promise<IssueReading> {
  return 'readIssues' in forge ? (forge as LocalForge).readIssues() : { issues: await forge.listIssues(), problems: [] }
}

/** Returns all issues as they are to be understood: files say what is wanted, tickets say what became of it. */
export async function issueBoard(context: Context, override: 'local' | 'github' | undefined): Promise<IssueBoard> {
  const [{ findTickets }, { selectIssues }, { listLeases }] = await Promise.all([
    import('../conductor/sources.ts'),
    import('../agents/select.ts'),
    import('../core/lease.ts'),
  ])
  const { repository, config, forge } = await openIssues(context, override)
  const [{ issues, problems }, tickets, leases] = await Promise.all([
    readIssues(forge),
    findTickets(repository, config),
    listLeases(repository, config),
  ])
  const ticketOf = (issue: number) => {
    const own = tickets.filter((found) => found.issue === issue)
    const found = own.find(({ done }) => !done) ?? own.at(-1)
    return found ? { ticket: found.ticket, status: found.state.status, stopped: found.state.ledger.stopped } : null
  }
  const done = new Set(issues.map(({ number }) => number).filter((number) => ticketOf(number)?.status === 'done'))
  const held = new Map(
    issues.flatMap(({ number }) => {
      const ticket = ticketOf(number)
      const stops = ticket && ['blocked', 'aborted', 'paused', 'delivered'].includes(ticket.status)
      return stops ? [[number, ticket.stopped ?? ticket.status] as const] : []
    }),
  )
  const claimed = new Set(leases.map(({ issue }) => issue))
  const { ready, passed } = selectIssues(issues, { labels: config.labels, claimed, done, held })
  const whys = new Map(passed.map(({ number, why }) => [number, why]))
  const comments = new Map<number, { at: string; text: string }[]>()
  for (const { issue, session } of tickets) {
    const texts = session.entries.flatMap((entry) =>
      entry.type === 'COMMENTED' && entry.data ? [{ at: entry.ts, text: entry.data.text }] : [],
    )
    comments.set(issue, [...(comments.get(issue) ?? []), ...texts])
  }
  return {
    issues: issues.map((issue) => {
      const ticket = ticketOf(issue.number)
      return {
        ...issue,
        state: done.has(issue.number) ? 'closed' : issue.state,
        ticket: ticket && { ticket: ticket.ticket, status: ticket.status },
        ready: ready.some(({ number }) => number === issue.number),
        why: whys.get(issue.number) ?? '',
      }
    }),
    problems: problems.map(({ file, error }) => ({ file, message: error.message })),
    comments,
  }
}
