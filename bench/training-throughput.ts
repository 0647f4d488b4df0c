/**
 * G2: samples a second of whole PPO minibatches on CartPole's two networks (4-64-64-2 and 4-64-64-1, 256 rows): forward,
 * loss, backward, clipping and Adam. The kernels against plain JavaScript, and against TensorFlow.js where
 * VALUETRAIN_TFJS names a folder that has it, through our backend and by itself. Besides: steps a second of the whole algorithm,
 * and what a core multiplies.
 */
import { openPpo } from '../training/algo/ppo.ts'
import { PPO_PRESETS } from '../training/algo/presets.ts'
import type { Backend } from '../training/backend/backend.ts'
import { jsBackend } from '../training/backend/js.ts'
import { findTfjs, tfjsBackend } from '../training/backend/tfjs.ts'
import { wasmBackend } from '../training/backend/wasm.ts'
import { cartPole } from '../training/env/cart-pole.ts'
import { vectorise } from '../training/env/vector.ts'
import { softmax } from '../training/nn/loss.ts'
import { Mlp, openParameters, parameterLength } from '../training/nn/mlp.ts'
import { adamOptimiser } from '../training/nn/optimiser.ts'
import { randomFrom } from '../training/random.ts'
import { type Benchmark, interleave, type Row, rowOf } from './measure.ts'
import { DUE_TFJS, rowsPerCpuSecond, tfjsRate } from './tfjs-minibatch.ts'
import { cpuSeconds, DUE_GMACS, DUE_PLAIN_GMACS, plainGmacs, yardstickGmacs } from './yardstick.ts'

const ROWS = 256
const SHAPE = { inputs: 4, hidden: [64, 64], outputs: 2, activation: 'tanh' } as const

const bench: Benchmark = async ({ full, seed, env, note }) => {
  const rounds = full ? 21 : 7
  const wasm = minibatches(wasmBackend())
  const js = minibatches(jsBackend())
  const found = env.VALUETRAIN_TFJS === undefined ? undefined : findTfjs([env.VALUETRAIN_TFJS])
  const tfjs = found === undefined ? undefined : minibatches(await tfjsBackend(found))
  note(`${rounds} rounds, CPU time${found === undefined ? '' : `, ${found.binding} ${found.version}`}`)
  const alone = (backend: keyof typeof DUE_TFJS, count: number) => async () =>
    found === undefined ? Number.NaN : tfjsRate(found.place, backend, count, env)
  const samples = await interleave(
    {
      wasm: async () => rowsPerCpuSecond(() => wasm(400)),
      js: async () => rowsPerCpuSecond(() => js(40)),
      tfjs: async () => (tfjs === undefined ? Number.NaN : rowsPerCpuSecond(() => tfjs(20))),
      tfjsCpu: alone('cpu', 60),
      tfjsWasm: alone('wasm', 240),
      ppo: async () => ppoSteps(seed),
      macs: async () => yardstickGmacs(),
      plain: async () => plainGmacs(),
      kernel: async () => kernelGmacs(),
    },
    rounds,
    seed,
  )
  return [
    rowOf('minibatch, js', 'samples/CPU-s', samples.js),
    rowOf('minibatch, wasm, against js', 'samples/CPU-s', samples.wasm, { peer: samples.js }),
    ...(tfjs === undefined
      ? []
      : [
          rowOf('minibatch, wasm, against tfjs as a backend', 'samples/CPU-s', samples.wasm, { peer: samples.tfjs }),
          rowOf('minibatch, wasm, against tfjs wasm by itself', 'samples/CPU-s', samples.wasm, { peer: samples.tfjsWasm }),
          machine('tfjs cpu by itself', 'samples/CPU-s', samples.tfjsCpu, DUE_TFJS.cpu),
          machine('tfjs wasm by itself', 'samples/CPU-s', samples.tfjsWasm, DUE_TFJS.wasm),
        ]),
    rowOf('steps_per_cpu_s, PPO on CartPole', 'steps/CPU-s', samples.ppo),
    machine('plain JavaScript, width 128', 'GMAC/CPU-s', samples.plain, DUE_PLAIN_GMACS),
    machine('calibration_gmacs, width 128', 'GMAC/CPU-s', samples.macs, DUE_GMACS),
    rowOf('the same with the kernels of today', 'GMAC/CPU-s', samples.kernel, { peer: samples.macs }),
  ]
}
export default bench

/** A reading of this machine beside that of the goals' machine. */
function machine(name: string, unit: string, samples: readonly number[], due: number): Row {
  const row = rowOf(name, unit, samples)
  return { ...row, goal: `${due} on the goals' machine, x ${(row.value / due).toFixed(2)}` }
}

/** Returns what does whole gradient steps and says how many rows went through. */
function minibatches(backend: Backend): (count: number) => number {
  const valueShape = { ...SHAPE, outputs: 1 }
  const parameters = openParameters(backend, [SHAPE, valueShape])
  const policy = new Mlp(backend, SHAPE, ROWS, parameters)
  const value = new Mlp(backend, valueShape, ROWS, parameters, parameterLength(SHAPE))
  const random = randomFrom(1)
  policy.initialise(random.split('policy'), 0.01)
  value.initialise(random.split('value'), 1)
  const optimiser = adamOptimiser(backend, parameters, { epsilon: 1e-5 })
  const p = new Float64Array(2)
  for (let n = 0; n < ROWS * 4; n++) policy.input[n] = random.normal()
  value.input.set(policy.input)
  return (count) => {
    for (let step = 0; step < count; step++) {
      const logits = policy.forward(ROWS)
      const values = value.forward(ROWS)
      for (let r = 0; r < ROWS; r++) {
        softmax(logits, 2 * r, 2, p)
        const pull = (r % 5) - 2
        policy.outputGradient[2 * r] = (pull * (1 - (p[0] as number))) / ROWS
        policy.outputGradient[2 * r + 1] = (-pull * (p[1] as number)) / ROWS
        value.outputGradient[r] = ((values[r] as number) - (r % 3)) / ROWS
      }
      policy.backward(ROWS)
      value.backward(ROWS)
      optimiser.step(1e-4, 0.5)
    }
    return count * ROWS
  }
}

async function ppoSteps(seed: number): Promise<number> {
  const config = PPO_PRESETS.cartPole
  const learner = openPpo({ environment: vectorise(cartPole, config.environments), config, backend: wasmBackend(), seed })
  const before = cpuSeconds()
  while (learner.steps < 10_000) await learner.step()
  return learner.steps / (cpuSeconds() - before)
}

/** What today's kernels multiply at the yardstick's size, forward only. @returns 10^9 multiplications and additions a CPU second */
function kernelGmacs(): number {
  const backend = wasmBackend()
  const [x, w, b, y] = [256 * 128, 128 * 128, 128, 256 * 128].map((length) => backend.allocate(length).fill(0.01)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  return (
    rowsPerCpuSecond(() => {
      for (let n = 0; n < 200; n++) backend.dense(x, w, b, y, { rows: 256, inputs: 128, outputs: 128 }, 'linear')
      return 200 * 256 * 128 * 128
    }) / 1e9
  )
}
