import type { ForgeLabel } from '../../core/contracts/forge.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside, writeAtomically } from '../../core/files.ts'
import { readerOf } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { installHooks } from '../../hooks/install.ts'
import {
  autoPilotFile,
  CI_KINDS,
  ciFile,
  containerFile,
  type Detected,
  detect,
  findPlace,
  type InitPlan,
  initPlan,
  type PlannedFile,
} from '../../templates/index.ts'
import { defineCommand, flag } from '../command.ts'
import type { Context } from '../context.ts'
import { type Paint, paintFor } from '../display/paint.ts'
import { table, wrap } from '../display/text.ts'
import { type LabelsOutcome, offerLabels } from '../forge-labels.ts'
import { hookProgram } from '../hook-program.ts'
import { confirm } from '../prompt.ts'
import { askerOf } from '../registry-question.ts'

export default defineCommand({
  description:
    'Looks at what the repository already has (language, package manager, commands, default branch, remote) and writes a configuration, lines for .gitattributes and templates. Nothing that is there is overwritten, nothing is committed, and a second run changes nothing.',
  examples: [
    { does: 'See what would be written', line: 'init --plan' },
    { does: 'Set up for issues and pull requests on GitHub', line: 'init --forge github' },
  ],
  flags: {
    ci: flag.choice(CI_KINDS, 'Write a job that runs `valuetrain check` on every change, too.'),
    'auto-pilot': flag.switch('Write a GitHub workflow that works labelled issues, on a schedule and when a label is set.'),
    container: flag.switch('Write a container file with a jail, for machines that have none, too.'),
    plan: flag.switch('Show what would be written and write nothing.'),
    yes: flag.switch('Write without asking.'),
    hooks: flag.choice(['native', 'husky', 'none'], 'Install git hooks, too; `hooks install` does it later.'),
  },
  json: true,
  forge: true,
  async run(context, { flags }) {
    const repository = await openRepository(context.cwd, context.env)
    const { root } = repository
    if (root === null) {
      throw new ValuetrainError('VT_BARE', `${repository.commonDir} is bare, it has no working tree to write in`, {
        kind: 'environment',
        hint: 'run this in a clone',
      })
    }
    const reader = readerOf(root)
    const place = { ...(await findPlace(repository.git)), forge: flags.forge ?? ('local' as const) }
    const detected = await detect(reader, askerOf(context))
    const plan = await initPlan(detected, place, reader)
    if (flags.ci !== undefined) plan.files.push(await ciFile(flags.ci, context.version, reader))
    if (flags['auto-pilot']) plan.files.push(await autoPilotFile(context.version, reader))
    if (flags.container) plan.files.push(await containerFile(context.version, reader))
    const due = plan.files.filter(({ action }) => action !== 'keep')
    const asks = context.interactive && !flags.json && !flags.yes && !flags.plan && due.length > 0
    if (!flags.json) context.stdout.write(foundText(detected, place, paintFor(context)))
    if (asks) {
      context.stdout.write(planText(plan, paintFor(context)))
      if (!(await confirm(context, 'Write these files?', { given: false, flag: '--yes' }))) {
        context.stdout.write('nothing written\n')
        return 0
      }
    }
    if (!flags.plan) await writeFiles(root, due)
    const mode = flags.hooks === 'none' ? undefined : flags.hooks
    const hooks = mode === undefined || flags.plan ? undefined : await installHooks(repository, { mode, ...hookProgram() })
    const labels =
      place.forge === 'github' ? await offerLabels(context, (missing) => mayMake(context, missing, flags)) : undefined
    if (flags.json)
      context.stdout.write(
        `${JSON.stringify({ ...asJson(plan, detected, place, flags.plan), ...(hooks ? { hooks } : {}), ...(labels ? { labels } : {}) })}\n`,
      )
    else context.stdout.write(outcomeText(context, plan, due, { planned: flags.plan, shown: asks }))
    if (hooks && !flags.json)
      context.stdout.write(`hooks are installed in ${hooks.mode} mode; \`valuetrain hooks test\` shows that they fire\n`)
    if (labels && !flags.json) context.stdout.write(labelsText(labels))
    return 0
  },
})

