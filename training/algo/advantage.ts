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
