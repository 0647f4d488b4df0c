import { actOn } from '../act.ts'
import { argument, defineCommand, flag } from '../command.ts'

export default defineCommand({
  description: 'Lets a paused, blocked or aborted ticket go on with the next run.',
  args: { issue: argument.issue('Number of the issue.') },
  flags: { reason: flag.text('TEXT', 'Why; it is recorded.') },
  json: true,
  forge: true,
  run: (context, { args, flags }) =>
    actOn(context, args.issue, { type: 'resume', ...(flags.reason === undefined ? {} : { reason: flags.reason }) }, flags),
})
