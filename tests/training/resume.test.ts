import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openPpo } from '../../training/algo/ppo.ts'
import { PPO_PRESETS } from '../../training/algo/presets.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { decodeCheckpoint, encodeCheckpoint, stateDigest } from '../../training/checkpoint.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import { vectorise } from '../../training/env/vector.ts'
import { randomFrom } from '../../training/random.ts'
import { checkTrainConfig, chooseBackends, executeRun } from '../../training/run/index.ts'
import type { Learner } from '../../training/types.ts'
import { programOf } from '../support/program.ts'
import { bytesOf, orderOf } from './runs.ts'
import { FULL, tell } from './simulate.ts'
import { RUNS } from './train.ts'

/** Of a whole run in a process of its own. */
const STEPS = 2_500

describe.each(Object.keys(RUNS))('%s, interrupted', (name) => {
  const open = RUNS[name] as () => Learner
  const UPDATES = 14

  it(`at seeded updates and resumed from bytes ends with the hash of the whole run`, async () => {
    const whole = open()
    for (let n = 0; n < UPDATES; n++) await whole.step()
    const due = stateDigest(whole.state())
    const random = randomFrom(`interrupt ${name}`)
    const rounds = FULL ? 50 : 5
    for (let round = 0; round < rounds; round++) {
      let learner = open()
      const cuts = new Set(Array.from({ length: 1 + random.below(3) }, () => random.below(UPDATES + 1)))
      for (let n = 0; n <= UPDATES; n++) {
        if (cuts.has(n)) {
          const bytes = encodeCheckpoint(learner.state())
          // What comes after the checkpoint is lost, as in a kill.
          if (n < UPDATES) await learner.step()
          learner = open()
          await learner.restore(decodeCheckpoint(bytes, 'memory'))
        }
        if (n < UPDATES) await learner.step()
      }
      expect({ cuts: [...cuts], digest: stateDigest(learner.state()) }).toEqual({ cuts: [...cuts], digest: due })
    }
    tell(`G6 ${name}: ${rounds} of ${rounds} interruptions end with ${due.slice(0, 12)}`)
  })

  it('by kill -9 and started again ends with the hash of the whole run', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vt-resume-'))
    try {
      const whole = open()
      while (whole.steps < STEPS) await whole.step()
      const due = `hash ${stateDigest(whole.state())}`
      const random = randomFrom(`kill ${name}`)
      const [rounds, kills] = FULL ? [17, 3] : [1, 1]
      for (let round = 0; round < rounds; round++) {
        const file = join(dir, `killed-${round}`)
        for (let kill = 0; kill < kills; kill++) {
          expect(await run(name, file, 1 + random.below(2), random.below(8))).not.toMatch(/^hash/)
        }
        expect(await run(name, file)).toBe(due)
      }
      tell(`G6 ${name}: ${rounds * kills} of ${rounds * kills} processes killed with -9 were gone on from to the same ${due}`)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }, 600_000)

  it('does not resume into another configuration', async () => {
    const other = Object.keys(RUNS).find((candidate) => candidate !== name) as string
    const state = open().state()
    await expect((RUNS[other] as () => Learner)().restore(state)).rejects.toMatchObject({ code: 'VT_CHECKPOINT_FOREIGN' })
    await expect(open().restore({ ...state, config: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'VT_CHECKPOINT_FOREIGN' })
    const { parameters: _gone, ...rest } = state.tensors
    await expect(open().restore({ ...state, tensors: rest })).rejects.toMatchObject({ code: 'VT_CHECKPOINT_FOREIGN' })
  })
})

const program = programOf(fileURLToPath(new URL('train.ts', import.meta.url)))
describe('CartPole with the published settings', () => {
  it('ends with the same hash in one go and in two halves', async () => {
    const [half, whole] = FULL ? [25_000, 50_000] : [1_000, 2_000]
    const config = PPO_PRESETS.cartPole
    const open = () => openPpo({ environment: vectorise(cartPole, config.environments), config, backend: wasmBackend(), seed: 1 })
    const reach = async (learner: Learner, steps: number) => {
      while (learner.steps < steps) await learner.step()
      return learner
    }
    const due = stateDigest((await reach(open(), whole)).state())
    const bytes = encodeCheckpoint((await reach(open(), half)).state())
    const second = open()
    await second.restore(decodeCheckpoint(bytes, 'memory'))
    expect(second.steps).toBeGreaterThanOrEqual(half)
    expect(stateDigest((await reach(second, whole)).state())).toBe(due)
    tell(`G6 CartPole, ${whole} steps and ${half} + ${half} end with ${due.slice(0, 12)}`)
  })
})

describe('a run', () => {
  it('has the same bytes by the kernels and by plain JavaScript, whatever the algorithm', async () => {
    for (const [algorithm, settings] of Object.entries(SMALL)) {
      const config = checkTrainConfig(
        { name: algorithm, algorithm, environment: 'CartPole-v1', settings, evaluation: { episodes: 10 } },
        'train.yaml',
      )
      const bytes = await Promise.all(
        (['wasm', 'js'] as const).map(async (name) => {
          const order = await orderOf(config, { backends: await chooseBackends(name, config, []) })
          const outcome = await executeRun(order)
          if (outcome.state !== 'done') throw new Error(`the run is ${outcome.state}`)
          return { run: outcome.run, bytes: await bytesOf(order.root, outcome.folder) }
        }),
      )
      expect(bytes[1]).toEqual(bytes[0])
      tell(`G6 ${algorithm}: run ${bytes[0]?.run.slice(0, 12)} has the same bytes with wasm and js`)
    }
  })
})

const SMALL = {
  ppo: { totalSteps: 512, environments: 4, rolloutSteps: 32, minibatch: 64, epochs: 2, hidden: [8], normaliseObservations: true },
  dqn: { totalSteps: 600, hidden: [8], bufferSize: 500, learningStarts: 100, gradientSteps: 4 },
  reinforce: { totalSteps: 512, environments: 4, hidden: [8] },
}

/** Runs train.ts; kills it `afterMs` after so many checkpoints when told. Returns the last line it printed. */
async function run(algorithm: string, file: string, checkpoints = Number.POSITIVE_INFINITY, afterMs = 0): Promise<string> {
  const child = spawn(process.execPath, [await program(), algorithm, `${STEPS}`, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    let printed = ''
    let complaint = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk
      if (printed.split('\n').length > checkpoints) setTimeout(() => child.kill('SIGKILL'), afterMs)
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      complaint += chunk
    })
    child.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') return reject(new Error(complaint))
      resolve(printed.trim().split('\n').at(-1) ?? '')
    })
  })
}
