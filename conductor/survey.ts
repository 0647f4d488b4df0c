import { committedConfig } from './definitions.ts'
import { lookAtTickets } from './done.ts'
import type { Ports } from './ports.ts'
import { type TicketView, viewTicket } from './view.ts'

/** Returns every ticket of the repository as the fold of its session, sorted by issue, then name. */
export async function surveyTickets({ repository }: Pick<Ports, 'repository'>): Promise<TicketView[]> {
  const config = await committedConfig(repository)
  const { done, open } = await lookAtTickets(repository, config)
  const views = [...[...done.values()].map(({ view }) => view), ...open.map(viewTicket)]
  return views.sort((a, b) => a.issue - b.issue || a.ticket.localeCompare(b.ticket, 'en'))
}
