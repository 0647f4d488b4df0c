import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { randomFrom } from '../random.ts'
import type { Action, Environment, EnvironmentSpec, Observation, Random, Transition } from '../types.ts'
import { requireAction } from './space.ts'

/** The equations of a classic-control problem; its state is a few 64-bit numbers. */
export interface Dynamics {
  spec: EnvironmentSpec
  /** Numbers in the state. */
  size: number
  /** Writes the state an episode begins with. */
  begin(state: Float64Array, random: Random): void
  /** Moves the state by one step of `force`, the action as a number. */
  advance(state: Float64Array, action: number): { reward: number; terminated: boolean }
  observe(state: Float64Array): Observation
}

/** An environment whose state may be read and set, for comparing single steps with another implementation. */
export interface ClassicEnvironment extends Environment {
  /** The dynamics' own numbers, a copy. */
  numbers(): Float64Array
  /** Begins an episode at these numbers. @throws VT_ENV_STATE */
  place(numbers: ArrayLike<number>): Observation
}

/** Returns the environment of some equations: episodes, limits and checks, the same for all of them. */
export function classicEnvironment(dynamics: Dynamics): ClassicEnvironment {
  const { spec, size } = dynamics
  const state = new Float64Array(size)
  let steps = 0
  let running = false
  return {
    spec,
    reset(seed) {
      dynamics.begin(state, randomFrom(seed))
      steps = 0
      running = true
      return dynamics.observe(state)
    },
    step(action: Action): Transition {
      if (!running) throw ended(spec.id)
      requireAction(spec, action)
      const { reward, terminated } = dynamics.advance(state, typeof action === 'number' ? action : (action[0] as number))
      steps++
      const truncated = !terminated && steps >= spec.maxSteps
      running = !terminated && !truncated
      return { observation: dynamics.observe(state), reward, terminated, truncated }
    },
    // JSON has no -0, and a resumed run must not lose its sign.
    state: () => ({ numbers: [...state].map((n) => (Object.is(n, -0) ? '-0' : n)), steps, running }),
    restore(saved) {
      const { numbers, steps: done, running: going } = parseState(saved, size, spec.id)
      state.set(numbers)
      steps = done
      running = going
    },
    numbers: () => state.slice(),
    place(numbers) {
      if (numbers.length !== size) throw noState(spec.id, `${numbers.length} numbers instead of ${size}`)
      state.set(Array.from(numbers))
      steps = 0
      running = true
      return dynamics.observe(state)
    },
  }
}

/** Returns the error of a step without an episode. */
export function ended(id: string): ValuetrainError {
  return new ValuetrainError('VT_ENV_ENDED', `${id} was stepped without an episode`, {
    kind: 'internal',
    hint: 'Call reset after an episode has ended.',
  })
}

export function noState(id: string, why: string): ValuetrainError {
  return new ValuetrainError('VT_ENV_STATE', `this is no state of ${id}: ${why}`, {
    kind: 'environment',
    hint: 'The checkpoint is damaged or belongs to another environment.',
  })
}

function parseState(saved: Json, size: number, id: string): { numbers: number[]; steps: number; running: boolean } {
  const { numbers, steps, running } = (saved ?? {}) as { numbers?: unknown; steps?: unknown; running?: unknown }
  const sound =
    Array.isArray(numbers) &&
    numbers.length === size &&
    numbers.every((n) => n === '-0' || Number.isFinite(n)) &&
    Number.isInteger(steps) &&
    typeof running === 'boolean'
  if (!sound) throw noState(id, `it needs ${size} numbers, a step count and whether it runs`)
  return { numbers: numbers.map(Number), steps: steps as number, running }
}
