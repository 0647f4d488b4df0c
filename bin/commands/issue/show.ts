import { issueBoard } from '../../board.ts'
import { argument, defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, table } from '../../display/text.ts'
import { openIssues } from '../../wiring.ts'

export default defineCommand({
  description: 'Shows one issue, what became of it, and the comments its tickets hold.',
  args: { issue: argument.issue('Number of the issue.') },
  json: true,
  forge: true,
  async run(context, { args, flags }) {
    const { issues, comments } = await issueBoard(context, flags.forge)
    const found = issues.find(({ number }) => number === args.issue)
    // The forge's own reading names what is wrong with the file, or which issues there are.
    const issue = found ?? (await (await openIssues(context, flags.forge)).forge.readIssue(args.issue))
    const said = comments.get(args.issue) ?? []
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ ...issue, comments: said })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const ticket = found?.ticket
    const facts = [
      ['state', found?.state ?? issue.state],
      ['ticket', ticket ? `${ticket.ticket}, ${ticket.status}` : ''],
      ['why', found && !found.ready && !ticket ? found.why : ''],
      ['labels', issue.labels.map(clean).join(', ')],
      ['assigned', issue.assignees.map(clean).join(', ')],
      ['blocked by', issue.blockedBy.map((number) => `#${number}`).join(', ')],
      ['part of', issue.parent === undefined ? '' : `#${issue.parent}`],
      ['written in', issue.location],
    ].filter(([, value]) => value !== '')
    const body =
      issue.body.trim() === ''
        ? []
        : [
            '',
            ...issue.body
              .trim()
              .split('\n')
              .map((line) => `  ${clean(line)}`),
          ]
    const talk =
      said.length === 0 ? [] : ['', paint.bold('comments'), ...said.map(({ at, text }) => `  ${paint.dim(at)} ${clean(text)}`)]
    const lines = [
      `${paint.name(`#${issue.number}`)} ${paint.bold(clean(issue.title))}`,
      table(
        facts.map(([k = '', v = '']) => [paint.dim(k), v]),
        2,
      ),
      ...body,
      ...talk,
    ]
    context.stdout.write(`${lines.join('\n')}\n`)
    return 0
  },
})
