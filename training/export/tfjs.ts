/** A policy as a TensorFlow.js layers model: topology with a manifest of weights, and the weights in one file. */
import { sizeOf } from '../env/space.ts'
import type { PolicyModel } from '../types.ts'

export interface TfjsFiles {
  /** `model.json`. */
  model: string
  /** `group1-shard1of1.bin`. */
  weights: Uint8Array
}

export const TFJS_WEIGHTS_FILE = 'group1-shard1of1.bin'

interface Layer {
  class_name: string
  config: Record<string, unknown>
}

interface Weight {
  name: string
  shape: number[]
  values: ArrayLike<number>
}

/**
 * Returns the files of a layers model from observations to scores; for a policy that draws its actions to their
 * probabilities.
 *
 * Layers know no clip of two sides. Behind a batch normalisation every number is therefore led on beside its negative, a
 * rectifier cuts both at the clip, and the first layer takes the one less the other: of the two one is always 0, so that
 * nothing is lost by it, as it would be by moving the numbers up and back again.
 */
export function renderTfjs(model: PolicyModel): TfjsFiles {
  const width = sizeOf(model.observation)
  const layers: Layer[] = []
  const weights: Weight[] = []
  const add = (class_name: string, name: string, config: Record<string, unknown>) => {
    const first = layers.length === 0 ? { batch_input_shape: [null, width] } : {}
    layers.push({ class_name, config: { name, trainable: true, dtype: 'float32', ...first, ...config } })
  }
  const { normaliser } = model
  if (normaliser !== undefined) {
    const plain = { axis: -1, momentum: 0.99, epsilon: normaliser.epsilon, center: false, scale: false }
    add('BatchNormalization', 'normaliser', plain)
    weights.push({ name: 'normaliser/moving_mean', shape: [width], values: normaliser.mean })
    weights.push({ name: 'normaliser/moving_variance', shape: [width], values: normaliser.variance })
    add('Dense', 'mirror', { units: 2 * width, activation: 'linear', use_bias: false })
    weights.push({ name: 'mirror/kernel', shape: [width, 2 * width], values: mirror(width) })
    add('ReLU', 'clip', { max_value: normaliser.clip })
  }
  model.layers.forEach((layer, index) => {
    const isLast = index === model.layers.length - 1
    const name = `dense_${index + 1}`
    const activation = isLast && model.head === 'categorical' ? 'softmax' : layer.activation
    const isMirrored = index === 0 && normaliser !== undefined
    const kernel = isMirrored ? [...layer.weights, ...layer.weights.map((value) => -value)] : layer.weights
    add('Dense', name, { units: layer.outputs, activation, use_bias: true })
    weights.push({ name: `${name}/kernel`, shape: [kernel.length / layer.outputs, layer.outputs], values: kernel })
    weights.push({ name: `${name}/bias`, shape: [layer.outputs], values: layer.bias })
  })
  const json = {
    format: 'layers-model',
    generatedBy: 'valuetrain',
    convertedBy: null,
    modelTopology: {
      class_name: 'Sequential',
      config: { name: 'policy', layers },
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
    },
    weightsManifest: [
      { paths: [TFJS_WEIGHTS_FILE], weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) },
    ],
  }
  const bytes = Buffer.alloc(4 * weights.reduce((sum, { values }) => sum + values.length, 0))
  let at = 0
  for (const { values } of weights) for (let n = 0; n < values.length; n++) at = bytes.writeFloatLE(values[n] as number, at)
  return { model: `${JSON.stringify(json)}\n`, weights: bytes }
}

/** A kernel from n numbers to themselves and their negatives. */
function mirror(n: number): Float32Array {
  const kernel = new Float32Array(2 * n * n)
  for (let i = 0; i < n; i++) {
    kernel[i * 2 * n + i] = 1
    kernel[i * 2 * n + n + i] = -1
  }
  return kernel
}
