import { Buffer } from 'node:buffer'
import type * as z from 'zod'
import { checkShape } from '../core/config.ts'
import { type Item, ModeSpec, PipelineSpec, RoleSpec } from '../core/contracts/method.ts'
import { CHILD_STATES, type ModeId } from '../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { parseFrontMatter, parseMapping } from '../core/frontmatter.ts'
import { EDGES } from './table.ts'

/** More than any definition needs; a larger file is a mistake, and reading it would hold every command up. */
const MOST_BYTES = 256 * 1024

/**
 * Returns the mode a Markdown text describes: the front matter is the specification, the body the instructions.
 *
 * @param file named in errors; its name without `.md` has to be the mode's id
 * @throws VT_FRONT_MATTER, VT_YAML, VT_CONFIG (wrong key or value, with the nearest name) or VT_MODE (parts that
 *   contradict each other)
 */
export function parseMode(text: string, file: string): ModeSpec {
  const { data, body } = parseFrontMatter(bounded(text, file), file)
  const mode = { ...checkShape(ModeSpec, data, file), body: requireBody(body, file) }
  requireSameName(mode.id, file, 'VT_MODE')
  checkItems(mode, file)
  checkEdges(mode, file)
  checkChildren(mode, file)
  return mode
}

/**
 * Returns the role a Markdown text describes.
 *
 * @param file as with `parseMode`
 * @throws as `parseMode`, with VT_ROLE
 */
export function parseRole(text: string, file: string): RoleSpec {
  const { data, body } = parseFrontMatter(bounded(text, file), file)
  const role = { ...checkShape(RoleSpec, data, file), body: requireBody(body, file) }
  requireSameName(role.id, file, 'VT_ROLE')
  return role
}

/**
 * Returns the pipeline a YAML text describes, its shape checked; `checkPipeline` checks what it says.
 *
 * @param file named in errors; its name without extension has to be the pipeline's id
 * @throws VT_YAML, VT_CONFIG or VT_PIPELINE
 */
export function parsePipeline(text: string, file: string): PipelineSpec {
  const pipeline = checkShape(PipelineSpec, parseMapping(bounded(text, file), file), file)
  requireSameName(pipeline.id, file, 'VT_PIPELINE')
  return pipeline
}

/** Returns every item of a mode in the order they are asked: entry, checklist, exit. */
export function itemsOf(mode: z.infer<typeof ModeSpec>): Item[] {
  return [...mode.entry, ...mode.checklist, ...mode.exit]
}

function bounded(text: string, file: string): string {
  if (Buffer.byteLength(text) <= MOST_BYTES) return text
  throw new ValuetrainError('VT_TOO_LARGE', `${file} is larger than ${MOST_BYTES / 1024} KiB`, {
    kind: 'config',
    hint: 'a mode, role or pipeline is a page or two; move the rest elsewhere',
  })
}

function requireBody(body: string, file: string): string {
  if (body.trim() !== '') return body.trim()
  throw new ValuetrainError('VT_FRONT_MATTER', `${file}: there are no instructions below the front matter`, {
    kind: 'config',
    hint: 'write what whoever works here has to do, in Markdown',
  })
}

function requireSameName(id: string, file: string, code: 'VT_MODE' | 'VT_ROLE' | 'VT_PIPELINE'): void {
  const name = file
    .split('/')
    .at(-1)
    ?.replace(/\.(md|yaml|yml)$/, '')
  if (name !== id) throw wrong(code, file, 'id', `"${id}" is not the file's name`, `call the file ${id} or set \`id: ${name}\``)
}

function checkItems(mode: ModeSpec, file: string): void {
  const seen = new Set<string>()
  for (const item of itemsOf(mode)) {
    const at = `item "${item.id}"`
    if (seen.has(item.id)) throw wrong('VT_MODE', file, at, 'is there twice', 'give each item of a mode an id of its own')
    seen.add(item.id)
    const { evidence } = item
    if (evidence.kind === 'command' && (evidence.command === undefined) === (evidence.argv === undefined)) {
      const hint = 'name one of lint, types, build, test as `command`, or give an `argv`'
      throw wrong('VT_MODE', file, `${at}: evidence`, 'takes either `command` or `argv`', hint)
    }
    if (evidence.kind === 'metric' && evidence.rule.value === undefined && evidence.rule.baseline === undefined) {
      const hint = 'compare with a fixed number, with a number from a file, or with both'
      throw wrong('VT_MODE', file, `${at}: evidence.rule`, 'names neither `value` nor `baseline`', hint)
    }
  }
}

/** A mode file may leave edges out, never bring new ones. */
function checkEdges(mode: ModeSpec, file: string): void {
  for (const way of ['forward', 'back'] as const) {
    for (const to of mode.transitions[way]) {
      const allowed = EDGES[mode.id][way]
      if (allowed.includes(to)) continue
      const hint = allowed.length === 0 ? `${mode.id} has no way ${way}` : `${way} from ${mode.id}: ${allowed.join(', ')}`
      throw wrong('VT_MODE', file, `transitions.${way}`, `no edge leads from ${mode.id} to ${to}`, hint)
    }
  }
}

function checkChildren(mode: ModeSpec, file: string): void {
  const allowed: readonly string[] = childStatesOf(mode.id)
  for (const child of mode.children) {
    if (allowed.includes(child)) continue
    const hint = allowed.length === 0 ? `${mode.id} has no child states` : `child states of ${mode.id}: ${allowed.join(', ')}`
    throw wrong('VT_MODE', file, 'children', `"${child}" is not a child state of ${mode.id}${didYouMean(child, allowed)}`, hint)
  }
}

/** Returns the child states a mode has; none for most. */
export function childStatesOf(mode: ModeId): readonly string[] {
  return (CHILD_STATES as Partial<Record<ModeId, readonly string[]>>)[mode] ?? []
}

/** Returns the error of a definition file: file and key first, then what is wrong. */
export function wrong(code: `VT_${string}`, file: string, key: string, what: string, hint: string): ValuetrainError {
  return new ValuetrainError(code, `${file}: ${key}: ${what}`, { kind: 'config', hint, details: { file, key } })
}
