/** One interface for everything that routes, whatever it learned by: chances of the candidates, learning, state. */
import * as z from 'zod'
import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { type Bandit, mixIn } from '../bandit/bandit.ts'
import { type LinearOptions, LinThompson, LinUcb, LogisticThompson } from '../bandit/linear.ts'
import { softmax } from '../nn/loss.ts'
import { OptimiserSetting } from '../nn/optimiser-setting.ts'
import { largest, openScorer } from '../nn/policy.ts'
import type { PolicyModel, Random } from '../types.ts'
import { Cascade } from './cascade.ts'
import { ChoiceRouter } from './choice.ts'
import { contextOf, type Features, vectorOf } from './features.ts'
import { PERFECT_GATE, requireRates } from './gate.ts'

/** How a router can learn. */
export const ROUTER_KINDS = ['thompson', 'linucb', 'lints', 'logistic', 'cascade', 'clone', 'cql'] as const
export type RouterKind = (typeof ROUTER_KINDS)[number]

/** The arm that stands for a person: the end of every cascade. */
export const HAND_OVER = 'hand-over'

/** A case to choose an arm for. */
export interface RoutingCase {
  features: Features
  /** Arms whose work the gate has refused on this case. */
  refused: readonly string[]
}

/** One arm tried on a case. */
export interface RoutedStep {
  arm: string
  /** Whether the gate let it pass. */
  passed: boolean
  /** Whether it was right, as far as is known by now. */
  resolved: boolean
  usd: number
}

export interface RouterPolicy {
  readonly kind: RouterKind
  /** Candidates, handing over included where the policy knows it. */
  readonly arms: readonly string[]
  /** Returns the chance of each arm; what was refused has none while there is another. */
  propensities(one: RoutingCase, random: Random): Float64Array
  /** Takes what happened on one case. @throws VT_ROUTER_FROZEN for a policy that was learned offline */
  learn(features: Features, steps: readonly RoutedStep[]): void
  state(): Json
  restore(state: Json): void
}

const share = z.number().min(0).max(1)
const mix = share.default(0.01)

/** Settings by kind, as a configuration gives them. */
export const ROUTER_SETTINGS = {
  thompson: z.strictObject({
    exploration: z.number().min(0).default(0.35),
    discount: z.number().gt(0).max(1).default(1),
    mix: share.default(0.005),
  }),
  linucb: z.strictObject({ alpha: z.number().min(0).default(0.3), ridge: z.number().gt(0).default(1), mix }),
  lints: z.strictObject({ alpha: z.number().min(0).default(0.3), ridge: z.number().gt(0).default(1), mix }),
  logistic: z.strictObject({ alpha: z.number().min(0).default(1), ridge: z.number().gt(0).default(1), mix }),
  cascade: z.strictObject({
    // Above 0, since the untrained cascade that a learned one is judged against would else take the arms as they are listed.
    exploration: z.number().min(0).default(0),
    handOver: z.number().min(0).max(1).default(0),
    budget: z
      .strictObject({ usd: z.number().gt(0), issues: z.int().min(1) })
      .nullable()
      .default(null),
    mix,
  }),
  clone: z.strictObject({
    hidden: z.array(z.int().min(1)).min(1).default([32]),
    updates: z.int().min(1).default(1500),
    batch: z.int().min(1).max(4096).default(64),
    rate: z.number().gt(0).lt(1).default(0.002),
    optimiser: OptimiserSetting.optional(),
    mix,
  }),
  cql: z.strictObject({
    hidden: z.array(z.int().min(1)).min(1).default([32]),
    updates: z.int().min(1).default(1500),
    batch: z.int().min(1).max(4096).default(64),
    rate: z.number().gt(0).lt(1).default(0.002),
    optimiser: OptimiserSetting.optional(),
    gamma: z.number().min(0).lt(1).default(0.99),
    caution: z.number().min(0).default(1),
    mix: share.default(0.05),
  }),
} as const

/** Everything a router is made from before it learned anything. */
export interface RouterSpec {
  kind: RouterKind
  arms: readonly string[]
  /** Names of the features it reads, in order. */
  features: readonly string[]
  /** What a dollar counts for, in solved issues. */
  price: number
  gate?: { falsePass: number; falseFail: number }
  settings: Readonly<Record<string, unknown>>
}

/** Returns a router at its beginning. @param network of `clone` and `cql`, which learn elsewhere */
export function openRouter(spec: RouterSpec, network?: PolicyModel): RouterPolicy {
  const { kind, arms, features, price, gate = PERFECT_GATE } = spec
  requireRates(gate)
  const common = { arms: arms.length, features: features.length }
  switch (kind) {
    case 'thompson':
      return choosing(spec, new ChoiceRouter({ arms: arms.length, price, ...ROUTER_SETTINGS.thompson.parse(spec.settings) }))
    case 'linucb':
      return linear(spec, (options) => new LinUcb(options), { ...common, ...ROUTER_SETTINGS.linucb.parse(spec.settings) })
    case 'lints':
      return linear(spec, (options) => new LinThompson(options), { ...common, ...ROUTER_SETTINGS.lints.parse(spec.settings) })
    case 'logistic':
      return linear(spec, (options) => new LogisticThompson(options), {
        ...common,
        ...ROUTER_SETTINGS.logistic.parse(spec.settings),
      })
    case 'cascade':
      return cascading(spec, gate)
    default:
      return networked(spec, network)
  }
}

