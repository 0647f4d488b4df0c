/** Looks at a learner on its way, on episodes that nobody trains on and that no verdict rests on. */
import { evaluate, meanScore } from '../evaluate.ts'
import type { Learner } from '../types.ts'
import type { TrainConfig } from './config.ts'
import { stopsEarly } from './early-stop.ts'
import type { BestPolicy } from './journal.ts'
import type { Problem } from './problem.ts'

/** Episodes of a look; more where they decide which policy is kept, or when a learner stops. */
const EPISODES = { watched: 20, deciding: 100 }
/** Added to the seed of the verdict's episodes, so that these are others. */
const APART = 1_000_003

/** Returns whether looks decide what becomes of a learner, and are not for its curve alone. */
export function looksDecide(evaluation: TrainConfig['evaluation']): boolean {
  return evaluation.keep === 'best' || stopsEarly(evaluation)
}

/**
 * Returns what a learner does by now, where its configuration wants it looked at after this step.
 *
 * @param before steps it had done before this one
 */
export async function lookAt(
  learner: Learner,
  before: number,
  { evaluation }: Pick<TrainConfig, 'evaluation'>,
  problem: Problem,
): Promise<BestPolicy | undefined> {
  if (!isDue(evaluation.everySteps, before, learner)) return undefined
  const episodes = Math.min(EPISODES[looksDecide(evaluation) ? 'deciding' : 'watched'], evaluation.episodes)
  const model = learner.model()
  const suite = { open: problem.open, episodes, seed: evaluation.seed + APART }
  return { score: meanScore(await evaluate(model, suite, { greedy: evaluation.greedy })), model }
}

/** Returns the policy to keep after a look; undefined where the last one is kept. Of equals the later one: it has learned for longer. */
export function keptAfter(
  best: BestPolicy | undefined,
  look: BestPolicy,
  { keep }: TrainConfig['evaluation'],
): BestPolicy | undefined {
  if (keep !== 'best') return undefined
  return look.score >= (best?.score ?? Number.NEGATIVE_INFINITY) ? look : best
}

/** By steps alone, so that a run that was stopped looks at the same moments. */
function isDue(everySteps: number | null, before: number, { steps, done }: Learner): boolean {
  return everySteps !== null && (done || Math.floor(steps / everySteps) > Math.floor(before / everySteps))
}
