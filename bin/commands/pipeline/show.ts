import type { PipelineSpec } from '../../../core/contracts/method.ts'
import { didYouMean } from '../../../core/errors.ts'
import { argument, defineCommand, usageError } from '../../command.ts'
import { type Paint, paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { methodHere } from '../../wiring.ts'

export default defineCommand({
  description: "Shows a pipeline's phases in order. Phases joined by a line ship together, in one ticket and one merge.",
  args: { name: argument.text('Name of the pipeline, e.g. routine.') },
  json: true,
  async run(context, { args, flags }) {
    const { pipelines } = await methodHere(context)
    const pipeline = pipelines.get(args.name)
    if (!pipeline) {
      throw usageError(
        `there is no pipeline "${args.name.slice(0, 80)}"${didYouMean(args.name, pipelines.keys())}`,
        `there are: ${[...pipelines.keys()].join(', ')}`,
      )
    }
    context.stdout.write(flags.json ? `${JSON.stringify(pipeline)}\n` : render(pipeline, paintFor(context)))
    return 0
  },
})

function render(pipeline: PipelineSpec, paint: Paint): string {
  const rows = pipeline.phases.map((phase, index) => [
    phase.joined ? '│' : String(index + 1),
    paint.name(phase.name),
    phase.child ? `${phase.mode}.${phase.child}` : phase.mode,
    phase.role ?? '',
    phase.works ? '' : 'conductor only',
    (phase.gates ?? []).join(', '),
  ])
  const head = ['', 'phase', 'mode', 'role', '', 'gates'].map((cell) => paint.dim(cell))
  return `${paint.bold(pipeline.title)}\n  ${pipeline.purpose}\n\n${table([head, ...rows], 2)}\n`
}
