import type { FoundTicket } from '../conductor/sources.ts'
import type { Repository } from '../core/repository.ts'
import { foldDecisions, type LateOutcome, type TicketLog } from '../training/router/index.ts'

/**
 * Returns the choices of tickets with all that is known of them by now, also outside their sessions: whether they were
 * merged, and whether a commit of theirs, or their merge, was reverted.
 */
export async function ticketLogs(repository: Repository, tickets: readonly FoundTicket[]): Promise<TicketLog[]> {
  const routed = tickets.filter(({ state }) => state.ledger.routes.length > 0)
  if (routed.length === 0) return []
  const reverted = await revertedCommits(repository)
  return routed.map(({ ticket, session, state, done }) => {
    const own = foldDecisions(session.entries)
    const last = own.at(-1)
    const late: LateOutcome[] = []
    const undone = state.ledger.work.map(({ commit }) => reverted.get(commit)).find((when) => when !== undefined)
    const undoneMerge = reverted.get(`merge ${ticket}`)
    const at = undone ?? undoneMerge
    if (last !== undefined && done) {
      // Whoever was chosen last is who the merge is by; those before were refused by their gates.
      late.push({ decision: last.id, kind: 'merged', value: 1, at: state.ledger.deliveredAt ?? '' })
      if (at !== undefined) late.push({ decision: last.id, kind: 'reverted', value: 1, at })
    }
    const stopped = state.status === 'blocked' || state.status === 'aborted'
    const ended = done ? (at === undefined ? 'merged' : 'reverted') : stopped ? 'failed' : 'open'
    return { ticket, decisions: foldDecisions(session.entries, late), ended }
  })
}

/** Returns when each commit was reverted, by the message that git writes; merges of tickets also by `merge <ticket>`. */
async function revertedCommits({ git }: Repository): Promise<Map<string, string>> {
  const format = '--format=%aI%x00%s%x00%B%x1e'
  const log = await git.run(['log', format, '--grep=^This reverts commit ', 'HEAD', '--'], { okExit: [0, 128] })
  if (log.code !== 0) return new Map()
  return new Map(
    log.stdout.split('\u001e').flatMap((entry) => {
      const [at = '', subject = '', body = ''] = entry.trim().split('\0')
      const ticket = /^Revert "Merge ([a-z0-9-]+_\d+):/.exec(subject)?.[1]
      const commits = [...body.matchAll(/This reverts commit ([0-9a-f]{40,64})/g)].map((match) => match[1] as string)
      return [...commits, ...(ticket === undefined ? [] : [`merge ${ticket}`])].map((key) => [key, at] as const)
    }),
  )
}
