/** What makes a checkpoint whole: every part of a learner that has state says so in the same two words. */
import { put } from '../nn/optimiser.ts'
import type { Random, Tensors } from '../types.ts'

/** A part with state: it gives copies, and takes them back. */
export interface Saved {
  tensors(): Tensors
  /** @throws VT_CHECKPOINT_FOREIGN, VT_RANDOM_STATE when something is missing or of another size */
  restore(tensors: Tensors): void
}

/** Returns the state of arrays that live as long as the learner and are written in place. */
export function savedArrays(arrays: Tensors): Saved {
  return {
    tensors: () => Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.slice()])),
    restore(tensors) {
      for (const [name, array] of Object.entries(arrays)) put(tensors, name, array)
    },
  }
}

/** Returns the state of streams of random numbers, each as `random.<name>`. */
export function savedStreams(streams: Readonly<Record<string, Random>>): Saved {
  return {
    tensors: () => Object.fromEntries(Object.entries(streams).map(([name, random]) => [`random.${name}`, random.state()])),
    restore(tensors) {
      for (const [name, random] of Object.entries(streams)) {
        const words = random.state()
        put(tensors, `random.${name}`, words)
        random.restore(words)
      }
    },
  }
}

/** Returns the state of a part that names its tensors by a prefix. */
export function savedAs(
  prefix: string,
  part: { tensors(prefix: string): Tensors; restore(prefix: string, tensors: Tensors): void },
): Saved {
  return { tensors: () => part.tensors(prefix), restore: (tensors) => part.restore(prefix, tensors) }
}
