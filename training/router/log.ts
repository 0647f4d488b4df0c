/** From the decision log to data: cases with what was tried on each, for learning, for estimates and for the canary. */
import { ValuetrainError } from '../../core/errors.ts'
import type { LoggedChoice } from '../ope/logged.ts'
import type { Random } from '../types.ts'
import type { RoutingDecision } from './decisions.ts'
import { type Features, groupsOf } from './features.ts'
import { type RoutedStep, type RouterPolicy, rewardOfSteps } from './policy.ts'
import { Canary, type CanaryReport } from './rollout.ts'

/** The choices of one ticket, and how it ended: `open` while nobody knows. */
export interface TicketLog {
  ticket: string
  decisions: readonly RoutingDecision[]
  ended: 'open' | 'merged' | 'reverted' | 'failed'
}

/** One choice with what came of it. */
export interface LoggedStep extends RoutedStep {
  arms: readonly { id: string; propensity: number }[]
  propensity: number
  policy: string
  stage: RoutingDecision['stage']
  canary?: RoutingDecision['canary']
}

/** One phase of one ticket, from its first attempt to its last. */
export interface LoggedCase {
  ticket: string
  phase: string
  /** When the first choice was made. */
  at: string
  features: Features
  steps: readonly LoggedStep[]
}

/**
 * Returns the cases whose end is known, oldest first. An attempt was refused when another one followed it in the phase;
 * work is right when its ticket was merged and not reverted. What nobody knows yet is left out: it is no zero.
 */
export function casesOf(tickets: readonly TicketLog[]): LoggedCase[] {
  const cases = tickets.flatMap(({ ticket, decisions, ended }) => {
    if (ended === 'open') return []
    const phases = new Map<string, RoutingDecision[]>()
    for (const decision of decisions) phases.set(decision.phase, [...(phases.get(decision.phase) ?? []), decision])
    const last = decisions.at(-1)
    return [...phases].map(([phase, tried]): LoggedCase => {
      const steps = tried.map((decision, index): LoggedStep => {
        const passed = index === tried.length - 1 && (ended !== 'failed' || decision !== last)
        return {
          arm: decision.chosen,
          passed,
          resolved: passed && ended === 'merged',
          usd: decision.outcomes.usd?.value ?? 0,
          arms: decision.arms,
          propensity: decision.propensity,
          policy: decision.policy,
          stage: decision.stage,
          ...(decision.canary === undefined ? {} : { canary: decision.canary }),
        }
      })
      const first = tried[0] as RoutingDecision
      return { ticket, phase, at: first.at, features: first.features, steps }
    })
  })
  return cases.sort((a, b) => (a.at === b.at ? (a.ticket < b.ticket ? -1 : 1) : a.at < b.at ? -1 : 1))
}

/** Returns the arms that were ever candidates, sorted. */
export function armsOf(cases: readonly LoggedCase[]): string[] {
  return [...new Set(cases.flatMap(({ steps }) => steps.flatMap(({ arms }) => arms.map(({ id }) => id))))].sort()
}

/**
 * Returns the choices as rows for off-policy estimates of another policy: what each earned, the chance it had, and the
 * chance that the policy would have given every arm. A choice that could have been nothing else is left out, since it
 * says nothing about the others.
 *
 * @param isAhead whether a choice earned what came after it in its case, too, as it was logged: for policies that plan
 *   retries, a cheap first try is worth what the dear one after it gives
 */
export function rowsOf(
  cases: readonly LoggedCase[],
  arms: readonly string[],
  price: number,
  target: (one: { features: Features; refused: readonly string[] }) => ArrayLike<number>,
  isAhead = false,
): LoggedChoice[] {
  return cases.flatMap(({ features, steps }) =>
    steps.flatMap((step, index): LoggedChoice[] => {
      const arm = arms.indexOf(step.arm)
      if (arm < 0 || step.propensity === 1) return []
      const refused = steps.slice(0, index).map((before) => before.arm)
      const group = groupsOf(features).at(-1)
      return [
        {
          arm,
          reward: rewardOfSteps(isAhead ? steps.slice(index) : [step], price),
          propensity: step.propensity,
          target: target({ features, refused }),
          ...(group === undefined ? {} : { group }),
        },
      ]
    }),
  )
}

/** Returns a policy's chances in the order of other arms; what it does not know gets none. @throws VT_ROUTER_ARMS */
export function chancesFor(
  policy: RouterPolicy,
  arms: readonly string[],
  one: { features: Features; refused: readonly string[] },
  random: Random,
): Float64Array {
  const chances = policy.propensities(one, random)
  const known = Float64Array.from(arms, (arm) => chances[policy.arms.indexOf(arm)] ?? 0)
  const total = known.reduce((sum, chance) => sum + chance, 0)
  if (total > 1e-9) return known.map((chance) => chance / total)
  const open = arms.filter((arm) => policy.arms.includes(arm))
  if (open.length > 0) return Float64Array.from(arms, (arm) => (open.includes(arm) ? 1 / open.length : 0))
  throw new ValuetrainError('VT_ROUTER_ARMS', `the router knows ${policy.arms.join(', ')} and none of ${arms.join(', ')}`, {
    kind: 'config',
    hint: 'name its arms in router.arms, or train it on a table or a log that has yours',
  })
}

/**
 * Returns how a canary stands: one outcome a ticket, the reward of all its choices brought to [0, 1].
 *
 * @param policy on trial, as the log names it
 */
export function canaryReport(cases: readonly LoggedCase[], policy: string, share: number, price: number): CanaryReport {
  const canary = new Canary({ share })
  const tickets = new Map<string, LoggedStep[]>()
  for (const { ticket, steps } of cases) {
    const own = steps.filter((step) => step.canary?.policy === policy && step.canary.share === share)
    if (own.length > 0) tickets.set(ticket, [...(tickets.get(ticket) ?? []), ...own])
  }
  for (const steps of tickets.values()) {
    const lane = steps[0]?.canary?.lane ?? 'champion'
    const solved = steps.every(({ passed, resolved }) => !passed || resolved) && steps.at(-1)?.resolved === true
    const usd = steps.reduce((sum, step) => sum + step.usd, 0)
    canary.add(lane, Math.min(1, Math.max(0, (1 + (solved ? 1 : 0) - price * usd) / 2)))
  }
  return canary.report()
}
