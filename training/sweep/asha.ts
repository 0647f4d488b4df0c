/**
 * Successive halving: many trials get a little, the better part of them more, and so on. Decided in the order in which
 * trials were begun, so that it does not matter which of them is done first.
 *
 * @see Li et al. 2020, arXiv:1810.05934
 */
import { ValuetrainError } from '../../core/errors.ts'

export interface HalvingOptions {
  /** What a trial gets first, in steps. */
  least: number
  /** What a trial gets at most. */
  most: number
  /** One in so many goes on at each rung; default 3. */
  keep?: number
}

/** Returns the rungs: the steps after which a trial has to be among the better ones to go on; the last is `most`. */
export function rungsOf({ least, most, keep = 3 }: HalvingOptions): number[] {
  if (!(Number.isInteger(least) && Number.isInteger(most) && least > 0 && most >= least && keep > 1)) {
    throw new ValuetrainError('VT_SWEEP_HALVING', `halving from ${least} to ${most} steps by ${keep} cannot be`, {
      kind: 'config',
      hint: 'least is at least 1, most at least least, keep above 1.',
    })
  }
  const rungs: number[] = []
  for (let steps = least; steps < most; steps = Math.ceil(steps * keep)) rungs.push(steps)
  return [...rungs, most]
}

/**
 * Returns whether a trial goes on past a rung: it is among the best 1/keep of the trials up to and including it that
 * reached the rung. The first at a rung goes on, as nothing is known that would stop it.
 *
 * @param loss   its own at the rung
 * @param before losses at this rung of trials begun earlier, whether they went on or not
 */
export function goesOn(loss: number, before: readonly number[], keep = 3): boolean {
  const rank = before.filter((other) => other <= loss).length
  return rank < Math.max(1, Math.floor((before.length + 1) / keep))
}
