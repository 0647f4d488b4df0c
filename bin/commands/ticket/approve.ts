import { actOn } from '../../act.ts'
import { argument, defineCommand, flag } from '../../command.ts'

export default defineCommand({
  description:
    'Says yes where a ticket waits for a person: to a check-in question, or to a gate that asks for an approval. The approval is bound to the work as it is committed now.',
  examples: [{ does: 'Answer what ticket 42 waits for', line: 'ticket approve 42' }],
  args: {
    issue: argument.issue('Number of the issue.'),
    gate: argument.optional('Gate or item to approve; what the ticket waits for unless told.'),
  },
  flags: { reason: flag.text('TEXT', 'Why; it is recorded.') },
  json: true,
  forge: true,
  run: (context, { args, flags }) => {
    const gate = args.gate === undefined ? {} : { gate: args.gate }
    const reason = flags.reason === undefined ? {} : { reason: flags.reason }
    return actOn(context, args.issue, { type: 'approve', channel: 'terminal', ...gate, ...reason }, flags)
  },
})
