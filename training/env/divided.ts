import { ValuetrainError } from '../../core/errors.ts'
import type { Action, BoxSpace, Environment } from '../types.ts'
import { discrete } from './space.ts'

/**
 * Returns an environment whose one continuous action is chosen among `steps` evenly spaced ones, both bounds among them.
 * Dynamics, observations and rewards stay what they are, and so does the scale of the return.
 *
 * @throws VT_ENV_DIVIDE when the action is not one bounded number, or fewer than two steps are asked for
 */
export function divided(environment: Environment, steps: number): Environment {
  const { spec } = environment
  const action = spec.action as BoxSpace
  const [low = Number.NaN, more] = spec.action.kind === 'box' ? action.low : []
  const high = spec.action.kind === 'box' ? (action.high[0] as number) : Number.NaN
  if (!Number.isFinite(low) || !Number.isFinite(high) || more !== undefined || !Number.isInteger(steps) || steps < 2) {
    throw new ValuetrainError('VT_ENV_DIVIDE', `the action of ${spec.id} cannot be divided into ${steps} steps`, {
      kind: 'config',
      hint: 'It has to be one number between two bounds, and the steps two or more.',
    })
  }
  const values = Array.from({ length: steps }, (_, n) => low + ((high - low) * n) / (steps - 1))
  return {
    spec: { ...spec, id: `${spec.id}/${steps}`, action: discrete(steps, values.map(String)) },
    reset: (seed) => environment.reset(seed),
    step: (chosen: Action) => environment.step([values[chosen as number] ?? Number.NaN]),
    state: () => environment.state(),
    restore: (state) => environment.restore(state),
  }
}
