import { DQN_DEFAULTS, type DqnConfig } from './dqn.ts'
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

/**
 * DQN settings. `cartPole` is RL Baselines3 Zoo's, hyperparams/dqn.yml, and so is `acrobot` but for networks a sixteenth
 * the size. `mountainCar` and `pendulum` are our own: as small, and they see observations scaled by their bounds.
 */
export const DQN_PRESETS = {
  cartPole: DQN_DEFAULTS,
  acrobot: {
    ...DQN_DEFAULTS,
    totalSteps: 100_000,
    trainEvery: 4,
    gradientSteps: 4,
    bufferSize: 50_000,
    minibatch: 128,
    learningRate: 6.3e-4,
    exploration: { kind: 'linear', from: 1, to: 0.1, over: 0.12 },
    targetEvery: 250,
    hidden: [64, 64],
  },
  mountainCar: {
    ...DQN_DEFAULTS,
    totalSteps: 120_000,
    trainEvery: 16,
    gradientSteps: 16,
    bufferSize: 50_000,
    minibatch: 128,
    gamma: 0.98,
    learningRate: 1e-3,
    exploration: { kind: 'linear', from: 1, to: 0.05, over: 0.4 },
    targetEvery: 100,
    hidden: [64, 64],
    scaleObservations: true,
  },
  pendulum: {
    ...DQN_DEFAULTS,
    totalSteps: 30_000,
    trainEvery: 8,
    gradientSteps: 8,
    bufferSize: 30_000,
    minibatch: 64,
    gamma: 0.98,
    learningRate: 1e-3,
    exploration: { kind: 'linear', from: 1, to: 0.05, over: 0.3 },
    targetEvery: 500,
    hidden: [64, 64],
    scaleObservations: true,
  },
} satisfies Record<string, DqnConfig>
