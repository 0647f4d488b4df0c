import * as z from 'zod'
import { CONFIG_FILE, Config } from '../../core/config.ts'
import { code, GENERATED, type Page, table } from './page.ts'

interface Schema {
  type?: string | string[]
  description?: string
  default?: unknown
  enum?: unknown[]
  const?: unknown
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  additionalProperties?: Schema | boolean
  anyOf?: Schema[]
  oneOf?: Schema[]
  minimum?: number
  maximum?: number
  pattern?: string
}

/** The configuration as a page for people and as a JSON Schema for editors. */
export const configPages: readonly Page[] = [
  { file: 'docs/reference/config.md', render: async () => renderPage(schemaOf()) },
  {
    file: 'config.schema.json',
    render: async () => {
      const head = { title: 'valuetrain configuration', description: `What ${CONFIG_FILE} may say.` }
      return `${JSON.stringify({ ...head, ...schemaOf() }, undefined, 2)}\n`
    },
  },
]

function schemaOf(): Schema {
  return z.toJSONSchema(Config, { io: 'input', unrepresentable: 'any' }) as Schema
}

function renderPage(schema: Schema): string {
  const keys = Object.entries(schema.properties ?? {})
  const sections = keys.map(([key, value]) => section(key, value))
  return `${GENERATED}

# Configuration

\`${CONFIG_FILE}\` is one YAML mapping. Every key has a default, so the file may be short or missing; an unknown key is an error
that names the nearest one. It is read from the commit that a ticket starts from, never from the change it brings.
\`valuetrain config show\` prints what is read, \`config why KEY\` where a value comes from, and \`config set KEY VALUE\` changes one and
keeps the comments. Editors that know YAML schemas find one in the package as \`valuetrain/config.schema.json\`:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/valuetrain/config.schema.json
version: 1
\`\`\`

${table(
  ['key', 'type', 'default', 'meaning'],
  keys.map(([key, value]) => [
    `[${code(key)}](#${key.toLowerCase()})`,
    typeOf(value),
    defaultOf(value),
    firstSentence(value.description ?? ''),
  ]),
)}

${sections.join('\n\n')}
`
}

function section(key: string, value: Schema): string {
  const lines = [`## ${key}`, '', value.description ?? '']
  const inner = value.properties ?? value.items?.properties
  if (inner === undefined) {
    lines.push('', `Type: ${typeOf(value)}. Default: ${defaultOf(value) || 'none'}.`)
  } else {
    const required = value.properties ? [] : (value.items?.required ?? [])
    const rows = Object.entries(inner).map(([name, part]) => [
      code(`${key}${value.properties ? '' : '[]'}.${name}`),
      typeOf(part),
      required.includes(name) ? 'required' : defaultOf(part),
      part.description ?? '',
    ])
    const described = rows.some((row) => row[3] !== '')
    lines.push(
      '',
      table(
        ['key', 'type', 'default', ...(described ? ['meaning'] : [])],
        rows.map((row) => row.slice(0, described ? 4 : 3)),
      ),
    )
  }
  return lines.join('\n')
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return code(JSON.stringify(schema.const))
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ')
  const options = schema.anyOf ?? schema.oneOf
  if (options) {
    const kinds = options.map((option) => option.properties?.type?.const)
    if (kinds.every((kind) => typeof kind === 'string'))
      return `mapping with \`type\` ${kinds.map((kind) => code(String(kind))).join(', ')}`
    return options.map(typeOf).join(' or ')
  }
  if (schema.type === 'null') return code('null')
  if (schema.type === 'array') return `list of ${schema.items ? plural(typeOf(schema.items)) : 'anything'}`
  if (schema.type === 'object') {
    if (schema.properties) return 'mapping'
    return typeof schema.additionalProperties === 'object'
      ? `mapping of names to ${typeOf(schema.additionalProperties)}`
      : 'mapping'
  }
  const kind = Array.isArray(schema.type) ? schema.type.join(' or ') : (schema.type ?? 'anything')
  return `${kind === 'integer' ? 'whole number' : kind === 'string' ? 'text' : kind}${bounds(schema)}`
}

/** zod writes the largest safe integer where there is no limit. */
function bounds({ minimum, maximum }: Schema): string {
  const low = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined
  const high = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`
  return low !== undefined ? `, at least ${low}` : high !== undefined ? `, at most ${high}` : ''
}

function plural(type: string): string {
  return type === 'text' ? 'texts' : type === 'mapping' ? 'mappings' : type.replace(/^list of/, 'lists of')
}

function defaultOf(schema: Schema): string {
  const value = schema.default
  if (value === undefined) return ''
  if (typeof value === 'object' && value !== null && schema.properties) return ''
  return code(JSON.stringify(value))
}

function firstSentence(text: string): string {
  return /^.*?[.;](?=\s|$)/s.exec(text)?.[0].replace(/;$/, '.') ?? text
}
