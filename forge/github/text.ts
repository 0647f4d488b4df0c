import { redactSecrets } from '../../core/secrets.ts'

/** Most characters GitHub takes: a body or comment, a title, the description of a status. */
export const BODY_LENGTH = 65_536
const TITLE_LENGTH = 256
export const DESCRIPTION_LENGTH = 140

/** A text as a person sees it, and what was taken out of it, in words. */
export interface Visible {
  text: string
  hidden: string[]
}

/** Characters without width, or that turn the direction of what follows; a joiner inside an emoji is none of them. */
const INVISIBLE =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u{e0000}-\u{e007f}]|(?<!\p{Extended_Pictographic}\ufe0f?)[\u200c\u200d](?!\p{Extended_Pictographic})/gu
const COMMENT = /<!--[\s\S]*?(?:-->|$)/g
/** Elements that a browser does not show, or shows without their content. */
const UNSEEN =
  /<(script|style|template|noscript|object|iframe)\b[\s\S]*?(?:<\/\1\s*>|$)|<[a-z][^>]*\bhidden\b[^>]*>[\s\S]*?<\/[a-z]+\s*>/gi

/**
 * Returns a text without what its reader cannot see: HTML comments, elements that are not shown, characters without width.
 * Whoever allowed the work has read the visible text; an instruction hidden beside it was allowed by nobody.
 */
export function visibleText(raw: string): Visible {
  const hidden: string[] = []
  const take = (pattern: RegExp, one: string, many: string) => (text: string) => {
    let count = 0
    const left = text.replace(pattern, () => {
      count++
      return ''
    })
    if (count > 0) hidden.push(count === 1 ? one : `${count} ${many}`)
    return left
  }
  const plain = raw.toWellFormed().replaceAll('\r\n', '\n')
  const text = [
    take(COMMENT, 'one HTML comment', 'HTML comments'),
    take(UNSEEN, 'one element that is not shown', 'elements that are not shown'),
    take(INVISIBLE, 'one invisible character', 'invisible characters'),
  ].reduce((left, step) => step(left), plain)
  return { text, hidden }
}

/** Returns the visible text of an issue, with a note at its end that says what was taken out. */
export function noted({ text, hidden }: Visible): string {
  if (hidden.length === 0) return text
  return `${text.trimEnd()}\n\n> Taken out of this text because a reader cannot see it: ${hidden.join(', ')}.\n`
}

/**
 * Returns a text as it may be published: without secrets, and no longer than the forge takes, cut at a line with a note.
 *
 * @param tail kept whole at the end, e.g. a marker
 */
export function publishable(raw: string, tail = ''): string {
  const { text } = redactSecrets(raw.toWellFormed())
  const room = BODY_LENGTH - [...tail].length
  const characters = [...text]
  if (characters.length <= room) return text + tail
  const note = '\n\n*Cut here: the whole text stands in the session.*'
  const kept = characters.slice(0, room - note.length).join('')
  const atLine = kept.lastIndexOf('\n')
  return (atLine > kept.length / 2 ? kept.slice(0, atLine) : kept) + note + tail
}

/** Returns a title in one line that the forge takes. */
export function publishableTitle(raw: string): string {
  return shorten(redactSecrets(raw.toWellFormed()).text.replace(/\s+/g, ' ').trim(), TITLE_LENGTH)
}

/** Returns a text in one line of at most so many characters, with an ellipsis where it was cut. */
export function shorten(raw: string, most: number): string {
  const characters = [...redactSecrets(raw.toWellFormed()).text.replace(/\s+/g, ' ').trim()]
  return characters.length <= most ? characters.join('') : `${characters.slice(0, most - 1).join('')}…`
}

/** Returns what marks a text of ours with the key it was written for; not shown to readers. */
export function markerOf(key: string): string {
  return `\n\n<!-- valuetrain ${key.replace(/[^\w.:/@-]/g, '_').replaceAll('--', '-_')} -->`
}
