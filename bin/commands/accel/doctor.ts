import { examineAccelerator } from '../../../training/backend/accelerator.ts'
import { wasmWorks } from '../../../training/backend/wasm.ts'
import { defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { openTraining } from '../../training.ts'

export default defineCommand({
  description:
    'Says what there is to compute with: the kernels of our own, graphics cards with driver and CUDA, the TensorFlow.js binding, and whether one operation on it comes out right. Changes nothing.',
  examples: [{ does: 'Look', line: 'accel doctor' }],
  json: true,
  async run(context, { flags }) {
    const place = await openTraining(context)
    const { cards, cuda, binding, check } = await examineAccelerator(place.places, { cwd: place.root, env: place.env })
    const kernels = wasmWorks()
    if (flags.json) {
      const facts = {
        kernels,
        cards,
        cuda: cuda ?? null,
        binding: binding ? { binding: binding.binding, version: binding.version } : null,
      }
      context.stdout.write(`${JSON.stringify({ ...facts, check: check ?? null })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = [
      ['own kernels', kernels ? 'work here' : 'no WebAssembly with SIMD; plain JavaScript gives the same bits'],
      ['graphics cards', cards.length === 0 ? 'none that nvidia-smi knows' : cards.join('; ')],
      ['CUDA', cuda ?? '-'],
      [
        'TensorFlow.js',
        binding === undefined
          ? 'not installed; `valuetrain accel install gpu` or `cpu`'
          : `${binding.binding} ${binding.version}`,
      ],
      ['one operation', check === undefined ? '-' : check.ok ? `right, on ${check.text}` : `failed: ${check.text}`],
    ]
    context.stdout.write(`${table(rows.map(([name = '', value = '']) => [paint.dim(name), value]))}\n`)
    return check !== undefined && !check.ok ? 3 : 0
  },
})
