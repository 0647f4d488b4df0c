import { monotonicFactory } from 'ulid'
import type { Clock } from './clock.ts'

/** Ids as an argument. */
export interface Ids {
  /** Returns a new ULID: 26 characters of Crockford base 32, sortable by creation time. */
  ulid(): string
}

/** Returns ids from the system's randomness, stamped by the clock; increasing within one process. */
export function systemIds(clock: Pick<Clock, 'now'>): Ids {
  const next = monotonicFactory()
  return { ulid: () => next(clock.now()) }
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
