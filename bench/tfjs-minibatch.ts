/**
 * TensorFlow.js by itself, without our backend: whole PPO minibatches on CartPole's two networks by its own gradients and its own
 * Adam. Of the machine for which the goals were set it is known what these two read, so they tell how fast this one is in terms
 * that no work on our kernels can move.
 */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { cpuSeconds } from './yardstick.ts'

/** What the goals' machine read, samples a CPU second, by backend. */
export const DUE_TFJS = { cpu: 9_600, wasm: 29_800 } as const

const ROWS = 256
/** Of the folder that is named, never of this project. */
const PACKAGES = { core: '@tensorflow/tfjs', wasm: '@tensorflow/tfjs-backend-wasm' } as const

/** What of TensorFlow.js is used; it is no dependency, so its types are not there. */
interface Tensor {
  add(other: Tensor): Tensor
  sub(other: Tensor): Tensor
  mul(other: Tensor | number): Tensor
  matMul(other: Tensor): Tensor
  tanh(): Tensor
  exp(): Tensor
  square(): Tensor
  squeeze(): Tensor
  mean(): Tensor
  sum(axis?: number): Tensor
  neg(): Tensor
  minimum(other: Tensor): Tensor
  clipByValue(low: number, high: number): Tensor
  logSoftmax(): Tensor
  dataSync(): Float32Array
}
interface Tfjs {
  setBackend(name: string): Promise<boolean>
  ready(): Promise<void>
  tidy(work: () => void): void
  variable(value: Tensor): Tensor
  zeros(shape: number[]): Tensor
  fill(shape: number[], value: number): Tensor
  randomNormal(shape: number[], mean?: number, spread?: number, type?: string, seed?: number): Tensor
  oneHot(indices: Tensor, depth: number): Tensor
  tensor1d(values: number[], type: string): Tensor
  variableGrads(loss: () => Tensor): { grads: object }
  train: { adam(rate: number): { applyGradients(gradients: object): void } }
}

/**
 * Returns what goes through `count` minibatches and says how many rows those were.
 *
 * @param folder whose node_modules has `@tensorflow/tfjs`, and `@tensorflow/tfjs-backend-wasm` for `wasm`
 * @throws when it has not
 */
async function tfjsMinibatches(folder: string, backend: keyof typeof DUE_TFJS): Promise<(count: number) => number> {
  const require = createRequire(join(folder, 'package.json'))
  const tf = require(PACKAGES.core) as Tfjs
  if (backend === 'wasm') {
    const wasm = require(PACKAGES.wasm) as {
      setWasmPaths(folder: string): void
      setThreadsCount(n: number): void
    }
    wasm.setWasmPaths(`${dirname(require.resolve(PACKAGES.wasm))}/`)
    wasm.setThreadsCount(1)
  }
  await tf.setBackend(backend)
  await tf.ready()
  const layer = (inputs: number, outputs: number) => ({
    weights: tf.variable(tf.randomNormal([inputs, outputs], 0, 0.1, 'float32', 1)),
    bias: tf.variable(tf.zeros([outputs])),
  })
  const network = (outputs: number) => [layer(4, 64), layer(64, 64), layer(64, outputs)]
  const through = (layers: ReturnType<typeof network>, input: Tensor) =>
    layers.reduce((x, { weights, bias }, n) => {
      const sum = x.matMul(weights).add(bias)
      return n === layers.length - 1 ? sum : sum.tanh()
    }, input)
  const [policy, value] = [network(2), network(1)]
  const optimiser = tf.train.adam(3e-4)
  const seen = tf.randomNormal([ROWS, 4], 0, 1, 'float32', 2)
  const [advantages, returns] = [3, 4].map((seed) => tf.randomNormal([ROWS], 0, 1, 'float32', seed)) as [Tensor, Tensor]
  const before = tf.fill([ROWS], Math.log(0.5))
  const taken = tf.oneHot(
    tf.tensor1d(
      [...new Array(ROWS).keys()].map((n) => n % 2),
      'int32',
    ),
    2,
  )
  const loss = () => {
    const logs = through(policy, seen).logSoftmax()
    const ratio = logs.mul(taken).sum(1).sub(before).exp()
    const gain = ratio.mul(advantages).minimum(ratio.clipByValue(0.8, 1.2).mul(advantages)).mean()
    const entropy = logs.exp().mul(logs).sum(1).neg().mean()
    return through(value, seen).squeeze().sub(returns).square().mean().mul(0.5).sub(gain).sub(entropy.mul(0))
  }
  const run = (count: number) => {
    for (let n = 0; n < count; n++) tf.tidy(() => optimiser.applyGradients(tf.variableGrads(loss).grads))
    policy[0]?.weights.dataSync()
    return count * ROWS
  }
  // The first ones are the compiler's.
  run(60)
  return run
}

/** @returns rows a CPU second */
export function rowsPerCpuSecond(work: () => number): number {
  const before = cpuSeconds()
  const rows = work()
  return rows / (cpuSeconds() - before)
}

/** Measures it in a process of its own: what else a process has compiled makes it a quarter slower. @returns rows a CPU second */
export function tfjsRate(folder: string, backend: keyof typeof DUE_TFJS, count: number, env: NodeJS.ProcessEnv): number {
  const argv = ['--import', 'tsx', fileURLToPath(import.meta.url), folder, backend, `${count}`]
  const said = execFileSync(process.execPath, argv, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return Number(said.trim().split('\n').at(-1))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, backend, count] = process.argv.slice(2) as [string, keyof typeof DUE_TFJS, string]
  const run = await tfjsMinibatches(folder, backend)
  console.log(rowsPerCpuSecond(() => run(Number(count))))
}
