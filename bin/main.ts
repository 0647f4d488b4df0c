import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { systemClock } from '../core/clock.ts'
import { ValuetrainError } from '../core/errors.ts'
import { systemIds } from '../core/ids.ts'
import { type AnyCommand, type Raw, usageError } from './command.ts'
import { type CommandEntry, lookUp } from './commands.ts'
import type { Context, Output } from './context.ts'
import { tellProblem } from './display/problem.ts'
import { overview, topicHelp } from './overview.ts'

/** Runs the command line of this process and sets its exit code. The only caller is the shim. */
export async function main(argv: readonly string[], version: string): Promise<void> {
  const stop = abortOnSignals()
  surviveClosedPipes()
  const context: Context = {
    cwd: process.cwd(),
    env: process.env,
    stdin: process.stdin,
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    interactive: process.stdin.isTTY === true && process.stdout.isTTY === true,
    color: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    clock: systemClock,
    ids: systemIds(systemClock),
    signal: stop.signal,
    version,
    program: programName(process.argv[1], process.env.PATH),
  }
  process.exitCode = await runCommandLine(argv, context)
  // A watcher or a paused stream of some library must not keep a finished command alive.
  process.stdin.unref?.()
}

/**
 * Runs one command line and returns its exit code. Never throws: whatever goes wrong is told on the context's
 * streams.
 */
export async function runCommandLine(argv: readonly string[], context: Context): Promise<number> {
  const json = wantsJson(argv)
  try {
    const { folder, rest } = takeFolder(argv, context.cwd)
    return await dispatch(rest, { ...context, cwd: folder })
  } catch (error) {
    return tellProblem(context, error, json)
  }
}

async function dispatch(argv: readonly string[], context: Context): Promise<number> {
  const [first] = argv
  if (first === undefined || first === '--help' || first === '-h' || (first === 'help' && argv.length === 1)) {
    context.stdout.write(overview(context.version))
    return 0
  }
  if (first === '--version' || first === '-v') {
    context.stdout.write(`valuetrain ${context.version}\n`)
    return 0
  }
  if (first === 'help') return dispatch([...argv.slice(1), '--help'], context)
  const lookup = lookUp(argv)
  if (lookup.found === 'command') return runCommand(lookup.entry, lookup.rest, context)
  if (lookup.found === 'topic') return tellTopic(lookup.topic, lookup.entries, argv, context)
  if (lookup.typed.startsWith('-')) {
    throw usageError(
      `no command before ${lookup.typed.slice(0, 80)}`,
      'flags follow the command; `valuetrain --help` lists the commands',
    )
  }
  const near = lookup.near ? ` (did you mean "${lookup.near}"?)` : ''
  throw usageError(`unknown command "${lookup.typed.slice(0, 80)}"${near}`, '`valuetrain --help` lists the commands')
}

function tellTopic(topic: string, entries: readonly CommandEntry[], argv: readonly string[], context: Context): number {
  const asked = argv.includes('--help') || argv.includes('-h')
  const text = topicHelp(topic, entries)
  if (asked) context.stdout.write(text)
  else context.stderr.write(text)
  return asked ? 0 : 2
}

async function runCommand(entry: CommandEntry, argv: readonly string[], context: Context): Promise<number> {
  const { default: spec } = await entry.load()
  if (asksForHelp(argv)) {
    const { helpWithOclif } = await import('./oclif.ts')
    context.stdout.write(helpWithOclif(entry, spec, { color: context.color, width: context.stdout.columns ?? 100 }))
    return 0
  }
  const parsed = await parse(entry, spec, argv)
  const cwd = parsed.flags.cwd
  const there = cwd === undefined ? context : { ...context, cwd: resolve(context.cwd, String(cwd)) }
  return (await spec.run(there, await read(spec, parsed))) ?? 0
}

/** Where nothing, or only `--json`, was typed there is nothing to parse, and oclif is not loaded (it costs 40 ms and more). */
async function parse(
  entry: CommandEntry,
  spec: AnyCommand,
  argv: readonly string[],
): Promise<{ args: Record<string, Raw>; flags: Record<string, Raw> }> {
  const needsArgs = Object.values(spec.args ?? {}).some(({ required }) => required)
  if (argv.length === 0 && !needsArgs) return { args: {}, flags: {} }
  if (argv.length === 1 && argv[0] === '--json' && spec.json && !needsArgs) return { args: {}, flags: { json: true } }
  const { parseWithOclif } = await import('./oclif.ts')
  return parseWithOclif(entry, spec, argv)
}

async function read(spec: AnyCommand, parsed: { args: Record<string, Raw>; flags: Record<string, Raw> }) {
  const forge = parsed.flags.forge
  if (forge !== undefined && forge !== 'local' && forge !== 'github') {
    throw usageError(`--forge cannot be "${String(forge).slice(0, 80)}"`, 'it takes one of: local, github')
  }
  return {
    args: await readAll(spec.args ?? {}, parsed.args),
    flags: { ...(await readAll(spec.flags ?? {}, parsed.flags)), json: parsed.flags.json === true, forge },
  } as Parameters<AnyCommand['run']>[1]
}

async function readAll(
  parts: Readonly<Record<string, { read(raw: Raw, name: string): unknown }>>,
  raw: Readonly<Record<string, Raw>>,
): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {}
  for (const [name, part] of Object.entries(parts)) values[name] = await part.read(raw[name], name)
  return values
}

/** `-C DIR` and `--cwd DIR` may stand before the command, as with git; several follow one another. */
function takeFolder(argv: readonly string[], cwd: string): { folder: string; rest: readonly string[] } {
  const [first = '', second] = argv
  if (first.startsWith('--cwd=')) return takeFolder(argv.slice(1), resolve(cwd, first.slice('--cwd='.length)))
  if (first !== '-C' && first !== '--cwd') return { folder: cwd, rest: argv }
  if (second === undefined) throw usageError(`${first} expects a folder`, `as in \`valuetrain ${first} ../other status\``)
  return takeFolder(argv.slice(2), resolve(cwd, second))
}

function programName(script: string | undefined, path: string | undefined): string {
  const isOnPath = (path ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, 'valuetrain')))
  return isOnPath || script === undefined ? 'valuetrain' : `node ${script}`
}

function beforeDashes(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--')
  return end < 0 ? argv : argv.slice(0, end)
}

function wantsJson(argv: readonly string[]): boolean {
  return beforeDashes(argv).includes('--json')
}

function asksForHelp(argv: readonly string[]): boolean {
  return beforeDashes(argv).some((word) => word === '--help' || word === '-h')
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => {
      if (stream.writable) stream.write(text)
    },
    get columns() {
      return stream.isTTY ? stream.columns : undefined
    },
  }
}

/** A reader that has seen enough (`| head`) is no error. */
function surviveClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}

/** The first signal asks the work to stop at a safe place; the second one ends the process. */
function abortOnSignals(): AbortController {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(128 + constants.signals[signal])
      process.stderr.write(`\nstopping at the next safe place; ${signal} again ends at once, and nothing is lost either way\n`)
      stop.abort(
        new ValuetrainError('VT_STOPPED', `stopped by ${signal}`, {
          kind: 'environment',
          hint: 'the same command continues where this one stopped',
        }),
      )
    })
  }
  return stop
}
