import { resolve } from 'node:path'
import { restoreRescue } from '../../../core/unpack.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { counted } from '../../display/text.ts'
import { openSurvey } from '../../wiring.ts'

export default defineCommand({
  description:
    'Lays set-aside work out in a new folder, for you to copy from. No existing file is written over, and the repository is not changed.',
  args: { ref: argument.text('The ref, its id, or the beginning of the id; `rescue list` prints them.') },
  flags: { into: flag.text('FOLDER', 'A folder that does not exist or is empty; beside the repository unless told.') },
  json: true,
  async run(context, { args, flags }) {
    const { repository } = await openSurvey(context)
    const into = flags.into === undefined ? {} : { into: resolve(context.cwd, flags.into) }
    const { rescue, dir, written, deleted, head } = await restoreRescue(repository, args.ref, into)
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ ref: rescue.ref, dir, head, written, deleted })}\n`)
      return 0
    }
    const paint = paintFor(context)
    const lines = [
      `${rescue.ref}: ${counted(written.length, 'file')} laid out in ${dir}`,
      ...written.slice(0, 20).map((path) => `  ${path}`),
      ...(written.length > 20 ? [paint.dim(`  and ${written.length - 20} more`)] : []),
      ...deleted.slice(0, 20).map((path) => `  ${paint.dim('deleted at that time:')} ${path}`),
      `${paint.dim('next:')} copy what you need; it was made on commit ${head.slice(0, 9)}`,
    ]
    context.stdout.write(`${lines.join('\n')}\n`)
    return 0
  },
})
