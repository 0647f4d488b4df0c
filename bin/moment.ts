import { usageError } from './command.ts'
import type { Context } from './context.ts'

/**
 * Returns the time that `--since` names, as ISO 8601.
 *
 * @param text a day such as 2026-01-31, a time, or days back such as 14d
 * @throws VT_COMMAND_LINE when it is none of these
 */
export function momentOf(text: string, context: Pick<Context, 'clock'>): string {
  const days = /^(\d{1,4})d$/.exec(text)?.[1]
  if (days !== undefined) return new Date(context.clock.now() - Number(days) * 24 * 3_600_000).toISOString()
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return new Date(time).toISOString()
  throw usageError(
    `--since cannot be "${text.slice(0, 80)}"`,
    'give a day such as 2026-01-31, a time such as 2026-01-31T09:00Z, or days back such as 14d',
  )
}
