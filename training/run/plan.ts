/** What a run would do, said before anything is spent. */
import type { Clock } from '../../core/clock.ts'
import { detectableDifference, detectableMeanDifference } from '../stats/index.ts'
import type { Backends } from './backends.ts'
import type { TrainConfig } from './config.ts'
import { TRAINING_FOLDER } from './folder.ts'
import { seedsOf } from './identity.ts'
import { openLearner } from './learner.ts'
import type { PreparedRun } from './order.ts'
import { rulesOf } from './verdict.ts'

export interface RunPlan {
  run: string
  policy: string
  algorithm: string
  environment: string
  backend: string
  seeds: number[]
  /** At most, where a learner may end earlier. */
  steps: number
  /** When a learner ends before its last step; null where it never does. */
  endsEarly: string | null
  /** Measured just now on this configuration. */
  stepsPerSecond: number
  seconds: number
  usd: number
  /** Episodes of the candidate, all learners together. */
  episodes: number
  rules: readonly { rule: string }[]
  champion: string | null
  /** What the suite can tell, two-sided 5 %, 80 % power. */
  detects: { standardDeviations: number; points: { discordant: number; points: number }[] }
  writes: string[]
}

/** Milliseconds spent on finding out the rate. */
const PROBE_MS = 300

/** Returns the plan of a run. A learner is opened and stepped for a moment to know its rate, then thrown away. */
export async function planRun(
  config: TrainConfig,
  { id, problem }: PreparedRun,
  given: { backends: Backends; champion: string | null; clock: Clock },
): Promise<RunPlan> {
  const rate = await rateOf(config, problem, given)
  const steps = config.settings.totalSteps * config.seeds
  const seconds = steps / rate
  const { episodes } = config.evaluation
  const rules = rulesOf(config, problem.spec, given.champion !== null)
  return {
    run: id,
    policy: config.name,
    algorithm: config.algorithm,
    environment: problem.spec.id,
    backend: given.backends.reason,
    seeds: seedsOf(config),
    steps,
    endsEarly: endsEarly(config.evaluation),
    stepsPerSecond: Math.round(rate),
    seconds,
    usd: (seconds / 3600) * config.limits.usdPerHour,
    episodes: episodes * config.seeds,
    rules,
    champion: given.champion,
    detects: {
      standardDeviations: detectableMeanDifference(episodes, 1),
      points: [0.05, 0.1, 0.2, 0.3].map((discordant) => ({
        discordant,
        points: 100 * detectableDifference(episodes, discordant),
      })),
    },
    writes: [
      'run.yaml',
      'metrics.jsonl',
      'events.jsonl',
      'eval.json',
      'verdict.json',
      'REPORT.md',
      'policy.safetensors',
      'model.json',
    ].map((name) => `${TRAINING_FOLDER}/${id}/${name}`),
  }
}

function endsEarly({ stopAt, patience }: TrainConfig['evaluation']): string | null {
  const rules = [
    ...(stopAt === undefined ? [] : [`at a held-out mean of ${stopAt}`]),
    ...(patience === undefined ? [] : [`after ${patience} ${patience === 1 ? 'look' : 'looks'} without a better one`]),
  ]
  return rules.length === 0 ? null : rules.join(' or ')
}

async function rateOf(
  config: TrainConfig,
  problem: PreparedRun['problem'],
  { backends, clock }: { backends: Backends; clock: Clock },
) {
  const environment = await problem.vector(config.settings.environments)
  try {
    const learner = openLearner(config, environment, await backends.open(), config.seed)
    // The first step pays for starting; the rate is that of the steps after it.
    await learner.step()
    const [began, first] = [clock.monotonic(), learner.steps]
    do await learner.step()
    while (clock.monotonic() - began < PROBE_MS && !learner.done)
    return (1000 * (learner.steps - first)) / Math.max(1, clock.monotonic() - began)
  } finally {
    await environment.close()
  }
}
