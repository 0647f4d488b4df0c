import { longestKnown } from './known-secrets.ts'
import { findSecrets, redactSecrets } from './secrets.ts'

/** Hides the secrets of a text that comes in pieces. */
export interface Redactor {
  /** Returns what is safe to pass on by now; the rest is held back until more has come. */
  push(text: string): string
  /** Returns what was held back. */
  end(): string
}

/** Characters without a line break that are held back at most. */
const HELD = 65_536
/** Characters of a cut line that are looked at once more with what follows. */
const OVERLAP = 8_192
const KEY_END = /-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|Private-MAC: [0-9a-f]+/

/**
 * Returns a redactor for one stream. It passes on whole lines, and of those only what can be no part of something that goes on in
 * the next piece, so that a secret is found however the stream was cut. What it passes on is, joined, what `redactSecrets` makes of
 * the whole text, as long as no line is longer than 64 Ki characters; a longer one is cut, and its secrets are still found
 * up to 8 Ki characters each.
 */
export function openRedactor(): Redactor {
  let held = ''
  /** Set while a secret that has no end yet is dropped. */
  let dropped: string | undefined
  const flush = (cut: number): string => {
    const text = held.slice(0, cut)
    held = held.slice(cut)
    return redactSecrets(text).text
  }
  const drop = (text: string): string => {
    const seen = (dropped ?? '') + text
    const end = KEY_END.exec(seen)
    dropped = end ? undefined : seen.slice(-200)
    return end ? seen.slice(end.index + end[0].length) : ''
  }
  return {
    push(text) {
      held += dropped === undefined ? text : drop(text)
      const cut = placeToCut(held)
      if (cut === undefined) return ''
      const spanning = findSecrets(held).find(({ start, end }) => start < cut && end >= cut)
      if (spanning === undefined) return flush(cut)
      // A key whose end has not come may be long; nothing of it is kept.
      if (spanning.rule === 'private-key' && !KEY_END.test(held.slice(spanning.start))) {
        const before = flush(spanning.start)
        dropped = held.slice(-200)
        held = ''
        return `${before}[redacted:${spanning.rule}]`
      }
      return flush(held.length - spanning.start > 2 * HELD ? spanning.end : spanning.start)
    },
    end() {
      dropped = undefined
      return flush(held.length)
    },
  }
}

/** After a line break with room behind it for the longest thing that goes over lines; in a line without end, wherever. */
function placeToCut(held: string): number | undefined {
  const margin = longestKnown()
  const line = held.lastIndexOf('\n', held.length - 1 - margin)
  // With a long margin each look is dear, and one is had for many lines.
  if (line >= 0 && (margin < 4_096 || line >= margin)) return line + 1
  return held.length > HELD + margin ? held.length - Math.max(OVERLAP, margin) : undefined
}
