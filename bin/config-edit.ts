import * as YAML from 'yaml'
import { CONFIG_FILE } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'

type Path = readonly (string | number)[]

/**
 * Returns a YAML text with the value at a path changed and, wherever that can be, not one other byte: the value is cut
 * out and the new one put in its place, or a line is added to its mapping. Line ends are kept.
 *
 * @throws VT_YAML when the text does not parse
 */
export function withValue(text: string, path: Path, value: unknown): string {
  const document = YAML.parseDocument(text)
  const problem = document.errors[0]
  if (problem) {
    throw new ValuetrainError('VT_YAML', `${CONFIG_FILE}: ${problem.message.split('\n')[0]}`, {
      kind: 'config',
      hint: 'mend the YAML at that line by hand first; nothing was written',
      cause: problem,
    })
  }
  if (isEqual(plainAt(document, path), value)) return text
  const edited = replaced(text, document, path, value) ?? added(text, document, path, value)
  const wanted = document.clone() as YAML.Document
  if (wanted.contents === null) wanted.contents = wanted.createNode({}) as never
  wanted.setIn(path, wanted.createNode(value))
  if (edited !== undefined && isSame(edited, wanted)) return edited
  const written = wanted.toString({ lineWidth: 0 })
  return text.includes('\r\n') ? written.replaceAll('\n', '\r\n') : written
}

/** Cuts the old value out where it stands on one place of the text: a scalar, or a list or mapping in brackets. */
function replaced(text: string, document: YAML.Document, path: Path, value: unknown): string | undefined {
  const node = document.getIn(path, true)
  if (!YAML.isNode(node) || !node.range || node.anchor) return undefined
  const isInline = YAML.isScalar(node) ? node.type !== 'BLOCK_LITERAL' && node.type !== 'BLOCK_FOLDED' : isFlow(node)
  const [start, end] = node.range
  return isInline && end > start ? text.slice(0, start) + inline(value) + text.slice(end) : undefined
}

/** Adds a line below the last one of the mapping that is there, as far along the path as there is one. */
function added(text: string, document: YAML.Document, path: Path, value: unknown): string | undefined {
  let depth = path.length - 1
  while (depth > 0 && document.getIn(path.slice(0, depth), true) === undefined) depth -= 1
  const parent = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true)
  const rest = path.slice(depth)
  const [key] = rest
  if (typeof key !== 'string') return undefined
  const entry = rest.toReversed().reduce<unknown>((inner, part) => ({ [part]: inner }), value) as Record<string, unknown>
  const end = text.includes('\r\n') ? '\r\n' : '\n'
  const line = `${key}: ${inline(entry[key])}${end}`
  if (parent === null) return `${text === '' || text.endsWith('\n') ? text : text + end}${line}`
  if (!YAML.isMap(parent) || isFlow(parent) || parent.items.length === 0) return undefined
  const first = parent.items[0]?.key
  const last = parent.items.at(-1)?.value
  if (!YAML.isNode(first) || !first.range || !YAML.isNode(last) || !last.range) return undefined
  const column = first.range[0] - (text.lastIndexOf('\n', first.range[0] - 1) + 1)
  const at = last.range[2]
  const before = text.slice(0, at)
  return `${before}${before.endsWith('\n') ? '' : end}${' '.repeat(column)}${line}${text.slice(at)}`
}

function isFlow(node: unknown): boolean {
  return YAML.isCollection(node) && node.flow === true
}

function inline(value: unknown): string {
  return YAML.stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim()
}

function plainAt(document: YAML.Document, path: Path): unknown {
  const node = document.getIn(path)
  return YAML.isCollection(node) ? node.toJSON() : node
}

function isSame(text: string, document: YAML.Document): boolean {
  const parsed = YAML.parseDocument(text)
  return parsed.errors.length === 0 && isEqual(parsed.toJS({ maxAliasCount: 100 }), document.toJS({ maxAliasCount: 100 }))
}

function isEqual(a: unknown, b: unknown): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b)
}
