import { ValuetrainError } from '../../core/errors.ts'
import { evaluateRandom, meanScore } from '../../training/evaluate.ts'
import { readExport, runFromExport, runOfExport } from '../../training/export/index.ts'
import { policyInUse } from '../../training/policy/index.ts'
import { isRouterRun } from '../../training/router/index.ts'
import {
  checkTrainConfig,
  evaluationOf,
  findRun,
  judgeRun,
  measurePolicy,
  openProblem,
  policyOfRun,
  readRun,
  readRuns,
  rulesOf,
  type StoredRun,
} from '../../training/run/index.ts'
import { argument, defineCommand, flag, usageError } from '../command.ts'
import type { Context } from '../context.ts'
import { evaluateRouter } from '../eval-router.ts'
import { openTraining, outputPath, type TrainingPlace } from '../training.ts'

export default defineCommand({
  description:
    "Measures a run's policy again. On the run's own episodes the scores must come out as they are recorded; with --seed it is measured on episodes that it has never been judged on, against the champion where there is one. With --from the policy is read from a folder that `export --format safetensors` wrote, and refused unless it is the run’s to the byte. Nothing is written.",
  examples: [
    { does: 'Check that a run’s scores can be had again', line: 'eval 109ebffd4a51' },
    { does: 'Estimate what a router would have earned on the choices made so far', line: 'eval 109ebffd4a51 --decisions' },
    { does: 'Check that an exported policy still decides as its run recorded', line: 'eval --from build' },
    { does: 'Measure on other episodes', line: 'eval 109ebffd4a51 --seed 777 --episodes 500' },
  ],
  args: { run: argument.optional('A run, or its first digits; with --from the run that wrote the export.') },
  flags: {
    seed: flag.count('N', 'Decides how the episodes begin.', 0),
    episodes: flag.count('N', 'Episodes.', 2, 100_000),
    from: flag.text('DIR', 'Folder of an export in safetensors to read the policy from.'),
    decisions: flag.switch('Estimate a router on the choices that the sessions hold: IPS, SNIPS, DM, DR and switch-DR.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const stored = await runAsked(context, place, args.run, flags.from)
    if (await isRouterRun(stored)) {
      return evaluateRouter(context, place, stored, { decisions: flags.decisions, json: flags.json })
    }
    if (flags.decisions) {
      throw usageError('--decisions is for runs of a router', `run ${stored.id} learned a policy for an environment`)
    }
    const { inputs, policy: name } = stored.manifest
    const recorded = await evaluationOf(stored)
    const same = flags.seed === undefined && flags.episodes === undefined
    const evaluation = {
      ...(inputs.evaluation as Record<string, unknown>),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
      ...(flags.episodes === undefined ? {} : { episodes: flags.episodes }),
    }
    const environment = environmentOf(inputs.environment)
    const { algorithm, settings, seeds, rules } = inputs as {
      algorithm: string
      settings: unknown
      seeds: number[]
      rules: unknown
    }
    const shape = { name, algorithm, settings, environment, evaluation, rules, seed: seeds[0], seeds: seeds.length }
    const config = checkTrainConfig(shape, `run ${stored.id}`)
    const problem = await openProblem(config, place)
    const model = await policyOfRun(stored)
    const candidate = await measurePolicy(model, config, problem, stored.manifest.policySeed)
    if (same) {
      const before = recorded.candidate.filter(({ seed }) => seed === stored.manifest.policySeed)
      const flaky = candidate.filter((row, index) => row.score !== before[index]?.score).map((row) => row.case)
      if (flaky.length > 0) {
        throw new ValuetrainError(
          'VT_EVAL_FLAKY',
          `T502 flaky case: ${flaky.length} of ${candidate.length} episodes of run ${stored.id} scored differently this time, first ${flaky[0]}`,
          {
            kind: 'gate',
            hint: 'make the environment answer the same to the same seed, or leave those cases out',
            details: { diagnosis: 'T502', cases: flaky.slice(0, 50) },
          },
        )
      }
      const mean = meanScore(candidate)
      context.stdout.write(
        flags.json
          ? `${JSON.stringify({ run: stored.id, same: true, episodes: candidate.length, mean })}\n`
          : `run ${stored.id}: ${candidate.length} episodes, mean ${mean}, the same as recorded\n`,
      )
      return 0
    }
    const champion = await policyInUse(place.shared.reader, place.shared.runs, name)
    const rival = champion === undefined || champion.version === stored.manifest.version ? undefined : champion
    const other = rival === undefined ? undefined : await measurePolicy(rival.model, config, problem, 0)
    const { episodes, seed } = config.evaluation
    const random = (await evaluateRandom({ open: problem.open, episodes, seed })).map((row) => ({ ...row, seed: 0 }))
    const measured = { candidate, untrained: random, random, ...(other === undefined ? {} : { champion: other }) }
    // One policy is measured here, so rules over several learners have nothing to say.
    const asked = rulesOf({ rules: config.rules, seeds: 1 }, problem.spec, rival !== undefined).filter(
      ({ rule }) => rule !== 'seeds',
    )
    const verdict = judgeRun(`${stored.id} ${seed}`, measured, asked)
    const reasons = verdict.reasons.filter((reason) => !reason.includes('untrained'))
    context.stdout.write(
      flags.json
        ? `${JSON.stringify({ run: stored.id, same: false, seed, episodes, against: rival?.run ?? null, verdict: verdict.verdict, candidate: verdict.candidate, baseline: verdict.baseline, reasons })}\n`
        : `run ${stored.id}: ${verdict.verdict}\n${reasons.map((reason) => `  ${reason}`).join('\n')}\n`,
    )
    return verdict.verdict === 'pass' ? 0 : 1
  },
})

/** Returns the run that is named, or that wrote an export; with the policy of the export where there is one. */
async function runAsked(
  context: Pick<Context, 'cwd'>,
  place: TrainingPlace,
  word: string | undefined,
  from: string | undefined,
): Promise<StoredRun> {
  const exported = from === undefined ? undefined : await readExport(outputPath(context, from))
  if (word === undefined && exported === undefined)
    throw usageError('name a run, or an export with --from DIR', '`valuetrain runs list` lists the runs')
  const run =
    word === undefined && exported !== undefined
      ? runOfExport((await readRuns(place.runs)).runs, exported)
      : await readRun(place.runs, await findRun(place.runs, word ?? ''))
  return exported === undefined ? run : runFromExport(run, exported)
}

/** Returns a run's environment as a configuration names it. */
function environmentOf(identity: unknown): unknown {
  const { command, outcomes } = identity as { command?: string[]; outcomes?: Record<string, unknown> }
  if (command !== undefined) return { process: { command } }
  if (outcomes === undefined) return identity
  const { sha256: _, ...named } = outcomes
  return { outcomes: named }
}
