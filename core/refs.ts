import { ValuetrainError } from './errors.ts'

// Control characters are among what git refuses.
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const REFUSED = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$|^-|^@$/

/**
 * Tells whether a name may stand for a branch or, with its `refs/` prefix, for a ref.
 *
 * @see git-check-ref-format(1); besides, nothing that begins with a dash, which git would take for an option
 */
export function isRefName(name: string): boolean {
  return name !== '' && !REFUSED.test(name) && name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'))
}

/** Returns the name. @throws VT_REF_NAME when it cannot be a branch or ref */
export function requireRefName(name: string): string {
  if (isRefName(name)) return name
  throw new ValuetrainError('VT_REF_NAME', `${JSON.stringify(name.slice(0, 100))} cannot name a branch or ref`, {
    hint: 'use letters, digits, dashes and slashes',
  })
}

/**
 * Returns a revision that is safe to hand to git: it does not begin with a dash and holds no control characters.
 *
 * @throws VT_REVISION when it is not
 */
export function requireRevision(rev: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (rev !== '' && !rev.startsWith('-') && !/[\u0000-\u001f]/.test(rev)) return rev
  throw new ValuetrainError('VT_REVISION', `${JSON.stringify(rev.slice(0, 100))} is not a revision`, {
    hint: 'name a commit, branch or tag',
  })
}
