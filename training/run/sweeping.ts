/** A sweep over settings of a training configuration, with its results kept so that it goes on where it was stopped. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as z from 'zod'
import { digestOf } from '../../core/canonical.ts'
import { checkShape } from '../../core/config.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { appendDurably, writeAtomically } from '../../core/files.ts'
import { parseMapping } from '../../core/frontmatter.ts'
import { evaluate, meanScore } from '../evaluate.ts'
import { Sweep, SweepConfig, type Trial, type TrialResult } from '../sweep/index.ts'
import type { Backends } from './backends.ts'
import { type TrainConfig, withSettings } from './config.ts'
import { ENGINE_VERSION } from './identity.ts'
import { jsonl } from './journal.ts'
import { openLearner } from './learner.ts'
import { openProblem, type Surroundings } from './problem.ts'
import { SETTINGS } from './settings.ts'

const SweepFile = SweepConfig.extend({ config: z.string().min(1).describe('A train.yaml, or the name of a recipe.') })
export type SweepFile = z.infer<typeof SweepFile>

/**
 * Apart from the episodes of the verdict: the search looks at these over and over, so they may not decide what is
 * promoted.
 */
const SEARCH_SEED = 5_000_011

/** Returns what a sweep file says. @throws VT_YAML, VT_CONFIG with the nearest name */
export function parseSweepFile(text: string, file: string): SweepFile {
  return checkShape(SweepFile, parseMapping(text, file), file)
}

export interface SweepOrder extends Surroundings {
  sweep: SweepFile
  config: TrainConfig
  backends: Backends
  stateDir: string
  signal: AbortSignal
  onTrial: (result: TrialResult) => void
}

export interface SweepOutcome {
  id: string
  finished: boolean
  /** Trials that an earlier process had done. */
  resumed: number
  results: TrialResult[]
  best: (TrialResult & { value: number }) | undefined
}

/**
 * Runs a sweep's trials, `parallel` of them side by side, and returns their results: the same whatever each trial takes
 * and however often it was stopped.
 *
 * @throws VT_SWEEP_CONFIG, VT_SWEEP_SPACE, VT_CONFIG when the space names a setting there is not
 */
export async function runSweep(order: SweepOrder): Promise<SweepOutcome> {
  const { sweep: file, config, signal, stateDir } = order
  const { config: _, ...shape } = file
  const sweep = new Sweep(shape)
  const known = Object.keys(SETTINGS[config.algorithm].shape)
  for (const name of Object.keys(sweep.space)) {
    if (known.includes(name)) continue
    throw new ValuetrainError('VT_CONFIG', `space.${name} is no setting of ${config.algorithm}`, {
      kind: 'config',
      hint: `settings: ${known.join(', ')}`,
    })
  }
  const id = digestOf({
    engine: ENGINE_VERSION,
    sweep: shape,
    config: { ...config, name: '' },
    arithmetic: order.backends.arithmetic,
  }).slice(0, 12)
  const log = join(stateDir, 'training', 'sweeps', `${id}.jsonl`)
  const before = await resultsIn(log)
  sweep.resume(before)
  while (!sweep.done && !signal.aborted) {
    const done = await Promise.all(sweep.ask().map((trial) => runTrial(order, sweep, trial)))
    for (const result of done) {
      if (result === undefined) continue
      await appendDurably(log, jsonl([result]))
      sweep.tell(result)
      order.onTrial(result)
    }
  }
  return { id, finished: sweep.done, resumed: before.length, results: sweep.results(), best: sweep.best() }
}

async function runTrial(order: SweepOrder, sweep: Sweep, { trial, parameters, seed }: Trial): Promise<TrialResult | undefined> {
  const { signal } = order
  try {
    const config = withSettings(order.config, { ...parameters }, `trial ${trial}`)
    const problem = await openProblem(config, order)
    const environment = await problem.vector(config.settings.environments)
    try {
      const learner = openLearner(config, environment, await order.backends.open(), seed)
      const values: { steps: number; value: number }[] = []
      for (const [rung, steps] of (sweep.rungs ?? [config.settings.totalSteps]).entries()) {
        while (!learner.done && learner.steps < steps) {
          if (signal.aborted) return undefined
          await learner.step()
          await nextTurn()
        }
        const episodes = { open: problem.open, episodes: config.evaluation.episodes, seed: config.evaluation.seed + SEARCH_SEED }
        const value = meanScore(await evaluate(learner.model(), episodes, { greedy: config.evaluation.greedy }))
        values.push({ steps: sweep.rungs === undefined ? 0 : steps, value })
        if (sweep.goesOn(trial, rung, value) !== true) break
      }
      return { trial, parameters, values }
    } finally {
      await environment.close()
    }
  } catch (error) {
    // A trial that cannot be, or diverges, is a result: it counts as the worst.
    if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
    return { trial, parameters, values: [], failed: `${error.code}: ${error.message}` }
  }
}

async function resultsIn(log: string): Promise<TrialResult[]> {
  await mkdir(join(log, '..'), { recursive: true })
  const text = await readFile(log, 'utf8').catch(() => '')
  const whole = text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as TrialResult]
    } catch {
      return []
    }
  })
  if (text !== '' && !text.endsWith('\n')) await writeAtomically(log, jsonl(whole))
  return whole
}
