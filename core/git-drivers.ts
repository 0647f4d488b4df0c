/** Keys of the configuration that name a program git runs for files, as `git config --get-regexp` takes them. */
export const DRIVERS = '^(filter\\..*\\.(clean|smudge|process|required)|merge\\..*\\.driver)$'

/** Commands that read or write files of a checkout or merge them, and so would run such a program. */
const COMMANDS: ReadonlySet<string> = new Set([
  ...['add', 'apply', 'checkout', 'checkout-index', 'cherry-pick', 'commit', 'diff', 'diff-files', 'diff-index', 'merge'],
  ...['merge-file', 'merge-tree', 'read-tree', 'rebase', 'reset', 'restore', 'revert', 'rm', 'stash', 'status', 'switch'],
  ...['update-index', 'worktree'],
])
const LOOKS: ReadonlySet<string> = new Set(['diff', 'diff-files', 'diff-index', 'status'])

/** Tells whether a call could make git run a program that configuration and attributes name together. */
export function mayRunDrivers(args: readonly string[]): boolean {
  const [command = '', what] = args.slice(commandAt(args))
  // Of `worktree` only making one writes files, unless it is told not to, and only removing one compares them.
  const touchesFiles = command !== 'worktree' || (what === 'add' && !args.includes('--no-checkout')) || what === 'remove'
  return COMMANDS.has(command) && touchesFiles
}

/**
 * Returns settings that switch off every filter and merge driver. Which files they would be run for stands in
 * `.gitattributes`, which an agent writes, and what they run is often a script of the tree. Git LFS stays, as it installs
 * itself: a program of the machine that turns large files into pointers. A merge that a driver would have made is a conflict.
 *
 * They read their values from the variables of `DRIVER_VALUES`.
 *
 * @param listed what `git config --null --get-regexp` printed for `DRIVERS`
 */
export function withoutDrivers(listed: string): string[] {
  const settings = listed.split('\0').filter((line) => line !== '')
  return settings.flatMap((line) => {
    const end = line.indexOf('\n')
    const [key, value] = end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)]
    if (LFS[key] === value) return []
    const name = key.startsWith('merge.') || key.endsWith('.required') ? 'VALUETRAIN_NO' : 'VALUETRAIN_NOTHING'
    // In `-c` an equals sign within the name would end the key too early.
    return [`--config-env=${key}=${name}`]
  })
}

/** The variables that those settings take their values from: a driver that fails, and none. */
export const DRIVER_VALUES = { VALUETRAIN_NO: 'false', VALUETRAIN_NOTHING: '' } as const

const LFS: Readonly<Record<string, string>> = {
  'filter.lfs.clean': 'git-lfs clean -- %f',
  'filter.lfs.smudge': 'git-lfs smudge -- %f',
  'filter.lfs.process': 'git-lfs filter-process',
  'filter.lfs.required': 'true',
}

/**
 * Returns arguments with those added that keep a look at a checkout from running anything: no external diff, and no git
 * inside a nested repository, whose configuration is whatever an agent wrote there.
 */
export function askedArguments(args: readonly string[]): string[] {
  const at = commandAt(args)
  const command = args[at] ?? ''
  if (!LOOKS.has(command)) return [...args]
  const added = [
    ...(args.some((word) => word.startsWith('--ignore-submodules')) ? [] : ['--ignore-submodules=dirty']),
    ...(command === 'diff' ? ['--no-ext-diff', '--no-textconv'] : []),
  ]
  return [...args.slice(0, at + 1), ...added, ...args.slice(at + 1)]
}

/** Tells whether a call adds whatever there is. */
export function addsAll(args: readonly string[]): boolean {
  return args[commandAt(args)] === 'add' && args.some((word) => word === '--all' || word === '-A' || word === '--update')
}

/** The command stands after the settings of its own. */
function commandAt(args: readonly string[]): number {
  let at = 0
  while (args[at] === '-c') at += 2
  return at
}
