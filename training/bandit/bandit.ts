/** What every bandit here is: it names the chance of each arm before it draws one, and draws by exactly these. */
import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Random } from '../types.ts'

/** What is known when an arm is chosen. */
export interface Context {
  /** Groups the case belongs to, from broad to narrow (e.g. repository, then label); hierarchical bandits read these. */
  groups?: readonly string[]
  /** Numbers; linear and logistic bandits read these. */
  features?: ArrayLike<number>
}

export interface Choice {
  arm: number
  /** Chance of each arm at this choice; they sum to 1, and `arm` was drawn by them. */
  propensities: Float64Array
}

export interface Bandit {
  readonly arms: number
  /** Returns the chance of each arm here. */
  propensities(context: Context): Float64Array
  /** @throws VT_BANDIT_REWARD when the reward is not finite, VT_BANDIT_ARM when there is no such arm */
  update(context: Context, arm: number, reward: number): void
  state(): Json
  /** @throws VT_BANDIT_STATE when the data is not a state of such a bandit */
  restore(state: Json): void
}

/** Returns an arm drawn by the bandit's own propensities, with them. */
export function choose(bandit: Pick<Bandit, 'propensities'>, context: Context, random: Random): Choice {
  const propensities = bandit.propensities(context)
  return { arm: random.categorical(propensities), propensities }
}

/**
 * Returns the propensities, mixed with a little of everything: (1 - share) p + share / arms. A logged choice can then
 * be used to judge any other policy, as no arm has chance 0.
 */
export function mixIn(propensities: Float64Array, share: number): Float64Array {
  const each = share / propensities.length
  return propensities.map((p) => (1 - share) * p + each)
}

/** @throws VT_PROPENSITIES when a chance is outside [0, 1] or they do not sum to 1 within 1e-6 */
export function requirePropensities(propensities: ArrayLike<number>, where: string): void {
  let sum = 0
  for (let i = 0; i < propensities.length; i++) {
    const p = propensities[i] as number
    if (!(p >= 0 && p <= 1)) throw noPropensities(`${where}: propensity ${i} is ${p}`)
    sum += p
  }
  if (!(Math.abs(sum - 1) <= 1e-6)) throw noPropensities(`${where}: propensities sum to ${Number(sum.toPrecision(6))}, not to 1`)
}

/** @throws VT_BANDIT_ARM, VT_BANDIT_REWARD */
export function requireOutcome(arms: number, arm: number, reward: number): void {
  if (!(Number.isInteger(arm) && arm >= 0 && arm < arms)) {
    throw new ValuetrainError('VT_BANDIT_ARM', `there is no arm ${arm}; there are ${arms}`, { kind: 'config' })
  }
  if (!Number.isFinite(reward)) {
    throw new ValuetrainError('VT_BANDIT_REWARD', `reward ${reward} of arm ${arm} is not a number to learn from`, {
      hint: 'Leave the outcome out until it is known; a missing reward is not a zero.',
    })
  }
}

/** Returns the features of a context, checked. @throws VT_BANDIT_FEATURES when their number or a value is wrong */
export function requireFeatures(context: Context, size: number): ArrayLike<number> {
  const features = context.features ?? []
  let wrong = features.length === size ? -1 : features.length
  for (let i = 0; wrong < 0 && i < size; i++) if (!Number.isFinite(features[i])) wrong = i
  if (wrong >= 0) {
    const why =
      features.length === size ? `feature ${wrong} is ${features[wrong]}` : `${features.length} features, ${size} are needed`
    throw new ValuetrainError('VT_BANDIT_FEATURES', why, {
      kind: 'config',
      hint: 'Features are made by the same schema as in training.',
    })
  }
  return features
}

/** @throws VT_BANDIT_STATE */
export function foreignState(what: string): ValuetrainError {
  return new ValuetrainError('VT_BANDIT_STATE', `the data is no state of ${what}`, {
    kind: 'environment',
    hint: 'It was written by another policy or is damaged; load the version that the promotion names.',
  })
}

function noPropensities(why: string): ValuetrainError {
  return new ValuetrainError('VT_PROPENSITIES', why, {
    kind: 'config',
    hint: 'Log the chance of every candidate arm at the moment of choice; what was not logged cannot be estimated from later.',
  })
}
