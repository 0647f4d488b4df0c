import { findSecrets, isKnownFormat } from './secrets.ts'

/** Something in a file that looks like a secret. */
export interface FileSecret {
  rule: string
  /** What was found, for comparing with what was there before; never shown to anybody. */
  secret: string
  /** From 1. */
  line: number
}

/**
 * Returns the secrets in a file of whatever kind: in text, in bytes between others, and, of the formats that issuers
 * publish, those that are broken over lines or written in UTF-16.
 *
 * @param content bytes, or text
 */
export function secretsInFile(content: Buffer | string): FileSecret[] {
  const text = typeof content === 'string' ? content : content.toString('latin1')
  const found = findSecrets(text).map(({ rule, start, end }) => ({ rule, start, end, secret: text.slice(start, end) }))
  for (const between of [FOLD, WIDE]) {
    const joined = without(between, text)
    if (joined === undefined) continue
    for (const match of findSecrets(joined.text)) {
      const [start, end] = [joined.original(match.start), joined.original(match.end - 1) + 1]
      // What follows a whole token in the next line is no part of it.
      if (!isKnownFormat(match.rule) || found.some((one) => start < one.end && one.start < end)) continue
      found.push({ rule: match.rule, start, end, secret: joined.text.slice(match.start, match.end) })
    }
  }
  return found.map(({ rule, start, secret }) => ({ rule, secret, line: lineAt(text, start) }))
}

/**
 * What a line break inside a token looks like: a plain one, an escaped one of shells, a string of source code that is
 * closed and goes on in the next line, with `+` or `.` or nothing between. Bounded, so that no file makes it slow.
 */
const FOLD =
  /(?<=[A-Za-z0-9_+/=.-])(?:(["'`])[ \t]{0,40}[+.\\]?[ \t]{0,40}\r?\n[ \t]{0,80}[+.]?[ \t]{0,40}\1|\\?\r?\n[ \t]{0,80})(?=[A-Za-z0-9_+/=.-])/g
/** What stands between the letters of UTF-16. */
const WIDE = /(?<=[\n\x20-\x7e])\0(?=[\n\x20-\x7e])/g

/** Returns a text with what stands between its pieces taken out, and where it stood; undefined when nothing does. */
function without(between: RegExp, text: string): { text: string; original(offset: number): number } | undefined {
  const cuts: { at: number; gone: number }[] = []
  let gone = 0
  for (const match of text.matchAll(between)) {
    cuts.push({ at: match.index - gone, gone: gone + match[0].length })
    gone += match[0].length
  }
  if (cuts.length === 0) return undefined
  return {
    text: text.replace(between, ''),
    original: (offset) => offset + (cuts.findLast(({ at }) => at <= offset)?.gone ?? 0),
  }
}

function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++
  return line
}
