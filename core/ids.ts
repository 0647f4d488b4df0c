import { randomFillSync } from 'node:crypto'
import { monotonicFactory } from 'ulid'
import type { Clock } from './clock.ts'

/** Ids as an argument. */
export interface Ids {
  /** Returns a new ULID: 26 characters of Crockford base 32, sortable by creation time. */
  ulid(): string
}

/** Returns ids from the system's randomness, stamped by the clock; increasing within one process. */
export function systemIds(clock: Pick<Clock, 'now'>): Ids {
  const next = monotonicFactory(openFractions())
  return { ulid: () => next(clock.now()) }
}

/** Bytes that are drawn at once: the library's own source asks the system, and allocates, for each of an id's 16 characters. */
const POOL_BYTES = 4_096

/** Returns what draws k / 256 of [0, 1) from the system's randomness. */
function openFractions(): () => number {
  const pool = new Uint8Array(POOL_BYTES)
  let used = POOL_BYTES
  return () => {
    if (used === POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    return (pool[used++] as number) / 256
  }
}

/** Returns ids that only count, valid as ULIDs; the same start gives the same ids. For tests. */
export function countingIds(start = 0): Ids {
  let count = start
  return {
    ulid: () =>
      `01J${(++count)
        .toString(32)
        .toUpperCase()
        .replace(/[ILOU]/g, (c) => ({ I: 'W', L: 'X', O: 'Y', U: 'Z' })[c] ?? c)
        .padStart(23, '0')}`,
  }
}
