import type { FoundTicket } from '../../../conductor/sources.ts'
import type { PlacedEntry } from '../../../core/contracts/event.ts'
import { argument, defineCommand } from '../../command.ts'
import { tellEvent, tellFinding } from '../../display/event.ts'
import { type Paint, paintFor } from '../../display/paint.ts'
import { clean, duration, table } from '../../display/text.ts'
import { ticketsNamed } from '../../wiring.ts'

export default defineCommand({
  description: 'Tells what happened on a ticket from its session: who, when, what was judged, and why it ended as it did.',
  args: { ticket: argument.text('Ticket such as build_42, or the number of an issue.') },
  json: true,
  async run(context, { args, flags }) {
    const { tickets } = await ticketsNamed(context, args.ticket)
    if (flags.json) {
      const sessions = tickets.map(({ ticket, source, state, session }) => ({
        ticket,
        source,
        status: state.status,
        segments: session.segments.map(({ file, header, closing }) => ({ file, ...header, closing: closing ?? null })),
        entries: session.entries,
        findings: session.findings,
      }))
      context.stdout.write(`${JSON.stringify({ sessions })}\n`)
      return 0
    }
    const paint = paintFor(context)
    context.stdout.write(`${tickets.map((found) => tell(found, paint)).join('\n\n')}\n`)
    return 0
  },
})

const SOURCES = {
  default: 'the default branch',
  branch: 'its branch',
  worktree: 'its worktree',
  remote: 'its branch on the remote',
}

function tell({ ticket, source, state, session }: FoundTicket, paint: Paint): string {
  const { opened, openedAt, at, usage } = state.ledger
  const took = openedAt && at ? duration(Date.parse(at) - Date.parse(openedAt)) : ''
  const facts = [
    ['issue', opened ? `#${opened.issue.number} ${clean(opened.issue.title)}` : ''],
    ['pipeline', opened ? `${opened.pipeline}: ${opened.stretch.join(' > ')}` : ''],
    ['base', opened?.base.slice(0, 12) ?? ''],
    ['status', state.status],
    ['read from', SOURCES[source]],
    ['took', took],
    [
      'used',
      usage.tokensIn + usage.tokensOut > 0 ? `${usage.tokensIn} tokens in, ${usage.tokensOut} out, $${usage.costUsd}` : '',
    ],
  ].filter(([, value]) => value !== '')
  const events = session.entries.flatMap((entry, index) => {
    if (isPass(entry)) return index > 0 && isPass(session.entries[index - 1]) ? [] : [passes(session.entries.slice(index), paint)]
    const { text, weight, tone } = tellEvent(entry)
    const who = entry.data?.actor.kind === 'human' ? paint.warn(clean(entry.data.actor.name ?? 'person')) : ''
    return [
      [
        paint.dim(entry.ts.slice(11, 19)),
        tone !== 'plain' ? paint[tone](text) : weight === 'detail' ? paint.dim(text) : text,
        who,
      ],
    ]
  })
  return [
    paint.bold(ticket),
    table(
      facts.map(([name = '', value = '']) => [paint.dim(name), value]),
      2,
    ),
    '',
    table(events, 2),
    '',
    ...session.segments.map(({ file }) => paint.dim(`  ${file}`)),
    ...session.findings.map((finding) => `  ${paint.bad(tellFinding(finding))}`),
  ].join('\n')
}

function isPass(entry: PlacedEntry | undefined): boolean {
  return (
    entry?.type === 'GATE_JUDGED' && (entry.data?.result.verdict === 'pass' || entry.data?.result.verdict === 'not-applicable')
  )
}

/** Gates that say yes one after another are one line; each verdict is in the session and in `session log`. */
function passes(entries: readonly PlacedEntry[], paint: Paint): string[] {
  const end = entries.findIndex((entry) => !isPass(entry))
  const gates = entries
    .slice(0, end < 0 ? undefined : end)
    .flatMap((entry) => (entry.type === 'GATE_JUDGED' && entry.data ? [entry.data.result] : []))
  const names = gates.map(({ gate, reusedFrom, evidence }) =>
    evidence.durationMs === undefined || reusedFrom !== undefined ? gate : `${gate} ${duration(evidence.durationMs)}`,
  )
  return [
    paint.dim((entries[0] as PlacedEntry).ts.slice(11, 19)),
    paint.good(`${gates.length === 1 ? '1 gate passes' : `${gates.length} gates pass`}: `) + paint.dim(names.join(', ')),
    '',
  ]
}
