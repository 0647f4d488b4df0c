import type { Context } from '../../bin/context.ts'
import { runCommandLine } from '../../bin/main.ts'
import { SimulatedClock } from '../../core/clock.ts'
import { countingIds } from '../../core/ids.ts'

/** A command line in a folder, run in this process; what it prints is kept. */
export interface Terminal {
  run(...argv: string[]): Promise<Ran>
  /** Runs command lines one after another and returns them as a transcript with paths, ids and hashes replaced. */
  transcript(...lines: string[][]): Promise<string>
}

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

export interface Place {
  dir: string
  env: NodeJS.ProcessEnv
  /** What standard input holds. */
  stdin?: string
  interactive?: boolean
  color?: boolean
  clock?: Context['clock']
  ids?: Context['ids']
  signal?: AbortSignal
}

/** Returns a terminal in a folder: no person at it, no colours, unless told. */
export function openTerminal(place: Place): Terminal {
  const { dir, env, stdin = '', interactive = false, color = false } = place
  const ids = place.ids ?? countingIds()
  const clock = place.clock ?? new SimulatedClock()
  const run = async (...argv: string[]): Promise<Ran> => {
    const ran: Ran = { code: 0, stdout: '', stderr: '' }
    ran.code = await runCommandLine(argv, {
      cwd: dir,
      env,
      stdin: (async function* () {
        yield stdin
      })(),
      stdout: {
        write(text) {
          ran.stdout += text
        },
      },
      stderr: {
        write(text) {
          ran.stderr += text
        },
      },
      interactive,
      color,
      clock,
      ids,
      signal: place.signal ?? new AbortController().signal,
      version: '9.9.9',
      program: 'valuetrain',
    })
    return ran
  }
  return {
    run,
    async transcript(...lines) {
      const parts: string[] = []
      for (const argv of lines) {
        const { code, stdout, stderr } = await run(...argv)
        const shown = argv.map((word) => (/^[\w./:=@#-]+$/.test(word) ? word : `'${word}'`)).join(' ')
        parts.push(`$ valuetrain ${shown}\n${stdout}${stderr}${code === 0 ? '' : `[exit ${code}]\n`}`)
      }
      return normal(parts.join('\n'), dir)
    },
  }
}

/** Returns a text with what differs between two runs replaced: folders, commits, ids, times. */
export function normal(text: string, dir: string): string {
  return text
    .replaceAll(dir, '<repo>')
    .replace(/\b[0-9a-f]{64}\b/g, '<digest>')
    .replace(/\b[0-9a-f]{40}\b/g, '<commit>')
    .replace(/\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g, '<id>')
    .replace(/\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z\b/g, '<time>')
    .replace(/\b\d+(\.\d+)?s\b/g, '<seconds>')
}
