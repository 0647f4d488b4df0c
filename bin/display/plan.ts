import type { planDrive, RunPlan } from '../../conductor/plan.ts'
import { paintFor } from './paint.ts'
import { clean, table } from './text.ts'

/** Returns what a run would do and why, for people. */
export function tellRunPlan(plan: RunPlan, context: { color: boolean }): string {
  const paint = paintFor(context)
  const facts = [
    ['ticket', plan.ticket ?? ''],
    ['branch', plan.branch ?? ''],
    ['pipeline', plan.pipeline ?? ''],
    ['base', plan.base?.slice(0, 12) ?? ''],
    ['status', plan.status],
    ['worked by', clean(plan.runtime)],
  ].filter(([, value]) => value !== '')
  const phases = plan.phases.map(({ phase, mode, works, gates }) => [
    paint.name(phase),
    mode,
    works ? '' : 'conductor only',
    gates.length === 0 ? 'no gates' : gates.join(', '),
  ])
  const notes = [
    ...(plan.unjudged.length > 0 && plan.phases.length > 0
      ? [`no command is configured for ${plan.unjudged.join(', ')}, so nothing judges that`]
      : []),
    ...plan.notes,
  ]
  return [
    `${paint.bold('plan')}  issue ${plan.issue}  ${clean(plan.title)}`,
    table(
      facts.map(([name = '', value = '']) => [paint.dim(name), value]),
      2,
    ),
    ...(phases.length > 0 ? ['', table(phases, 2)] : []),
    ...notes.map((note) => `${paint.warn('note:')} ${note}`),
    paint.dim('nothing was changed'),
  ].join('\n')
}

/** Returns what a drive would take, in order, and why it passes the others over. */
export function tellDrivePlan(plan: Awaited<ReturnType<typeof planDrive>>, context: { color: boolean }): string {
  const paint = paintFor(context)
  const ready = plan.ready.map((number, index) => [`${index + 1}.`, paint.name(`#${number}`)])
  const passed = plan.passed.map(({ number, why }) => [paint.dim(`#${number}`), clean(why)])
  return [
    `${paint.bold('plan')}  ${plan.ready.length === 0 ? 'no issue is ready' : 'ready, in this order'}`,
    ...(ready.length > 0 ? [table(ready, 2)] : []),
    ...(passed.length > 0 ? [paint.bold('passed over'), table(passed, 2)] : []),
    paint.dim('nothing was changed'),
  ].join('\n')
}
