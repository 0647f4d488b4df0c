import type { Clock } from '../../core/clock.ts'
import type { PolicyModel } from '../types.ts'
import type { ArtifactStore } from './artifact.ts'
import type { Backends } from './backends.ts'
import type { TrainConfig } from './config.ts'
import { RUN_DIGITS, type RunInputs, runHash, runInputs } from './identity.ts'
import type { Listener } from './journal.ts'
import { dataDigests, openProblem, type Problem, type Surroundings } from './problem.ts'
import type { RunState } from './state.ts'

/** The policy a run is compared with. */
export interface Champion {
  run: string
  version: string
  model: PolicyModel
}

/** What stands beside a run and is not hashed. */
export interface Provenance {
  /** Commit the run started from; null where there is none. */
  commit: string | null
  /** Whether something outside `.valuetrain` was not committed. */
  dirty: boolean
  /** File or recipe the configuration is from. */
  source: string
}

/** Everything a run is given. */
export interface RunOrder extends Surroundings {
  config: TrainConfig
  stateDir: string
  /** For files that are too large for the tree. */
  store?: ArtifactStore | undefined
  backends: Backends
  champion: Champion | undefined
  provenance: Provenance
  clock: Clock
  /** Stops the run at a checkpoint, from which it can go on. */
  signal: AbortSignal
  onProgress: (progress: Progress) => void
  onEvent?: Listener
  /** The run that is to go on, where one was named: no other is begun in its stead. */
  resumes?: string | undefined
}

/** Where a run is; for a live line and for programs. */
export interface Progress {
  run: string
  state: RunState
  seed: number
  /** Steps of all learners, done and wanted. */
  steps: number
  totalSteps: number
  /** Of this process; 0 before there is a rate. */
  stepsPerSecond: number
  /** Milliseconds to the end; undefined before there is a rate. */
  etaMs: number | undefined
  usd: number
  returnMean: number | undefined
}

/** A configuration with everything its hash is made from. */
export interface PreparedRun {
  /** The first digits of the hash. */
  id: string
  hash: string
  inputs: RunInputs
  problem: Problem
}

/** Returns a configuration's hash and problem; nothing is trained. */
export async function prepareRun(
  config: TrainConfig,
  surroundings: Surroundings,
  given: { champion: string | null; arithmetic: string },
): Promise<PreparedRun> {
  const problem = await openProblem(config, surroundings)
  const data = await dataDigests(surroundings.root, config.data)
  const inputs = runInputs(config, { environment: problem.identity, data, ...given })
  const hash = runHash(inputs)
  return { id: hash.slice(0, RUN_DIGITS), hash, inputs, problem }
}

/** Thrown where a run can go on from, when its order's signal has aborted. */
export class RunStopped extends Error {
  readonly steps: number

  constructor(steps: number) {
    super(`the run was stopped at ${steps} steps`)
    this.steps = steps
  }
}
