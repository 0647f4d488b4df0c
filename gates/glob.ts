/**
 * Tells whether a repository path matches one of the globs: `*` within a folder, `**` across folders, `?` one
 * character, `{a,b}` either. Globs are anchored at the root, case counts, and a folder's name alone matches only itself.
 */
export function matchesAny(path: string, globs: readonly string[]): boolean {
  return globs.some((glob) => toPattern(glob).test(path))
}

/** Tells whether a path is in a scope; no `include` means everything. */
export function inScope(path: string, scope: { include: readonly string[]; exclude: readonly string[] }): boolean {
  return (scope.include.length === 0 || matchesAny(path, scope.include)) && !matchesAny(path, scope.exclude)
}

const patterns = new Map<string, RegExp>()

function toPattern(glob: string): RegExp {
  const known = patterns.get(glob)
  if (known) return known
  const pattern = new RegExp(`^${translate(glob.replace(/^\.?\//, ''))}$`, 's')
  patterns.set(glob, pattern)
  return pattern
}

function translate(glob: string): string {
  let out = ''
  let braces = 0
  for (let at = 0; at < glob.length; at++) {
    const rest = glob.slice(at)
    const star = /^(?:\*\*\/|\*\*|\*)/.exec(rest)?.[0]
    if (star !== undefined) {
      out += star === '**/' ? '(?:[^/]+/)*' : star === '**' ? '.*' : '[^/]*'
      at += star.length - 1
      continue
    }
    const letter = glob.charAt(at)
    if (letter === '?') out += '[^/]'
    else if (letter === '{' && rest.includes('}')) {
      out += '(?:'
      braces++
    } else if (letter === '}' && braces > 0) {
      out += ')'
      braces--
    } else if (letter === ',' && braces > 0) out += '|'
    else out += letter.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  }
  return out
}
