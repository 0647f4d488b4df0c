import { PPO_DEFAULTS, type PpoConfig } from './ppo.ts'

/**
 * PPO settings that published results were reached with: RL Baselines3 Zoo, hyperparams/ppo.yml. `cartPoleFast` is our
 * own: smaller networks and fewer epochs, for a policy within a second.
 */
export const PPO_PRESETS = {
  cartPole: {
    ...PPO_DEFAULTS,
    totalSteps: 100_000,
    environments: 8,
    rolloutSteps: 32,
    minibatch: 256,
    epochs: 20,
    gamma: 0.98,
    lambda: 0.8,
    learningRate: { kind: 'linear', from: 0.001, to: 0 },
    clip: { kind: 'linear', from: 0.2, to: 0 },
  },
  cartPoleFast: {
    ...PPO_DEFAULTS,
    totalSteps: 100_000,
    environments: 8,
    rolloutSteps: 64,
    minibatch: 256,
    epochs: 10,
    gamma: 0.98,
    lambda: 0.8,
    learningRate: { kind: 'linear', from: 0.002, to: 0 },
    clip: { kind: 'linear', from: 0.2, to: 0 },
    hidden: [32, 32],
  },
  acrobot: {
    ...PPO_DEFAULTS,
    totalSteps: 1_000_000,
    environments: 16,
    rolloutSteps: 256,
    minibatch: 64,
    epochs: 4,
    gamma: 0.99,
    lambda: 0.94,
    normaliseObservations: true,
    normaliseRewards: true,
  },
  mountainCar: {
    ...PPO_DEFAULTS,
    totalSteps: 1_000_000,
    environments: 16,
    rolloutSteps: 16,
    minibatch: 64,
    epochs: 4,
    gamma: 0.99,
    lambda: 0.98,
    normaliseObservations: true,
    normaliseRewards: true,
  },
} satisfies Record<string, PpoConfig>
