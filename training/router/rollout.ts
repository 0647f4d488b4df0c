/** How a new router comes into use: off, shadow, canary, on; and back by itself when it does harm. */
import { createHash } from 'node:crypto'
import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { ConfidenceSequence, type SequenceBounds } from '../stats/sequence.ts'

export const ROUTER_STAGES = ['off', 'shadow', 'canary', 'on'] as const
export type RouterStage = (typeof ROUTER_STAGES)[number]

export type Lane = 'champion' | 'challenger'

/**
 * Returns which policy serves a case. The same case stays in its lane however often it is asked, and a larger share
 * only moves cases from champion to challenger.
 *
 * @param share of cases for the challenger, in [0, 1]
 * @param salt  names the experiment, so that two of them do not split alike
 */
export function laneOf(key: string, share: number, salt: string): Lane {
  const place = createHash('sha256').update(`${salt}\n${key}`).digest().readUInt32BE(0) / 4294967296
  return place < share ? 'challenger' : 'champion'
}

/** Returns who decides and who only watches at a stage. */
export function routeAt(stage: RouterStage, lane: Lane): { decides: Lane; watches: Lane | undefined } {
  switch (stage) {
    case 'off':
      return { decides: 'champion', watches: undefined }
    case 'shadow':
      return { decides: 'champion', watches: 'challenger' }
    case 'canary':
      return { decides: lane, watches: lane === 'champion' ? 'challenger' : undefined }
    case 'on':
      return { decides: 'challenger', watches: undefined }
  }
}

export interface CanaryOptions {
  /** Share of cases in the challenger's lane, in (0, 1). */
  share: number
  /** Of the whole watch, all looks together; default 0.95. */
  level?: number
  /** The challenger is taken when it is not worse by more than this; default 0: it has to be better. */
  margin?: number
  /** No verdict before that many outcomes; default 20. */
  least?: number
}

export interface CanaryReport {
  verdict: 'continue' | 'roll-back' | 'promote'
  reason: string
  /** Challenger minus champion, in reward. */
  difference: SequenceBounds
  outcomes: { champion: number; challenger: number }
}

/**
 * The watch over a canary: after each outcome it may be asked, and asked again, without that raising the chance of a
 * wrong verdict.
 *
 * What is followed is, for each case, the difference of both policies' rewards as estimated from the one that was
 * served: with the lane drawn by a known share that has the right expectation whatever the cases are like, also when
 * they change over time.
 */
export class Canary {
  readonly #share: number
  readonly #margin: number
  readonly #least: number
  readonly #sequence: ConfidenceSequence
  readonly #seen: Record<Lane, { n: number; sum: number }> = { champion: { n: 0, sum: 0 }, challenger: { n: 0, sum: 0 } }

  /** @throws VT_CANARY when the share is not between 0 and 1 */
  constructor({ share, level = 0.95, margin = 0, least = 20 }: CanaryOptions) {
    if (!(share > 0 && share < 1)) {
      throw new ValuetrainError('VT_CANARY', `a canary on a share of ${share} compares nothing`, {
        kind: 'config',
        hint: 'Give a share like 0.1.',
      })
    }
    this.#share = share
    this.#margin = margin
    this.#least = least
    const reach = 1 + 1 / Math.min(share, 1 - share)
    this.#sequence = new ConfidenceSequence({ least: -reach, most: reach, level })
  }

  /** Takes one outcome. @param reward in [0, 1] @throws VT_CANARY when it is not */
  add(lane: Lane, reward: number): void {
    if (!(reward >= 0 && reward <= 1)) {
      throw new ValuetrainError('VT_CANARY', `reward ${reward} of the ${lane} is not in [0, 1]`, {
        hint: 'Use the combined reward before scaling.',
      })
    }
    // What each lane gave so far stands in for the lane that was not served; it takes noise away and no truth.
    const guess = (which: Lane) => (0.5 + this.#seen[which].sum) / (1 + this.#seen[which].n)
    const [champion, challenger] = [guess('champion'), guess('challenger')]
    const score =
      lane === 'challenger'
        ? challenger - champion + (reward - challenger) / this.#share
        : challenger - champion - (reward - champion) / (1 - this.#share)
    this.#sequence.add(score)
    this.#seen[lane].n++
    this.#seen[lane].sum += reward
  }

  report(): CanaryReport {
    const difference = this.#sequence.bounds()
    const outcomes = { champion: this.#seen.champion.n, challenger: this.#seen.challenger.n }
    const show = (value: number) => String(Number(value.toPrecision(3)))
    const range = `[${show(difference.low)}, ${show(difference.high)}]`
    if (difference.observations >= this.#least && difference.high < 0) {
      return { verdict: 'roll-back', reason: `the challenger is worse: difference in ${range}`, difference, outcomes }
    }
    if (difference.observations >= this.#least && difference.low > -this.#margin) {
      return {
        verdict: 'promote',
        reason: `the challenger is better than ${show(-this.#margin)}: difference in ${range}`,
        difference,
        outcomes,
      }
    }
    return {
      verdict: 'continue',
      reason: `${difference.observations} outcomes leave the difference in ${range}`,
      difference,
      outcomes,
    }
  }

  state(): Json {
    return { sequence: this.#sequence.state(), champion: { ...this.#seen.champion }, challenger: { ...this.#seen.challenger } }
  }

  restore(state: Json): void {
    const data = state as {
      sequence?: Json
      champion?: { n: number; sum: number }
      challenger?: { n: number; sum: number }
    } | null
    if (data?.champion === undefined || data.challenger === undefined) {
      throw new ValuetrainError('VT_CANARY', 'the data is no state of a canary', { kind: 'environment' })
    }
    this.#sequence.restore(data.sequence ?? null)
    this.#seen.champion = { ...data.champion }
    this.#seen.challenger = { ...data.challenger }
  }
}
