import * as YAML from 'yaml'
import { CONFIG_FILE, defaultConfig } from '../../../core/config.ts'
import { argument, defineCommand } from '../../command.ts'
import { configKey, valueAt } from '../../config-path.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { openHere } from '../../wiring.ts'

export default defineCommand({
  description:
    'Says of one key what it means, what it takes, what it is here, and whether that comes from the file or is the default.',
  examples: [{ does: 'Where does the merge rule come from?', line: 'config why merge' }],
  args: { path: argument.text('Dotted key, e.g. workspace.setup.') },
  json: true,
  async run(context, { args, flags }) {
    const key = configKey(args.path)
    const { config, reader } = await openHere(context)
    const line = lineOf((await reader.read(CONFIG_FILE)) ?? '', key.path)
    const answer = {
      path: args.path,
      value: valueAt(config, key.path) ?? null,
      default: valueAt(defaultConfig(), key.path) ?? null,
      source: line === undefined ? ('default' as const) : ('file' as const),
      line: line ?? null,
      takes: key.takes,
      description: key.description,
    }
    if (flags.json) {
      context.stdout.write(`${JSON.stringify(answer)}\n`)
      return 0
    }
    const paint = paintFor(context)
    const rows = [
      ['value', oneLine(answer.value)],
      ['from', line === undefined ? 'the default' : `${CONFIG_FILE}:${line}`],
      ['default', oneLine(answer.default)],
      ['takes', answer.takes],
    ]
    context.stdout.write(
      `${paint.bold(args.path)}  ${answer.description}\n${table(
        rows.map(([k = '', v = '']) => [paint.dim(k), v]),
        2,
      )}\n`,
    )
    return 0
  },
})

function oneLine(value: unknown): string {
  return YAML.stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim()
}

/** Returns the line of the file, from 1, on which the key is written; undefined when it is not. */
function lineOf(text: string, path: readonly (string | number)[]): number | undefined {
  const counter = new YAML.LineCounter()
  const document = YAML.parseDocument(text, { lineCounter: counter })
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const last = path.at(-1)
  let node: unknown
  if (YAML.isMap(parent)) node = parent.items.find(({ key }) => YAML.isScalar(key) && key.value === last)?.key
  if (YAML.isSeq(parent)) node = parent.items[Number(last)]
  return YAML.isNode(node) && node.range ? counter.linePos(node.range[0]).line : undefined
}
