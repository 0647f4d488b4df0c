/** The decision log: ROUTED entries of sessions, joined with what became of them. */
import type { PlacedEntry } from '../../core/contracts/event.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { requirePropensities } from '../bandit/bandit.ts'
import type { Lane } from './rollout.ts'

/** The `policy` of a choice that no router made. */
export const CONFIGURATION = 'configuration'

/** What can become known of a choice. Shares are 0 or 1, or between. */
export const OUTCOMES = ['gates', 'delivered', 'merged', 'reverted', 'usd', 'minutes'] as const
export type OutcomeKind = (typeof OUTCOMES)[number]

/** Something that became known later, also outside the session: a merge, a revert. */
export interface LateOutcome {
  /** Id of the ROUTED entry. */
  decision: string
  kind: OutcomeKind
  value: number
  /** ISO 8601, UTC; of two on one thing the later one counts. */
  at: string
}

export interface RoutingDecision {
  /** Id of the entry. */
  id: string
  at: string
  arms: readonly { id: string; propensity: number }[]
  chosen: string
  /** Chance of the chosen arm. */
  propensity: number
  features: Readonly<Record<string, number>>
  /** Who chose: a policy, or `configuration`. */
  policy: string
  stage: 'shadow' | 'canary' | 'on'
  phase: string
  attempt: number
  /** A policy that did not choose, and the chances by it. */
  watched?: { policy: string; arms: readonly { id: string; propensity: number }[] }
  canary?: { policy: string; lane: Lane; share: number }
  outcomes: Partial<Record<OutcomeKind, { value: number; at: string }>>
}

/**
 * Returns the choices of a session in order, each with its outcomes: the share of gates passed, dollars, minutes and
 * delivery from the entries up to the next choice, and what came later from `late`. Of several values the last one wins.
 *
 * @throws VT_PROPENSITIES when logged chances do not sum to 1, VT_DECISION when the chosen arm is no candidate or a
 *   late outcome is of no known choice
 */
export function foldDecisions(entries: readonly PlacedEntry[], late: readonly LateOutcome[] = []): RoutingDecision[] {
  const decisions: RoutingDecision[] = []
  let gates = new Map<string, boolean>()
  let usd = 0
  let turnFrom: string | undefined
  let minutes = 0
  for (const entry of entries) {
    if (entry.data === null) continue
    const present = decisions.at(-1)
    if (entry.type === 'ROUTED') {
      decisions.push(decisionOf(entry.id, entry.ts, entry.data))
      gates = new Map()
      usd = 0
      minutes = 0
    }
    if (present === undefined) continue
    switch (entry.type) {
      case 'TURN_STARTED':
        turnFrom = entry.ts
        break
      case 'TURN_ENDED':
        if (entry.data.usage !== undefined) {
          usd += entry.data.usage.costUsd
          settle(present, 'usd', usd, entry.ts)
        }
        if (turnFrom !== undefined) {
          minutes += (Date.parse(entry.ts) - Date.parse(turnFrom)) / 60_000
          settle(present, 'minutes', minutes, entry.ts)
        }
        turnFrom = undefined
        break
      case 'GATE_JUDGED':
        // A gate that could not be judged says nothing about the choice.
        if (entry.data.result.verdict === 'pass' || entry.data.result.verdict === 'fail') {
          gates.set(entry.data.result.gate, entry.data.result.verdict === 'pass')
          settle(present, 'gates', [...gates.values()].filter(Boolean).length / gates.size, entry.ts)
        }
        break
      case 'DELIVERED':
        settle(present, 'delivered', 1, entry.ts)
        break
      case 'REOPENED':
      case 'CHANGE_RETURNED':
        settle(present, 'delivered', 0, entry.ts)
        break
      default:
        break
    }
  }
  for (const outcome of late) {
    const decision = decisions.find(({ id }) => id === outcome.decision)
    if (decision === undefined || !Number.isFinite(outcome.value)) {
      throw new ValuetrainError(
        'VT_DECISION',
        `${outcome.kind} = ${outcome.value} belongs to decision ${outcome.decision}, which is ${decision === undefined ? 'not in the log' : 'there'}`,
        {
          hint: 'Outcomes name the ROUTED entry they are about and are finite numbers.',
        },
      )
    }
    settle(decision, outcome.kind, outcome.value, outcome.at)
  }
  return decisions
}

/** Returns lines that explain a choice to people: what was taken, by which policy, what else there was, what came of it. */
export function explainDecision(decision: RoutingDecision): string[] {
  const others = decision.arms.filter(({ id }) => id !== decision.chosen).sort((a, b) => b.propensity - a.propensity)
  const share = (p: number) => `${Number((100 * p).toPrecision(3))} %`
  const features = Object.entries(decision.features).filter(([, value]) => value !== 0)
  const outcomes = OUTCOMES.flatMap((kind) => {
    const outcome = decision.outcomes[kind]
    return outcome === undefined ? [] : [`${kind} ${Number(outcome.value.toPrecision(4))}`]
  })
  const { canary, watched, policy, stage, phase, attempt } = decision
  const by = policy === CONFIGURATION ? 'named by the configuration' : `drawn by ${policy}`
  const lane = canary === undefined ? stage : `canary of ${canary.policy}, lane of the ${canary.lane}`
  const chances = (arms: readonly { id: string; propensity: number }[]) =>
    arms.map(({ id, propensity }) => `${id} ${share(propensity)}`).join(', ')
  return [
    `${decision.chosen}: had a chance of ${share(decision.propensity)}, ${by} (${lane})${phase === '' ? '' : ` for attempt ${attempt} at ${phase}`}`,
    others.length === 0 ? 'there was no other candidate' : `others: ${chances(others)}`,
    ...(watched === undefined ? [] : [`${watched.policy} only watched: ${chances(watched.arms)}`]),
    features.length === 0
      ? 'no features'
      : `features: ${features.map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(', ')}`,
    outcomes.length === 0 ? 'nothing is known yet of what came of it' : `outcome: ${outcomes.join(', ')}`,
  ]
}

function decisionOf(
  id: string,
  at: string,
  data: {
    arms: readonly { id: string; propensity: number }[]
    chosen: string
    features: Record<string, number>
    policy: string
    stage?: RoutingDecision['stage']
    phase?: string | undefined
    attempt?: number | undefined
    watched?: RoutingDecision['watched'] | undefined
    canary?: RoutingDecision['canary'] | undefined
  },
): RoutingDecision {
  requirePropensities(
    data.arms.map(({ propensity }) => propensity),
    `decision ${id}`,
  )
  const chosen = data.arms.find((arm) => arm.id === data.chosen)
  if (chosen === undefined || chosen.propensity === 0) {
    throw new ValuetrainError(
      'VT_DECISION',
      `decision ${id} chose ${data.chosen}, which ${chosen === undefined ? 'was no candidate' : 'had no chance'}`,
      {
        hint: `Candidates: ${data.arms.map((arm) => arm.id).join(', ')}.`,
      },
    )
  }
  const { arms, features, policy, stage = 'on', phase = '', attempt = 1, watched, canary } = data
  return {
    id,
    at,
    arms,
    chosen: data.chosen,
    propensity: chosen.propensity,
    features,
    policy,
    stage,
    phase,
    attempt,
    ...(watched === undefined ? {} : { watched }),
    ...(canary === undefined ? {} : { canary }),
    outcomes: {},
  }
}

function settle(decision: RoutingDecision, kind: OutcomeKind, value: number, at: string): void {
  const known = decision.outcomes[kind]
  if (known === undefined || known.at <= at) decision.outcomes[kind] = { value, at }
}
