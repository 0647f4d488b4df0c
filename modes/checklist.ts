import * as z from 'zod'
import { canonicalJson } from '../core/canonical.ts'
import { checkShape } from '../core/config.ts'
import { Item } from '../core/contracts/method.ts'
import { ObjectId, Slug } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'

/** One time an item was shown to be true. Ticks are history: none is ever taken away. */
export const Tick = z.strictObject({
  attempt: z.int().min(1),
  /** Root tree, without tickets and issues, that it was shown for. */
  subject: ObjectId,
})
export type Tick = z.infer<typeof Tick>

/** An item of a ticket's checklist. */
export interface ChecklistItem extends Item {
  /** Phase that asks it; an id is unique within its phase. */
  phase: string
  ticks: readonly Tick[]
  /** Whether its evidence holds for the present subject; a ticked item that does not hold is stale. */
  holds: boolean
}

const TITLE = '# Checklist'
const NOTE = '<!-- Rendered from the session. `*` is required; a stale item was true for an earlier state of the files. -->'
const STALE = ' _(stale)_'

const Bound = z.strictObject({ evidence: Item.shape.evidence, ticks: z.array(Tick) })

/** Returns whether an item counts: it was ticked, and its evidence still holds. */
export function isDone(item: Pick<ChecklistItem, 'ticks' | 'holds'>): boolean {
  return item.ticks.length > 0 && item.holds
}

/**
 * Returns a checklist as Markdown, one section a phase in the order given; `parseChecklist` reads the same items back.
 * A ticked box stays ticked; one whose evidence no longer holds is marked stale.
 */
export function renderChecklist(items: readonly ChecklistItem[]): string {
  const lines = [TITLE, '', NOTE]
  let phase: string | undefined
  for (const item of items) {
    if (item.phase !== phase) lines.push('', `## ${item.phase}`, '')
    phase = item.phase
    lines.push(renderItem(item))
  }
  return `${lines.join('\n')}\n`
}

/**
 * Returns the items of a checklist's text.
 *
 * @param file named in errors
 * @throws VT_CHECKLIST with the line when a line is no item, an id is there twice in a phase, or a binding is malformed
 */
export function parseChecklist(text: string, file: string): ChecklistItem[] {
  const items: ChecklistItem[] = []
  const lines = text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n/g, '\n')
    .split('\n')
  let phase: string | undefined
  const headed = new Set<string>()
  for (const [index, line] of lines.entries()) {
    const at = { file, line: index + 1 }
    if (line.trim() === '' || line === TITLE || line === NOTE) continue
    const heading = /^## (.*)$/.exec(line)?.[1]
    if (heading !== undefined) {
      phase = parsePhase(heading, headed, at)
      continue
    }
    if (/^(<{7}|={7}|>{7}|\|{7})( |$)/.test(line))
      throw malformed(at, 'a conflict is not resolved', 'resolve it, keeping both sides’ ticks')
    if (phase === undefined) throw malformed(at, 'an item stands before any phase', 'put it below a `## <phase>` heading')
    const item = parseItem(line, phase, at)
    if (items.some((one) => one.id === item.id && one.phase === phase)) {
      throw malformed(at, `item "${item.id}" is there twice in phase "${phase}"`, 'remove one of the two')
    }
    items.push(item)
  }
  return items
}

function renderItem(item: ChecklistItem): string {
  const box = item.ticks.length > 0 ? 'x' : ' '
  const stale = item.ticks.length > 0 && !item.holds ? STALE : ''
  const bound = canonicalJson({ evidence: item.evidence, ticks: item.ticks })
  return `- [${box}] \`${item.id}\`${item.required ? '*' : ''} ${toLine(item.text)}${stale} <!-- ${inComment(bound)} -->`
}

const LINE = /^- \[([ xX])\] `([^`]*)`(\*?) (.*?)( _\(stale\)_)? <!-- (.*) -->\s*$/s

function parseItem(line: string, phase: string, at: Place): ChecklistItem {
  const match = LINE.exec(line)
  if (!match) {
    throw malformed(
      at,
      `"${line.slice(0, 60)}" is not an item`,
      'an item reads: - [ ] `id`* text <!-- {"evidence":…,"ticks":[]} -->',
    )
  }
  const [, box, id = '', star, text = '', stale, comment = ''] = match
  if (!Slug.safeParse(id).success) throw malformed(at, `"${id.slice(0, 60)}" is not an id`, 'ids are a-z, 0-9 and single dashes')
  const { evidence, ticks } = parseBinding(comment, id, at)
  if ((box !== ' ') !== ticks.length > 0) {
    const what = box === ' ' ? 'its box is empty but it has ticks' : 'its box is ticked but it has no tick'
    throw malformed(at, `item "${id}": ${what}`, 'a box follows from evidence; run `valuetrain ticket tick` for it')
  }
  const item = { id, text: fromLine(text), required: star === '*', evidence }
  if (item.text.trim() === '') throw malformed(at, `item "${id}" has no text`, 'say in a sentence what has to be true')
  return { ...item, phase, ticks, holds: ticks.length > 0 && stale === undefined }
}

function parseBinding(comment: string, id: string, at: Place): z.infer<typeof Bound> {
  let value: unknown
  try {
    value = JSON.parse(comment)
  } catch (cause) {
    throw malformed(at, `item "${id}": its binding is not JSON`, 'restore the comment at the end of the line', cause)
  }
  try {
    return checkShape(Bound, value, `item "${id}"`)
  } catch (cause) {
    const message = cause instanceof ValuetrainError ? cause.message : String(cause)
    throw malformed(at, message, 'restore the comment at the end of the line', cause)
  }
}

function parsePhase(name: string, seen: Set<string>, at: Place): string {
  if (!Slug.safeParse(name).success)
    throw malformed(at, `"${name.slice(0, 60)}" is not a phase`, 'phases are a-z, 0-9 and single dashes')
  if (seen.has(name)) throw malformed(at, `phase "${name}" is there twice`, 'put its items below one heading')
  seen.add(name)
  return name
}

/** Text stays one line of plain Markdown, and nothing in it can open a comment. */
function toLine(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/ _\(stale\)_/g, ' &#95;(stale)_')
}

function fromLine(text: string): string {
  return text.replace(/&#95;/g, '_').replace(/&lt;/g, '<').replace(/&amp;/g, '&')
}

/** `--` ends or breaks a comment and some separators end a line for some readers, so JSON spells those as escapes. */
function inComment(json: string): string {
  const safe = json.replace(/--/g, '-\\u002d').replace(/>/g, '\\u003e')
  return safe.replace(/\u2028/g, '\\u2028').replace(/\u2029/g, '\\u2029')
}

interface Place {
  file: string
  line: number
}

function malformed({ file, line }: Place, what: string, hint: string, cause?: unknown): ValuetrainError {
  return new ValuetrainError('VT_CHECKLIST', `${file}:${line}: ${what}`, { kind: 'config', hint, details: { file, line }, cause })
}
