/** Trials of a sweep over the settings of a policy for an environment. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { evaluate, meanScore } from '../evaluate.ts'
import type { Sweep, Trial, TrialResult } from '../sweep/index.ts'
import type { Backends } from './backends.ts'
import { type TrainConfig, withSettings } from './config.ts'
import { earlyStop } from './early-stop.ts'
import type { BestPolicy, MetricRow } from './journal.ts'
import { openLearner } from './learner.ts'
import { keptAfter, lookAt, looksDecide } from './looking.ts'
import { openProblem, type Problem, type Surroundings } from './problem.ts'
import { SETTINGS } from './settings.ts'
import type { Searched } from './sweeping.ts'

/**
 * Added to the seed of the verdict's episodes: the search looks at its own over and over, so they may not decide what is
 * promoted.
 */
export const SEARCH_SEED = 5_000_011

export interface TrialOrder extends Surroundings {
  config: TrainConfig
  backends: Backends
}

/** Returns what a sweep over a configuration searches. A trial learns, stops and keeps its policy as a run would. */
export function trialsOf(order: TrialOrder): Searched {
  const { config, backends } = order
  return {
    algorithm: config.algorithm,
    settings: Object.keys(SETTINGS[config.algorithm].shape),
    identity: {
      config: { ...config, name: '' },
      arithmetic: backends.arithmetic,
      ...(looksDecide(config.evaluation) ? { looks: 1 } : {}),
    },
    isStepwise: true,
    async run(sweep, trial, signal) {
      const own = withSettings(config, { ...trial.parameters }, `trial ${trial.trial}`)
      return valuesOf({ ...order, config: own }, sweep, trial, signal)
    },
  }
}

async function valuesOf(
  order: TrialOrder,
  sweep: Sweep,
  { trial, seed }: Trial,
  signal: AbortSignal,
): Promise<TrialResult['values'] | undefined> {
  const { config, backends } = order
  const { evaluation, settings } = config
  const problem = await openProblem(config, order)
  const environment = await problem.vector(settings.environments)
  try {
    const learner = openLearner(config, environment, await backends.open(), seed)
    const rows: MetricRow[] = []
    const values: { steps: number; value: number }[] = []
    let best: BestPolicy | undefined
    let isOver = false
    for (const [rung, steps] of (sweep.rungs ?? [settings.totalSteps]).entries()) {
      while (!learner.done && !isOver && learner.steps < steps) {
        if (signal.aborted) return undefined
        const before = learner.steps
        const metrics = await learner.step()
        const look = looksDecide(evaluation) ? await lookAt(learner, before, config, problem) : undefined
        if (look !== undefined) {
          best = keptAfter(best, look, evaluation)
          rows.push({ seed, steps: learner.steps, metrics: { ...metrics, heldout_return_mean: look.score } })
          isOver = earlyStop(evaluation, rows) !== undefined
        }
        await nextTurn()
      }
      // One that has stopped stands at the later rungs as it is, beside those that go on.
      const value = await scoreOf(best?.model ?? learner.model(), config, problem)
      values.push({ steps: sweep.rungs === undefined ? 0 : steps, value })
      if (sweep.goesOn(trial, rung, value) !== true) break
    }
    return values
  } finally {
    await environment.close()
  }
}

async function scoreOf(model: BestPolicy['model'], { evaluation }: TrainConfig, { open }: Problem): Promise<number> {
  const { episodes, greedy } = evaluation
  return meanScore(await evaluate(model, { open, episodes, seed: evaluation.seed + SEARCH_SEED }, { greedy }))
}
