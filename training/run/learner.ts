import { openDqn } from '../algo/dqn.ts'
import { openPpo } from '../algo/ppo.ts'
import { openReinforce } from '../algo/reinforce.ts'
import type { Backend } from '../backend/backend.ts'
import type { Learner, VectorEnvironment } from '../types.ts'
import type { TrainConfig } from './config.ts'

/** Returns a learner of a configuration at its beginning. @param environment as many as the settings say */
export function openLearner(config: TrainConfig, environment: VectorEnvironment, backend: Backend, seed: number): Learner {
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
