import type { TurnRequest } from '../../core/contracts/runtime.ts'

/** The limits of a turn that is no process of its own. */
export interface TurnWatch {
  signal: AbortSignal
  heard(): void
  /** A tool runs: silence is not counted until something is heard again. */
  rest(): void
  stop(): void
  stopped(): { outcome: 'timed-out' | 'cancelled'; what: string } | undefined
}

/** Watches a turn's limits; the signal aborts at the first that is reached, or when the turn is cancelled. */
export function watchTurn({ limits, signal }: TurnRequest): TurnWatch {
  const stop = new AbortController()
  let what: string | undefined
  const end = (words: string) => {
    what ??= words
    stop.abort()
  }
  const seconds = (ms: number) => `${Number((ms / 1000).toFixed(1))} s`
  const total = setTimeout(() => end(`was not finished when the turn's ${seconds(limits.totalMs)} were over`), limits.totalMs)
  let quiet = setTimeout(() => end(`printed nothing within ${seconds(limits.firstOutputMs)}`), limits.firstOutputMs)
  return {
    signal: AbortSignal.any([stop.signal, signal]),
    heard() {
      clearTimeout(quiet)
      quiet = setTimeout(() => end(`went silent for ${seconds(limits.silenceMs)}`), limits.silenceMs)
    },
    rest: () => clearTimeout(quiet),
    stop() {
      clearTimeout(total)
      clearTimeout(quiet)
    },
    stopped() {
      if (signal.aborted) return { outcome: 'cancelled', what: 'was cancelled' }
      return what === undefined ? undefined : { outcome: 'timed-out', what }
    },
  }
}
