import { parseFrontMatter } from '../core/frontmatter.ts'

/** What stands for text that is still to be written. */
const PLACEHOLDERS: readonly { name: string; pattern: RegExp }[] = [
  { name: 'TODO', pattern: /\bTODO\b/ },
  { name: 'TBD', pattern: /\bTBD\b/ },
  { name: 'FIXME', pattern: /\bFIXME\b/ },
  { name: 'XXX', pattern: /\bXXX+\b/ },
  { name: 'lorem ipsum', pattern: /\blorem\s+ipsum\b/i },
  { name: 'a <fill in> mark', pattern: /<(?:fill|your|insert|describe|placeholder|name|add|replace)\b[^<>\n]{0,80}>/i },
  { name: 'a {{…}} mark', pattern: /\{\{[^{}\n]*\}\}/ },
  {
    name: 'a […] mark',
    pattern: /\[(?:fill in|insert|placeholder|to be (?:done|written|defined|determined)|your [a-z ]+)[^\]\n]{0,60}\]/i,
  },
  { name: 'placeholder', pattern: /\b(?:placeholder text|insert text here|to be (?:written|defined|determined|filled in))\b/i },
]

/** Returns the placeholders a text holds, and the line of each first one. Code is text, too: nobody delivers a TODO in it. */
export function placeholdersIn(text: string): { name: string; line: number }[] {
  return PLACEHOLDERS.flatMap(({ name, pattern }) => {
    const at = pattern.exec(text)?.index
    return at === undefined ? [] : [{ name, line: text.slice(0, at).split('\n').length }]
  })
}

/**
 * Returns how many words of a document are its author's own. Front matter, headings, comments, link targets, table
 * rules and list marks are nobody's; a line the template has, too, is the template's.
 *
 * @param template text of the deliverable's template; none when undefined
 */
export function ownWords(text: string, template?: string): number {
  const theirs = new Set(template === undefined ? [] : linesOf(template))
  return linesOf(text)
    .filter((line) => !theirs.has(line))
    .flatMap((line) => line.split(' '))
    .filter((word) => /[\p{L}\p{N}]/u.test(word)).length
}

/** Returns which of the wanted front-matter keys are missing or empty. @throws VT_FRONT_MATTER, VT_YAML */
export function missingKeys(text: string, keys: readonly string[], file: string): string[] {
  if (keys.length === 0) return []
  const { data } = parseFrontMatter(text, file)
  return keys.filter((key) => {
    const value = data[key]
    return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  })
}

function linesOf(text: string): string[] {
  const body = text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n/g, '\n')
    .replace(/^---\n[\s\S]*?\n---[ \t]*(?:\n|$)/, '')
    .replace(/<!--[\s\S]*?(?:-->|$)/g, ' ')
  return body
    .split('\n')
    .filter((line) => !/^\s*#/.test(line) && !/^\s*[-=|:\s]+$/.test(line))
    .map((line) =>
      line
        .replace(/\]\([^)]*\)/g, ']')
        .replace(/^\s*(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .filter((line) => line !== '')
}
