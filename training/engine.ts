/** The engine's public surface: arithmetic, environments, algorithms, checkpoints. */
export { DQN_DEFAULTS, type DqnConfig, openDqn } from './algo/dqn.ts'
export { openPpo, PPO_DEFAULTS, type PpoConfig } from './algo/ppo.ts'
export { DQN_PRESETS, PPO_PRESETS } from './algo/presets.ts'
export { openReinforce, REINFORCE_DEFAULTS, type ReinforceConfig } from './algo/reinforce.ts'
export {
  type AcceleratorKind,
  type AcceleratorReport,
  examineAccelerator,
  installAccelerator,
  removeAccelerator,
  TFJS_VERSION,
} from './backend/accelerator.ts'
export { type AdamStep, type Backend, type BackendName, DEFAULT_BACKEND_BYTES, type DenseShape } from './backend/backend.ts'
export { type BackendChoice, type BackendWish, chooseBackend } from './backend/choose.ts'
export { jsBackend } from './backend/js.ts'
export { KERNEL_DIGEST } from './backend/kernels.generated.ts'
export { findTfjs, tfjsBackend } from './backend/tfjs.ts'
export { wasmBackend, wasmWorks } from './backend/wasm.ts'
export { decodeCheckpoint, encodeCheckpoint, loadCheckpoint, saveCheckpoint, stateDigest } from './checkpoint.ts'
export { acrobot } from './env/acrobot.ts'
export { cartPole } from './env/cart-pole.ts'
export type { ClassicEnvironment } from './env/classic.ts'
export { divided } from './env/divided.ts'
export { mountainCar } from './env/mountain-car.ts'
export { pendulum } from './env/pendulum.ts'
export { gymnasiumArgv, openProcessEnvironment, type ProcessEnvironmentOptions } from './env/process.ts'
export { ENVIRONMENTS, openEnvironment } from './env/registry.ts'
export { box, discrete, requireAction, requireObservation, requireReward, sample, sizeOf } from './env/space.ts'
export { vectorise, vectoriseRemote } from './env/vector.ts'
export { type Evaluation, evaluate, evaluateRandom, meanScore } from './evaluate.ts'
export { crossEntropy, huber, huberGradient, logProbability, softmax, squaredError } from './nn/loss.ts'
export { Mlp, type MlpShape, openParameters, type Parameters, parameterLength, shapeOf } from './nn/mlp.ts'
export { normalise, RunningMoments } from './nn/normalise.ts'
export {
  type AdamOptions,
  adamOptimiser,
  type Optimiser,
  type OptimiserConfig,
  openOptimiser,
  sgdOptimiser,
} from './nn/optimiser.ts'
export { openScorer, policyOf, type Scorer } from './nn/policy.ts'
export { type Schedule, valueAt } from './nn/schedule.ts'
export { randomAt, randomFrom } from './random.ts'
export { readSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts'
export type * from './types.ts'
