import { actOn } from '../act.ts'
import { argument, defineCommand, flag } from '../command.ts'

export default defineCommand({
  description: 'Holds a ticket where it is. One that is being worked stops at the next safe place; nothing is lost.',
  args: { issue: argument.issue('Number of the issue.') },
  flags: { reason: flag.text('TEXT', 'Why; it is recorded.') },
  json: true,
  forge: true,
  run: (context, { args, flags }) =>
    actOn(context, args.issue, { type: 'pause', ...(flags.reason === undefined ? {} : { reason: flags.reason }) }, flags),
})
