/** Who has to act on an error; it decides the exit code. */
export type ErrorKind = 'user' | 'config' | 'environment' | 'gate' | 'internal'

export interface ErrorOptions {
  /** What the reader does next, as one sentence. */
  hint?: string
  kind?: ErrorKind
  /** Machine-readable facts; never prompts, file contents or secrets. */
  details?: Record<string, unknown>
  cause?: unknown
}

/**
 * The one error class of the project.
 *
 * @param code stable, `VT_` and upper snake case, e.g. `VT_LEASE_HELD`
 * @param message names the thing and its value
 */
export class ValuetrainError extends Error {
  readonly code: string
  readonly hint: string | undefined
  readonly kind: ErrorKind
  readonly details: Record<string, unknown>

  constructor(code: `VT_${string}`, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ValuetrainError'
    this.code = code
    this.hint = options.hint
    this.kind = options.kind ?? 'user'
    this.details = options.details ?? {}
  }
}

/** Exit codes of the command line: 0 done, then one a kind. */
export const EXIT_CODES = { gate: 1, user: 2, config: 2, environment: 3, internal: 70 } as const

/** Returns the exit code an error ends the process with; anything that is not ours is our bug (70). */
export function exitCodeOf(error: unknown): number {
  return error instanceof ValuetrainError ? EXIT_CODES[error.kind] : EXIT_CODES.internal
}

/**
 * Returns the candidate nearest to a word by edit distance, or undefined when nothing is near
 * (more than a third of the word would have to change, at least two letters).
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(2, Math.floor(word.length / 3))
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { candidate, distance }
  }
  return best?.candidate
}

/** Returns ` (did you mean "x"?)` when something is near, else the empty string. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates)
  return near === undefined ? '' : ` (did you mean "${near}"?)`
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min((previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, substitution))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
