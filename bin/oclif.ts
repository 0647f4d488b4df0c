import { stripVTControlCharacters } from 'node:util'
import { Args, Command, CommandHelp, Config, Errors, Flags, type Interfaces } from '@oclif/core'
import { nearest, ValuetrainError } from '../core/errors.ts'
import { type AnyCommand, globalFlags, type Raw, usageError } from './command.ts'
import type { CommandEntry } from './commands.ts'

/** What oclif read from a command line: raw values by name. */
export interface Parsed {
  args: Record<string, Raw>
  flags: Record<string, Raw>
}

/**
 * Returns the arguments and flags of one command line.
 *
 * @throws VT_COMMAND_LINE (exit 2) with the nearest flag when one is unknown
 */
export async function parseWithOclif(entry: CommandEntry, spec: AnyCommand, argv: readonly string[]): Promise<Parsed> {
  let parsed: Parsed | undefined
  const Class = commandClass(entry, spec, (result) => {
    parsed = result
  })
  try {
    await Class.work([...argv])
  } catch (error) {
    throw translate(error, entry, spec)
  }
  if (parsed === undefined) throw new Error(`oclif returned nothing for ${entry.id}`)
  return parsed
}

/** Returns the `--help` text of one command. */
export function helpWithOclif(entry: CommandEntry, spec: AnyCommand, options: { color: boolean; width: number }): string {
  const Class = commandClass(entry, spec, () => {})
  // As oclif's own help does: words with spaces, and the summary once, at the top.
  Class.id = entry.id
  Class.summary = undefined
  const help = new CommandHelp(Class as unknown as Command.Loadable, new OneProgram(), {
    maxWidth: Math.min(Math.max(options.width, 60), 110),
    stripAnsi: !options.color,
    hideCommandSummaryInDescription: false,
  } as Interfaces.HelpOptions)
  const text = help.generate()
  return `${entry.summary}\n\n${options.color ? text : stripVTControlCharacters(text)}\n`
}

/** Returns a command as oclif knows commands; its `run` only parses and hands the values over. */
export function commandClass(entry: CommandEntry, spec: AnyCommand, take: (parsed: Parsed) => void): typeof Concrete {
  const flags = oclifFlags(spec)
  const args = Object.fromEntries(
    Object.entries(spec.args ?? {}).map(([name, argument]) => [
      name,
      // ignoreStdin: oclif would else fill a missing argument from a pipe.
      { ...Args.string({ description: argument.summary, required: argument.required, ignoreStdin: true }), name },
    ]),
  )
  return class extends Concrete {
    static override id = entry.id.replaceAll(' ', ':')
    static override summary: string | undefined = entry.summary
    static override description = spec.description ?? ''
    static override examples = (spec.examples ?? []).map(({ does, line }) => ({
      description: does,
      command: `valuetrain ${line}`,
    }))
    static override flags = flags
    static override args = args
    override async run(): Promise<void> {
      const result = await this.parse({ flags, args })
      take({ args: result.args as Parsed['args'], flags: result.flags as Parsed['flags'] })
    }
  }
}

class Concrete extends Command {
  /** Parses one command line by running the command the way oclif runs commands. */
  static async work(argv: string[]): Promise<void> {
    await new this(argv, new OneProgram())._run()
  }

  async run(): Promise<void> {}
  /** oclif would look for deprecated aliases in process.argv; there are none. */
  protected override async init(): Promise<void> {}
  /** oclif would print the error and set the exit code; both are the frame's. */
  protected override async catch(error: Error): Promise<never> {
    throw error
  }
}

function oclifFlags(spec: AnyCommand): Interfaces.FlagInput {
  const declared = { ...spec.flags, ...globalFlags(spec) }
  return Object.fromEntries(
    Object.entries(declared).map(([name, flag]) => {
      // The values are checked by our own `read`, whose messages name the nearest choice.
      const about = { summary: flag.summary, ...(spec.flags?.[name] ? {} : { helpGroup: 'GLOBAL' }) }
      if (flag.value === undefined) return [name, { ...Flags.boolean(about), name }]
      const option = Flags.string({ ...about, helpValue: flag.value })
      // A greedy list would swallow the arguments that follow it.
      const list = 'multiple' in flag && flag.multiple ? { multiple: true, multipleNonGreedy: true } : {}
      return [name, { ...option, ...list, name, required: 'required' in flag && flag.required === true }]
    }),
  )
}

/** oclif's configuration without its search for plug-ins and hooks: one program, one table. */
class OneProgram extends Config {
  constructor() {
    super({ root: '/' })
    this.bin = 'valuetrain'
    this.name = 'valuetrain'
    this.topicSeparator = ' '
  }

  override async runHook(): Promise<{ failures: []; successes: [] }> {
    return { failures: [], successes: [] }
  }
}

function translate(error: unknown, entry: CommandEntry, spec: AnyCommand): unknown {
  if (error instanceof ValuetrainError || !(error instanceof Errors.CLIError)) return error
  const seeHelp = `\`valuetrain ${entry.id} --help\` shows what it takes`
  const unknown = (error as { flags?: unknown }).flags
  if (Array.isArray(unknown) && typeof unknown[0] === 'string') {
    const typed = unknown[0].replace(/=.*$/s, '')
    const known = [...Object.keys(spec.flags ?? {}), ...Object.keys(globalFlags(spec)), 'help'].map((name) => `--${name}`)
    const near = nearest(typed, known)
    return usageError(`unknown flag ${typed.slice(0, 80)}${near ? ` (did you mean ${near}?)` : ''}`, seeHelp)
  }
  const args = (error as { args?: unknown }).args
  if (Array.isArray(args) && typeof args[0] === 'string') {
    return usageError(`unexpected argument "${args[0].slice(0, 80)}"`, `${seeHelp}; quote a value that has spaces`)
  }
  if (Array.isArray(args) && typeof args[0] === 'object') {
    const missing = (args as { name: string }[]).map(({ name }) => name.toUpperCase()).join(', ')
    return usageError(`missing ${missing}`, `usage: valuetrain ${entry.id}${entry.usage ? ` ${entry.usage}` : ''}; ${seeHelp}`)
  }
  return usageError((error.message.split('\n')[0] ?? '').replace(/^Flag (--\S+) /, '$1 '), seeHelp)
}
