import type { Clock } from '../../core/clock.ts'

/**
 * Returns what admits requests at a rate: 0 for one that may go on, else the milliseconds after which the next one may.
 * As many as one second gives may come at once (at least one); over any time no more than that and the rate together.
 */
export function openLimiter(perSecond: number, clock: Pick<Clock, 'monotonic'>): () => number {
  const most = Math.max(1, perSecond)
  let [tokens, filledAt] = [most, clock.monotonic()]
  return () => {
    const now = clock.monotonic()
    tokens = Math.min(most, tokens + ((now - filledAt) * perSecond) / 1000)
    filledAt = now
    // What rounding has left of a whole token is one.
    if (tokens < 1 - 1e-9) return Math.ceil(((1 - tokens) * 1000) / perSecond - 1e-6)
    tokens -= 1
    return 0
  }
}
