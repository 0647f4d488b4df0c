import type { Dialect } from './dialects.ts'
import { objectOf, recordOf } from './dialects.ts'

/** What an answer that is no success means for the run. */
export type Trouble =
  /** The provider gives no more for some time; trying again at once is no use. */
  | { kind: 'limited'; reason: string; until?: string }
  /** The key, or what it may do. */
  | { kind: 'auth'; reason: string }
  /** Worth another try soon, which is the agent's to make. */
  | { kind: 'transient'; reason: string }
  | { kind: 'failed'; reason: string }

/** A wait up to this long is a moment's crowding, beyond it a limit that the ticket is parked for. */
const SOON_MS = 120_000

/**
 * Tells what a provider's refusal means: a usage limit, with the time at which it ends where the provider says one, or
 * something else.
 *
 * @param headers names in lower case
 * @param body the answer as far as it is text
 */
export function readTrouble(status: number, headers: Readonly<Record<string, string>>, body: string, now: number): Trouble {
  const error = errorOf(body)
  const reason = `the provider answered ${status}${error.type === '' ? '' : ` (${error.type})`}`
  if (isSpent(error)) return { kind: 'limited', reason: `${reason}: the account's money or quota is used up` }
  if (status === 401 || status === 403) return { kind: 'auth', reason }
  if (status === 429) {
    const until = resetOf(headers, body, now)
    const isLong = until !== undefined && until - now > SOON_MS
    const isDaily = /perday|per day|daily|weekly|usage limit/i.test(body)
    if (!isLong && !isDaily) return { kind: 'transient', reason }
    return { kind: 'limited', reason, ...(until === undefined ? {} : { until: new Date(until).toISOString() }) }
  }
  if (status >= 500 || status === 408) return { kind: 'transient', reason }
  return { kind: 'failed', reason }
}

/** Returns a refusal of ours in the words of a dialect, so that the agent shows it as it shows the provider's. */
export function refusalBody(dialect: Dialect | undefined, status: number, code: string, message: string): string {
  if (dialect === 'anthropic-messages') return JSON.stringify({ type: 'error', error: { type: code, message } })
  if (dialect === 'gemini') return JSON.stringify({ error: { code: status, message, status: code.toUpperCase() } })
  if (dialect === 'ollama-chat') return JSON.stringify({ error: message })
  return JSON.stringify({ error: { message, type: code, code } })
}

function errorOf(body: string): { type: string; code: string; message: string } {
  const error = recordOf(objectOf(body)?.error)
  const word = (value: unknown) => (typeof value === 'string' ? value.slice(0, 300) : '')
  return { type: word(error.type) || word(error.status), code: word(error.code), message: word(error.message) }
}

function isSpent({ type, code, message }: { type: string; code: string; message: string }): boolean {
  return (
    code === 'insufficient_quota' ||
    type === 'insufficient_quota' ||
    type === 'billing_error' ||
    /credit balance is too low|exceeded your current quota, please check your plan/i.test(message)
  )
}

/** Returns when a limit ends, in milliseconds since 1970: the latest time that the headers or the text say. */
function resetOf(headers: Readonly<Record<string, string>>, body: string, now: number): number | undefined {
  const after = headers['retry-after']
  const times = [
    after === undefined ? undefined : /^\d+(\.\d+)?$/.test(after) ? now + Number(after) * 1000 : Date.parse(after),
    secondsSince1970(headers['anthropic-ratelimit-unified-reset']),
    retryDelay(body, now),
  ].filter((time) => time !== undefined && Number.isFinite(time) && time < now + LONGEST_WAIT_MS) as number[]
  return times.length === 0 ? undefined : Math.max(...times)
}

/** A time beyond this is a mistake, not a limit. */
const LONGEST_WAIT_MS = 40 * 24 * 3_600_000

function secondsSince1970(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{9,11}$/.test(text) ? Number(text) * 1000 : undefined
}

/** `google.rpc.RetryInfo` says `"retryDelay": "34s"`. */
function retryDelay(body: string, now: number): number | undefined {
  const seconds = /"retryDelay":\s*"(\d+(?:\.\d+)?)s"/.exec(body)?.[1]
  return seconds === undefined ? undefined : now + Number(seconds) * 1000
}
