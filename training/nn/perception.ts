/** From what an environment says to what networks see: as it is, by running statistics, or by the bounds of the space. */
import { ValuetrainError } from '../../core/errors.ts'
import type { BoxSpace, Normaliser, Tensors } from '../types.ts'
import { normalise, RunningMoments } from './normalise.ts'

export interface Perception {
  /** Returns rows as the networks see them, in an array of their own. @param learn whether they enter the statistics */
  see(raw: Float32Array, learn: boolean): Float32Array
  /** Returns how it is done, for the model; undefined where nothing is. */
  normaliser(): Normaliser | undefined
  tensors(): Tensors
  restore(tensors: Tensors): void
}

const RUNNING = { epsilon: 1e-8, clip: 10 }

/** Networks see what the environment says. */
export function plainSight(): Perception {
  return { see: (raw) => raw.slice(), normaliser: () => undefined, tensors: () => ({}), restore: () => {} }
}

/** Zero mean and unit spread, by what was seen so far. */
export function runningSight(width: number): Perception {
  const moments = new RunningMoments(width)
  const normaliser = { mean: moments.mean, variance: moments.variance, ...RUNNING }
  return {
    see(raw, learn) {
      const rows = raw.length / width
      if (learn) moments.update(raw, rows)
      const out = new Float32Array(raw.length)
      normalise(normaliser, raw, rows, out)
      return out
    },
    normaliser: () => ({ ...normaliser, mean: moments.mean.slice(), variance: moments.variance.slice() }),
    tensors: () => moments.tensors('observations'),
    restore: (tensors) => moments.restore('observations', tensors),
  }
}

/**
 * The space's bounds become -1 and 1: nothing to learn, nothing to save.
 *
 * @throws VT_TRAIN_CONFIG when an element of the space is unbounded
 */
export function boundedSight({ low, high }: BoxSpace, environment: string): Perception {
  const open = low.findIndex((value, n) => !Number.isFinite(value) || !Number.isFinite(high[n]))
  if (open >= 0) {
    throw new ValuetrainError(
      'VT_TRAIN_CONFIG',
      `scaleObservations needs bounds, and element ${open} of ${environment} has none`,
      {
        kind: 'config',
        hint: 'Set scaleObservations to false.',
        details: { key: 'scaleObservations' },
      },
    )
  }
  const halves = Float64Array.from(low, (value, n) => ((high[n] as number) - value) / 2)
  const normaliser: Normaliser = {
    mean: Float64Array.from(low, (value, n) => (value + (high[n] as number)) / 2),
    variance: halves.map((half) => half * half),
    epsilon: 0,
    clip: 1,
  }
  return {
    see(raw) {
      const out = new Float32Array(raw.length)
      normalise(normaliser, raw, raw.length / low.length, out)
      return out
    },
    normaliser: () => normaliser,
    tensors: () => ({}),
    restore: () => {},
  }
}
