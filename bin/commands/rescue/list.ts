import { listRescues } from '../../../core/rescue.ts'
import { argument, defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, counted, table } from '../../display/text.ts'
import { openSurvey } from '../../wiring.ts'

export default defineCommand({
  description: 'Lists uncommitted work that was kept in rescue refs before a worktree was removed or put back.',
  args: { ticket: argument.optional('Only rescues of this ticket.') },
  json: true,
  async run(context, { args, flags }) {
    const { repository } = await openSurvey(context)
    const rescues = (await listRescues(repository)).filter(({ ticket }) => args.ticket === undefined || ticket === args.ticket)
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ rescues })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = rescues.map(({ ref, at, files, why }) => [
      paint.dim(at.slice(0, 19).replace('T', ' ')),
      paint.name(ref),
      counted(files, 'file'),
      clean(why),
    ])
    const next = rescues.at(-1)
      ? `\n${paint.dim('next:')} valuetrain rescue restore ${rescues.at(-1)?.ref} --into FOLDER\n`
      : 'nothing was set aside\n'
    context.stdout.write(rows.length === 0 ? next : `${table(rows)}${next}`)
    return 0
  },
})
