import { nearest, ValuetrainError } from '../core/errors.ts'
import type { Context } from './context.ts'

/** What was typed for one flag or argument, before it has a type. */
export type Raw = string | readonly string[] | boolean | undefined

/** A flag as a command declares it. `read` turns what was typed into its value and is asked also when nothing was. */
export interface Flag<T = unknown> {
  readonly kind: 'switch' | 'option'
  readonly summary: string
  /** Name of the value in help, e.g. `FILE`. */
  readonly value?: string
  readonly choices?: readonly string[]
  readonly multiple?: boolean
  readonly required?: boolean
  read(raw: Raw, name: string): T | Promise<T>
}

/** A positional argument; `read` as with flags. */
export interface Argument<T = unknown> {
  readonly summary: string
  readonly required: boolean
  readonly choices?: readonly string[]
  read(raw: Raw, name: string): T | Promise<T>
}

type Values<P> = { [K in keyof P]: P[K] extends Flag<infer T> | Argument<infer T> ? T : never }

/** What one command is. Its id and one-line summary stand in the table, `commands.ts`. */
export interface CommandSpec<A = Record<string, Argument>, F = Record<string, Flag>> {
  /** Paragraphs for `--help`, below the summary. */
  readonly description?: string
  /** Command lines without the program's name, each with what it does. */
  readonly examples?: readonly { does: string; line: string }[]
  /** In the order in which they are typed; required ones first. */
  readonly args?: A
  readonly flags?: F
  /** Whether it takes `--json`. */
  readonly json?: boolean
  /** Whether it works on a repository and so takes `--forge`. */
  readonly forge?: boolean
  /**
   * Does the work. Returns the exit code, 0 unless told.
   *
   * @throws ValuetrainError; anything else is our bug
   */
  run(context: Context, input: { args: Values<A>; flags: Values<F> & GlobalFlags }): Promise<number | undefined>
}

/** Flags that the frame reads for every command. `cwd` is already in the context. */
export interface GlobalFlags {
  readonly json: boolean
  readonly forge: 'local' | 'github' | undefined
}

/** A command whose argument types are no longer known, as the table holds it. */
export type AnyCommand = CommandSpec<Record<string, Argument>, Record<string, Flag>>

/** Returns a command; its arguments and flags give `run` its types. */
export function defineCommand<A extends Record<string, Argument>, F extends Record<string, Flag>>(
  spec: CommandSpec<A, F>,
): AnyCommand {
  return spec as unknown as AnyCommand
}

/** Returns the flags that every command, or every command of its kind, has besides its own. */
export function globalFlags(spec: AnyCommand): Record<string, { summary: string; value?: string; choices?: readonly string[] }> {
  const forges = ['local', 'github']
  return {
    ...(spec.json ? { json: { summary: 'Print JSON for programs.' } } : {}),
    ...(spec.forge
      ? { forge: { summary: 'Use this forge instead of the configured one.', value: forges.join('|'), choices: forges } }
      : {}),
    cwd: { summary: 'Work in this folder; -C DIR before the command says the same.', value: 'DIR' },
  }
}

/** Returns an error about the command line itself: exit code 2. */
export function usageError(message: string, hint?: string): ValuetrainError {
  return new ValuetrainError('VT_COMMAND_LINE', message, { kind: 'user', ...(hint ? { hint } : {}) })
}

/** The kinds of flags there are. */
export const flag = {
  /** On or off. */
  switch: (summary: string): Flag<boolean> => ({ kind: 'switch', summary, read: (raw) => raw === true }),
  text: (value: string, summary: string): Flag<string | undefined> => ({
    kind: 'option',
    value,
    summary,
    read: (raw) => (raw === undefined ? undefined : String(raw)),
  }),
  required: (value: string, summary: string): Flag<string> => ({
    kind: 'option',
    value,
    summary,
    required: true,
    read: (raw, name) => {
      if (raw === undefined) throw usageError(`--${name} is missing`, `give it as --${name} ${value}`)
      return String(raw)
    },
  }),
  /** May be given several times. */
  list: (value: string, summary: string): Flag<readonly string[]> => ({
    kind: 'option',
    value,
    summary,
    multiple: true,
    read: (raw) => (Array.isArray(raw) ? raw.map(String) : []),
  }),
  choice: <const C extends string>(choices: readonly C[], summary: string): Flag<C | undefined> => ({
    kind: 'option',
    value: choices.join('|'),
    choices,
    summary,
    read: (raw, name) => (raw === undefined ? undefined : readChoice(String(raw), choices, `--${name}`)),
  }),
  count: (value: string, summary: string, min = 1, max = 1_000_000): Flag<number | undefined> => ({
    kind: 'option',
    value,
    summary,
    read: (raw, name) => (raw === undefined ? undefined : readCount(String(raw), `--${name}`, min, max)),
  }),
  /** Issue numbers, e.g. `--blocked-by 4 --blocked-by 5`. */
  issues: (summary: string): Flag<readonly number[]> => ({
    kind: 'option',
    value: 'ISSUE',
    summary,
    multiple: true,
    read: async (raw) => (Array.isArray(raw) ? Promise.all(raw.map((text) => issueNumber(String(text)))) : []),
  }),
}

/** The kinds of arguments there are. */
export const argument = {
  text: (summary: string): Argument<string> => ({ summary, required: true, read: (raw, name) => present(raw, name) }),
  optional: (summary: string): Argument<string | undefined> => ({
    summary,
    required: false,
    read: (raw) => (raw === undefined ? undefined : String(raw)),
  }),
  choice: <const C extends string>(choices: readonly C[], summary: string): Argument<C> => ({
    summary,
    required: true,
    choices,
    read: (raw, name) => readChoice(present(raw, name), choices, name.toUpperCase()),
  }),
  /** A number, `#42`, or a ticket's name. */
  issue: (summary: string): Argument<number> => ({
    summary,
    required: true,
    read: (raw, name) => issueNumber(present(raw, name)),
  }),
}

/** The contracts come with their schemas, which a start should not wait for when no issue is named. */
async function issueNumber(text: string): Promise<number> {
  const { parseIssueArgument } = await import('../core/contracts/names.ts')
  return parseIssueArgument(text)
}

function present(raw: Raw, name: string): string {
  if (raw === undefined) throw usageError(`the argument ${name.toUpperCase()} is missing`)
  return String(raw)
}

function readChoice<C extends string>(text: string, choices: readonly C[], name: string): C {
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  const near = nearest(text, choices)
  throw usageError(
    `${name} cannot be "${text.slice(0, 80)}"${near ? ` (did you mean "${near}"?)` : ''}`,
    `it takes one of: ${choices.join(', ')}`,
  )
}

function readCount(text: string, name: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw usageError(`${name} cannot be "${text.slice(0, 80)}"`, `it takes a whole number from ${min} to ${max}`)
}
