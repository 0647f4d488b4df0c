import { createInterface } from 'node:readline/promises'
import { PassThrough, Readable } from 'node:stream'
import { usageError } from './command.ts'
import type { Context } from './context.ts'

/**
 * Returns whether the operator agrees.
 *
 * @param flag the switch that answers without asking, e.g. `--yes`
 * @throws VT_COMMAND_LINE naming the flag when nobody sits at the terminal and it was not given
 */
export async function confirm(
  context: Context,
  question: string,
  { given, flag }: { given: boolean; flag: string },
): Promise<boolean> {
  if (given) return true
  const answer = await ask(context, `${question} [y/N]`, { given: undefined, flag })
  return /^y(es)?$/i.test(answer.trim())
}

/** Returns a line of text: the flag's value when it was given, else the answer on the terminal. @throws as `confirm` */
export async function ask(
  context: Context,
  question: string,
  { given, flag }: { given: string | undefined; flag: string },
): Promise<string> {
  if (given !== undefined) return given
  if (!context.interactive) {
    throw usageError(`${flag} is missing and there is no terminal to ask on`, `give ${flag}`)
  }
  const echo = new PassThrough()
  echo.on('data', (chunk: Buffer) => context.stdout.write(chunk.toString('utf8')))
  const lines = createInterface({ input: Readable.from(context.stdin), output: echo })
  try {
    return await lines.question(`${question} `, { signal: context.signal })
  } finally {
    lines.close()
  }
}
