import { planRollback } from '../../../conductor/rollback.ts'
import type { FoundTicket } from '../../../conductor/sources.ts'
import { MODES, ULID } from '../../../core/contracts/names.ts'
import { ValuetrainError } from '../../../core/errors.ts'
import { listWorktrees } from '../../../core/worktrees.ts'
import type { RollbackGoal, RollbackPlan } from '../../../sessions/index.ts'
import { actOn } from '../../act.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { clean } from '../../display/text.ts'
import { ask, confirm } from '../../prompt.ts'
import { ticketsNamed } from '../../wiring.ts'

export default defineCommand({
  description:
    'Takes a ticket back to an event, a mode or a checkpoint. The plan is shown first; a checkpoint of the present is kept; only files that the session itself created are deleted; history gets a compensating event and loses nothing.',
  examples: [
    { does: 'See what would happen', line: 'session rollback build_42 --to build --plan' },
    { does: 'Do it without being asked', line: 'session rollback build_42 --to build --reason "wrong approach" --yes' },
  ],
  args: { ticket: argument.text('Ticket such as build_42, or the number of an issue.') },
  flags: {
    to: flag.required('EVENT', 'Id of an event, a mode, or the ref of a checkpoint.'),
    reason: flag.text('TEXT', 'Why; it is recorded.'),
    plan: flag.switch('Show the plan and change nothing.'),
    yes: flag.switch('Do it without asking.'),
  },
  json: true,
  forge: true,
  async run(context, { args, flags }) {
    const { repository, tickets } = await ticketsNamed(context, args.ticket)
    const found = tickets.find(({ done }) => !done)
    if (!found) throw frozen(tickets[0] as FoundTicket)
    const worktree = (await listWorktrees(repository)).find(({ branch, isMain }) => branch === found.state.branch && !isMain)
    const goal = goalOf(flags.to)
    const git = worktree ? repository.git.at(worktree.dir) : repository.git
    if (!worktree) {
      throw new ValuetrainError('VT_NO_WORKTREE', `ticket ${found.ticket} has no worktree on this machine`, {
        kind: 'environment',
        hint: `\`valuetrain run ${found.issue}\` opens one; then it can be taken back`,
      })
    }
    const plan = await planRollback(git, context.env, found, goal)
    if (flags.plan && flags.json) context.stdout.write(`${JSON.stringify({ ticket: found.ticket, ...plan })}\n`)
    if (!flags.json) context.stdout.write(`${tell(found.ticket, plan, context)}\n`)
    if (flags.plan) return 0
    const reason = await ask(context, 'Why is it taken back?', { given: flags.reason, flag: '--reason' })
    if (!(await confirm(context, `Take ${found.ticket} back?`, { given: flags.yes, flag: '--yes' }))) {
      context.stdout.write('nothing was changed\n')
      return 1
    }
    return actOn(context, found.issue, { type: 'rollback', goal, reason }, flags)
  },
})

function goalOf(text: string): RollbackGoal {
  if (ULID.test(text.toUpperCase())) return { entry: text.toUpperCase() }
  if (text.startsWith('refs/')) return { checkpoint: text }
  // A word that is no mode is looked up as one, too: the error then names the nearest.
  return { mode: MODES.find((mode) => mode === text) ?? text }
}

function frozen({ ticket }: FoundTicket): ValuetrainError {
  return new ValuetrainError('VT_TICKET_FROZEN', `ticket ${ticket} is done, and a done ticket is frozen`, {
    hint: 'open a new issue that takes the change back',
  })
}

function tell(ticket: string, plan: RollbackPlan, context: { color: boolean }): string {
  const paint = paintFor(context)
  const list = (verb: string, paths: readonly string[]) => paths.map((path) => `  ${verb} ${clean(path)}`)
  return [
    `${paint.bold('plan')}  ${ticket} back to event ${plan.entry} (${plan.commit.slice(0, 9)})`,
    ...list(paint.good('restore'), plan.restore),
    ...list(paint.bad('delete '), plan.delete),
    ...plan.keep.map(({ path, why }) => `  ${paint.dim('keep   ')} ${clean(path)} ${paint.dim(`(${why})`)}`),
    ...(plan.restore.length + plan.delete.length === 0 ? ['  no file changes'] : []),
  ].join('\n')
}
