import { explainDecision } from '../../../training/router/index.ts'
import { argument, defineCommand } from '../../command.ts'
import type { Context } from '../../context.ts'
import { ticketLogs, ticketsTakenBack } from '../../decisions.ts'
import { paintFor } from '../../display/paint.ts'
import { ticketsNamed } from '../../wiring.ts'

export default defineCommand({
  description:
    'Explains who was chosen to work an issue: the chance each candidate had, by which policy, on which features, and what came of it. Everything is folded from the sessions and the history; nothing is looked up anywhere else.',
  examples: [{ does: 'Why this agent', line: 'agents why 42' }],
  args: { issue: argument.issue('Number of the issue, or name of its ticket.') },
  json: true,
  async run(context, { args, flags }) {
    const { repository, tickets } = await everNamed(context, String(args.issue))
    const logs = await ticketLogs(repository, tickets)
    const explained = logs.flatMap(({ ticket, decisions }) => decisions.map((decision) => ({ ticket, ...decision })))
    if (flags.json) {
      context.stdout.write(`${JSON.stringify(explained)}\n`)
      return 0
    }
    if (explained.length === 0) {
      const runtimes = [...new Set(tickets.map(({ state }) => state.ledger.opened?.runtime ?? 'none'))]
      context.stdout.write(
        `no router chose for issue ${args.issue}: its label, the configuration or the command line named ${runtimes.join(', ')}\n`,
      )
      return 0
    }
    const paint = paintFor(context)
    for (const decision of explained) {
      const [first = '', ...rest] = explainDecision(decision)
      context.stdout.write(`${paint.bold(decision.ticket)}  ${first}\n${rest.map((line) => `  ${line}\n`).join('')}`)
    }
    return 0
  },
})

/** Tickets whose merge was reverted are gone from the branch, and still explained. @throws VT_TICKET_UNKNOWN */
async function everNamed(context: Context, word: string): ReturnType<typeof ticketsNamed> {
  const { repository, tickets: all } = await ticketsNamed(context, undefined)
  const back = (await ticketsTakenBack(repository, all)).filter(
    ({ ticket, issue }) => ticket === word || String(issue) === word.replace('#', ''),
  )
  if (back.length === 0) return ticketsNamed(context, word)
  const there = all.filter(({ ticket, issue }) => ticket === word || String(issue) === word.replace('#', ''))
  return { repository, tickets: [...back, ...there] }
}
