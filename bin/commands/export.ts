import { join } from 'node:path'
import { ValuetrainError } from '../../core/errors.ts'
import { writeAtomically } from '../../core/files.ts'
import { EXPORT_FORMATS, exportPolicy } from '../../training/export/index.ts'
import { policyInUse, policyNames } from '../../training/policy/index.ts'
import { findRun, policyOfRun, readRun } from '../../training/run/index.ts'
import type { PolicyModel } from '../../training/types.ts'
import { argument, defineCommand, flag } from '../command.ts'
import { openTraining, outputPath, type TrainingPlace } from '../training.ts'

export default defineCommand({
  description:
    'Writes a policy for other programs: safetensors with its model.json, ONNX (opset 17, normaliser and softmax included), or a TensorFlow.js layers model.',
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
    const { run, model } = await modelNamed(place, args.policy)
    const format = flags.format ?? 'onnx'
    const folder = outputPath(context, flags.out)
    const files = [...exportPolicy(model, format)]
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

async function modelNamed(place: TrainingPlace, word: string): Promise<{ run: string; model: PolicyModel }> {
  if ((await policyNames(place.shared.reader)).includes(word)) {
    const champion = await policyInUse(place.shared.reader, place.shared.runs, word)
    if (champion !== undefined) return champion
    throw new ValuetrainError('VT_POLICY_UNKNOWN', `${word} has no champion`, { hint: 'promote a run first' })
  }
  const stored = await readRun(place.runs, await findRun(place.runs, word))
  return { run: stored.id, model: await policyOfRun(stored) }
}
