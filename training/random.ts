/**
 * Seeded randomness: xoshiro128**, in streams that are told apart by labels.
 *
 * A stream is named, not counted: `split('environment')` is the same stream whatever was drawn before, so that a new
 * draw in one place never shifts another's.
 *
 * @see Blackman and Vigna, Scrambled Linear Pseudorandom Number Generators, 2021, arXiv:1805.01407
 */
import { createHash } from 'node:crypto'
import { ValuetrainError } from '../core/errors.ts'
import { log } from './math.ts'
import type { Random } from './types.ts'

/** Words of a state: the generator's four and its origin's four. */
const WORDS = 8

/**
 * Returns the stream of a seed.
 *
 * @param seed any safe integer; a string names a stream by its text
 * @throws VT_SEED when a number is not a safe integer
 */
export function randomFrom(seed: number | string): Random {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
    throw new ValuetrainError('VT_SEED', `${seed} is not a seed`, { hint: 'Give a whole number between -2^53 and 2^53.' })
  }
  return new Xoshiro(wordsOf(`${typeof seed} ${seed}`))
}

/** Returns the stream that a state was taken from, at its place. @throws VT_RANDOM_STATE */
export function randomAt(state: Uint32Array): Random {
  const random = new Xoshiro(state.slice(4, WORDS))
  random.restore(state)
  return random
}

class Xoshiro implements Random {
  readonly #origin: Uint32Array
  #a = 0
  #b = 0
  #c = 0
  #d = 0

  constructor(origin: Uint32Array) {
    this.#origin = origin.slice()
    this.#place(origin)
  }

  uint32(): number {
    const product = Math.imul(this.#b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result >>> 0
  }

  uniform(): number {
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 67108864 + low) / 9007199254740992
  }

  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 4294967296) {
      throw new ValuetrainError('VT_RANDOM_RANGE', `cannot draw from ${n} numbers`, { kind: 'internal' })
    }
    // The numbers of the last, incomplete round are drawn again. Below 2^32 - n none of them lies, which spares almost
    // every draw the slow remainder of 2^32.
    let drawn = this.uint32()
    while (drawn > 4294967296 - n && drawn >= 4294967296 - (4294967296 % n)) drawn = this.uint32()
    return drawn % n
  }

  normal(): number {
    // Marsaglia's polar method; its second number is not kept, so that the state is the generator's alone.
    for (;;) {
      const u = 2 * this.uniform() - 1
      const v = 2 * this.uniform() - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) return u * Math.sqrt((-2 * log(s)) / s)
    }
  }

  categorical(weights: ArrayLike<number>): number {
    let total = 0
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] as number
      if (!(weight >= 0)) throw noWeights(`weight ${i} is ${weight}`)
      total += weight
    }
    if (!(total > 0 && total < Number.POSITIVE_INFINITY)) throw noWeights(`the weights sum to ${total}`)
    let rest = this.uniform() * total
    let last = 0
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i] as number
      if (weight === 0) continue
      last = i
      rest -= weight
      if (rest < 0) return i
    }
    return last
  }

  shuffle(items: { length: number; [index: number]: unknown }): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const item = items[i]
      items[i] = items[j]
      items[j] = item
    }
  }

  split(label: string): Random {
    return new Xoshiro(wordsOf(`${Array.from(this.#origin).join(' ')} ${label}`))
  }

  state(): Uint32Array {
    return Uint32Array.of(this.#a, this.#b, this.#c, this.#d, ...this.#origin)
  }

  restore(state: Uint32Array): void {
    if (state.length !== WORDS || (state[0] === 0 && state[1] === 0 && state[2] === 0 && state[3] === 0)) {
      throw new ValuetrainError('VT_RANDOM_STATE', `${state.length} words are no state of a random stream`, {
        kind: 'environment',
        hint: 'The checkpoint is damaged; resume from an earlier one.',
      })
    }
    this.#place(state)
    this.#origin.set(state.subarray(4))
  }

  #place(words: Uint32Array): void {
    const [a = 0, b = 0, c = 0, d = 0] = words
    this.#a = a | 0
    this.#b = b | 0
    this.#c = c | 0
    this.#d = d | 0
  }
}

function wordsOf(text: string): Uint32Array {
  const digest = createHash('sha256').update(text).digest()
  const words = Uint32Array.from({ length: 4 }, (_, i) => digest.readUInt32LE(4 * i))
  // All zero is the one state the generator never leaves.
  if (words.every((word) => word === 0)) words[0] = 1
  return words
}

function noWeights(why: string): ValuetrainError {
  return new ValuetrainError('VT_RANDOM_WEIGHTS', `cannot draw by these weights: ${why}`, { kind: 'internal' })
}
