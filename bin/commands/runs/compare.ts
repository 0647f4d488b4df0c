import { writeAtomically } from '../../../core/files.ts'
import { compareRuns, findRun, lineOf, metricsOfRun, readRun, renderHtml } from '../../../training/run/index.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { openTraining, outputPath } from '../../training.ts'

export default defineCommand({
  description:
    'Compares two runs: which inputs differ, and the paired difference of their scores on the episodes of both, with its interval.',
  examples: [{ does: 'What a change of a setting did', line: 'runs compare 109e 5b2c' }],
  args: { first: argument.text('A run.'), second: argument.text('Another one.') },
  flags: { html: flag.text('FILE', 'Write a page with the curves of both to this file.') },
  json: true,
  async run(context, { args, flags }) {
    const { runs } = await openTraining(context)
    const [a, b] = await Promise.all([args.first, args.second].map(async (word) => readRun(runs, await findRun(runs, word))))
    if (a === undefined || b === undefined) return 70
    const comparison = await compareRuns(a, b)
    if (flags.html !== undefined) {
      const pages = await Promise.all(
        [a, b].map(async (one) => ({ line: lineOf(one), verdict: one.verdict, rows: await metricsOfRun(one) })),
      )
      await writeAtomically(outputPath(context, flags.html), renderHtml(pages))
    }
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ ...comparison, difference: comparison.difference ?? null })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const { difference, inputs, means, why } = comparison
    const short = (value: number) => String(Number(value.toPrecision(4)))
    const rows = [
      [paint.dim(''), a.id, b.id],
      [paint.dim('verdict'), a.verdict.verdict, b.verdict.verdict],
      [paint.dim('score'), ...means.map((mean) => (mean === null ? '-' : short(mean)))],
      ...inputs.map(({ key, values }) => [paint.dim(key), ...values.map((value) => JSON.stringify(value))]),
    ]
    const told =
      difference === undefined
        ? why
        : `${why}: second minus first ${short(difference.estimate)} in [${short(difference.low)}, ${short(difference.high)}], ${difference.cases} cases`
    context.stdout.write(`${table(rows)}\n${told}\n${flags.html === undefined ? '' : `wrote ${flags.html}\n`}`)
    return 0
  },
})
