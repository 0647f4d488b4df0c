import { ValuetrainError } from '../../core/errors.ts'
import { openDqn } from '../algo/dqn.ts'
import { openPpo } from '../algo/ppo.ts'
import { openReinforce } from '../algo/reinforce.ts'
import type { Backend } from '../backend/backend.ts'
import type { Learner, VectorEnvironment } from '../types.ts'
import type { TrainConfig } from './config.ts'

/**
 * Returns a learner of a configuration at its beginning.
 *
 * @param environment as many as the settings say
 * @throws VT_BACKEND_MEMORY when its layers, rollout or buffer are more than there can be
 */
export function openLearner(config: TrainConfig, environment: VectorEnvironment, backend: Backend, seed: number): Learner {
  try {
    return openNamed(config, environment, backend, seed)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    const { algorithm, settings } = config
    const sizes = {
      hidden: settings.hidden.join(' x '),
      ...('bufferSize' in settings ? { bufferSize: settings.bufferSize } : {}),
    }
    const told = Object.entries(sizes).map(([name, size]) => `settings.${name} ${size}`)
    throw new ValuetrainError('VT_BACKEND_MEMORY', `${algorithm} with ${told.join(', ')} does not fit into memory`, {
      kind: 'config',
      hint: 'make the layers, the rollout or the buffer smaller',
      cause,
    })
  }
}

function openNamed(config: TrainConfig, environment: VectorEnvironment, backend: Backend, seed: number): Learner {
  const common = { environment, backend, seed }
  switch (config.algorithm) {
    case 'ppo':
      return openPpo({ ...common, config: config.settings })
    case 'dqn':
      return openDqn({ ...common, config: config.settings })
    case 'reinforce':
      return openReinforce({ ...common, config: config.settings })
  }
}
