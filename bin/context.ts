import type { Clock } from '../core/clock.ts'
import type { Ids } from '../core/ids.ts'

/** Where a command writes: a process stream, or a list in a test. */
export interface Output {
  write(text: string): void
  /** Columns of the terminal; undefined when it is none. */
  readonly columns?: number | undefined
}

/** Everything a command may touch of the world around it. Nothing below `bin/main.ts` reads `process`. */
export interface Context {
  /** Absolute folder the command works in. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** Read only by a command that was told to (`--body -`, a question). */
  readonly stdin: AsyncIterable<Uint8Array | string>
  readonly stdout: Output
  readonly stderr: Output
  /** Whether a person sits at both ends: questions are asked and a live line is drawn only then. */
  readonly interactive: boolean
  /** Whether standard output takes colours. */
  readonly color: boolean
  readonly clock: Clock
  readonly ids: Ids
  /** Aborts at the first SIGINT or SIGTERM; work is left so that the next run continues it. */
  readonly signal: AbortSignal
  readonly version: string
  /** How a person calls this program from anywhere: its name where that is on PATH, else by its path. */
  readonly program: string
}

/** Returns all that standard input holds, as UTF-8. */
export async function readStdin(context: Pick<Context, 'stdin'>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of context.stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}
