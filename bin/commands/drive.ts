import { openBell } from '../../conductor/bell.ts'
import { committedConfig } from '../../conductor/definitions.ts'
import { drive } from '../../conductor/drive.ts'
import { planDrive } from '../../conductor/plan.ts'
import { defineCommand, flag } from '../command.ts'
import { exitCodeOfOutcome, tellDriveEnd } from '../display/outcome.ts'
import { tellDrivePlan } from '../display/plan.ts'
import { runDisplay } from '../display/run.ts'
import { noteUncommitted } from '../uncommitted.ts'
import { takeDeliveries } from '../webhook.ts'
import { openPorts } from '../wiring.ts'

export default defineCommand({
  description:
    'Takes the ready issues of the queue in order and works each in its own worktree. Without --once or --max it stays and watches; after several failures in a row (five unless configured) it pauses itself.',
  examples: [
    { does: 'Work what is ready, then end', line: 'drive --once' },
    { does: 'Begin when GitHub says that a label was set', line: 'drive --webhook 8080' },
    { does: 'Two at a time, merging by itself', line: 'drive --parallel 2 --merge auto' },
  ],
  flags: {
    max: flag.count('N', 'End after this many issues.'),
    parallel: flag.count('K', 'Issues worked at the same time.', 1, 64),
    once: flag.switch('Work what is ready and end.'),
    merge: flag.choice(['auto', 'person'], 'Who merges delivered changes.'),
    'no-jail': flag.switch('Go on where no jail can be built or none shall be; the session records it.'),
    webhook: flag.count(
      'PORT',
      'Take deliveries of the forge’s webhook at this port of this machine; 0 takes a free one.',
      0,
      65_535,
    ),
    plan: flag.switch('Say what would be worked, in order, and change nothing.'),
  },
  json: true,
  forge: true,
  async run(context, { flags }) {
    const display = runDisplay(context, { json: flags.json })
    try {
      const ports = await openPorts(context, { forge: flags.forge, display, isJailWaived: flags['no-jail'] })
      const { max, parallel, once, merge } = flags
      const options = {
        once,
        ...(max === undefined ? {} : { max }),
        ...(parallel === undefined ? {} : { parallel }),
        ...(merge === undefined ? {} : { merge }),
      }
      await noteUncommitted(context, ports.repository)
      if (flags.plan) {
        const plan = await planDrive(ports)
        context.stdout.write(flags.json ? `${JSON.stringify(plan)}\n` : `${tellDrivePlan(plan, context)}\n`)
        return 0
      }
      const bell = openBell()
      const { auto } = (await committedConfig(ports.repository)).labels
      const receiver = flags.webhook === undefined ? undefined : await takeDeliveries(context, ports, auto, flags.webhook, bell)
      if (receiver) context.stderr.write(`deliveries are taken at ${receiver.url}\n`)
      const { outcome, issues } = await drive(ports, { ...options, bell }).finally(() => receiver?.close())
      display.close()
      if (flags.json) {
        const ends = issues.map(({ issue, outcome }) => ({ issue, outcome }))
        context.stdout.write(
          `${JSON.stringify({ type: 'RUN_ENDED', outcome, issue: ends.at(-1)?.issue ?? null, issues: ends })}\n`,
        )
      }
      ;(flags.json ? context.stderr : context.stdout).write(`${tellDriveEnd(issues, context)}\n`)
      return exitCodeOfOutcome(outcome)
    } finally {
      display.close()
    }
  },
})
