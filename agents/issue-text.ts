/** Characters nobody sees: zero width, direction changes, tags, soft hyphens. The two that say how an emoji looks stay. */
const INVISIBLE = /(?![\ufe0e\ufe0f])\p{Default_Ignorable_Code_Point}/gu
/** The joiner within an emoji (a family, a flag of parts) is seen; it stays. */
const EMOJI_JOINER = /(?<=\p{Extended_Pictographic}[\ufe0f\u{1f3fb}-\u{1f3ff}]?)\u200d(?=\p{Extended_Pictographic})/gu
const HIDDEN_HTML = /<!--[\s\S]*?(?:-->|$)/g
const CONTROL = /[^\P{Cc}\n\t]/gu

/**
 * Returns an issue's text without what its rendered page would not have shown: HTML comments, invisible and control
 * characters. `notes` says what was taken out, in words for the reader.
 */
export function cleanIssueText(text: string): { text: string; notes: string[] } {
  const notes: string[] = []
  const take = (from: string, pattern: RegExp, one: string, many: string) => {
    const count = from.match(pattern)?.length ?? 0
    if (count > 0) notes.push(`${count} ${count === 1 ? one : many}`)
    return from.replace(pattern, '')
  }
  const kept = '\u{f8ff}joiner\u{f8ff}'
  let clean = text.toWellFormed().replace(/\r\n?|[\u2028\u2029\u0085]/g, '\n')
  clean = take(clean, HIDDEN_HTML, 'hidden HTML comment', 'hidden HTML comments')
  clean = clean.replaceAll(kept, '').replace(EMOJI_JOINER, kept)
  clean = take(clean, INVISIBLE, 'invisible character', 'invisible characters').replaceAll(kept, '\u200d')
  clean = take(clean, CONTROL, 'control character', 'control characters')
  return { text: clean, notes }
}

/** Returns text in a Markdown fence that is longer than any run of backticks in it, so that the text cannot close it. */
export function fenced(text: string): string {
  const longest = (text.match(/`+/g) ?? []).reduce((length, run) => Math.max(length, run.length), 2)
  const fence = '`'.repeat(longest + 1)
  return `${fence}text\n${text}\n${fence}`
}
