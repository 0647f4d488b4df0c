import { ValuetrainError } from '../../core/errors.ts'
import { checkTrainConfig, type TrainConfig } from '../run/config.ts'
import { entryOf, type Fix } from './catalogue.ts'

/** What went wrong with a run, for people and for `--fix`. */
export interface Diagnosis {
  code: string
  title: string
  cause: string
  /** What it was seen by: the error's own sentence, and what had been noticed before it. */
  evidence: string[]
  /** Best first. */
  fixes: Fix[]
}

/** Codes of errors that learners, environments and the disk throw, and what they mean in the catalogue. */
const MEANINGS: Readonly<Record<string, string>> = {
  VT_TRAIN_DIVERGED: 'T101',
  VT_ENV_REWARD: 'T104',
  VT_BACKEND_MEMORY: 'T201',
  ERR_MEMORY_ALLOCATION_FAILED: 'T201',
  VT_ENV_TIMEOUT: 'T203',
  VT_DATA_MISSING: 'T301',
  VT_DATA_FORMAT: 'T301',
  VT_GPU_MEMORY: 'T202',
  VT_GPU_AUTH: 'T401',
  VT_GPU_CAPACITY: 'T402',
  VT_GPU_QUOTA: 'T403',
  VT_GPU_LOST: 'T404',
  VT_GPU_STRAY: 'T405',
  VT_RUN_BUDGET: 'T406',
  VT_EVAL_FLAKY: 'T502',
  VT_RUN_NOT_REPRODUCED: 'T701',
}

/**
 * Returns what an error of a run means, or undefined for one that the catalogue does not know.
 *
 * @param anomalies events of the run that noted something odd
 */
export function diagnose(
  error: unknown,
  config: TrainConfig,
  anomalies: readonly Readonly<Record<string, unknown>>[],
): Diagnosis | undefined {
  const code = codeOf(error)
  if (code === undefined) return undefined
  const noticed = anomalies.map(({ evidence, seed, steps }) => `seed ${seed}, step ${steps}: ${evidence}`)
  return diagnosisOf(code, config, [(error as Error).message, ...noticed], true)
}

/** Returns an error with the code and the title that the catalogue has for it in front of its message. */
export function named(error: unknown): unknown {
  const entry = entryOf(codeOf(error) ?? '')
  if (entry === undefined || !(error instanceof ValuetrainError) || error.message.includes(entry.code)) return error
  const { code, kind, hint, details } = error
  const told = { kind, details: { ...details, diagnosis: entry.code }, cause: error, ...(hint === undefined ? {} : { hint }) }
  return new ValuetrainError(code as `VT_${string}`, `${entry.code} ${entry.title}: ${error.message}`, told)
}

/**
 * Returns the diagnosis of a code of the catalogue; undefined for another one.
 *
 * @param thrown whether it ended the run
 */
export function diagnosisOf(code: string, config: TrainConfig, evidence: string[], thrown = false): Diagnosis | undefined {
  const entry = entryOf(code)
  if (entry === undefined) return undefined
  const fixes = entry.fixes(config, thrown).filter(({ patch }) => isSound(config, patch))
  return { code, title: entry.title, cause: entry.cause, evidence, fixes }
}

/** What a change leaves has to be a configuration: half of a batch may divide no rollout. */
function isSound(config: TrainConfig, patch: Fix['patch']): boolean {
  const changed = structuredClone(config) as unknown as Record<string, unknown>
  for (const [key, value] of Object.entries(patch)) {
    const steps = key.split('.')
    const last = steps.pop() as string
    let place = changed
    for (const step of steps) place = place[step] as Record<string, unknown>
    place[last] = value
  }
  try {
    checkTrainConfig(changed, 'the fix')
    return true
  } catch {
    return false
  }
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof ValuetrainError) {
    // A program that ends by itself says why; one that was killed cannot, and memory is what kills unasked.
    if (error.code === 'VT_ENV_PROCESS' && error.details.signal === 'SIGKILL') return 'T201'
    return MEANINGS[error.code]
  }
  if (error instanceof RangeError && /allocation/i.test(error.message)) return 'T201'
  return MEANINGS[(error as { code?: string } | undefined)?.code ?? '']
}
