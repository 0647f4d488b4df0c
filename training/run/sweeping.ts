/** A sweep over settings of a training configuration, with its results kept so that it goes on where it was stopped. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { digestOf } from '../../core/canonical.ts'
import { checkShape } from '../../core/config.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { appendDurably, writeAtomically } from '../../core/files.ts'
import { parseMapping } from '../../core/frontmatter.ts'
import { Sweep, SweepConfig, type Trial, type TrialResult } from '../sweep/index.ts'
import { ENGINE_VERSION } from './identity.ts'
import { jsonl } from './journal.ts'

const SweepFile = SweepConfig.extend({ config: z.string().min(1).describe('A train.yaml, or the name of a recipe.') })
export type SweepFile = z.infer<typeof SweepFile>

/** Returns what a sweep file says. @throws VT_YAML, VT_CONFIG with the nearest name */
export function parseSweepFile(text: string, file: string): SweepFile {
  return checkShape(SweepFile, parseMapping(text, file), file)
}

/** What is searched: settings of one configuration. */
export interface Searched {
  algorithm: string
  /** Names of all settings there are. */
  settings: readonly string[]
  /** Everything but the sweep itself that a trial's value depends on. */
  identity: Record<string, unknown>
  /** Whether a trial can be looked at after any number of steps; one that cannot is not halved. */
  isStepwise: boolean
  /**
   * Runs one trial as far as the sweep lets it go; undefined when the signal stopped it.
   *
   * @throws what a trial that cannot be, or diverges, throws: it counts as the worst
   */
  run(sweep: Sweep, trial: Trial, signal: AbortSignal): Promise<TrialResult['values'] | undefined>
}

export interface SweepOrder {
  sweep: SweepFile
  searched: Searched
  stateDir: string
  signal: AbortSignal
  onTrial: (result: TrialResult) => void
}

export interface SweepOutcome {
  id: string
  finished: boolean
  /** Trials that an earlier process had done. */
  resumed: number
  /** Points of a grid that were not tried, since there are more than `trials`. */
  leftOut: number
  results: TrialResult[]
  best: (TrialResult & { value: number }) | undefined
}

/**
 * Runs a sweep's trials, `parallel` of them side by side, and returns their results: the same whatever each trial takes
 * and however often it was stopped.
 *
 * @throws VT_SWEEP_CONFIG, VT_SWEEP_SPACE, VT_SWEEP_HALVING, VT_CONFIG when the space names a setting there is not
 */
export async function runSweep({ sweep: file, searched, stateDir, signal, onTrial }: SweepOrder): Promise<SweepOutcome> {
  const { config: _, ...shape } = file
  const sweep = new Sweep(shape)
  for (const name of Object.keys(sweep.space)) {
    if (searched.settings.includes(name)) continue
    throw new ValuetrainError('VT_CONFIG', `space.${name} is no setting of ${searched.algorithm}`, {
      kind: 'config',
      hint: `settings: ${searched.settings.join(', ')}`,
    })
  }
  if (sweep.rungs !== undefined && !searched.isStepwise) {
    throw new ValuetrainError(
      'VT_SWEEP_HALVING',
      `halving stops learners after steps, and ${searched.algorithm} learns in one pass`,
      {
        kind: 'config',
        hint: 'take `halving` out of the sweep; a pass takes moments',
      },
    )
  }
  const id = digestOf({ engine: ENGINE_VERSION, sweep: shape, ...searched.identity }).slice(0, 12)
  const log = join(stateDir, 'training', 'sweeps', `${id}.jsonl`)
  const before = await resultsIn(log)
  sweep.resume(before)
  while (!sweep.done && !signal.aborted) {
    const done = await Promise.all(sweep.ask().map((trial) => runTrial(searched, sweep, trial, signal)))
    for (const result of done) {
      if (result === undefined) continue
      await appendDurably(log, jsonl([result]))
      sweep.tell(result)
      onTrial(result)
    }
  }
  const { done: finished, leftOut } = sweep
  return { id, finished, resumed: before.length, leftOut, results: sweep.results(), best: sweep.best() }
}

async function runTrial(searched: Searched, sweep: Sweep, trial: Trial, signal: AbortSignal): Promise<TrialResult | undefined> {
  const about = { trial: trial.trial, parameters: trial.parameters }
  try {
    const values = await searched.run(sweep, trial, signal)
    return values === undefined ? undefined : { ...about, values }
  } catch (error) {
    // A trial that cannot be, or diverges, is a result: it counts as the worst.
    if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
    return { ...about, values: [], failed: `${error.code}: ${error.message}` }
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
