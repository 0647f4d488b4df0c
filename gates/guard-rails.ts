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

/** Built-in gates that are asked where a mode, a phase or an item lists them. */
export const LISTED = ['change', 'summary', 'link', 'training-verdict'] as const
