import { openWatch } from '../errors/watch.ts'
import type { PolicyModel } from '../types.ts'
import { type EarlyStop, earlyStop } from './early-stop.ts'
import type { Journal, MetricRow } from './journal.ts'
import { openLearner } from './learner.ts'
import { keptAfter, lookAt } from './looking.ts'
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
    const saved = await journal.load(seed, (state) => learner.restore(state), evaluation.keep === 'best')
    const rows = saved?.rows ?? []
    const watch = openWatch(config, problem.spec)
    for (const row of rows) watch(row)
    const every = checkpointSteps ?? Math.max(1, Math.ceil(settings.totalSteps / 10))
    let unsaved: MetricRow[] = []
    let savedAt = learner.steps
    let best = saved?.best
    let stopped = learner.done ? undefined : earlyStop(evaluation, rows)
    if (stopped !== undefined) meter.ended(seed, stopped.steps)
    await meter.tick('running', seed, learner.steps)
    while (!learner.done && stopped === undefined) {
      const before = learner.steps
      const metrics = await learner.step()
      const look = await lookAt(learner, before, config, problem)
      if (look !== undefined) {
        metrics.heldout_return_mean = look.score
        best = keptAfter(best, look, evaluation)
      }
      const row = { seed, steps: learner.steps, metrics }
      rows.push(row)
      unsaved.push(row)
      for (const anomaly of watch(row)) await journal.note('anomaly', { run: id, seed, steps: row.steps, ...anomaly })
      await meter.tick('running', seed, learner.steps, metrics.return_mean)
      stopped = learner.done ? undefined : earlyStop(evaluation, rows)
      if (stopped !== undefined) {
        meter.ended(seed, stopped.steps)
        await journal.note('note', { run: id, what: 'stopped early', ...stopped })
      }
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
