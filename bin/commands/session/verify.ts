import { committedConfig } from '../../../conductor/definitions.ts'
import { didYouMean, ValuetrainError } from '../../../core/errors.ts'
import { openRepository } from '../../../core/repository.ts'
import type { Verification } from '../../../sessions/index.ts'
import { auditTickets, isBroken } from '../../audit.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { tellFinding } from '../../display/event.ts'
import { type Paint, paintFor } from '../../display/paint.ts'
import { counted, table } from '../../display/text.ts'

export default defineCommand({
  description:
    'Answers four questions about each session, never one: is what is there what was written (integrity), is everything there (completeness), does anything outside tell of it (anchoring), did every step follow its gates (policy). Reads the default branch, branches of live tickets, and files. Exit code 1 when integrity, completeness or policy is broken.',
  args: { ticket: argument.optional('Ticket such as build_42, or the number of an issue; all unless told.') },
  flags: { 'require-anchor': flag.switch('Fail, too, when nothing outside tells of a session.') },
  json: true,
  async run(context, { args, flags }) {
    const repository = await openRepository(context.cwd, context.env)
    const config = await committedConfig(repository)
    const { ticket: word } = args
    const number = word === undefined ? undefined : /^#?(\d+)$/.exec(word)?.[1]
    const isWanted = (ticket: string) =>
      word === undefined || ticket === word || (number !== undefined && ticket.endsWith(`_${number}`))
    const tickets = await auditTickets(repository, config, isWanted)
    if (word !== undefined && tickets.length === 0) {
      const all = await auditTickets(repository, config, () => true)
      throw new ValuetrainError(
        'VT_TICKET_UNKNOWN',
        `there is no ticket "${word.slice(0, 80)}"${didYouMean(
          word,
          all.map(({ ticket }) => ticket),
        )}`,
        {
          hint: '`valuetrain status --all` lists the tickets',
        },
      )
    }
    const broken = tickets.filter((result) => isBroken(result, flags['require-anchor']))
    if (flags.json) context.stdout.write(`${JSON.stringify({ tickets })}\n`)
    else context.stdout.write(`${tell(tickets, broken, paintFor(context))}\n`)
    return broken.length > 0 ? 1 : 0
  },
})

const GOOD = new Set(['intact', 'complete', 'anchored', 'gated'])
const BAD = new Set(['altered', 'truncated', 'ungated'])

function tell(tickets: readonly Verification[], broken: readonly Verification[], paint: Paint): string {
  if (tickets.length === 0) return 'no sessions yet'
  const word = (text: string) => (GOOD.has(text) ? paint.good(text) : BAD.has(text) ? paint.bad(text) : paint.warn(text))
  const head = ['ticket', 'integrity', 'completeness', 'anchoring', 'policy'].map((cell) => paint.dim(cell))
  const rows = tickets.map((result) => [
    paint.name(result.ticket),
    word(result.integrity),
    word(result.completeness),
    word(result.anchoring),
    word(result.policy),
  ])
  const findings = tickets.flatMap(({ ticket, findings }) =>
    findings.map((finding) => `${paint.bad(ticket)} ${tellFinding(finding)}`),
  )
  const end =
    broken.length === 0
      ? `${paint.good('ok')}  ${counted(tickets.length, 'session')}`
      : `${paint.bad('broken')}  ${broken.length} of ${counted(tickets.length, 'session')}`
  return [table([head, ...rows]), ...(findings.length > 0 ? ['', ...findings] : []), '', end].join('\n')
}
