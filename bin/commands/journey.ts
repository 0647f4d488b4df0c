import { resolve } from 'node:path'
import { drive } from '../../conductor/drive.ts'
import { defineCommand, flag } from '../command.ts'
import type { Context } from '../context.ts'
import { tellEnd } from '../display/outcome.ts'
import { paintFor } from '../display/paint.ts'
import { runDisplay } from '../display/run.ts'
import { clean, table } from '../display/text.ts'
import { makeJourney } from '../journey.ts'
import { openPorts } from '../wiring.ts'

/** What becomes of the example's issues; the third one changes how money is rounded, and the tests say no. */
const EXPECTED: Readonly<Record<number, string>> = { 1: 'done', 2: 'done', 3: 'blocked' }

export default defineCommand({
  description:
    'Makes a throw-away repository from a small TypeScript library with three issues, sets Value Train up in it, and lets Auto-Pilot work all three with no network and no model: two are merged, the third fails its gate three times and is blocked. The repository stays for you to look at.',
  flags: { keep: flag.text('DIR', 'A new folder to make it in; one in the temporary folder unless told.') },
  json: true,
  async run(context, { flags }) {
    const { dir, env, written } = await makeJourney(
      context.env,
      flags.keep === undefined ? undefined : resolve(context.cwd, flags.keep),
    )
    const there: Context = { ...context, cwd: dir, env }
    const say = (text: string) => (flags.json ? context.stderr : context.stdout).write(`${text}\n`)
    const paint = paintFor(context)
    const display = runDisplay(there, { json: flags.json })
    try {
      const ports = await openPorts(there, { forge: 'local', display })
      const issues = await ports.forge.listIssues()
      say(`${paint.bold('A throw-away repository')}  ${dir}`)
      say(`  a small TypeScript library with its own tests, and ${issues.length} issues:`)
      say(
        table(
          issues.map(({ number, title }) => [paint.name(`#${number}`), clean(title)]),
          4,
        ),
      )
      say(`  set up with ${['.valuetrain/config.yaml', ...written].join(', ')}`)
      say(`\n${paint.bold('valuetrain drive --once --merge auto')}`)
      const { outcome, issues: ends } = await drive(ports, { once: true, merge: 'auto' })
      display.close()
      if (flags.json) context.stdout.write(`${JSON.stringify({ type: 'RUN_ENDED', outcome, issue: null, dir })}\n`)
      say('')
      for (const end of ends) say(tellEnd(end, context))
      say(`\n${farewell(there, dir)}`)
      return issues.every(({ number }) => ends.find(({ issue }) => issue === number)?.outcome === EXPECTED[number]) ? 0 : 1
    } finally {
      display.close()
    }
  },
})

function farewell(context: Context, dir: string): string {
  const paint = paintFor(context)
  const { program } = context
  const looks = [
    [`${program} status --all`, 'where the three tickets stand'],
    [`${program} session show build_1`, 'what happened, as the audit trail tells it'],
    [`${program} session verify`, 'whether the trail is whole'],
    [`${program} ticket show 3`, 'why the third was blocked'],
    ['git log --graph --oneline', 'the merges'],
  ]
  const own = [
    [`${program} init`, 'set it up from what the repository already has'],
    [`${program} doctor`, 'see what is missing'],
    [`${program} issue new --title "…" --label recipe:<name>`, 'write an issue'],
    [`${program} run 1`, 'work it'],
  ]
  const commands = (rows: readonly string[][]) =>
    table(
      rows.map(([line = '', does = '']) => [line, paint.dim(does)]),
      2,
    )
  return [
    paint.bold('The audit trail'),
    `  ${dir}/.valuetrain/tickets/ on main, and in the worktree of the blocked ticket`,
    `${paint.bold('Look at it')}  cd ${dir}`,
    commands(looks),
    paint.bold('Next, in your own repository'),
    commands(own),
    paint.dim('The folder is yours to throw away.'),
  ].join('\n')
}
