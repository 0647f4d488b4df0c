import { stat } from 'node:fs/promises'
import { CONFIG_FILE } from '../../core/config.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside, writeAtomically } from '../../core/files.ts'
import { readerOf } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { readModeText } from '../../modes/index.ts'
import { addToList, KINDS, type Skeleton, skeletonOf } from '../../templates/index.ts'
import { argument, defineCommand, flag } from '../command.ts'
import { paintFor } from '../display/paint.ts'

export default defineCommand({
  description:
    'Writes a file to start from into this repository: a gate or a runtime as a module, a pipeline, or a mode as a copy of the one it replaces. It works as it stands. An existing file is never overwritten, and nothing is committed.',
  examples: [
    { does: 'A gate, named in the configuration at once', line: 'new gate no-empty-files --yes' },
    { does: 'Your own build mode', line: 'new mode build' },
  ],
  args: {
    kind: argument.choice(KINDS, 'What to write.'),
    name: argument.text('Its name; for a mode the one of the nine that it replaces.'),
  },
  flags: { yes: flag.switch('Also add the line to .valuetrain/config.yaml that makes it count.') },
  json: true,
  async run(context, { args, flags }) {
    const { root, commonDir } = await openRepository(context.cwd, context.env)
    if (root === null) {
      throw new ValuetrainError('VT_BARE', `${commonDir} is bare, it has no working tree to write in`, {
        kind: 'environment',
        hint: 'run this in a clone',
      })
    }
    const skeleton = await skeletonOf(args.kind, args.name, readModeText)
    await requireFree(root, skeleton)
    const config = flags.yes ? await configNaming(root, skeleton) : undefined
    const named = config !== undefined
    await writeAtomically(await resolveInside(root, skeleton.path), skeleton.content)
    if (named) await writeAtomically(await resolveInside(root, CONFIG_FILE), config)
    if (flags.json) {
      context.stdout.write(
        `${JSON.stringify({ kind: args.kind, name: args.name, path: skeleton.path, list: skeleton.list?.join('.') ?? null, named })}\n`,
      )
      return 0
    }
    const next =
      skeleton.list && !named
        ? [`name it in ${CONFIG_FILE}: ${skeleton.list[0]}: { ${skeleton.list[1]}: [${skeleton.path}] }`, ...skeleton.next]
        : skeleton.next
    const written = named ? `${skeleton.path}\n  ${CONFIG_FILE} (${skeleton.list?.join('.')})` : skeleton.path
    const paint = paintFor(context)
    context.stdout.write(
      `${paint.bold('written')}\n  ${written}\n${paint.bold('next')}\n${next.map((line) => `  ${line}`).join('\n')}\n`,
    )
    return 0
  },
})

async function requireFree(root: string, { path }: Skeleton): Promise<void> {
  if (!(await stat(await resolveInside(root, path)).catch(() => undefined))) return
  throw new ValuetrainError('VT_FILE_IN_THE_WAY', `${path} is there already`, {
    hint: 'choose another name, or move that file away; nothing was written',
  })
}

/** Returns the configuration's text with the file named in it; it is written last, since it stops every run where the file is absent. */
async function configNaming(root: string, { path, list }: Skeleton): Promise<string | undefined> {
  if (!list) return undefined
  return addToList((await readerOf(root).read(CONFIG_FILE)) ?? '', list, path)
}
