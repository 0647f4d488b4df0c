import { lineOf, listRuns, type RunLine, readRun } from '../../../training/run/index.ts'
import { defineCommand } from '../../command.ts'
import type { Context } from '../../context.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { openTraining } from '../../training.ts'

export default defineCommand({
  description: 'Lists the runs of this working tree, each checked against its manifest.',
  examples: [{ does: 'All runs', line: 'runs list' }],
  json: true,
  async run(context, { flags }) {
    const { runs } = await openTraining(context)
    const lines = await Promise.all((await listRuns(runs)).map(async (id) => lineOf(await readRun(runs, id))))
    context.stdout.write(flags.json ? `${JSON.stringify(lines)}\n` : `${tellRuns(lines, context)}\n`)
    return 0
  },
})

/** Returns runs as a table. */
export function tellRuns(lines: readonly RunLine[], context: Context): string {
  if (lines.length === 0) return 'no runs'
  const paint = paintFor(context)
  const show = (value: number | null) => (value === null ? '-' : String(Number(value.toPrecision(5))))
  const head = ['run', 'policy', 'algorithm', 'environment', 'verdict', 'score', 'against', 'seeds', 'tree'].map((word) =>
    paint.dim(word),
  )
  const rows = lines.map((line) => [
    line.run,
    line.policy,
    line.algorithm,
    line.environment,
    line.verdict,
    show(line.candidate),
    show(line.baseline),
    String(line.seeds),
    line.dirty === null ? '-' : line.dirty ? 'dirty' : 'clean',
  ])
  return table([head, ...rows])
}
