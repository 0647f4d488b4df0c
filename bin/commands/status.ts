import type { TicketView } from '../../conductor/view.ts'
import { defineCommand, flag } from '../command.ts'
import { type Paint, paintFor } from '../display/paint.ts'
import { clean, shorten, table } from '../display/text.ts'
import { knownViews } from '../status-cache.ts'
import { openSurvey } from '../wiring.ts'

export default defineCommand({
  description: 'Says where every ticket stands: the fold of its session, in the default branch or in its worktree.',
  flags: { all: flag.switch('List done tickets, too, not only count them.') },
  json: true,
  forge: true,
  async run(context, { flags }) {
    const views = await knownViews(context, async () => {
      const { surveyTickets } = await import('../../conductor/survey.ts')
      return surveyTickets(await openSurvey(context))
    })
    if (flags.json) context.stdout.write(`${JSON.stringify({ tickets: views.map(publicView) })}\n`)
    else context.stdout.write(`${render(views, flags.all, context.stdout.columns ?? 120, paintFor(context))}\n`)
    return 0
  },
})

/** The keys that programs rely on, and no others. */
function publicView(view: TicketView) {
  const { ticket, issue, title, pipeline, phase, mode, status, attempts, branch, gates, items } = view
  return {
    ticket,
    issue,
    title,
    pipeline,
    phase: phase ?? null,
    mode: mode ?? null,
    status,
    attempts,
    branch,
    gates: gates.map(({ gate, verdict }) => ({ gate, verdict })),
    items: { done: items.done, required: items.required },
  }
}

function render(views: readonly TicketView[], all: boolean, columns: number, paint: Paint): string {
  if (views.length === 0) return 'no tickets yet\nnext: valuetrain issue new --title "…", then valuetrain run N'
  const shown = all ? views : views.filter(({ status }) => status !== 'done')
  const done = views.length - shown.length
  const rows = shown.map((view) => [
    paint.name(view.ticket),
    TONES[view.status]?.(paint, view.status) ?? view.status,
    view.mode ?? '',
    `items ${view.items.done}/${view.items.required}`,
    gateWords(view, paint),
    shorten(clean(view.title), Math.max(20, columns - 70)),
  ])
  const why = shown.flatMap((view) => {
    const reason = view.waiting
    return reason === undefined || view.status === 'done' ? [] : [`${paint.dim(`${view.ticket}:`)} ${clean(reason)}`]
  })
  const counted = done === 0 ? [] : [paint.dim(`${done} done${all ? '' : ' (--all lists them)'}`)]
  return [table(rows), ...why, ...counted].filter((part) => part !== '').join('\n')
}

const TONES: Partial<Record<TicketView['status'], (paint: Paint, text: string) => string>> = {
  done: (paint, text) => paint.good(text),
  delivered: (paint, text) => paint.good(text),
  blocked: (paint, text) => paint.bad(text),
  aborted: (paint, text) => paint.bad(text),
  waiting: (paint, text) => paint.warn(text),
  paused: (paint, text) => paint.warn(text),
}

function gateWords({ gates }: TicketView, paint: Paint): string {
  const good = gates.filter(({ verdict }) => ['pass', 'waived', 'not-applicable'].includes(verdict)).length
  const failed = gates.filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive').map(({ gate }) => gate)
  const text = `gates ${good}/${gates.length}`
  return failed.length === 0 ? text : `${text} ${paint.bad(`no: ${failed.slice(0, 3).join(', ')}`)}`
}
