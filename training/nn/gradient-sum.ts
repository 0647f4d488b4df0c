import type { Parameters } from './mlp.ts'

/**
 * Adds up the gradients of several backward passes, each of which writes its own over the one before: a batch that does
 * not go through the networks at once moves them as one. Only the order of the additions differs from one large pass.
 */
export interface GradientSum {
  /** Takes the gradient of the pass just made. */
  add(): void
  /** Puts the sum where the optimiser looks, and begins anew. */
  put(): void
}

/** Returns a sum over all the given parameters, empty. */
export function gradientSum({ gradient }: Pick<Parameters, 'gradient'>): GradientSum {
  const total = new Float32Array(gradient.length)
  return {
    add() {
      for (let n = 0; n < total.length; n++) total[n] = (total[n] as number) + (gradient[n] as number)
    },
    put() {
      gradient.set(total)
      total.fill(0)
    },
  }
}
