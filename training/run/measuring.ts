import { evaluate, evaluateRandom } from '../evaluate.ts'
import type { OutcomeRow, PolicyModel } from '../types.ts'
import type { TrainConfig } from './config.ts'
import type { Meter } from './meter.ts'
import { type PreparedRun, type RunOrder, RunStopped } from './order.ts'
import type { Problem } from './problem.ts'
import type { TrainedPolicy } from './training.ts'
import type { Measured } from './verdict.ts'

/** Returns a policy's rows on a configuration's suite, marked with the seed it was trained with. */
export async function measurePolicy(
  model: PolicyModel,
  { evaluation }: Pick<TrainConfig, 'evaluation'>,
  problem: Problem,
  seed: number,
): Promise<OutcomeRow[]> {
  const { episodes, greedy } = evaluation
  const rows = await evaluate(model, { open: problem.open, episodes, seed: evaluation.seed }, { greedy })
  return rows.map((row) => ({ ...row, seed }))
}

/** Measures every learner, the untrained policy, random actions and the champion, all on the same episodes. */
export async function measureRun(
  { config, champion, signal }: RunOrder,
  { problem }: PreparedRun,
  trained: readonly TrainedPolicy[],
  meter: Meter,
): Promise<Measured> {
  const rowsOf = async (model: PolicyModel, seed: number) => {
    if (signal.aborted) throw new RunStopped(config.settings.totalSteps)
    const rows = await measurePolicy(model, config, problem, seed)
    await meter.tick('evaluating', seed, -1)
    return rows
  }
  const candidate: OutcomeRow[] = []
  for (const { seed, model } of trained) candidate.push(...(await rowsOf(model, seed)))
  const untrained = await rowsOf((trained[0] as TrainedPolicy).untrained, 0)
  const best = champion === undefined ? undefined : await rowsOf(champion.model, 0)
  const { episodes, seed } = config.evaluation
  const random = (await evaluateRandom({ open: problem.open, episodes, seed })).map((row) => ({ ...row, seed: 0 }))
  return { candidate, untrained, random, ...(best === undefined ? {} : { champion: best }) }
}
