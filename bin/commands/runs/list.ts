import { ValuetrainError } from '../../../core/errors.ts'
import { lineOf, type RunLine, readRuns, TRAINING_FOLDER } from '../../../training/run/index.ts'
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
    const { runs, altered } = await readRuns((await openTraining(context)).runs)
    const lines = runs.map(lineOf)
    context.stdout.write(flags.json ? `${JSON.stringify(lines)}\n` : `${tellRuns(lines, context)}\n`)
    requireSound(altered)
    return 0
  },
})

/** What cannot be read is told after what can. @throws VT_RUN_ALTERED naming every such run */
export function requireSound(altered: readonly { run: string; error: ValuetrainError }[]): void {
  const [first, ...more] = altered
  if (first === undefined) return
  if (more.length === 0) throw first.error
  const message = altered.map(({ error }) => error.message).join('\n')
  throw new ValuetrainError('VT_RUN_ALTERED', message, {
    kind: 'environment',
    hint: `restore them with \`git restore ${TRAINING_FOLDER}\`, or train them again; the same runs give the same bytes`,
  })
}

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
