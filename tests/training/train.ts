/** A training run in a process of its own, to be killed: train.ts <algorithm> <steps> <checkpoint file>. Prints its hash. */
import process from 'node:process'
import { DQN_DEFAULTS, openDqn } from '../../training/algo/dqn.ts'
import { openPpo } from '../../training/algo/ppo.ts'
import { PPO_PRESETS } from '../../training/algo/presets.ts'
import { openReinforce, REINFORCE_DEFAULTS } from '../../training/algo/reinforce.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { loadCheckpoint, saveCheckpoint, stateDigest } from '../../training/checkpoint.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import { vectorise } from '../../training/env/vector.ts'
import type { Learner } from '../../training/types.ts'

const BYTES = 8 * 1024 * 1024

/** Every algorithm with everything switched on that has a state. */
export const RUNS: Readonly<Record<string, () => Learner>> = {
  ppo: () =>
    openPpo({
      environment: vectorise(cartPole, 8),
      config: { ...PPO_PRESETS.cartPole, epochs: 4, normaliseObservations: true, normaliseRewards: true },
      backend: wasmBackend(BYTES),
      seed: 7,
    }),
  dqn: () =>
    openDqn({
      environment: vectorise(cartPole, 2),
      config: {
        ...DQN_DEFAULTS,
        environments: 2,
        hidden: [32],
        bufferSize: 1_500,
        learningStarts: 300,
        gradientSteps: 16,
        targetEvery: 100,
      },
      backend: wasmBackend(BYTES),
      seed: 7,
    }),
  reinforce: () =>
    openReinforce({ environment: vectorise(cartPole, 4), config: REINFORCE_DEFAULTS, backend: wasmBackend(BYTES), seed: 7 }),
}

// Bundled or not: the program that is run.
if (/\btrain\.m?[jt]s$/.test(process.argv[1] ?? '')) {
  const [, , algorithm = '', steps = '', file = ''] = process.argv
  const learner = (RUNS[algorithm] as () => Learner)()
  const saved = await loadCheckpoint(file).catch((error: { code?: string }) => {
    if (error.code !== 'VT_CHECKPOINT_MISSING') throw error
    return undefined
  })
  if (saved !== undefined) await learner.restore(saved)
  while (learner.steps < Number(steps)) {
    await learner.step()
    await saveCheckpoint(file, learner.state())
    console.log(`at ${learner.steps}`)
  }
  console.log(`hash ${stateDigest(learner.state())}`)
}
