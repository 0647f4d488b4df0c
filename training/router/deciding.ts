/** The choice itself: which policy decides at this stage, what it says, and the record of both. */
import type { Config } from '../../core/config.ts'
import type { EventInput } from '../../core/contracts/event.ts'
import { randomFrom } from '../random.ts'
import { CONFIGURATION } from './decisions.ts'
import { type Features, featuresOf } from './features.ts'
import { chancesFor } from './log.ts'
import { HAND_OVER, type RouterPolicy } from './policy.ts'
import { type Lane, laneOf } from './rollout.ts'

/** A promoted router. */
export interface RouterInUse {
  run: string
  version: string
  policy: RouterPolicy
}

/** What `hand-over` of a cascade means as an arm. */
export const PERSON_ARM = 'agent:person'

export interface ChoiceFacts {
  router: Config['router']
  /** The arm that the configuration would take. */
  incumbent: string
  ticket: string
  issue: { number: number; title: string; body: string; labels: readonly string[] }
  phase: { name: string; mode: string }
  attempt: number
  refused: readonly string[]
  champion: RouterInUse | undefined
  challenger: RouterInUse | undefined
  /** Whether the last challenger was withdrawn: what decided beside it goes on, and is not on trial itself. */
  isTrialOver?: boolean
}

/** The policies there are, and whether one of them is on trial. */
export type Contest = Pick<ChoiceFacts, 'champion' | 'challenger' | 'isTrialOver'>

type Routed = Omit<EventInput<'ROUTED'>, 'actor' | 'phase' | 'attempt'>
type Chances = readonly { id: string; propensity: number }[]

/** Returns how the log names a policy. */
export function nameOf(policy: string, { version }: Pick<RouterInUse, 'version'>): string {
  return `${policy}@${version.slice(0, 12)}`
}

/**
 * Returns what is on trial, and what decides where it does not: a challenger against the champion, or the champion
 * against the configuration.
 */
export function contestants({ champion, challenger, isTrialOver }: Contest): {
  trial: RouterInUse | undefined
  before: RouterInUse | undefined
} {
  const isRival = challenger !== undefined && challenger.version !== champion?.version
  if (!isRival && isTrialOver) return { trial: undefined, before: champion }
  return isRival ? { trial: challenger, before: champion } : { trial: champion, before: undefined }
}

/**
 * Chooses an arm for an attempt. The same facts give the same choice: it is drawn by a stream that version, ticket,
 * phase and attempt name, so that anybody can draw it again.
 *
 * @throws VT_ROUTER_ARMS when the policy knows none of the configured arms
 */
export function chooseArm(facts: ChoiceFacts): Routed {
  const { router, issue, phase, attempt, champion } = facts
  const features = featuresOf({
    labels: issue.labels,
    mode: phase.mode,
    title: issue.title,
    body: issue.body,
    attempt,
  })
  const { trial, before } = contestants(facts)
  if (router.stage === 'on') return decided(facts, features, champion ?? trial ?? 'uniform', 'on')
  const old = before ?? 'configuration'
  if (router.stage === 'shadow' || trial === undefined) {
    return {
      ...decided(facts, features, old, router.stage === 'canary' ? 'canary' : 'shadow'),
      ...watchedBy(facts, features, trial),
    }
  }
  const lane: Lane = laneOf(String(issue.number), router.share, trial.version)
  const canary = { policy: nameOf(router.policy, trial), lane, share: router.share }
  if (lane === 'challenger') return { ...decided(facts, features, trial, 'canary'), canary }
  return { ...decided(facts, features, old, 'canary'), canary, ...watchedBy(facts, features, trial) }
}

type Decider = RouterInUse | 'configuration' | 'uniform'

function decided(facts: ChoiceFacts, features: Features, decider: Decider, stage: Routed['stage']): Routed {
  const arms = chancesOf(facts, features, decider)
  const { ticket, phase, attempt, router } = facts
  const policy =
    decider === 'configuration'
      ? CONFIGURATION
      : decider === 'uniform'
        ? `${router.policy}@untrained`
        : nameOf(router.policy, decider)
  const random = randomFrom(`${policy} ${ticket} ${phase.name} ${attempt}`)
  const drawn = random.categorical(arms.map(({ propensity }) => propensity))
  return {
    arms: [...arms],
    chosen: arms[drawn]?.id as string,
    features: { ...features },
    policy,
    ...(stage === undefined ? {} : { stage }),
  }
}

function watchedBy(facts: ChoiceFacts, features: Features, trial: RouterInUse | undefined): Pick<Routed, 'watched'> {
  if (trial === undefined) return {}
  return { watched: { policy: nameOf(facts.router.policy, trial), arms: [...chancesOf(facts, features, trial)] } }
}

function chancesOf({ router, incumbent, refused, ticket, attempt }: ChoiceFacts, features: Features, decider: Decider): Chances {
  if (decider === 'configuration') return [{ id: incumbent, propensity: 1 }]
  const { arms } = router
  if (decider === 'uniform') {
    const open = arms.filter((arm) => !refused.includes(arm))
    const from = open.length === 0 ? arms : open
    return from.map((id) => ({ id, propensity: 1 / from.length }))
  }
  const { policy, version } = decider
  const handsOver = policy.arms.includes(HAND_OVER)
  const candidates = handsOver ? [...arms.filter((arm) => arm !== PERSON_ARM), HAND_OVER] : arms
  const chances = chancesFor(policy, candidates, { features, refused }, randomFrom(`${version} ${ticket} ${attempt} chances`))
  return candidates.map((id, index) => ({ id: id === HAND_OVER ? PERSON_ARM : id, propensity: chances[index] as number }))
}
