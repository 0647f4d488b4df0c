/** A reward model for the direct method: means by arm, and by arm in a group, the latter leaning on the former. */
import type { LoggedChoice } from './logged.ts'

/** Expected reward of each arm for a case. */
export type RewardModel = (row: LoggedChoice) => Float64Array

/** Outcomes' worth by which a group leans on the whole, and an arm on all arms. */
export const LEAN = 5

/** Parts into which choices are dealt, each predicted from the others. */
export const FOLDS = 5

/** Returns the means of the rows that are given. */
export function fitMeans(rows: readonly LoggedChoice[], arms: number): RewardModel {
  const whole = rows.reduce((sum, { reward }) => sum + reward, 0) / Math.max(1, rows.length)
  const byArm = tally(rows, arms)
  const means = Float64Array.from(
    { length: arms },
    (_, arm) => (LEAN * whole + (byArm.sum[arm] as number)) / (LEAN + (byArm.n[arm] as number)),
  )
  const groups = new Map<string, LoggedChoice[]>()
  for (const row of rows) {
    if (row.group === undefined) continue
    const list = groups.get(row.group)
    if (list === undefined) groups.set(row.group, [row])
    else list.push(row)
  }
  const byGroup = new Map(
    [...groups].map(([group, list]) => {
      const { n, sum } = tally(list, arms)
      return [group, means.map((mean, arm) => (LEAN * mean + (sum[arm] as number)) / (LEAN + (n[arm] as number)))] as const
    }),
  )
  return ({ group }) => (group === undefined ? undefined : byGroup.get(group)) ?? means
}

/**
 * Returns predictions for each row by a model that never saw it: the rows are dealt into folds, and each fold is
 * predicted from the others. A model that predicted its own rows would hide its error.
 */
export function crossFit(rows: readonly LoggedChoice[], arms: number, folds = FOLDS): Float64Array[] {
  const models = Array.from({ length: folds }, (_, fold) =>
    fitMeans(
      rows.filter((_row, i) => i % folds !== fold),
      arms,
    ),
  )
  return rows.map((row, i) => (models[i % folds] as RewardModel)(row))
}

function tally(rows: readonly LoggedChoice[], arms: number): { n: Float64Array; sum: Float64Array } {
  const n = new Float64Array(arms)
  const sum = new Float64Array(arms)
  for (const { arm, reward } of rows) {
    n[arm] = (n[arm] as number) + 1
    sum[arm] = (sum[arm] as number) + reward
  }
  return { n, sum }
}
