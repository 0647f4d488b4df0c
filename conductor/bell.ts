import type { Clock } from '../core/clock.ts'

/** Cuts pauses short: whoever waits by it goes on when it rings, also when it rang just before. */
export interface Bell {
  ring(): void
  /** Returns a way to wait of one's own. */
  waiter(): (ms: number, clock: Clock, signal: AbortSignal) => Promise<void>
}

/** Returns a bell that nobody has rung. */
export function openBell(): Bell {
  let rings = 0
  let waiting = new AbortController()
  return {
    ring() {
      rings++
      waiting.abort()
      waiting = new AbortController()
    },
    waiter() {
      let heard = rings
      return async (ms, clock, signal) => {
        // An aborted pause is a short one; who waits looks at its own signal next.
        if (rings === heard) await clock.sleep(ms, AbortSignal.any([signal, waiting.signal])).catch(() => {})
        heard = rings
      }
    },
  }
}
