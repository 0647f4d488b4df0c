import { cos, PI } from '../math.ts'

/** How a number changes over a run. */
export type Schedule =
  | number
  /** Straight from `from` at the beginning to `to` when `over` (default 1) of the run is done, then `to`. */
  | { kind: 'linear'; from: number; to: number; over?: number }
  /** Half a cosine from `from` to `to`. */
  | { kind: 'cosine'; from: number; to: number; over?: number }
  /** Rises straight from 0 during the first `warmup` of the run, then falls straight to 0. */
  | { kind: 'warmup'; peak: number; warmup: number }

/** Returns a schedule's value. @param progress share of the run that is done, in [0, 1] */
export function valueAt(schedule: Schedule, progress: number): number {
  if (typeof schedule === 'number') return schedule
  if (schedule.kind === 'warmup') {
    const { peak, warmup } = schedule
    return progress < warmup ? (peak * progress) / warmup : (peak * (1 - progress)) / (1 - warmup)
  }
  const share = Math.min(1, progress / (schedule.over ?? 1))
  const mix = schedule.kind === 'linear' ? share : (1 - cos(PI * share)) / 2
  return schedule.from + (schedule.to - schedule.from) * mix
}
