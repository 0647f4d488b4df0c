import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ErrorKind, EXIT_CODES } from '../../core/errors.ts'
import { FOLDERS } from '../sources.mjs'
import { code, GENERATED, type Page, table } from './page.ts'

interface Raised {
  code: string
  kind: ErrorKind
  messages: string[]
  hints: string[]
  file: string
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MEANING: Record<ErrorKind, string> = {
  user: 'The command line asks for something that is not there or not allowed.',
  config: 'A file says something that cannot be read or does not hold.',
  environment: 'The surroundings are not as they have to be: no repository, a held lease, a remote out of reach, a full disk.',
  gate: 'A gate said no, or somebody is waited for.',
  internal: 'A bug of ours.',
}

/** Every error code of the source, with what it says and what to do. */
export const errorPages: readonly Page[] = [{ file: 'docs/reference/errors.md', render: renderPage }]

async function renderPage(): Promise<string> {
  const raised = await findErrors()
  const kinds = (Object.keys(MEANING) as ErrorKind[]).map((kind) => {
    const codes = [...new Set(raised.filter((error) => error.kind === kind).map((error) => error.code))]
    const rows = codes.map((name) => {
      const all = raised.filter((error) => error.code === name && error.kind === kind)
      return [code(name), unique(all.flatMap(({ messages }) => messages)), unique(all.flatMap(({ hints }) => hints))]
    })
    if (rows.length === 0) return ''
    return `## ${kind}: exit code ${EXIT_CODES[kind]}\n\n${MEANING[kind]}\n\n${table(['code', 'says', 'hint'], rows)}\n`
  })
  return `${GENERATED}

# Errors

An error has a code that stays, a message that names the thing and its value, and mostly a hint that says what to do next. With \`--json\`
it is one object with these fields. \`…\` stands for what is filled in.

${kinds.filter((text) => text !== '').join('\n')}`
}

async function findErrors(): Promise<Raised[]> {
  const found: Raised[] = []
  for (const folder of FOLDERS) {
    const entries = await readdir(join(ROOT, folder), { withFileTypes: true, recursive: true }).catch(() => [])
    const paths = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
    for (const path of paths) found.push(...errorsIn(path.slice(ROOT.length), await readFile(path, 'utf8')))
  }
  return found.sort((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0))
}

function errorsIn(file: string, text: string): Raised[] {
  const found: Raised[] = []
  for (const match of text.matchAll(/new ValuetrainError\(/g)) {
    const args = argumentsOf(text.slice(match.index + match[0].length))
    const name = /^['"](VT_[A-Z0-9_]+)['"]$/.exec((args[0] ?? '').trim())?.[1]
    if (name === undefined) continue
    const options = withShared(args[2] ?? '', text)
    const kinds = [...(/\bkind: ([^,}\n]+)/.exec(options)?.[1] ?? "'user'").matchAll(/'(\w+)'/g)].map(
      (match) => match[1] as ErrorKind,
    )
    for (const kind of kinds.filter((word) => word in MEANING)) {
      found.push({ code: name, kind, messages: literals(args[1] ?? ''), hints: literals(sourceOf(options, 'hint')), file })
    }
  }
  return found
}

/** Splits what follows an opening parenthesis at its top-level commas, up to the closing one. */
function argumentsOf(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let index = 0; index < text.length; index++) {
    const letter = text[index] as string
    if (letter === "'" || letter === '"' || letter === '`') index = endOfString(text, index)
    else if ('([{'.includes(letter)) depth++
    else if (')]}'.includes(letter) && depth-- === 0) return [...parts, text.slice(start, index)]
    else if (letter === ',' && depth === 0) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  return parts
}

function endOfString(text: string, start: number): number {
  const quote = text[start]
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === '\\') index++
    else if (quote === '`' && text.startsWith('${', index)) index = endOfBraces(text, index + 2)
    else if (text[index] === quote) return index
  }
  return text.length
}

function endOfBraces(text: string, start: number): number {
  let depth = 0
  for (let index = start; index < text.length; index++) {
    const letter = text[index] as string
    if (letter === "'" || letter === '"' || letter === '`') index = endOfString(text, index)
    else if (letter === '{') depth++
    else if (letter === '}' && depth-- === 0) return index
  }
  return text.length
}

/** Adds to options what they take over from a constant of the same file. */
function withShared(options: string, text: string): string {
  const name = /^\s*(\w+)\s*,?\s*$|\.\.\.(\w+)\b/.exec(options)?.slice(1).find(Boolean)
  const shared = name === undefined ? undefined : new RegExp(`\\bconst ${name}\\b[^=]*= (\\{[^;]*?\\})`).exec(text)?.[1]
  return shared === undefined ? options : `${options} ${shared}`
}

/** Returns the source of one property's value in an object literal. */
function sourceOf(options: string, key: string): string {
  const match = new RegExp(`\\b${key}:\\s*`).exec(options)
  return match ? (argumentsOf(`${options.slice(match.index + match[0].length)},)`)[0] ?? '') : ''
}

/** Returns the strings that an expression can be: the literal itself, or the branches of a condition. */
function literals(source: string): string[] {
  const text = source.trim()
  const found: string[] = []
  for (let index = 0; index < text.length; index++) {
    if (!'\'"`'.includes(text[index] as string)) continue
    const end = endOfString(text, index)
    if (/(?:^|[?:(])\s*$/.test(text.slice(0, index))) found.push(words(text.slice(index + 1, end), text[index] as string))
    index = end
  }
  return found
}

/** Returns the words of a string literal; what is filled in becomes an ellipsis. */
function words(text: string, quote: string): string {
  let out = ''
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '\\') out += text[++index]
    else if (quote === '`' && text.startsWith('${', index)) {
      index = endOfBraces(text, index + 2)
      out += '…'
    } else out += text[index]
  }
  const parts = out.replace(/…(?:\s*…)+/g, '…').split('`')
  return parts.map((part, index) => (index % 2 === 0 ? part.replaceAll('<', '&lt;') : part)).join('`')
}

function unique(texts: readonly string[]): string {
  return [...new Set(texts)].join(' · ') || '…'
}
