/** A policy as a TensorFlow.js layers model: topology with a manifest of weights, and the weights in one file. */
import { sizeOf } from '../env/space.ts'
import type { DenseLayer, PolicyModel } from '../types.ts'

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
 * The normaliser is a batch normalisation moved up by its clip and a rectifier that is cut at twice that, since layers
 * know no clip of two sides; the first layer's bias takes the move back.
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
    add('BatchNormalization', 'normaliser', { axis: -1, momentum: 0.99, epsilon: normaliser.epsilon, center: true, scale: false })
    weights.push({ name: 'normaliser/beta', shape: [width], values: new Float32Array(width).fill(normaliser.clip) })
    weights.push({ name: 'normaliser/moving_mean', shape: [width], values: normaliser.mean })
    weights.push({ name: 'normaliser/moving_variance', shape: [width], values: normaliser.variance })
    add('ReLU', 'clip', { max_value: 2 * normaliser.clip })
  }
  model.layers.forEach((layer, index) => {
    const isLast = index === model.layers.length - 1
    const name = `dense_${index + 1}`
    const activation = isLast && model.head === 'categorical' ? 'softmax' : layer.activation
    const bias = index === 0 && normaliser !== undefined ? movedBack(layer, normaliser.clip) : layer.bias
    add('Dense', name, { units: layer.outputs, activation, use_bias: true })
    weights.push({ name: `${name}/kernel`, shape: [layer.inputs, layer.outputs], values: layer.weights })
    weights.push({ name: `${name}/bias`, shape: [layer.outputs], values: bias })
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

function movedBack({ inputs, outputs, weights, bias }: DenseLayer, by: number): Float32Array {
  return bias.map((value, o) => {
    let sum = 0
    for (let i = 0; i < inputs; i++) sum += weights[i * outputs + o] as number
    return value - by * sum
  })
}
