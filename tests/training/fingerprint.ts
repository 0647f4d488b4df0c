/** Digests that must be the same on every machine and version of Node. Run as a program, it prints them. */
import { createHash } from 'node:crypto'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { DQN_DEFAULTS, openDqn } from '../../training/algo/dqn.ts'
import { openPpo } from '../../training/algo/ppo.ts'
import { PPO_PRESETS } from '../../training/algo/presets.ts'
import { openReinforce, REINFORCE_DEFAULTS } from '../../training/algo/reinforce.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { stateDigest } from '../../training/checkpoint.ts'
import { acrobot } from '../../training/env/acrobot.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import { vectorise } from '../../training/env/vector.ts'
import * as own from '../../training/math.ts'
import { randomFrom } from '../../training/random.ts'
import type { Learner } from '../../training/types.ts'

/** Returns a digest of many values of every elementary function. */
export function arithmeticFingerprint(): string {
  const random = randomFrom('fingerprint')
  const values = new Float64Array(7 * 2_000)
  for (let n = 0; n < values.length; n += 7) {
    const x = 40 * random.uniform() - 20
    const a = Math.abs(x)
    values.set([own.exp(x), own.expm1(x), own.log(a), own.log1p(a), own.tanh(x), own.sin(x * 1e6), own.cos(x)], n)
  }
  return createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16)
}

async function trainingFingerprints(): Promise<string[]> {
  const ppo = { ...PPO_PRESETS.acrobot, environments: 4, rolloutSteps: 64 }
  const dqn = { ...DQN_DEFAULTS, hidden: [32], bufferSize: 2_000, learningStarts: 200 }
  const learners: Learner[] = [
    openPpo({ environment: vectorise(acrobot, 4), config: ppo, backend: wasmBackend(), seed: 1 }),
    openDqn({ environment: vectorise(cartPole, 1), config: dqn, backend: wasmBackend(), seed: 1 }),
    openReinforce({ environment: vectorise(cartPole, 4), config: REINFORCE_DEFAULTS, backend: wasmBackend(), seed: 1 }),
  ]
  const digests: string[] = []
  for (const learner of learners) {
    for (let n = 0; n < 10; n++) await learner.step()
    digests.push(stateDigest(learner.state()))
  }
  return digests
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log([process.version, arithmeticFingerprint(), ...(await trainingFingerprints())].join('\n'))
}
