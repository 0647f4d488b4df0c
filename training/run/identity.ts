/** What a run is a pure function of, and the hash over it. */
import { digestOf } from '../../core/canonical.ts'
import { KERNEL_DIGEST } from '../backend/kernels.generated.ts'
import type { TrainConfig } from './config.ts'

/** Raised by every change of the engine that can move a number of a run. */
export const ENGINE_VERSION = 2

/** All that decides a run's bytes. The commit is not part of it; it stands beside, as provenance. */
export interface RunInputs {
  engine: number
  /** SHA-256 of the compute kernels. */
  kernels: string
  /** `exact` for the backends that give equal bits, else the library that computes. */
  arithmetic: string
  /** Name of the policy it may become: two names never share a run. */
  policy: string
  algorithm: string
  settings: Record<string, unknown>
  environment: unknown
  evaluation: TrainConfig['evaluation']
  rules: unknown
  seeds: number[]
  /** SHA-256 by repository path. */
  data: Record<string, string>
  /** Version of the policy it is compared with; null where there is none. */
  champion: string | null
}

/** Returns a run's inputs. What people say about it, limits and checkpoints are not among them: they move no byte. */
export function runInputs(
  config: TrainConfig,
  given: { environment: unknown; data: Record<string, string>; champion: string | null; arithmetic?: string },
): RunInputs {
  return {
    engine: ENGINE_VERSION,
    kernels: KERNEL_DIGEST,
    arithmetic: given.arithmetic ?? 'exact',
    policy: config.name,
    algorithm: config.algorithm,
    settings: { ...config.settings },
    environment: given.environment,
    evaluation: config.evaluation,
    rules: config.rules,
    seeds: seedsOf(config),
    data: given.data,
    champion: given.champion,
  }
}

/** Returns a run's hash, 64 hex digits; its folder is named by the first twelve. */
export function runHash(inputs: RunInputs): string {
  return digestOf(inputs)
}

/** Digits of the hash that name a run. */
export const RUN_DIGITS = 12

/** Returns the seeds of a configuration's learners. */
export function seedsOf({ seed, seeds }: Pick<TrainConfig, 'seed' | 'seeds'>): number[] {
  return Array.from({ length: seeds }, (_, index) => seed + index)
}
