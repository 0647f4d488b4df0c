/** A check that was left out for one commit, as the note of that commit carries it. */
export interface GatedSkip {
  gate: string
  reason: string
  /** A person's name as git knows it. */
  by: string
}

/** The word that says of a commit that only its integrity was looked at, so that its tree still needs its gates. */
export const UNJUDGED = 'unjudged'
const SKIP = 'skip:'

/** Returns skips as one word without blanks, which a shell can hand on from one hook to the next. */
export function renderSkips(skips: readonly GatedSkip[]): string {
  return `${SKIP}${Buffer.from(JSON.stringify(skips)).toString('base64url')}`
}

/** Returns the skips among the words of a note; undefined when one of them cannot be read, so that the note proves nothing. */
export function parseSkips(note: string): GatedSkip[] | undefined {
  const word = note.split(/\s+/).find((one) => one.startsWith(SKIP))
  if (word === undefined) return []
  try {
    const found = JSON.parse(Buffer.from(word.slice(SKIP.length), 'base64url').toString('utf8')) as unknown
    return Array.isArray(found) && found.every(isSkip) ? found : undefined
  } catch {
    return undefined
  }
}

function isSkip(value: unknown): value is GatedSkip {
  const { gate, reason, by } = (value ?? {}) as Record<string, unknown>
  return [gate, reason, by].every((text) => typeof text === 'string' && text.trim() !== '')
}