/** Nothing is made on the forge without somebody's word: `--yes`, or an answer on the terminal. */
async function mayMake(
  context: Context,
  missing: readonly ForgeLabel[],
  { plan, yes, json }: { plan: boolean; yes: boolean; json: boolean },
): Promise<boolean> {
  if (plan || yes) return !plan
  if (!context.interactive || json) return false
  const rows = missing.map(({ name, description }) => [name, paintFor(context).dim(description)])
  context.stdout.write(`labels that the repository on GitHub has not got:\n${table(rows, 2)}\n`)
  return confirm(context, 'Make these labels?', { given: false, flag: '--yes' })
}

function labelsText({ missing, made, why }: LabelsOutcome): string {
  if (why !== undefined) return `labels were not looked at: ${why}\n`
  if (missing.length === 0) return 'labels: everything is there\n'
  if (made) return `labels made: ${missing.join(', ')}\n`
  return `labels not made: ${missing.join(', ')}; \`valuetrain init --forge github --yes\` makes them\n`
}

async function writeFiles(root: string, files: readonly PlannedFile[]): Promise<void> {
  // Every place is looked at before the first byte is written, so that a bad one leaves nothing half done.
  const targets = await Promise.all(files.map(({ path }) => resolveInside(root, path)))
  for (const [index, file] of files.entries()) await writeAtomically(targets[index] as string, file.content ?? '')
}

function foundText(detected: Detected, place: { branch: string; remote: string | null; forge: string }, paint: Paint): string {
  const commands = Object.entries(detected.commands).map(([name, found]) => [
    name,
    `${found.argv.join(' ')}  ${paint.dim(`(${found.from})`)}`,
  ])
  const rows = [
    ['language', detected.languages.join(', ') || 'none recognised'],
    ...(detected.packageManagers.length > 0 ? [['packages', detected.packageManagers.join(', ')]] : []),
    ...(commands.length > 0 ? commands : [['commands', 'none found; name them in .valuetrain/config.yaml']]),
    ['branch', place.branch],
    ['remote', place.remote ?? 'none'],
    ['forge', place.forge],
  ]
  const notes = detected.notes.map((note) => `${wrap(`note: ${note}`, 100, 2)}\n`).join('')
  return `${paint.bold('found')}\n${table(
    rows.map(([name = '', value = '']) => [paint.dim(name), value]),
    2,
  )}\n${notes}`
}

function planText(plan: InitPlan, paint: Paint): string {
  const words = { create: paint.good('write'), append: paint.good('add to'), keep: paint.dim('keep') }
  return `${table(
    plan.files.map(({ path, action, why }) => [words[action], path, paint.dim(why)]),
    2,
  )}\n`
}

function outcomeText(
  context: Context,
  plan: InitPlan,
  due: readonly PlannedFile[],
  { planned, shown }: { planned: boolean; shown: boolean },
): string {
  const paint = paintFor(context)
  const files = shown ? '' : planText(plan, paint)
  if (planned) {
    const would =
      due.length === 0 ? 'nothing to write: everything is there' : 'nothing written; run `valuetrain init` to write it'
    return `${paint.bold('plan')}\n${files}${would}\n`
  }
  if (due.length === 0) return `${paint.bold('set up')}\n${files}nothing written: everything is there\n`
  const next = [
    `look it over and commit it: git add ${due
      .map(({ path }) => path.split('/')[0] as string)
      .filter(isFirst)
      .join(' ')} && git commit -m "Set up Value Train"`,
    'write an issue: valuetrain issue new --title "…" --label auto',
    'work it: valuetrain run 1 (or `valuetrain drive` for the queue); `valuetrain doctor` says what is missing',
  ]
  return `${paint.bold('written')}\n${files}${paint.bold('next')}\n${next.map((line, index) => `  ${index + 1}. ${line}`).join('\n')}\n`
}

function isFirst(word: string, index: number, all: readonly string[]): boolean {
  return all.indexOf(word) === index
}

function asJson(plan: InitPlan, detected: Detected, place: object, planned: boolean): object {
  return {
    planned,
    place,
    detected,
    files: plan.files.map(({ path, action, why }) => ({ path, action, why })),
  }
}
