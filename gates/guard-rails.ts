/** Gates that every phase asks, whatever its pipeline says, in the order of the methodology; what reads the others comes last. */
export const GUARD_RAILS = [
  'checklist-monotonic',
  'evidence',
  'frozen',
  'single-writer',
  'session-conflict',
  'branch-name',
  'size',
  'lfs',
  'secrets',
  'protected-paths',
  'commit-message',
  'privacy',
  'definitions',
  'required-items',
] as const

/**
 * The guard-rail that fails until a person has approved. An agent makes it hold only by undoing its work, which may be just
 * what was wanted, so a person is asked before another attempt is spent.
 */
export const PROTECTED_PATHS = 'protected-paths'

/** Built-in gates that are asked where a mode, a phase or an item lists them. */
export const LISTED = ['change', 'summary', 'link', 'training-verdict'] as const
