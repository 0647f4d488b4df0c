/** Logged choices with what another policy would have done, the input of every off-policy estimate. */
import { ValuetrainError } from '../../core/errors.ts'
import { requirePropensities } from '../bandit/bandit.ts'

export interface LoggedChoice {
  arm: number
  reward: number
  /** Chance of the arm when it was chosen; what makes an estimate possible. */
  propensity: number
  /** Chance of each arm under the policy that is judged; sums to 1. */
  target: ArrayLike<number>
  /** Cases that are alike for the reward model; default all. */
  group?: string
}

/** @throws VT_OPE naming the row: a propensity that is not in (0, 1], a reward that is not finite, an unknown arm; VT_PROPENSITIES */
export function requireLogged(rows: readonly LoggedChoice[]): void {
  if (rows.length < 2)
    throw wrong(`${rows.length} logged choices`, 'Two are the least that can be estimated from; a hundred are sensible.')
  const arms = rows[0]?.target.length ?? 0
  for (const [i, { arm, reward, propensity, target }] of rows.entries()) {
    if (!(propensity > 0 && propensity <= 1)) {
      throw wrong(
        `choice ${i} has propensity ${propensity}`,
        'A choice without its chance cannot be weighted; leave the row out.',
      )
    }
    if (!Number.isFinite(reward))
      throw wrong(`choice ${i} has reward ${reward}`, 'Leave choices out until their outcome is known.')
    if (!(Number.isInteger(arm) && arm >= 0 && arm < arms))
      throw wrong(`choice ${i} is arm ${arm} of ${arms}`, 'Map arms to the candidate list.')
    if (target.length !== arms)
      throw wrong(`choice ${i} has ${target.length} target chances, the first has ${arms}`, 'Judge one list of arms.')
    requirePropensities(target, `target of choice ${i}`)
  }
}

function wrong(message: string, hint: string): ValuetrainError {
  return new ValuetrainError('VT_OPE', message, { kind: 'config', hint })
}
