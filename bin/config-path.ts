import * as z from 'zod'
import { Config } from '../core/config.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'

/** What the schema says about one key. */
export interface ConfigKey {
  /** The key's parts; numbers index lists. */
  path: (string | number)[]
  /** The nearest description above or at the key. */
  description: string
  /** What it takes, for people, e.g. `local | github` or `list of text`. */
  takes: string
}

type Schema = {
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  type?: string
  description?: string
}

/**
 * Returns what the configuration's schema says about a dotted path such as `commands.test`.
 *
 * @throws VT_CONFIG_PATH with the nearest key when there is no such key
 */
export function configKey(dotted: string): ConfigKey {
  let schema = z.toJSONSchema(Config, { io: 'input', unrepresentable: 'any' }) as Schema
  let description = ''
  const path: (string | number)[] = []
  for (const part of dotted.split('.')) {
    const next = childOf(schema, part)
    if (next === undefined) throw unknownKey(dotted, part, path, schema)
    path.push(isList(schema) ? Number(part) : part)
    schema = next
    description = schema.description ?? description
  }
  return { path, description, takes: takes(schema) }
}

/** Returns the value at a path, or undefined where there is none. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === 'object' && at !== null ? (at as Record<string | number, unknown>)[part] : undefined),
    value,
  )
}

function branches(schema: Schema): Schema[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(branches), ...(schema.oneOf ?? []).flatMap(branches)]
}

function isList(schema: Schema): boolean {
  return branches(schema).some(({ items }) => items !== undefined)
}

function childOf(schema: Schema, part: string): Schema | undefined {
  for (const branch of branches(schema)) {
    if (branch.properties && Object.hasOwn(branch.properties, part)) return branch.properties[part]
    if (typeof branch.additionalProperties === 'object' && part !== '') return branch.additionalProperties
    if (branch.items && /^\d+$/.test(part)) return branch.items
  }
  return undefined
}

function unknownKey(dotted: string, part: string, path: (string | number)[], schema: Schema): ValuetrainError {
  const known = [...new Set(branches(schema).flatMap(({ properties }) => Object.keys(properties ?? {})))]
  const above = path.join('.')
  return new ValuetrainError('VT_CONFIG_PATH', `there is no key "${dotted.slice(0, 80)}"${didYouMean(part, known)}`, {
    kind: 'user',
    hint:
      known.length > 0
        ? `${above === '' ? 'the configuration' : above} has: ${known.join(', ')}`
        : `${above} has no keys below it`,
    details: { path: dotted },
  })
}

function takes(schema: Schema): string {
  if (schema.enum) return schema.enum.map(String).join(' | ')
  if (schema.const !== undefined) return String(schema.const)
  const options = schema.anyOf ?? schema.oneOf
  if (options) return [...new Set(options.map(takes))].join(' | ')
  if (schema.type === 'array') return `list of ${schema.items ? takes(schema.items) : 'values'}`
  if (schema.type === 'object') return schema.properties ? 'mapping' : 'mapping of names'
  if (schema.type === 'string') return 'text'
  if (schema.type === 'integer') return 'whole number'
  return schema.type ?? 'any value'
}
