import { setTimeout as delay } from 'node:timers/promises'

/** Time as an argument: wall time for records, monotonic time for durations. */
export interface Clock {
  /** Milliseconds since 1970 (UTC). Only for records; two machines' values are never compared. */
  now(): number
  /** Milliseconds from an arbitrary start that never run backwards. */
  monotonic(): number
  /** Resolves after the given milliseconds; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {})
  },
}

/** Returns a wall time as the records write it: ISO 8601, UTC, milliseconds. */
export function timestamp(clock: Pick<Clock, 'now'>): string {
  return new Date(clock.now()).toISOString()
}

/** A clock that stands still until it is told to move; `sleep` moves it. For tests and replays. */
export class SimulatedClock implements Clock {
  #now: number

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.advance(ms)
  }

  advance(ms: number): void {
    this.#now += ms
  }
}
