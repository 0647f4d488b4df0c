import { argument, defineCommand, flag } from '../../command.ts'
import { tellEvent } from '../../display/event.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { ticketsNamed } from '../../wiring.ts'

export default defineCommand({
  description:
    'Lists events, one a line, with the ids that rollback and redaction take. Without a ticket: of all tickets, in order of time.',
  args: { ticket: argument.optional('Ticket such as build_42, or the number of an issue.') },
  flags: {
    last: flag.count('N', 'Only the last N events.'),
    type: flag.list('TYPE', 'Only events of this type, e.g. GATE_JUDGED; may be given several times.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const { tickets } = await ticketsNamed(context, args.ticket)
    const wanted = new Set(flags.type.map((type) => type.toUpperCase()))
    const entries = tickets
      .flatMap(({ ticket, session }) => session.entries.map((entry) => ({ ticket, entry })))
      .filter(({ entry }) => wanted.size === 0 || wanted.has(entry.type))
    // Of one ticket the order of the log is kept, whatever its clocks said.
    const ordered =
      tickets.length === 1 ? entries : entries.sort((a, b) => (a.entry.ts < b.entry.ts ? -1 : a.entry.ts > b.entry.ts ? 1 : 0))
    const shown = flags.last === undefined ? ordered : ordered.slice(-flags.last)
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ entries: shown.map(({ ticket, entry }) => ({ ticket, ...entry })) })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = shown.map(({ ticket, entry }) => {
      const { text, tone } = tellEvent(entry)
      return [
        paint.dim(entry.ts.slice(0, 19).replace('T', ' ')),
        paint.dim(entry.id),
        paint.name(ticket),
        entry.type,
        tone === 'plain' ? text : paint[tone](text),
      ]
    })
    context.stdout.write(rows.length === 0 ? 'no events\n' : `${table(rows)}\n`)
    return 0
  },
})
