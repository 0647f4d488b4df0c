import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as YAML from 'yaml'
import { CONFIG_FILE, parseConfig } from '../../../core/config.ts'
import { ValuetrainError } from '../../../core/errors.ts'
import { resolveInside, writeAtomically } from '../../../core/files.ts'
import { parseYaml } from '../../../core/frontmatter.ts'
import { readerOf } from '../../../core/reader.ts'
import { openRepository } from '../../../core/repository.ts'
import { argument, defineCommand } from '../../command.ts'
import { withValue } from '../../config-edit.ts'
import { configKey, valueAt } from '../../config-path.ts'

export default defineCommand({
  description:
    'Changes one key of .valuetrain/config.yaml and nothing else: comments and order stay. The result is checked first, so that an invalid file is never written. Nothing is committed.',
  examples: [
    { does: 'Merge without a person', line: 'config set merge auto' },
    { does: 'Name the test command', line: "config set commands.test '[npm, test]'" },
  ],
  args: { path: argument.text('Dotted key, e.g. commands.test.'), value: argument.text('The value, as YAML.') },
  json: true,
  async run(context, { args, flags }) {
    const { path } = configKey(args.path)
    const repository = await openRepository(context.cwd, context.env)
    if (repository.root === null) {
      throw new ValuetrainError('VT_BARE', `${repository.commonDir} is bare, it has no working tree to write in`, {
        kind: 'environment',
        hint: 'run this in a clone',
      })
    }
    const before = (await readerOf(repository.root).read(CONFIG_FILE)) ?? ''
    const value = parseYaml(args.value, `the value of ${args.path}`)
    const after = withValue(before, path, value)
    // A file that was broken before may be mended by this very change, so its old values are only looked at.
    const was = valueAt(YAML.parseDocument(before).toJS({ maxAliasCount: 100 }), path)
    parseConfig(after)
    const changed = after !== before
    if (changed) {
      const file = await resolveInside(repository.root, CONFIG_FILE)
      await mkdir(dirname(file), { recursive: true })
      await writeAtomically(file, after)
    }
    if (flags.json) {
      context.stdout.write(
        `${JSON.stringify({ file: CONFIG_FILE, path: args.path, value: value ?? null, was: was ?? null, changed })}\n`,
      )
      return 0
    }
    const shown = (of: unknown) =>
      YAML.stringify(of, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim()
    if (!changed) context.stdout.write(`${args.path} is ${shown(value)} already; nothing written\n`)
    else {
      const old = was === undefined ? 'it was not set' : `it was ${shown(was)}`
      context.stdout.write(
        `${CONFIG_FILE}: ${args.path} is now ${shown(value)} (${old})\nnext: commit it; runs and gates read committed configuration only\n`,
      )
    }
    return 0
  },
})
