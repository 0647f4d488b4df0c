import { readFile } from 'node:fs/promises'

/** The hooks that are installed, in the order git calls them. */
export const HOOK_NAMES = [
  'pre-commit',
  'pre-merge-commit',
  'prepare-commit-msg',
  'commit-msg',
  'post-commit',
  'post-checkout',
  'post-merge',
  'post-rewrite',
  'pre-push',
] as const

/** What every token is written with. */
const LONG = '[A-Za-z0-9_+-]'.repeat(10)
const NAMES = ['[Pp]ass', 'PASS', '[Pp]wd', 'PWD', '[Ss]ecret', 'SECRET', '[Tt]oken', 'TOKEN', '[Kk]ey', 'KEY']
const MORE_NAMES = ['[Cc]redential', 'CREDENTIAL', '[Aa]uth', 'AUTH']

/**
 * What an added line holds when it may hold a secret, as the same letters and brackets for a shell's patterns and for regular
 * expressions. Every format of an issuer holds one of these, or ten characters of a token beside a digit.
 */
const WORDS = [
  ...['PRIVATE KEY', 'PuTTY-User-Key', 'gh[pousr]_', 'github_pat_', 'glpat-', 'sk-', 'xox[abeoprs]', 'npm_', 'AIza', 'hf_'],
  ...['api_org_', 'A[KSBC][IC]A[A-Z2-7][A-Z2-7][A-Z2-7]', 'hooks[.]slack[.]com', 'AccountKey', 'AccessKey', 'sig=', '[0-9]Q~'],
  ...[`[0-9]${LONG}`, `${LONG}[0-9]`, '[Bb]earer ', '[Bb]asic '],
]

/**
 * Extended regular expression, without single quotes, that finds in a patch whose added lines begin with `%` what is worth
 * starting Node for: a path of ours, a binary or a very large file, or an added line with something like a secret. What
 * the program then says is exact.
 */
export const RELEVANT = [
  '^diff --git "?a/\\.valuetrain/',
  '^Binary files ',
  '^@@ -[0-9,]+ \\+[0-9]+,[0-9]{5}',
  `^%.*(${[...WORDS, `(${[...NAMES, ...MORE_NAMES].join('|')})[A-Za-z0-9_]*.? *[:=].*[0-9]`, '://[^/ @]*:[^/ @]+@'].join('|')})`,
].join('|')

/**
 * Patterns of a shell's `case` for one line of such a patch that find more than `RELEVANT`: most commits hold none of them,
 * and so need no `grep`, whose start would cost a fourth of the whole hook.
 */
export const MAYBE_RELEVANT = [
  ...["'diff --git a/.valuetrain/'*", `'diff --git "a/.valuetrain/'*`, "'Binary files '*"],
  ...[...WORDS, ...[...NAMES, ...MORE_NAMES].map((name) => `${name}*[:=]*[0-9]`), '://*:*@'].map(
    (word) => `%*${word.replaceAll(' ', '\\ ')}*`,
  ),
].join('|')

/** Seconds after which a hook of somebody else is ended, where nobody sits before a terminal. */
export const FOREIGN_LIMIT_S = 600

/** What the dispatcher is told when it is written. */
export interface DispatcherPlaces {
  /** Absolute path of the Node to start; `node` on PATH when it is gone. */
  node: string
  /** Absolute path of the hooks' program. */
  program: string
  /** Folder of hooks that were in effect before and are still called, first; absolute, or from the top of the worktree. */
  chain: string
  /** Whether messages have a style to keep. */
  conventional: boolean
}

/** Returns the shell script that git calls, whatever the hook's name. */
export async function renderDispatcher(places: DispatcherPlaces): Promise<string> {
  const template = await readFile(new URL('./dispatch.sh', import.meta.url), 'utf8')
  const values: Record<string, string> = {
    NODE: quoted(places.node),
    HOOK: quoted(places.program),
    CHAIN: quoted(places.chain),
    TYPED: places.conventional ? 'conventional' : '',
    RELEVANT,
    MAYBE: MAYBE_RELEVANT,
    LIMIT: `${FOREIGN_LIMIT_S}`,
  }
  return template.replace(/@([A-Z]+)@/g, (whole, name: string) => values[name] ?? whole)
}

/** Tells whether a script is a dispatcher of ours, of any version. */
export function isDispatcher(script: string): boolean {
  return script.startsWith('#!/bin/sh\n# From `valuetrain hooks install`;')
}

/** For a place between single quotes. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''")
}
