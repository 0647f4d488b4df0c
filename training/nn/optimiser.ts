/**
 * What moves parameters along their gradient. Adam and plain descent run on the backend's kernels; what the others add is
 * written here once, over the flat parameters, rounded to 32 bits at every step, so that every exact backend gives the
 * same bits.
 */
import { ValuetrainError } from '../../core/errors.ts'
import type { Backend } from '../backend/backend.ts'
import type { Tensors } from '../types.ts'
import type { Parameters } from './mlp.ts'

/** What moves parameters along their gradient. */
export interface Optimiser {
  /** Under which it stands in a checkpoint. */
  readonly kind: OptimiserConfig['kind']
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

export interface AdamWOptions extends AdamOptions {
  /** Share of itself, times the step size, that every parameter loses before each step; default 0.01. */
  weightDecay?: number
}

export interface SgdOptions {
  /** Share of the step before that is taken again, in [0, 1); default 0. */
  momentum?: number
  /** Times the parameter, added to its gradient after clipping; default 0. */
  weightDecay?: number
}

export interface RmspropOptions extends SgdOptions {
  /** Of the running mean of squared gradients, in [0, 1); default 0.99. */
  decay?: number
  /** Added to the root of that mean; default 1e-8. */
  epsilon?: number
}

/** An optimiser by its name, with what of it is not as usual. */
export type OptimiserConfig =
  | ({ kind: 'adam' } & AdamOptions)
  | ({ kind: 'adamw' } & AdamWOptions)
  | ({ kind: 'rmsprop' } & RmspropOptions)
  | ({ kind: 'sgd' } & SgdOptions)

/** What each kind can be told; nothing else is honoured. */
export const OPTIMISER_OPTIONS = {
  adam: ['beta1', 'beta2', 'epsilon'],
  adamw: ['beta1', 'beta2', 'epsilon', 'weightDecay'],
  rmsprop: ['decay', 'epsilon', 'momentum', 'weightDecay'],
  sgd: ['momentum', 'weightDecay'],
} as const satisfies Record<OptimiserConfig['kind'], readonly string[]>

/**
 * Returns the optimiser a configuration names, over all the given parameters.
 *
 * @param usual options of the two Adams that the algorithm has where nobody says otherwise
 */
export function openOptimiser(
  backend: Backend,
  parameters: Parameters,
  config: OptimiserConfig = { kind: 'adam' },
  usual: AdamOptions = {},
): Optimiser {
  switch (config.kind) {
    case 'adam':
      return adamOptimiser(backend, parameters, { ...usual, ...config })
    case 'adamw':
      return adamwOptimiser(backend, parameters, { ...usual, ...config })
    case 'rmsprop':
      return rmspropOptimiser(backend, parameters, config)
    case 'sgd':
      return sgdOptimiser(backend, parameters, config)
  }
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
    kind: 'adam',
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
    ...kept({ first, second, decayed }),
  }
}

/** Returns Adam with decoupled weight decay. @see Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2 */
export function adamwOptimiser(
  backend: Backend,
  parameters: Parameters,
  { weightDecay = 0.01, ...options }: AdamWOptions = {},
): Optimiser {
  const { values } = parameters
  const adam = adamOptimiser(backend, parameters, options)
  return {
    ...adam,
    kind: 'adamw',
    step(rate, maxNorm) {
      const left = fround(1 - rate * weightDecay)
      for (let n = 0; n < values.length; n++) values[n] = (values[n] as number) * left
      return adam.step(rate, maxNorm)
    },
  }
}

/**
 * Returns RMSprop: every gradient is divided by the root of a running mean of its squares, and momentum is of what comes
 * out.
 *
 * @see Tieleman and Hinton 2012, Neural Networks for Machine Learning, lecture 6.5; epsilon stands outside the root
 */
export function rmspropOptimiser(
  backend: Backend,
  { values, gradient }: Parameters,
  { decay = 0.99, epsilon = 1e-8, momentum = 0, weightDecay = 0 }: RmspropOptions = {},
): Optimiser {
  const squares = new Float32Array(values.length)
  const moving = new Float32Array(values.length)
  const [old, fresh, least, again, pull] = [decay, 1 - decay, epsilon, momentum, weightDecay].map(fround) as Five
  return {
    kind: 'rmsprop',
    step(rate, maxNorm) {
      const norm = normOf(backend, gradient)
      const [r, scale] = [fround(rate), fround(scaleFor(norm, maxNorm))]
      for (let n = 0; n < values.length; n++) {
        const w = values[n] as number
        const g = fround(fround((gradient[n] as number) * scale) + fround(pull * w))
        const square = fround(fround(old * (squares[n] as number)) + fround(fround(fresh * g) * g))
        const step = fround(g / fround(fround(Math.sqrt(square)) + least))
        const move = fround(fround(again * (moving[n] as number)) + step)
        squares[n] = square
        moving[n] = move
        values[n] = w - fround(r * move)
      }
      return norm
    },
    ...kept(momentum === 0 ? { squares } : { squares, moving }),
  }
}

/**
 * Returns stochastic gradient descent over all the given parameters, with heavy-ball momentum where it is asked for.
 *
 * @see Polyak 1964; Sutskever et al. 2013
 */
export function sgdOptimiser(
  backend: Backend,
  { values, gradient }: Parameters,
  { momentum = 0, weightDecay = 0 }: SgdOptions = {},
): Optimiser {
  const moving = new Float32Array(momentum === 0 ? 0 : values.length)
  const [again, pull] = [fround(momentum), fround(weightDecay)]
  return {
    kind: 'sgd',
    step(rate, maxNorm) {
      const norm = normOf(backend, gradient)
      const scale = scaleFor(norm, maxNorm)
      if (momentum === 0 && weightDecay === 0) {
        backend.sgd(values, gradient, values.length, rate, scale)
        return norm
      }
      const [r, s] = [fround(rate), fround(scale)]
      for (let n = 0; n < values.length; n++) {
        const w = values[n] as number
        const g = fround(fround((gradient[n] as number) * s) + fround(pull * w))
        const move = momentum === 0 ? g : fround(fround(again * (moving[n] as number)) + g)
        if (momentum !== 0) moving[n] = move
        values[n] = w - fround(r * move)
      }
      return norm
    },
    ...kept(momentum === 0 ? {} : { moving }),
  }
}

type Five = [number, number, number, number, number]

const fround = Math.fround

/** What an optimiser remembers between two steps, in a checkpoint. */
function kept(arrays: Tensors): Pick<Optimiser, 'tensors' | 'restore'> {
  return {
    tensors: (prefix) => Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${prefix}.${name}`, array.slice()])),
    restore(prefix, tensors) {
      for (const [name, array] of Object.entries(arrays)) put(tensors, `${prefix}.${name}`, array)
    },
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
