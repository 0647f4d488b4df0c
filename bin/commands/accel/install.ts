import { installAccelerator, TFJS_VERSION } from '../../../training/backend/accelerator.ts'
import { acceleratorFolder } from '../../../training/run/index.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { openTraining } from '../../training.ts'

export default defineCommand({
  description: `Installs TensorFlow.js ${TFJS_VERSION} into a folder of its own in the git directory, and proves that it computes. Everything works without it; it pays for wide networks and large batches.`,
  examples: [{ does: 'For a graphics card', line: 'accel install gpu' }],
  args: { kind: argument.choice(['gpu', 'cpu'], 'Which binding.') },
  flags: { minutes: flag.count('N', 'Give up after so many minutes; 10 unless told.', 1, 120) },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const folder = acceleratorFolder(place.stateDir)
    const found = await installAccelerator(args.kind, {
      folder,
      env: place.env,
      timeoutMs: 60_000 * (flags.minutes ?? 10),
      signal: context.signal,
      ...(flags.json ? {} : { onOutput: (text: string) => context.stderr.write(text) }),
    })
    context.stdout.write(
      flags.json
        ? `${JSON.stringify({ folder, binding: found.binding, version: found.version })}\n`
        : `installed ${found.binding} ${found.version}; it computes\nnext: valuetrain train CONFIG --backend tfjs\n`,
    )
    return 0
  },
})
