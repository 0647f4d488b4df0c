import { ValuetrainError } from '../core/errors.ts'

/** Runs of spaces, line breaks of every kind and other control characters. */
const GAP = /[\p{Cc}\u2028\u2029 ]+/gu
const SLUG_LENGTH = 48

/**
 * Returns a title as one line: line breaks and control characters folded into single spaces, the ends trimmed, all else kept.
 *
 * @throws VT_ISSUE_TITLE when nothing is left
 */
export function foldTitle(title: string): string {
  const folded = title
    .toWellFormed()
    .replace(GAP, (gap) => (/^ +$/.test(gap) ? gap : ' '))
    .trim()
  if (folded === '') {
    throw new ValuetrainError('VT_ISSUE_TITLE', 'the title of an issue is empty', {
      hint: 'say in one line what is wrong or wanted',
    })
  }
  return folded
}

/**
 * Returns the part of a file name that stands for a title: a-z, 0-9 and single dashes, at most 48 characters.
 * Everything else, hidden and direction-changing characters among it, becomes a dash or goes; `issue` when nothing is left.
 */
export function slugOf(title: string): string {
  const words = title
    // A slice first: decomposing ten thousand characters to keep forty-eight is work for nothing.
    .slice(0, SLUG_LENGTH * 8)
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}]/gu, '')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
  let slug = ''
  for (const word of words) {
    const longer = slug === '' ? word.slice(0, SLUG_LENGTH) : `${slug}-${word}`
    if (longer.length > SLUG_LENGTH) break
    slug = longer
  }
  return slug === '' ? 'issue' : slug
}
