import { type FoundTicket, findTicket, findTickets } from '../conductor/sources.ts'
import type { Config } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Repository } from '../core/repository.ts'
import { foldDecisions, type LateOutcome, type TicketLog } from '../training/router/index.ts'

/** What the history took back, by commit, and by `merge <ticket>` for merges of tickets. */
type TakenBack = ReadonlyMap<string, { at: string; by: string }>

/**
 * Returns the choices of every ticket that there is or was. Nothing is learned from a session that somebody has altered.
 *
 * @param isWhole whether an altered session is an error; otherwise its ticket is left out
 * @throws VT_SESSION_ALTERED
 */
export async function allTicketLogs(
  repository: Repository,
  config: Config,
  { isWhole }: { isWhole: boolean },
): Promise<TicketLog[]> {
  const there = await findTickets(repository, config)
  const tickets = [...there, ...(await ticketsTakenBack(repository, there))]
  const isAltered = ({ session }: FoundTicket) => session.findings.some(({ severity }) => severity === 'error')
  const altered = tickets.find((ticket) => isWhole && isAltered(ticket) && ticket.state.ledger.routes.length > 0)
  if (altered !== undefined) {
    throw new ValuetrainError(
      'VT_SESSION_ALTERED',
      `the session of ${altered.ticket} is not what was written, so nothing is learned from it`,
      {
        kind: 'environment',
        hint: `\`valuetrain session verify ${altered.ticket}\` says what is wrong; restore it from the history`,
      },
    )
  }
  return ticketLogs(
    repository,
    tickets.filter((ticket) => !isAltered(ticket)),
  )
}

/**
 * Returns the tickets whose merge was reverted, as they were before that: their folders are gone with it, and what was
 * learned by them would be otherwise.
 *
 * @param tickets those that are there
 */
export async function ticketsTakenBack(repository: Repository, tickets: readonly FoundTicket[]): Promise<FoundTicket[]> {
  const known = new Set(tickets.flatMap(({ session }) => session.segments.map(({ header }) => header.segment)))
  const gone = [...(await takenBack(repository))].filter(([key]) => key.startsWith('merge '))
  const found = await Promise.all(gone.map(([key, { by }]) => findTicket(repository, key.slice('merge '.length), `${by}^`, null)))
  return found
    .filter((ticket) => ticket !== undefined)
    .filter(({ session }) => !session.segments.some(({ header }) => known.has(header.segment)))
}

/**
 * Returns the choices of tickets with all that is known of them by now, also outside their sessions: whether they were
 * merged, and whether a commit of theirs, or their merge, was reverted.
 */
export async function ticketLogs(repository: Repository, tickets: readonly FoundTicket[]): Promise<TicketLog[]> {
  const routed = tickets.filter(({ state }) => state.ledger.routes.length > 0)
  if (routed.length === 0) return []
  const reverted = await takenBack(repository)
  return routed.map(({ ticket, session, state, done }) => {
    const own = foldDecisions(session.entries)
    const last = own.at(-1)
    const late: LateOutcome[] = []
    const keys = [...state.ledger.work.map(({ commit }) => commit), `merge ${ticket}`]
    const at = keys.map((key) => reverted.get(key)?.at).find((when) => when !== undefined)
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

/** By the messages that git writes: a revert takes back, a revert of that gives again, and the last word counts. */
async function takenBack({ git }: Repository): Promise<TakenBack> {
  const format = '--format=%H%x00%aI%x00%s%x00%B%x1e'
  const log = await git.run(['log', '--reverse', format, '--grep=^This reverts commit ', 'HEAD', '--'], { okExit: [0, 128] })
  const back = new Map<string, { at: string; by: string }>()
  if (log.code !== 0) return back
  const byRevert = new Map<string, readonly string[]>()
  for (const entry of log.stdout.split('\u001e')) {
    const [by = '', at = '', subject = '', body = ''] = entry.trim().split('\0')
    const ticket = /^Revert "Merge ([a-z0-9-]+_\d+):/.exec(subject)?.[1]
    const keys = [...body.matchAll(/This reverts commit ([0-9a-f]{40,64})/g)].map((match) => match[1] as string)
    for (const again of keys.flatMap((key) => byRevert.get(key) ?? [])) back.delete(again)
    const own = [...keys.filter((key) => !byRevert.has(key)), ...(ticket === undefined ? [] : [`merge ${ticket}`])]
    for (const key of own) back.set(key, { at, by })
    byRevert.set(by, own)
  }
  return back
}
