/** How far a gate's word can be trusted: escalation pays exactly as much as that. */
import { ValuetrainError } from '../../core/errors.ts'
import type { Interval } from '../stats/interval.ts'
import { wilson } from '../stats/interval.ts'
import type { Random } from '../types.ts'

/** A gate's error rates. */
export interface GateRates {
  /** Chance that it passes what is wrong. */
  falsePass: number
  /** Chance that it fails what is right. */
  falseFail: number
}

export const PERFECT_GATE: GateRates = { falsePass: 0, falseFail: 0 }

export interface MeasuredGate extends GateRates {
  /** Intervals at 95 %; a rate nobody could see (no wrong work was judged) is anywhere in [0, 1]. */
  intervals: { falsePass: Interval; falseFail: Interval }
  judged: number
}

/**
 * Returns a gate's error rates from work whose truth came out later (merged and kept, or reverted and mended). One
 * error and one hit are added to each side, so that a short record never says "never".
 */
export function measureGate(record: readonly { passed: boolean; right: boolean }[]): MeasuredGate {
  const wrong = record.filter(({ right }) => !right)
  const right = record.filter((entry) => entry.right)
  const passedWrong = wrong.filter(({ passed }) => passed).length
  const failedRight = right.filter(({ passed }) => !passed).length
  const unknown: Interval = { estimate: 0.5, low: 0, high: 1, level: 0.95 }
  return {
    falsePass: (passedWrong + 1) / (wrong.length + 2),
    falseFail: (failedRight + 1) / (right.length + 2),
    intervals: {
      falsePass: wrong.length === 0 ? unknown : wilson(passedWrong, wrong.length),
      falseFail: right.length === 0 ? unknown : wilson(failedRight, right.length),
    },
    judged: record.length,
  }
}

/** Returns what such a gate says about right or wrong work. */
export function gateSays(rates: GateRates, right: boolean, random: Random): boolean {
  const u = random.uniform()
  return right ? u >= rates.falseFail : u < rates.falsePass
}

/** @throws VT_GATE_RATES when a rate is outside [0, 1] or the gate says nothing (the two sum to 1 or more) */
export function requireRates({ falsePass, falseFail }: GateRates): void {
  const shares = [falsePass, falseFail].every((rate) => rate >= 0 && rate <= 1)
  if (shares && falsePass + falseFail < 1) return
  throw new ValuetrainError(
    'VT_GATE_RATES',
    `a gate with false-pass ${falsePass} and false-fail ${falseFail} tells right from wrong no better than chance`,
    {
      kind: 'config',
      hint: 'Measure the gate on work whose truth is known; rates are shares.',
    },
  )
}
