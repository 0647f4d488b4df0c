import { actOn } from '../act.ts'
import { argument, defineCommand, flag } from '../command.ts'
import { ask } from '../prompt.ts'

export default defineCommand({
  description: 'Ends a ticket for good. Its branch, worktree and session stay; the reason is recorded.',
  args: { issue: argument.issue('Number of the issue.') },
  flags: { reason: flag.text('TEXT', 'Why; it is recorded.') },
  json: true,
  forge: true,
  async run(context, { args, flags }) {
    const reason = await ask(context, 'Why is it aborted?', { given: flags.reason, flag: '--reason' })
    return actOn(context, args.issue, { type: 'abort', reason }, flags)
  },
})
