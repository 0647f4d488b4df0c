import { actOn } from '../../act.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { ask } from '../../prompt.ts'

const DAY_MS = 24 * 3_600_000

export default defineCommand({
  description:
    'Lets a ticket past a gate that says no. The reason is recorded and shown wherever the verdict is shown; the override holds for the work as it is committed now, and ends with its days.',
  examples: [{ does: 'For three days', line: 'ticket override 42 test --reason "flaky on this host, see #40" --days 3' }],
  args: { issue: argument.issue('Number of the issue.'), gate: argument.text('Gate or item to override.') },
  flags: {
    reason: flag.text('TEXT', 'Why; it is recorded.'),
    days: flag.count('N', 'Days it holds; the gate may allow fewer.', 1, 365),
  },
  json: true,
  forge: true,
  async run(context, { args, flags }) {
    const reason = await ask(context, `Why may ${args.gate} be passed over?`, { given: flags.reason, flag: '--reason' })
    const expires = flags.days === undefined ? {} : { expires: new Date(context.clock.now() + flags.days * DAY_MS).toISOString() }
    return actOn(context, args.issue, { type: 'override', channel: 'terminal', gate: args.gate, reason, ...expires }, flags)
  },
})
