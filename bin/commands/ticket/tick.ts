import { actOn } from '../../act.ts'
import { argument, defineCommand, flag } from '../../command.ts'

export default defineCommand({
  description:
    'Ticks an item whose evidence is a person’s word, for the work as it is committed now. Every other item is ticked by a run, when its evidence holds in a clean checkout; this says so instead of taking anybody’s word for it.',
  args: { issue: argument.issue('Number of the issue.'), item: argument.text('Id of the item; `ticket show` lists them.') },
  flags: { reason: flag.text('TEXT', 'Why; it is recorded.') },
  json: true,
  forge: true,
  run: (context, { args, flags }) => {
    const reason = flags.reason === undefined ? {} : { reason: flags.reason }
    return actOn(context, args.issue, { type: 'tick', item: args.item, channel: 'terminal', ...reason }, flags)
  },
})
