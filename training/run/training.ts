import { openWatch } from '../errors/watch.ts'
import { evaluate, meanScore } from '../evaluate.ts'
import type { Learner, PolicyModel } from '../types.ts'
import { type EarlyStop, earlyStop, stopsEarly } from './early-stop.ts'
import type { Journal, MetricRow } from './journal.ts'
import { openLearner } from './learner.ts'
import type { Meter } from './meter.ts'
import { type PreparedRun, type RunOrder, RunStopped } from './order.ts'

/** A learner that is done, or has stopped before. */
export interface TrainedPolicy {
  seed: number
  model: PolicyModel
  /** As it was before the first step. */
  untrained: PolicyModel
  rows: MetricRow[]
  /** Undefined for one that learned to its end. */
  stopped: EarlyStop | undefined
}

/** Held-out episodes watched during training; more where they decide which policy is kept, or when a learner stops. */
const WATCHED_EPISODES = { watched: 20, deciding: 100 }

/**
 * Trains one learner to its end, or to where its configuration says that it has learned enough, from its last checkpoint where it has one.
 *
 * @throws RunStopped after a checkpoint when the signal has aborted; VT_RUN_BUDGET likewise; whatever the learner throws
 */
export async function trainSeed(
  { config, signal, backends }: RunOrder,
  { problem, id }: PreparedRun,
  journal: Journal,
  meter: Meter,
  seed: number,
): Promise<TrainedPolicy> {
  const { evaluation, settings, checkpointSteps } = config
  const environment = await problem.vector(settings.environments)
  try {
    const learner = openLearner(config, environment, await backends.open(), seed)
    const untrained = learner.model()
    const saved = await journal.load(seed, (state) => learner.restore(state))
    const rows = saved?.rows ?? []
    const watch = openWatch(config, problem.spec)
    for (const row of rows) watch(row)
    const every = checkpointSteps ?? Math.max(1, Math.ceil(settings.totalSteps / 10))
    let unsaved: MetricRow[] = []
    let savedAt = learner.steps
    let best = saved?.best
    let stopped = learner.done ? undefined : earlyStop(evaluation, rows)
    const deciding = evaluation.keep === 'best' || stopsEarly(evaluation)
    await meter.tick('running', seed, learner.steps)
    while (!learner.done && stopped === undefined) {
      const before = learner.steps
      const metrics = await learner.step()
      if (isDue(evaluation.everySteps, before, learner)) {
        // Episodes of their own: what is watched during training is not what the verdict rests on.
        const episodes = Math.min(WATCHED_EPISODES[deciding ? 'deciding' : 'watched'], evaluation.episodes)
        const held = { open: problem.open, episodes, seed: evaluation.seed + 1_000_003 }
        const model = learner.model()
        const score = meanScore(await evaluate(model, held, { greedy: evaluation.greedy }))
        metrics.heldout_return_mean = score
        // Of equals the later one: it has learned for longer.
        if (evaluation.keep === 'best' && score >= (best?.score ?? Number.NEGATIVE_INFINITY)) best = { score, model }
      }
      const row = { seed, steps: learner.steps, metrics }
      rows.push(row)
      unsaved.push(row)
      for (const anomaly of watch(row)) await journal.note('anomaly', { run: id, seed, steps: row.steps, ...anomaly })
      await meter.tick('running', seed, learner.steps, metrics.return_mean)
      stopped = learner.done ? undefined : earlyStop(evaluation, rows)
      if (stopped !== undefined) await journal.note('note', { run: id, what: 'stopped early', ...stopped })
      const over = meter.overBudget()
      const ended = learner.done || stopped !== undefined
      if (signal.aborted || over !== undefined || ended || learner.steps - savedAt >= every) {
        await journal.save(seed, learner.state(), unsaved, best)
        savedAt = learner.steps
        unsaved = []
      }
      if (ended) break
      if (over !== undefined) throw over
      if (signal.aborted) throw new RunStopped(learner.steps)
    }
    return { seed, model: best?.model ?? learner.model(), untrained, rows, stopped }
  } finally {
    await environment.close()
  }
}

/** By steps alone, so that a run that was stopped looks at the same moments. */
function isDue(everySteps: number | null, before: number, { steps, done }: Learner): boolean {
  return everySteps !== null && (done || Math.floor(steps / everySteps) > Math.floor(before / everySteps))
}
