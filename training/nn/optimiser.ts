import { ValuetrainError } from '../../core/errors.ts'
import type { Backend } from '../backend/backend.ts'
import type { Tensors } from '../types.ts'
import type { Parameters } from './mlp.ts'

/** What moves parameters along their gradient. */
export interface Optimiser {
  /**
   * Moves the parameters by one step and returns the norm of the gradient as it was before clipping.
   *
   * @param rate step size
   * @param maxNorm the gradient is scaled down to this norm when it is longer; Infinity for never
   * @throws VT_TRAIN_DIVERGED when the gradient is not finite
   */
  step(rate: number, maxNorm: number): number
  tensors(prefix: string): Tensors
  restore(prefix: string, tensors: Tensors): void
}

export interface AdamOptions {
  /** Decay of the running mean of gradients, in [0, 1); default 0.9. */
  beta1?: number
  /** Decay of the running mean of squared gradients, in [0, 1); default 0.999. */
  beta2?: number
  /** Added to the root of the second moment; default 1e-8. */
  epsilon?: number
}

/** Returns Adam over all the given parameters. @see Kingma and Ba 2015, arXiv:1412.6980, algorithm 1 */
export function adamOptimiser(
  backend: Backend,
  { values, gradient }: Parameters,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamOptions = {},
): Optimiser {
  const first = backend.allocate(values.length)
  const second = backend.allocate(values.length)
  /** beta1^t and beta2^t, multiplied up step by step. */
  const decayed = Float64Array.of(1, 1)
  return {
    step(rate, maxNorm) {
      const norm = normOf(backend, gradient)
      decayed[0] = (decayed[0] as number) * beta1
      decayed[1] = (decayed[1] as number) * beta2
      backend.adam(values, gradient, first, second, values.length, {
        rate: rate / (1 - (decayed[0] as number)),
        beta1,
        beta2,
        epsilon,
        root: 1 / Math.sqrt(1 - (decayed[1] as number)),
        scale: scaleFor(norm, maxNorm),
      })
      return norm
    },
    tensors: (prefix) => ({
      [`${prefix}.first`]: first.slice(),
      [`${prefix}.second`]: second.slice(),
      [`${prefix}.decayed`]: decayed.slice(),
    }),
    restore(prefix, tensors) {
      put(tensors, `${prefix}.first`, first)
      put(tensors, `${prefix}.second`, second)
      put(tensors, `${prefix}.decayed`, decayed)
    },
  }
}

/** Returns plain stochastic gradient descent over all the given parameters. */
export function sgdOptimiser(backend: Backend, { values, gradient }: Parameters): Optimiser {
  return {
    step(rate, maxNorm) {
      const norm = normOf(backend, gradient)
      backend.sgd(values, gradient, values.length, rate, scaleFor(norm, maxNorm))
      return norm
    },
    tensors: () => ({}),
    restore: () => {},
  }
}

/**
 * Copies a saved array into the one it was saved from.
 *
 * @throws VT_CHECKPOINT_FOREIGN when there is none of this name, or of another type or length
 */
export function put(tensors: Tensors, name: string, into: Float32Array | Float64Array | Uint32Array): void {
  const saved = tensors[name]
  if (saved === undefined || saved.length !== into.length || saved.constructor !== into.constructor) {
    const found = saved === undefined ? 'is missing' : `has ${saved.length} elements of ${saved.constructor.name}`
    throw new ValuetrainError(
      'VT_CHECKPOINT_FOREIGN',
      `the checkpoint's ${name} ${found}, where ${into.length} of ${into.constructor.name} are needed`,
      { hint: 'It was written by another configuration; resume with that one, or start anew.' },
    )
  }
  into.set(saved as never)
}

function normOf(backend: Backend, gradient: Float32Array): number {
  const norm = Math.sqrt(backend.sumOfSquares(gradient, gradient.length))
  if (!Number.isFinite(norm)) throw diverged('the gradient', norm)
  return norm
}

function scaleFor(norm: number, maxNorm: number): number {
  return norm > maxNorm ? maxNorm / norm : 1
}

/** Returns the error of a run that has left the numbers. */
export function diverged(what: string, value: number): ValuetrainError {
  return new ValuetrainError('VT_TRAIN_DIVERGED', `${what} became ${value}`, {
    kind: 'user',
    hint: 'Halve the learning rate, clip rewards, or go back to the last good checkpoint.',
    details: { what, value: String(value) },
  })
}
