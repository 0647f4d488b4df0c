import { actOn } from '../../act.ts'
import { argument, defineCommand } from '../../command.ts'

export default defineCommand({
  description:
    'Gives up the claim on an issue whose process is gone. A living process keeps its claim, and the error says which it is.',
  args: { issue: argument.issue('Number of the issue.') },
  json: true,
  forge: true,
  run: (context, { args, flags }) => actOn(context, args.issue, { type: 'release' }, flags),
})
