import { join } from 'node:path'
import { ValuetrainError } from '../../core/errors.ts'
import { writeAtomically } from '../../core/files.ts'
import { EXPORT_FORMATS, type ExportFormat, exportPolicy, exportRouter } from '../../training/export/index.ts'
import { foldAlias, policyNames, readPromotions } from '../../training/policy/index.ts'
import { isRouterRun, routerOfRun } from '../../training/router/index.ts'
import { findRun, policyOfRun, readRun, type StoredRun } from '../../training/run/index.ts'
import { argument, defineCommand, flag } from '../command.ts'
import { openTraining, outputPath, type TrainingPlace } from '../training.ts'

export default defineCommand({
  description:
    'Writes a policy for other programs: safetensors with its model.json, ONNX (opset 17, normaliser and softmax included), or a TensorFlow.js layers model. A router that is no network is written as its model.json, by --format safetensors.',
  examples: [
    { does: 'The champion as ONNX', line: 'export cart-pole --format onnx --out build' },
    { does: 'A run for the browser', line: 'export 109e --format tfjs --out site/policy' },
  ],
  args: { policy: argument.text('A policy that has a champion, or a run.') },
  flags: {
    format: flag.choice(EXPORT_FORMATS, 'Format; onnx unless told.'),
    out: flag.required('DIR', 'Folder to write into.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const stored = await runNamed(place, args.policy)
    const { id: run } = stored
    const format = flags.format ?? 'onnx'
    const folder = outputPath(context, flags.out)
    const files = [...(await filesOf(stored, format))]
    for (const [name, content] of files) await writeAtomically(join(folder, name), content)
    const written = files.map(([name, content]) => ({ file: join(flags.out, name), bytes: Buffer.byteLength(content) }))
    context.stdout.write(
      flags.json
        ? `${JSON.stringify({ run, format, written })}\n`
        : `run ${run} as ${format}: ${written.map(({ file, bytes }) => `${file} (${bytes} bytes)`).join(', ')}\n`,
    )
    return 0
  },
})

/** Returns the run that a policy's name or the digits of a run stand for. */
async function runNamed(place: TrainingPlace, word: string): Promise<StoredRun> {
  const { reader, runs } = place.shared
  if (!(await policyNames(reader)).includes(word)) return readRun(place.runs, await findRun(place.runs, word))
  const { current } = foldAlias(await readPromotions(reader, word), word, 'champion')
  if (current !== undefined) return readRun(runs, current.run)
  throw new ValuetrainError('VT_POLICY_UNKNOWN', `${word} has no champion`, { hint: 'promote a run first' })
}

async function filesOf(stored: StoredRun, format: ExportFormat): Promise<Map<string, string | Uint8Array>> {
  if (await isRouterRun(stored)) return exportRouter((await routerOfRun(stored)).model, format)
  return exportPolicy(await policyOfRun(stored), format)
}
