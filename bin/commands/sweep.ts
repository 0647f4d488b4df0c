import { readFile } from 'node:fs/promises'
import * as YAML from 'yaml'
import { fileError, writeAtomically } from '../../core/files.ts'
import { isRouting } from '../../training/router/train/config.ts'
import { routingTrialsOf } from '../../training/router/train/trials.ts'
import {
  BACKEND_WISHES,
  type BackendWishName,
  chooseBackends,
  parseSweepFile,
  runSweep,
  type SweepOutcome,
  trialsOf,
} from '../../training/run/index.ts'
import { argument, defineCommand, flag } from '../command.ts'
import type { Context } from '../context.ts'
import { paintFor } from '../display/paint.ts'
import { table } from '../display/text.ts'
import { decisionsOf, refuseRouter } from '../train-router.ts'
import { configNamed, openTraining, outputPath } from '../training.ts'

export default defineCommand({
  description:
    'Searches settings of a training configuration, of a router as well, by grid, random search or TPE, with successive halving (ASHA) where it is asked for. The trials come out the same however long each takes; a sweep that is stopped goes on where it was. A trial learns, stops early and keeps its policy as a run would. The search looks at episodes or cases of its own, never at those of a verdict.',
  examples: [
    { does: 'Search', line: 'sweep sweep.yaml' },
    { does: 'Write the best configuration', line: 'sweep sweep.yaml --out train.yaml' },
  ],
  args: { file: argument.text('YAML with config, space, method, trials, and halving where it is wanted.') },
  flags: {
    backend: flag.choice(BACKEND_WISHES, 'What computes; auto unless told.'),
    out: flag.text('FILE', 'Write the configuration with the best settings to this file.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const file = outputPath(context, args.file)
    const text = await readFile(file, 'utf8').catch((cause) => {
      throw fileError(cause, 'read', args.file)
    })
    const sweep = parseSweepFile(text, args.file)
    const { config } = await configNamed(sweep.config, context, place.root)
    if (isRouting(config) && (flags.backend ?? 'auto') !== 'auto') throw refuseRouter(config, '--backend')
    const outcome = await runSweep({
      sweep,
      searched: isRouting(config)
        ? await routingTrialsOf({ config, root: place.root, decisions: decisionsOf(place) })
        : trialsOf({
            config,
            root: place.root,
            env: place.env,
            stateDir: place.stateDir,
            backends: await chooseBackends((flags.backend ?? 'auto') as BackendWishName, config, place.places),
          }),
      stateDir: place.stateDir,
      signal: context.signal,
      onTrial: (result) => {
        if (flags.json) context.stdout.write(`${JSON.stringify({ type: 'trial', ...result })}\n`)
        else
          context.stdout.write(
            `trial ${result.trial}: ${result.failed ?? result.values.map(({ value }) => short(value)).join(' -> ')}  ${JSON.stringify(result.parameters)}\n`,
          )
      },
    })
    const { best } = outcome
    if (flags.out !== undefined && best !== undefined) {
      // What a later attempt changes was not searched with these settings.
      const { retries: _, ...kept } = config
      const found = { ...kept, settings: { ...config.settings, ...best.parameters } }
      await writeAtomically(outputPath(context, flags.out), YAML.stringify(found, { lineWidth: 0 }))
    }
    context.stdout.write(
      flags.json
        ? `${JSON.stringify({ type: 'outcome', ...outcome, best: best ?? null })}\n`
        : `${tell(outcome, context, flags.out)}\n`,
    )
    return outcome.finished ? 0 : 1
  },
})

function tell(
  { id, finished, resumed, leftOut, results, best }: SweepOutcome,
  context: Context,
  out: string | undefined,
): string {
  const paint = paintFor(context)
  const lines = [
    `sweep ${id}: ${results.length} trials${resumed > 0 ? `, ${resumed} of them done before` : ''}${finished ? '' : '; stopped, the same command goes on'}`,
  ]
  if (leftOut > 0)
    lines.push(`left out: ${leftOut} points of the grid; set \`trials: ${results.length + leftOut}\` to try them all`)
  if (best !== undefined) {
    lines.push(`best: trial ${best.trial} with ${short(best.value)}`)
    lines.push(
      table(
        Object.entries(best.parameters).map(([name, value]) => [paint.dim(name), String(value)]),
        2,
      ),
    )
    lines.push(
      out === undefined
        ? 'next: put these settings into a train.yaml (--out FILE writes one), and train that'
        : `wrote ${out}\nnext: valuetrain train ${out}`,
    )
  }
  return lines.join('\n')
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)))
}
