/**
 * TensorFlow.js as a backend: the binding that the user installed, found at run time. It is no dependency; without it
 * everything works the same.
 *
 * Matrix products and activations run there; the rest, elementwise and small, is the oracle's. Sums are in the binding's
 * order, so results equal the oracle's within rounding only.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ValuetrainError } from '../../core/errors.ts'
import type { Backend } from './backend.ts'
import { jsBackend, slope } from './js.ts'

/** Bindings in the order of preference. */
export const TFJS_BINDINGS = [
  '@tensorflow/tfjs-node-gpu',
  '@tensorflow/tfjs-node',
  '@tensorflow/tfjs',
  '@tensorflow/tfjs-core',
] as const

/** Packages that bring a backend to a bare tfjs-core. */
const CORE_BACKENDS = ['@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-backend-cpu'] as const

export interface FoundTfjs {
  binding: (typeof TFJS_BINDINGS)[number]
  version: string
  /** Folder whose node_modules it lies in. */
  place: string
}

interface Tensor {
  dataSync(): Float32Array
}

/** Functions only: a bare tfjs-core has no methods on its tensors. */
interface Tfjs {
  tensor2d(values: Float32Array, shape: [number, number]): Tensor
  tensor1d(values: Float32Array): Tensor
  matMul(a: Tensor, b: Tensor): Tensor
  add(a: Tensor, b: Tensor): Tensor
  tanh(x: Tensor): Tensor
  relu(x: Tensor): Tensor
  transpose(x: Tensor): Tensor
  tidy<T>(work: () => T): T
  getBackend(): string
  ready(): Promise<void>
  setBackend(name: string): Promise<boolean>
}

/**
 * Returns the first binding that is installed, without loading it.
 *
 * @param places absolute folders whose node_modules are looked into, in order
 */
export function findTfjs(places: readonly string[]): FoundTfjs | undefined {
  for (const binding of TFJS_BINDINGS) {
    for (const place of places) {
      try {
        const { version } = requireFrom(place)(`${binding}/package.json`) as { version: string }
        return { binding, version, place }
      } catch {
        // Not there; the next place may have it.
      }
    }
  }
  return undefined
}

/**
 * Loads a binding and returns it as a backend.
 *
 * @throws VT_TFJS_LOAD when it cannot be loaded, with what to do
 */
export async function tfjsBackend(found: FoundTfjs): Promise<Backend & { readonly device: string }> {
  const tf = await load(found)
  const exact = jsBackend()
  const into = (out: Float32Array, work: () => Tensor) => out.set(tf.tidy(() => work().dataSync()))
  const matrix = (values: Float32Array, rows: number, columns: number) =>
    tf.tensor2d(values.slice(0, rows * columns), [rows, columns])
  return {
    ...exact,
    name: 'tfjs',
    exact: false,
    device: tf.getBackend(),
    dense(x, weights, bias, out, { rows, inputs, outputs }, activation) {
      into(out, () => {
        const product = tf.matMul(matrix(x, rows, inputs), matrix(weights, inputs, outputs))
        const sum = tf.add(product, tf.tensor1d(bias.slice(0, outputs)))
        return activation === 'tanh' ? tf.tanh(sum) : activation === 'relu' ? tf.relu(sum) : sum
      })
    },
    // Transposing first is 10 to 20 times faster in the wasm backend than its transposed product, and equal.
    weightGradient(x, d, out, { rows, inputs, outputs }) {
      into(out, () => tf.matMul(tf.transpose(matrix(x, rows, inputs)), matrix(d, rows, outputs)))
    },
    inputGradient(d, weights, out, { rows, inputs, outputs }, y, activation) {
      into(out, () => tf.matMul(matrix(d, rows, outputs), tf.transpose(matrix(weights, inputs, outputs))))
      slope(y, out, rows * inputs, activation)
    },
  }
}

async function load({ binding, version, place }: FoundTfjs): Promise<Tfjs> {
  const require = requireFrom(place)
  try {
    restoreRemovedUtil(require)
    const tf = require(binding) as Tfjs
    if (binding === '@tensorflow/tfjs-core') await useCoreBackend(tf, require)
    await tf.ready()
    return tf
  } catch (cause) {
    throw new ValuetrainError('VT_TFJS_LOAD', `${binding} ${version} could not be loaded from ${place}`, {
      kind: 'environment',
      hint: 'Use `--backend wasm`, or install it anew with `valuetrain accel install cpu`.',
      details: { reason: cause instanceof Error ? cause.message.split('\n')[0] : String(cause) },
      cause,
    })
  }
}

async function useCoreBackend(tf: Tfjs, require: NodeJS.Require): Promise<void> {
  for (const name of CORE_BACKENDS) {
    try {
      require(name)
    } catch {
      continue
    }
    if (await tf.setBackend(name.replace('@tensorflow/tfjs-backend-', ''))) return
  }
  throw new Error(`tfjs-core needs one of ${CORE_BACKENDS.join(', ')}`)
}

/** tfjs-node 4.22 calls a function that Node 23 removed. */
function restoreRemovedUtil(require: NodeJS.Require): void {
  const util = require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean }
  util.isNullOrUndefined ??= (value) => value === undefined || value === null
}

function requireFrom(place: string): NodeJS.Require {
  return createRequire(join(place, 'package.json'))
}
