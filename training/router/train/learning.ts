/** Learners at work: one pass over the cases, seeing only what the chosen arm gave. */
import { configDigest, requireOwn } from '../../algo/learner.ts'
import { put } from '../../nn/optimiser.ts'
import { cloneBehaviour } from '../../offline/clone.ts'
import { learnConservatively } from '../../offline/cql.ts'
import { datasetOf, type OfflineDataset, type RecordedStep } from '../../offline/dataset.ts'
import { randomFrom } from '../../random.ts'
import type { Metrics, PolicyModel, Random, TrainingState } from '../../types.ts'
import { type GateRates, gateSays } from '../gate.ts'
import type { LoggedCase } from '../log.ts'
import type { RouterModel } from '../model-file.ts'
import {
  HAND_OVER,
  observationOf,
  openRouter,
  type RoutedStep,
  type RouterPolicy,
  type RouterSpec,
  rewardOfSteps,
} from '../policy.ts'
import type { OutcomeTableRow } from '../table.ts'
import { escalates } from './config.ts'
import type { RoutingData, TableCase } from './data.ts'

/** A learner over cases; a checkpoint may stand between any two. */
export interface RoutingLearner {
  readonly steps: number
  readonly totalSteps: number
  step(): Metrics
  model(): RouterModel
  policy(): RouterPolicy
  state(): TrainingState
  restore(state: TrainingState): void
}

/** Returns a learner at its beginning. */
export function openRoutingLearner(data: RoutingData, seed: number): RoutingLearner {
  const { spec } = data
  if (data.from === 'log' && (spec.kind === 'clone' || spec.kind === 'cql')) return openOffline(spec, data.learn, seed)
  const policy = openRouter(spec)
  const random = randomFrom(seed)
  const cases: (TableCase | LoggedCase)[] = [...data.learn]
  // A table has no order of its own that would have to be kept; a log is time.
  if (data.from === 'table') random.split('order').shuffle(cases)
  const config = configDigest(spec.kind, spec, JSON.stringify(data.identity), seed)
  let [steps, reward] = [0, 0]
  return {
    get steps() {
      return steps
    },
    totalSteps: cases.length,
    step() {
      const one = cases[steps] as TableCase | LoggedCase
      const tried = 'steps' in one ? loggedSteps(spec, one) : playCase(policy, one, data.gate, random)
      policy.learn(one.features, tried)
      steps++
      reward += rewardOfSteps(tried, spec.price)
      return { return_mean: reward / steps, usd: tried.reduce((sum, { usd }) => sum + usd, 0), tries: tried.length }
    },
    policy: () => policy,
    model: () => ({ ...spec, arms: policy.arms, state: policy.state() }),
    state: () => ({
      version: 1,
      algorithm: spec.kind,
      config,
      steps,
      tensors: { random: random.state() },
      json: { policy: policy.state(), reward },
    }),
    restore(saved) {
      requireOwn(saved, spec.kind, config)
      const json = saved.json as { policy: RouterModel['state']; reward: number }
      const words = random.state()
      put(saved.tensors, 'random', words)
      random.restore(words)
      policy.restore(json.policy)
      steps = saved.steps
      reward = json.reward
    },
  }
}

/**
 * Returns what a router does with one issue of a table: one arm, or with a cascade arm after arm until the gate lets one
 * pass or it hands over. The truth is in what comes back, and no router looks at it before its case is over.
 */
export function playCase(
  policy: RouterPolicy,
  row: OutcomeTableRow & { features: Readonly<Record<string, number>> },
  gate: GateRates,
  random: Random,
): RoutedStep[] {
  const steps: RoutedStep[] = []
  const many = escalates(policy.kind)
  while (steps.length < row.outcomes.length) {
    const refused = steps.map(({ arm }) => arm)
    const place = random.categorical(policy.propensities({ features: row.features, refused }, random))
    const arm = policy.arms[place] as string
    const outcome = row.outcomes[place]
    if (arm === HAND_OVER || outcome === undefined || refused.includes(arm)) break
    const passed = many ? gateSays(gate, outcome.resolved, random) : true
    steps.push({ arm, passed, resolved: outcome.resolved && passed, usd: outcome.usd })
    if (passed || !many) break
  }
  return steps
}

/** The steps of a logged case that a router can learn from: of its arms, and for a cascade each arm once. */
function loggedSteps({ kind, arms }: RouterSpec, { steps }: LoggedCase): RoutedStep[] {
  const own = steps.filter(({ arm }) => arms.includes(arm))
  if (!escalates(kind)) return own
  const again = own.findIndex(({ arm }, index) => own.slice(0, index).some((before) => before.arm === arm))
  return again < 0 ? own : own.slice(0, again)
}

/** Returns logged cases as recorded steps: what was seen, what was chosen, what it earned. */
export function datasetOfCases(spec: RouterSpec, cases: readonly LoggedCase[]): OfflineDataset {
  const { arms, features: names, price } = spec
  const size = names.length + arms.length
  const space = {
    kind: 'box' as const,
    shape: [size],
    low: Array(size).fill(0),
    high: Array(size).fill(Number.POSITIVE_INFINITY),
  }
  const known = cases.map(({ steps, ...rest }) => ({ ...rest, steps: steps.filter(({ arm }) => arms.includes(arm)) }))
  return datasetOf(
    { id: 'Decisions', observation: space, action: { kind: 'discrete', n: arms.length, names: arms } },
    known.map(({ features, steps }) =>
      steps.map((step, index): RecordedStep => {
        const refused = steps.slice(0, index).map(({ arm }) => arm)
        return {
          observation: observationOf({ features, refused }, names, arms),
          action: arms.indexOf(step.arm),
          reward: rewardOfSteps([step], price),
          next: observationOf({ features, refused: [...refused, step.arm] }, names, arms),
          terminated: index === steps.length - 1,
        }
      }),
    ),
  )
}

/** The offline learners do all their work in one step. */
function openOffline(spec: RouterSpec, cases: readonly LoggedCase[], seed: number): RoutingLearner {
  const config = configDigest(spec.kind, spec, `${cases.length}`, seed)
  const { mix: _, ...settings } = spec.settings as { mix: number }
  let network: PolicyModel | undefined
  let metrics: Metrics = {}
  const learn = () => {
    const learned = (spec.kind === 'clone' ? cloneBehaviour : learnConservatively)(datasetOfCases(spec, cases), {
      ...settings,
      seed,
    })
    network = learned.model
    metrics = learned.metrics
  }
  return {
    get steps() {
      return network === undefined ? 0 : cases.length
    },
    totalSteps: cases.length,
    step() {
      learn()
      return metrics
    },
    policy: () => openRouter(spec, network),
    model: () => ({ ...spec, state: null, ...(network === undefined ? {} : { network }) }),
    state: () => ({
      version: 1,
      algorithm: spec.kind,
      config,
      steps: network === undefined ? 0 : cases.length,
      tensors: {},
      json: null,
    }),
    restore(saved) {
      requireOwn(saved, spec.kind, config)
      // Nothing random outlives a step: learning again from the same log gives the same network.
      if (saved.steps > 0) learn()
    },
  }
}
