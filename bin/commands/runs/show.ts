import { writeAtomically } from '../../../core/files.ts'
import { findRun, lineOf, metricsOfRun, readRun, renderHtml } from '../../../training/run/index.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { openTraining, outputPath } from '../../training.ts'

export default defineCommand({
  description:
    'Shows one run: what it was made from, how it did, and why the verdict is what it is. With --html a page with its curves is written, which opens without a network.',
  examples: [
    { does: 'Show a run', line: 'runs show 109e' },
    { does: 'Write a page', line: 'runs show 109e --html run.html' },
  ],
  args: { run: argument.text('A run, or its first digits.') },
  flags: { html: flag.text('FILE', 'Write a page to this file.') },
  json: true,
  async run(context, { args, flags }) {
    const { runs } = await openTraining(context)
    const stored = await readRun(runs, await findRun(runs, args.run))
    const line = lineOf(stored)
    if (flags.html !== undefined) {
      const html = renderHtml([{ line, verdict: stored.verdict, rows: await metricsOfRun(stored) }])
      await writeAtomically(outputPath(context, flags.html), html)
    }
    if (flags.json) {
      context.stdout.write(
        `${JSON.stringify({ ...line, manifest: stored.manifest, verdict: stored.verdict, events: stored.events })}\n`,
      )
      return 0
    }
    const paint = paintFor(context)
    const { inputs, version, result } = stored.manifest
    const about = stored.events.find((event) => typeof event.about === 'string')?.about
    const rows = [
      ...(about === undefined ? [] : [['about', String(about)]]),
      ['policy', `${line.policy}, version ${version.slice(0, 12)}`],
      ['trained by', `${line.algorithm} on ${line.environment}, seeds ${(inputs.seeds as number[]).join(', ')}`],
      [
        'settings',
        Object.entries(inputs.settings as object)
          .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
          .join(' '),
      ],
      ['commit', `${line.commit ?? 'none'}${line.dirty ? ', with changes that were not committed' : ''}`],
      ['result', result.slice(0, 12)],
      ...Object.entries(stored.verdict.means).map(([name, mean]) => [name, mean === null ? '-' : String(mean)]),
    ]
    const anomalies = stored.events.filter(({ type }) => type === 'anomaly')
    context.stdout.write(
      [
        `run ${line.run}: ${paint.bold(line.verdict)}`,
        ...stored.verdict.reasons.map((reason) => `  ${reason}`),
        table(rows.map(([name = '', value = '']) => [paint.dim(name), value])),
        ...anomalies.map(({ code, evidence, seed, steps }) => `noticed ${code} (seed ${seed}, step ${steps}): ${evidence}`),
        ...(flags.html === undefined ? [] : [`wrote ${flags.html}`]),
        '',
      ].join('\n'),
    )
    return 0
  },
})
