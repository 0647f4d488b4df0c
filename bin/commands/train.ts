import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { ValuetrainError } from '../../core/errors.ts'
import type { Diagnosis } from '../../training/errors/index.ts'
import { policyInUse } from '../../training/policy/index.ts'
import { checkAnyTrainConfig, isRouting } from '../../training/router/train/config.ts'
import { diagnosisFile } from '../../training/run/execute.ts'
import {
  BACKEND_WISHES,
  type BackendWishName,
  chooseBackends,
  executeRun,
  planRun,
  prepareRun,
  type RunOutcome,
  type RunPlan,
  recipeNames,
  type TrainConfig,
  workFolder,
} from '../../training/run/index.ts'
import { argument, defineCommand, flag, usageError } from '../command.ts'
import type { Context } from '../context.ts'
import { paintFor } from '../display/paint.ts'
import { duration, table } from '../display/text.ts'
import { trainingDisplay } from '../display/training.ts'
import { applyFix } from '../train-fix.ts'
import { refuseRouter, trainRouter } from '../train-router.ts'
import { configNamed, type NamedConfig, openTraining, provenanceOf, type TrainingPlace } from '../training.ts'

export default defineCommand({
  description:
    'Trains a policy for an environment, or a router for issues, measures it beside an untrained one, random actions and the champion, and judges it by statistics. The run is a pure function of its inputs: its folder in .valuetrain/training is named by their hash, and the same inputs give the same bytes. A run that is stopped goes on from its checkpoint. Nothing is committed.',
  examples: [
    { does: 'Train a built-in recipe', line: 'train cart-pole-fast' },
    { does: 'Say first what it takes', line: 'train train.yaml --plan' },
    { does: 'Go on with a run that was stopped', line: 'train --resume 109ebffd4a51' },
    { does: 'Apply the best fix for what failed last', line: 'train train.yaml --fix' },
  ],
  args: { config: argument.optional('A train.yaml, or the name of a recipe.') },
  flags: {
    plan: flag.switch('Say what it would do, take and write, and train nothing.'),
    backend: flag.choice(BACKEND_WISHES, 'What computes; auto unless told.'),
    resume: flag.text('RUN', 'Go on with this run, with the configuration it was begun with.'),
    seeds: flag.count('N', 'Train so many learners.', 1, 100),
    fix: flag.switch('Change the configuration file by the best fix for what failed last, and commit that.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const beside = args.config ?? flags.seeds
    if (flags.resume !== undefined && beside !== undefined) {
      throw usageError(
        `--resume goes on with what run ${flags.resume} was begun with, and ${beside} is something else`,
        'give one of the two',
      )
    }
    const named = await namedConfig(context, place, args.config, flags.resume)
    if (flags.seeds !== undefined) {
      named.config = checkAnyTrainConfig({ ...named.config, seeds: flags.seeds }, named.source)
    }
    const { config, source, file } = named
    const told = { source, json: flags.json }
    if (isRouting(config)) {
      if (flags.fix) throw refuseRouter(config, '--fix')
      if ((flags.backend ?? 'auto') !== 'auto') throw refuseRouter(config, '--backend')
      const result = await trainRouter(
        context,
        place,
        { config, source },
        {
          plan: flags.plan,
          json: flags.json,
          resumes: flags.resume,
        },
      )
      return 'writes' in result ? printPlan(result, context, flags.json) : printOutcome(result, context, told)
    }
    if (flags.fix) return applyFix(context, place, { config, source, file }, await lastDiagnosis(place, config), flags.json)
    const backends = await chooseBackends((flags.backend ?? 'auto') as BackendWishName, config, place.places)
    const champion = await policyInUse(place.shared.reader, place.shared.runs, config.name)
    if (flags.plan) {
      const given = { champion: champion?.version ?? null, arithmetic: backends.arithmetic }
      const prepared = await prepareRun(config, place, given)
      const plan = await planRun(config, prepared, { backends, champion: champion?.run ?? null, clock: context.clock })
      return printPlan(plan, context, flags.json)
    }
    const display = trainingDisplay(context, { json: flags.json })
    display.say(`backend ${backends.reason}`)
    try {
      const outcome = await executeRun({
        resumes: flags.resume,
        store: place.runs.store,
        config,
        root: place.root,
        env: place.env,
        stateDir: place.stateDir,
        backends,
        champion,
        provenance: await provenanceOf(place.git, named.source),
        clock: context.clock,
        signal: context.signal,
        onProgress: (progress) => display.progress(progress),
        onEvent: (event) => display.event(event),
      })
      display.close()
      return printOutcome(outcome, context, told)
    } finally {
      display.close()
    }
  },
})

function printPlan(plan: RunPlan, context: Context, json: boolean): number {
  context.stdout.write(json ? `${JSON.stringify(plan)}\n` : `${tellPlan(plan, context)}\n`)
  return 0
}

function printOutcome(outcome: RunOutcome, context: Context, told: { source: string; json: boolean }): number {
  context.stdout.write(
    told.json ? `${JSON.stringify({ type: 'outcome', ...outcome })}\n` : `${tellOutcome(outcome, context, told.source)}\n`,
  )
  return outcome.state === 'done' && outcome.verdict.verdict === 'pass' ? 0 : 1
}

async function namedConfig(
  context: Context,
  place: TrainingPlace,
  word: string | undefined,
  resume: string | undefined,
): Promise<NamedConfig> {
  if (resume === undefined) {
    if (word === undefined) {
      const recipes = (await recipeNames()).join(', ')
      throw usageError('the argument CONFIG is missing', `give a train.yaml, a recipe (${recipes}), or --resume RUN`)
    }
    return configNamed(word, context, place.root)
  }
  if (!/^[0-9a-f]{12}$/.test(resume))
    throw usageError(`--resume cannot be "${resume.slice(0, 80)}"`, 'it takes the 12 digits of a run')
  const order = await readFile(join(workFolder(place.stateDir, resume), 'order.json'), 'utf8').catch(() => undefined)
  if (order === undefined) {
    throw new ValuetrainError('VT_RUN_UNKNOWN', `no run ${resume} was begun in this clone`, {
      hint: 'train its configuration again; checkpoints stay in the clone that wrote them',
    })
  }
  const { config, source } = readOrder(order, resume)
  return { config: checkAnyTrainConfig(config, source), source, file: undefined }
}

function readOrder(text: string, run: string): { config: Record<string, unknown>; source: string } {
  try {
    return JSON.parse(text) as ReturnType<typeof readOrder>
  } catch (cause) {
    throw new ValuetrainError('VT_RUN_ALTERED', `what run ${run} was begun with cannot be read: its order.json is no JSON`, {
      kind: 'environment',
      hint: 'train its configuration again, by its file; it goes on from the same checkpoint',
      cause,
    })
  }
}

async function lastDiagnosis(place: TrainingPlace, config: TrainConfig): Promise<Diagnosis | undefined> {
  const text = await readFile(diagnosisFile(place.stateDir, config.name), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Diagnosis)
}

function tellPlan(plan: RunPlan, context: Context): string {
  const paint = paintFor(context)
  const { standardDeviations, points } = plan.detects
  const seeds = plan.seeds.length === 1 ? `seed ${plan.seeds[0]}` : `seeds ${plan.seeds[0]} to ${plan.seeds.at(-1)}`
  const most = plan.endsEarly === null ? '' : 'at most '
  const rows = [
    ['run', plan.run],
    ['trains', `${plan.policy}: ${plan.algorithm} on ${plan.environment}, ${seeds}`],
    ['steps', `${most}${plan.steps}, about ${plan.stepsPerSecond} a second (measured just now)`],
    ...(plan.endsEarly === null ? [] : [['ends early', `a learner by itself, ${plan.endsEarly}`]]),
    ['time', `${most}${duration(1000 * plan.seconds)}`],
    ['cost', `${most}$${plan.usd.toFixed(4)}`],
    ['backend', plan.backend],
    [
      'measures',
      `${plan.episodes} episodes, and as many of an untrained policy, random actions${plan.champion ? `, champion ${plan.champion}` : ''}`,
    ],
    ['rules', [...plan.rules.map(({ rule }) => rule), 'better than random', 'better than untrained'].join(', ')],
    [
      'can tell',
      `${standardDeviations.toFixed(2)} standard deviations of the score; in pass rate ${points.map((each) => `${each.points.toFixed(1)} points where ${Math.round(100 * each.discordant)} % differ`).join(', ')}`,
    ],
    ['writes', writesOf(plan)],
  ]
  return `${table(rows.map(([name = '', value = '']) => [paint.dim(name), value]))}\nnothing was trained`
}

/** The folder once, then what will lie in it. */
function writesOf({ writes }: RunPlan): string {
  const folder = dirname(writes[0] ?? '')
  return `${folder}/: ${writes.map((path) => relative(folder, path)).join(', ')}`
}

function tellOutcome(outcome: RunOutcome, context: Context, source: string): string {
  const paint = paintFor(context)
  if (outcome.state === 'paused') {
    return `run ${outcome.run} paused at ${outcome.steps} steps\nnext: valuetrain train --resume ${outcome.run}`
  }
  const { run, folder, verdict, written, stops = [], noticed, ms, usd } = outcome
  const cost = usd > 0 ? `, $${usd.toFixed(4)}` : ''
  return [
    `run ${run}: ${paint.bold(verdict.verdict)}${written ? ` in ${duration(ms)}${cost}` : ', as its folder holds it already'}`,
    ...verdict.reasons.map((reason) => `  ${reason}`),
    ...stops.map(({ seed, steps, reason }) => `  seed ${seed} stopped early, after ${steps} steps: ${reason}`),
    ...(noticed === undefined ? [] : [`  noticed ${noticed.code} ${noticed.title}: ${noticed.evidence[0] ?? noticed.cause}`]),
    `${written ? 'wrote' : 'in'} ${folder}`,
    ...nextAfter(outcome, source).map((line) => `next: ${line}`),
  ].join('\n')
}

function nextAfter({ run, folder, verdict, dirty, noticed }: Extract<RunOutcome, { state: 'done' }>, source: string): string[] {
  if (verdict.verdict === 'pass') {
    return [
      dirty
        ? 'the tree has changes that are not committed, so this promotes nothing; commit them and train the same again'
        : `commit ${folder}, then valuetrain policy promote ${run}`,
    ]
  }
  const fix = noticed?.fixes.find(({ patch }) => Object.keys(patch).length > 0)
  return [
    `commit ${folder} as evidence; nothing is promoted`,
    ...(fix === undefined ? [] : [`${fix.does}: valuetrain train ${source} --fix`]),
  ]
}
