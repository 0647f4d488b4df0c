import type { PipelineSpec } from '../core/contracts/method.ts'
import type { TurnResult } from '../core/contracts/runtime.ts'
import type { Definitions } from './definitions.ts'
import type { Desk } from './desk.ts'

/** One ticket at work: the desk, and what it is worked by. */
export interface Job {
  desk: Desk
  /** As the ticket's base has them. */
  definitions: Definitions
  pipeline: PipelineSpec
  /** The runtime the operator named, if any. */
  agent: string | undefined
  merge: 'auto' | 'person'
  /** Environment for turns, set-up and gates: only what the configuration lets through. */
  env: Record<string, string>
  /** Aborts a turn or a gate: the program is stopped, the claim is lost, or an operator paused the ticket. */
  signal: AbortSignal
}

/** What doing the due thing came to: go on, or stop here and say why. */
export type Step = 'go-on' | { stop: 'waiting' | 'until' | 'delivered'; reason: string }

/** Why a turn did not lead to a commit, as one sentence for the decision. */
export function turnReason(turn: Pick<TurnResult, 'outcome' | 'reason'>): string {
  return `the turn ${turn.outcome}: ${turn.reason}`
}
