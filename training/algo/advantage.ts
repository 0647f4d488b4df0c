import { ValuetrainError } from '../../core/errors.ts'

/**
 * Writes generalised advantage estimates for a rollout of several environments.
 *
 * @param rewards [T x N], in reward units; where an episode was cut off, with the discounted value of what followed added
 * @param values [T x N], value estimates of the observations acted on
 * @param lastValues [N], value estimates of the observations after the last step
 * @param ends [T x N], 1 where an episode ended with this step, by itself or cut off
 * @param gamma discount a step, in [0, 1]
 * @param lambda bias-variance mix, in [0, 1]
 * @param out [T x N]
 * @throws VT_SHAPE when the lengths do not fit each other
 * @see Schulman et al. 2016, arXiv:1506.02438, section 3
 */
export function advantages(
  rewards: Float64Array,
  values: Float64Array,
  lastValues: Float64Array,
  ends: Uint8Array,
  gamma: number,
  lambda: number,
  out: Float64Array,
): void {
  const count = lastValues.length
  const total = rewards.length
  if (total % count !== 0 || values.length !== total || ends.length !== total || out.length !== total) {
    throw new ValuetrainError('VT_SHAPE', `${total} rewards, ${values.length} values and ${count} environments do not fit`, {
      kind: 'internal',
    })
  }
  for (let n = 0; n < count; n++) {
    let carried = 0
    let next = lastValues[n] as number
    for (let at = total - count + n; at >= 0; at -= count) {
      const goesOn = ends[at] === 0 ? 1 : 0
      const delta = (rewards[at] as number) + gamma * next * goesOn - (values[at] as number)
      carried = delta + gamma * lambda * goesOn * carried
      out[at] = carried
      next = values[at] as number
    }
  }
}

/** Returns mean and spread of the values at order[from ..], the spread with count - 1 below. */
export function momentsOf(
  values: Float64Array,
  order: Int32Array,
  from: number,
  count: number,
): { mean: number; spread: number } {
  let sum = 0
  for (let r = 0; r < count; r++) sum += values[order[from + r] as number] as number
  const mean = sum / count
  let squares = 0
  for (let r = 0; r < count; r++) {
    const apart = (values[order[from + r] as number] as number) - mean
    squares += apart * apart
  }
  return { mean, spread: Math.sqrt(squares / Math.max(1, count - 1)) }
}

/** Returns the share of the returns' variance that the value network foresaw: 1 is all, 0 none, negative worse than a constant. */
export function explainedVariance(values: Float64Array, estimates: Float64Array): number {
  const count = values.length
  const all = new Int32Array(count)
  const returned = new Float64Array(count)
  for (let n = 0; n < count; n++) {
    all[n] = n
    returned[n] = (values[n] as number) + (estimates[n] as number)
  }
  const errors = momentsOf(estimates, all, 0, count).spread
  const returns = momentsOf(returned, all, 0, count).spread
  return returns === 0 ? 0 : 1 - (errors * errors) / (returns * returns)
}
