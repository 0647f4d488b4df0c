import { issueBoard } from '../../board.ts'
import { defineCommand, flag } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, shorten, table } from '../../display/text.ts'

export default defineCommand({
  description:
    'Lists the issues with what became of them: closed, blocked and claimed are read from the tickets. For an open one it says whether Auto-Pilot may take it, and if not, why.',
  flags: {
    all: flag.switch('List closed issues, too.'),
    label: flag.list('LABEL', 'Only issues with this label; may be given several times.'),
  },
  json: true,
  forge: true,
  async run(context, { flags }) {
    const { issues, problems } = await issueBoard(context, flags.forge)
    const shown = issues.filter(
      (issue) =>
        (flags.all || flags.json || issue.state === 'open') && flags.label.every((label) => issue.labels.includes(label)),
    )
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ issues: shown, problems })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const columns = context.stdout.columns ?? 120
    const rows = shown.map((issue) => [
      paint.name(`#${issue.number}`),
      issue.ticket ? issue.ticket.status : issue.state === 'closed' ? 'closed' : issue.ready ? paint.good('ready') : 'open',
      shorten(clean(issue.title), Math.max(24, columns - 60)),
      paint.dim(issue.labels.map(clean).join(' ')),
      paint.dim(issue.ticket || issue.ready ? '' : issue.why),
    ])
    if (rows.length > 0) context.stdout.write(`${table(rows)}\n`)
    else context.stdout.write(`no ${flags.all ? '' : 'open '}issues\nnext: valuetrain issue new --title "…" --label auto\n`)
    for (const { file, message } of problems) context.stderr.write(`note: ${file} is not listed: ${clean(message)}\n`)
    return 0
  },
})
