import { exitCodeOf, ValuetrainError } from '../../core/errors.ts'
import type { Context } from '../context.ts'
import { paintFor } from './paint.ts'

/**
 * Tells an error: `error:` and `hint:` lines on standard error, and with `json` also one object on standard
 * output. An error that is not ours is our bug and says so.
 *
 * @returns the exit code
 */
export function tellProblem(context: Context, error: unknown, json: boolean): number {
  const known = error instanceof ValuetrainError ? error : unexpected(error)
  const paint = paintFor(context)
  context.stderr.write(`${paint.bad('error:')} ${known.message}\n`)
  if (known.hint) context.stderr.write(`${paint.bold('hint:')} ${known.hint}\n`)
  if (context.env.VALUETRAIN_DEBUG) context.stderr.write(`${stackOf(error)}\n`)
  if (json) {
    const { code, message, hint, details } = known
    context.stdout.write(`${JSON.stringify({ error: { code, message, hint: hint ?? null, details } })}\n`)
  }
  return exitCodeOf(known)
}

function unexpected(error: unknown): ValuetrainError {
  const message = error instanceof Error ? error.message : String(error)
  return new ValuetrainError('VT_BUG', `this is a bug of valuetrain: ${message}`, {
    kind: 'internal',
    hint: 'run the same again with VALUETRAIN_DEBUG=1 to see the stack, and report it with that',
    cause: error,
  })
}

function stackOf(error: unknown): string {
  const stacks: string[] = []
  for (let at: unknown = error; at instanceof Error && stacks.length < 8; at = at.cause) stacks.push(at.stack ?? at.message)
  return stacks.join('\ncaused by: ')
}
