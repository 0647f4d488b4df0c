import { planRun } from '../../conductor/plan.ts'
import { runIssue } from '../../conductor/run.ts'
import { MODES } from '../../core/contracts/names.ts'
import { argument, defineCommand, flag } from '../command.ts'
import { exitCodeOfOutcome, tellEnd } from '../display/outcome.ts'
import { tellRunPlan } from '../display/plan.ts'
import { runDisplay } from '../display/run.ts'
import { noteUncommitted } from '../uncommitted.ts'
import { openPorts } from '../wiring.ts'

export default defineCommand({
  description:
    'Works one issue in its own worktree: mode after mode, gate after gate, until it is merged, blocked, or needs a person. A run that was stopped continues where it stopped. The working tree may be dirty; the issue is read as it lies there, everything else from the default branch.',
  examples: [
    { does: 'Work issue 42 and leave the merge to a person', line: 'run 42' },
    { does: 'See what would happen', line: 'run 42 --plan' },
    { does: 'All the way, by itself', line: 'run 42 --merge auto' },
  ],
  args: { issue: argument.issue('Number of the issue.') },
  flags: {
    pipeline: flag.text('NAME', 'Pipeline to work it by; an issue keeps the one it was begun with.'),
    agent: flag.text('RUNTIME', 'Who works it, instead of what its labels say.'),
    merge: flag.choice(['auto', 'person'], 'Who merges the delivered change.'),
    until: flag.choice(MODES, 'Stop when this mode is through.'),
    'no-jail': flag.switch('Go on where no jail can be built or none shall be; the session records it.'),
    plan: flag.switch('Say what would happen, and change nothing.'),
  },
  json: true,
  forge: true,
  async run(context, { args, flags }) {
    const display = runDisplay(context, { json: flags.json })
    try {
      const ports = await openPorts(context, { forge: flags.forge, display, isJailWaived: flags['no-jail'] })
      const { pipeline, agent, merge, until } = flags
      const options = {
        issue: args.issue,
        ...(pipeline === undefined ? {} : { pipeline }),
        ...(agent === undefined ? {} : { agent }),
        ...(merge === undefined ? {} : { merge }),
        ...(until === undefined ? {} : { until }),
      }
      await noteUncommitted(context, ports.repository)
      if (flags.plan) {
        const plan = await planRun(ports, options)
        context.stdout.write(flags.json ? `${JSON.stringify(plan)}\n` : `${tellRunPlan(plan, context)}\n`)
        return 0
      }
      const ended = await runIssue(ports, options)
      display.close()
      const { outcome, issue } = ended
      if (flags.json) context.stdout.write(`${JSON.stringify({ type: 'RUN_ENDED', outcome, issue })}\n`)
      ;(flags.json ? context.stderr : context.stdout).write(`${tellEnd(ended, context)}\n`)
      return exitCodeOfOutcome(outcome)
    } finally {
      display.close()
    }
  },
})
