import { argument, defineCommand } from '../../command.ts'
import { clean } from '../../display/text.ts'
import { openIssues } from '../../wiring.ts'

export default defineCommand({
  description: 'Marks an issue as closed. Nothing is committed; a closed issue is not selected any more.',
  args: { issue: argument.issue('Number of the issue.') },
  json: true,
  forge: true,
  async run(context, { args, flags }) {
    const { forge } = await openIssues(context, flags.forge)
    const before = await forge.readIssue(args.issue)
    const issue = before.state === 'closed' ? before : await forge.closeIssue(args.issue)
    if (flags.json) context.stdout.write(`${JSON.stringify(issue)}\n`)
    else if (before.state === 'closed') context.stdout.write(`issue ${issue.number} is closed already; nothing written\n`)
    else context.stdout.write(`closed ${issue.number}  ${clean(issue.title)}\nwrote ${issue.location}\n`)
    return 0
  },
})
