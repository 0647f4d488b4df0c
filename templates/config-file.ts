import * as YAML from 'yaml'
import { CONFIG_FILE, Config, parseConfig } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import { COMMAND_NAMES, type Detected, type Place } from './clues.ts'

/**
 * Returns the text of a first configuration: what was found, each key explained by the schema's own words. What has a
 * good default is left out.
 */
export function renderConfig(detected: Detected, place: Place): string {
  const commands = Object.fromEntries(
    COMMAND_NAMES.flatMap((name) => (detected.commands[name] ? [[name, detected.commands[name].argv]] : [])),
  )
  const { setup, inputs, cache, hosts } = detected.workspace
  const document = new YAML.Document({
    version: 1,
    forge: place.forge,
    remote: place.remote,
    branch: place.branch,
    pipeline: 'routine',
    agent: null,
    merge: 'person',
    commands,
    ...(Object.keys(detected.recipes).length > 0 ? { recipes: detected.recipes } : {}),
    workspace: { setup, inputs, cache, ...(hosts.length > 0 ? { hosts } : {}) },
  })
  document.commentBefore =
    ' Value Train reads this file as the default branch has it; an uncommitted change is named and not used.\n `valuetrain config why KEY` explains a key, `valuetrain config show` prints all of them with their defaults.'
  const root = document.contents as unknown as YAML.YAMLMap<YAML.Scalar<string>, YAML.Node>
  for (const pair of root.items) {
    const name = pair.key.value as keyof typeof Config.shape
    pair.key.commentBefore = ` ${Config.shape[name].description ?? name}`
    if (name !== 'version') pair.key.spaceBefore = true
    if (pair.value) keepShort(pair.value)
  }
  explainCommands(root, detected)
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: false })
  parseConfig(text)
  return text
}

/**
 * Returns a configuration's text with a value added to a list, its comments, order and line ends kept; the same text
 * when the value is there.
 *
 * @param path keys down to the list, e.g. `['extensions', 'gates']`
 * @throws VT_YAML or VT_CONFIG when the text, before or after, is not a configuration
 */
export function addToList(text: string, path: readonly string[], value: string): string {
  parseConfig(text)
  const document = YAML.parseDocument(text)
  const list = document.getIn(path)
  if (YAML.isSeq(list) && (list.toJSON() as unknown[]).includes(value)) return text
  if (document.contents === null) document.contents = document.createNode({}) as never
  if (YAML.isSeq(list)) list.add(document.createNode(value))
  else document.setIn(path, document.createNode([value]))
  const written = document.toString({ lineWidth: 0, flowCollectionPadding: false })
  const result = text.includes('\r\n') ? written.replaceAll('\n', '\r\n') : written
  const read = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], parseConfig(result))
  if (Array.isArray(read) && read.includes(value)) return result
  throw new ValuetrainError('VT_CONFIG', `${CONFIG_FILE}: ${path.join('.')} could not take ${value}`, {
    kind: 'config',
    hint: `add it by hand, as an entry of the list ${path.join('.')}`,
  })
}

function explainCommands(root: YAML.YAMLMap<YAML.Scalar<string>, YAML.Node>, detected: Detected): void {
  const pair = root.items.find(({ key }) => key.value === 'commands')
  const commands = pair?.value
  if (!pair || !YAML.isMap(commands)) return
  const missing = COMMAND_NAMES.filter((name) => detected.commands[name] === undefined)
  if (missing.length > 0) {
    pair.key.commentBefore += `\n None found for: ${missing.join(', ')}. Name one as in \`test: [npm, test]\`; what is not named is not asked, and reports say so.`
  }
  for (const { key, value } of (commands as YAML.YAMLMap<YAML.Scalar<string>, YAML.Node>).items) {
    const found = detected.commands[key.value as (typeof COMMAND_NAMES)[number]]
    if (found && value) value.comment = ` from ${found.from}`
  }
}

/** Argument lists read best on one line. */
function keepShort(node: YAML.Node): void {
  YAML.visit(node, {
    Seq(_, seq) {
      seq.flow = true
    },
    Map(_, map) {
      if (map.items.length === 0) map.flow = true
    },
  })
}