/** Returns solved - price x dollars of what happened on a case; the last arm counts only where the gate let it pass. */
export function rewardOfSteps(steps: readonly RoutedStep[], price: number): number {
  const last = steps.at(-1)
  return (last?.resolved && last.passed ? 1 : 0) - price * steps.reduce((sum, { usd }) => sum + usd, 0)
}

/** Returns the chances with none for refused arms; when all were refused, as they were. */
export function withoutRefused(chances: Float64Array, arms: readonly string[], refused: readonly string[]): Float64Array {
  const open = chances.map((chance, arm) => (refused.includes(arms[arm] as string) ? 0 : chance))
  const total = open.reduce((sum, chance) => sum + chance, 0)
  return total > 1e-9 ? open.map((chance) => chance / total) : chances
}

function choosing({ kind, arms, features: names }: RouterSpec, router: ChoiceRouter): RouterPolicy {
  return {
    kind,
    arms,
    propensities: ({ features, refused }) => withoutRefused(router.propensities(contextOf(features, names)), arms, refused),
    learn(features, steps) {
      for (const { arm, resolved, usd } of steps) router.update(contextOf(features, names), placeOf(arms, arm), { resolved, usd })
    },
    state: () => router.state(),
    restore: (state) => router.restore(state),
  }
}

/**
 * A bandit on one number. A logistic one learns shares, so its reward is brought to [0, 1]; the order of the arms stays,
 * as long as no case costs more than it is worth.
 */
function linear<T extends Bandit>(
  { kind, arms, features: names, price }: RouterSpec,
  open: (options: LinearOptions) => T,
  options: LinearOptions,
): RouterPolicy {
  const bandit = open(options)
  const scaled = (reward: number) => (kind === 'logistic' ? Math.min(1, Math.max(0, (1 + reward) / 2)) : reward)
  return {
    kind,
    arms,
    propensities: ({ features, refused }) => withoutRefused(bandit.propensities(contextOf(features, names)), arms, refused),
    learn(features, steps) {
      for (const { arm, resolved, usd } of steps) {
        bandit.update(contextOf(features, names), placeOf(arms, arm), scaled((resolved ? 1 : 0) - price * usd))
      }
    },
    state: () => bandit.state(),
    restore: (state) => bandit.restore(state),
  }
}

function cascading(
  { kind, arms: all, price, settings }: RouterSpec,
  gate: { falsePass: number; falseFail: number },
): RouterPolicy {
  const arms = all.filter((arm) => arm !== HAND_OVER)
  const { budget, ...rest } = ROUTER_SETTINGS.cascade.parse(settings)
  const cascade = new Cascade({ arms: arms.map((id) => ({ id })), gate, price, ...rest, ...(budget === null ? {} : { budget }) })
  return {
    kind,
    arms: [...arms, HAND_OVER],
    propensities({ refused }, random) {
      let mask = 0
      for (const arm of refused) if (arm !== HAND_OVER && arms.includes(arm)) mask |= 1 << arms.indexOf(arm)
      return cascade.propensities(mask, random)
    },
    learn(_, steps) {
      const tried = steps.filter(({ arm }) => arm !== HAND_OVER)
      cascade.learn({ steps: tried.map(({ arm, passed, usd }) => ({ arm: placeOf(arms, arm), passed, usd })) })
    },
    state: () => cascade.state(),
    restore: (state) => cascade.restore(state),
  }
}

function networked({ kind, arms, features: names, settings }: RouterSpec, network: PolicyModel | undefined): RouterPolicy {
  const scorer = network === undefined ? undefined : openScorer(network, 1)
  const { mix: spread } = ROUTER_SETTINGS[kind as 'clone' | 'cql'].parse(settings)
  return {
    kind,
    arms,
    propensities({ features, refused }) {
      const chances = new Float64Array(arms.length).fill(1 / arms.length)
      if (scorer === undefined) return withoutRefused(chances, arms, refused)
      const scores = scorer.score(observationOf({ features, refused }, names, arms), 1)
      if (kind === 'clone') softmax(scores, 0, arms.length, chances)
      else {
        chances.fill(0)
        chances[largest(scores, 0, arms.length)] = 1
      }
      return withoutRefused(mixIn(chances, spread), arms, refused)
    },
    learn() {
      throw new ValuetrainError('VT_ROUTER_FROZEN', `a router of kind ${kind} learns from a whole log, not from one case`, {
        hint: 'train it again with the new log',
      })
    },
    state: () => null,
    restore() {},
  }
}

/** Returns what a network router sees: its features, then which arms were refused. */
export function observationOf(
  { features, refused }: RoutingCase,
  names: readonly string[],
  arms: readonly string[],
): Float32Array {
  return Float32Array.from([...vectorOf(features, names), ...arms.map((arm) => (refused.includes(arm) ? 1 : 0))])
}

function placeOf(arms: readonly string[], arm: string): number {
  const place = arms.indexOf(arm)
  if (place >= 0) return place
  throw new ValuetrainError('VT_BANDIT_ARM', `there is no arm ${arm}; there are ${arms.join(', ')}`, { kind: 'config' })
}
