import { jsonl, type MetricRow } from './journal.ts'

/** Points a learner keeps in `metrics.jsonl`. */
export const MOST_POINTS = 2_000

/** Bytes of `metrics.jsonl` that plain git should carry at most. */
export const MOST_BYTES = 1_000_000

/** Returns as many rows as `keptRows` keeps within `bytes`, each learner the same share. */
export function rowsWithin(rows: readonly MetricRow[], bytes = MOST_BYTES): MetricRow[] {
  let limit = MOST_POINTS
  for (;;) {
    const kept = keptRows(rows, limit)
    const size = Buffer.byteLength(jsonl(kept))
    // The rows of the extremes stay, however few are asked for.
    if (size <= bytes || limit <= 2) return kept
    limit = Math.max(2, Math.min(limit - 1, Math.floor((0.95 * limit * bytes) / size)))
  }
}

/**
 * Returns at most about `limit` rows of each learner: evenly taken, with the first and the last, and the rows at which
 * a metric is lowest or highest. Which ones they are depends on the rows alone.
 */
export function keptRows(rows: readonly MetricRow[], limit = MOST_POINTS): MetricRow[] {
  const seeds = [...new Set(rows.map(({ seed }) => seed))]
  return seeds.flatMap((seed) => {
    const own = rows.filter((row) => row.seed === seed)
    if (own.length <= limit) return own
    const kept = new Set<number>()
    for (const name of new Set(own.flatMap(({ metrics }) => Object.keys(metrics)))) {
      let [low, high] = [-1, -1]
      own.forEach(({ metrics }, index) => {
        const value = metrics[name]
        if (value === undefined) return
        if (low < 0 || value < (own[low]?.metrics[name] ?? 0)) low = index
        if (high < 0 || value > (own[high]?.metrics[name] ?? 0)) high = index
      })
      if (low >= 0) kept.add(low).add(high)
    }
    const even = Math.max(2, limit - kept.size)
    for (let n = 0; n < even; n++) kept.add(Math.round((n * (own.length - 1)) / (even - 1)))
    return [...kept].sort((a, b) => a - b).map((index) => own[index] as MetricRow)
  })
}
