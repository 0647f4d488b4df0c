/**
 * When a learner stops before its end: by what it did on held-out episodes, and by that alone. The decision is a function
 * of the rows it has measured, so a run that was killed comes to the same one.
 */
import type { TrainConfig } from './config.ts'
import type { MetricRow } from './journal.ts'

/** A learner that stopped before its end. */
export interface EarlyStop {
  seed: number
  /** Environment steps done. */
  steps: number
  /** For people: which rule, and the numbers it saw. */
  reason: string
}

/** Returns whether one of the two rules is set. */
export function stopsEarly({ stopAt, patience }: TrainConfig['evaluation']): boolean {
  return stopAt !== undefined || patience !== undefined
}

/**
 * Returns why a learner stops after its last row, or undefined where it goes on. Only a look decides: a row without one
 * changes nothing, and one at which every episode died of its surroundings is no look.
 *
 * @param rows of one learner, in their order
 */
export function earlyStop({ stopAt, patience }: TrainConfig['evaluation'], rows: readonly MetricRow[]): EarlyStop | undefined {
  const looks = rows.filter(({ metrics }) => Number.isFinite(metrics.heldout_return_mean))
  const last = looks.at(-1)
  if (last === undefined || last !== rows.at(-1)) return undefined
  const { seed, steps } = last
  const scores = looks.map(({ metrics }) => metrics.heldout_return_mean as number)
  const now = scores.at(-1) as number
  if (stopAt !== undefined && now >= stopAt) {
    return { seed, steps, reason: `mean score ${short(now)} on held-out episodes, at least evaluation.stopAt ${stopAt}` }
  }
  if (patience === undefined) return undefined
  const best = Math.max(...scores)
  const since = scores.length - 1 - scores.indexOf(best)
  if (since < patience) return undefined
  const looked = `${since} ${since === 1 ? 'look' : 'looks'}`
  return { seed, steps, reason: `no better than ${short(best)} on held-out episodes for ${looked}, as evaluation.patience says` }
}

function short(score: number): string {
  return String(Number(score.toPrecision(6)))
}
