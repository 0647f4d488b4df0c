import { ValuetrainError } from '../../core/errors.ts'
import { type Backend, padded } from '../backend/backend.ts'
import type { Activation, DenseLayer, Random } from '../types.ts'

export interface MlpShape {
  inputs: number
  /** Widths of the hidden layers, each 1 or more. */
  hidden: readonly number[]
  outputs: number
  /** Of the hidden layers; the last layer is linear. */
  activation: Activation
}

interface Layer {
  inputs: number
  outputs: number
  activation: Activation
  weights: Float32Array
  bias: Float32Array
  weightGradient: Float32Array
  biasGradient: Float32Array
}

/** Flat memory for parameters, gradients and their moments, which several networks share so that one step moves all. */
export interface Parameters {
  /** All weights and biases, each piece padded to whole vectors; the padding stays 0. */
  values: Float32Array
  gradient: Float32Array
}

/** Returns room for the parameters of networks of these shapes, in their order. */
export function openParameters(backend: Backend, shapes: readonly MlpShape[]): Parameters {
  const length = shapes.reduce((sum, shape) => sum + parameterLength(shape), 0)
  return { values: backend.allocate(length), gradient: backend.allocate(length) }
}

/** Returns how many floats of `Parameters` a network of this shape takes, padding included. */
export function parameterLength(shape: MlpShape): number {
  return layersOf(shape).reduce((sum, { inputs, outputs }) => sum + padded(inputs * outputs) + padded(outputs), 0)
}

/**
 * A multilayer perceptron over batches of up to `maxRows` rows, with the memory for one forward and one backward pass.
 */
export class Mlp {
  readonly shape: MlpShape
  readonly maxRows: number
  /** [maxRows x inputs]; write a batch here, then `forward`. */
  readonly input: Float32Array
  /** [maxRows x outputs] of the last `forward`. */
  readonly output: Float32Array
  /** [maxRows x outputs]; write the loss's gradient here, then `backward`. */
  readonly outputGradient: Float32Array
  readonly #backend: Backend
  readonly #layers: Layer[] = []
  readonly #activations: Float32Array[]
  readonly #gradients: Float32Array[]

  /**
   * @param parameters where weights live, from `offset` on; see `openParameters`
   * @throws VT_NETWORK_SHAPE when a width or the batch is not a whole number from 1
   */
  constructor(backend: Backend, shape: MlpShape, maxRows: number, parameters: Parameters, offset = 0) {
    for (const width of [shape.inputs, ...shape.hidden, shape.outputs, maxRows]) {
      if (!Number.isInteger(width) || width < 1) {
        throw new ValuetrainError('VT_NETWORK_SHAPE', `a layer or batch of ${width} cannot be`, {
          kind: 'config',
          hint: 'Widths and batch sizes are whole numbers from 1.',
        })
      }
    }
    this.#backend = backend
    this.shape = shape
    this.maxRows = maxRows
    let at = offset
    const take = (length: number): [Float32Array, Float32Array] => {
      const from = at
      at += padded(length)
      return [parameters.values.subarray(from, from + length), parameters.gradient.subarray(from, from + length)]
    }
    for (const layer of layersOf(shape)) {
      const [weights, weightGradient] = take(layer.inputs * layer.outputs)
      const [bias, biasGradient] = take(layer.outputs)
      this.#layers.push({ ...layer, weights, bias, weightGradient, biasGradient })
    }
    const room = (width: number) => backend.allocate(maxRows * width)
    this.#activations = [room(shape.inputs), ...this.#layers.map(({ outputs }) => room(outputs))]
    this.#gradients = this.#layers.map(({ outputs }) => room(outputs))
    this.input = this.#activations[0] as Float32Array
    this.output = this.#activations.at(-1) as Float32Array
    this.outputGradient = this.#gradients.at(-1) as Float32Array
  }

  /** Draws orthogonal weights and zero biases: gain √2 for hidden layers, `outputGain` for the last. @see Saxe et al. 2014, arXiv:1312.6120 */
  initialise(random: Random, outputGain: number): void {
    this.#layers.forEach(({ inputs, outputs, weights, bias }, index) => {
      orthogonal(weights, inputs, outputs, index === this.#layers.length - 1 ? outputGain : Math.SQRT2, random)
      bias.fill(0)
    })
  }

  /** Draws weights and biases uniformly from ±1/√inputs. @see LeCun et al., Efficient BackProp, 1998 */
  initialiseUniform(random: Random): void {
    for (const { inputs, weights, bias } of this.#layers) {
      const bound = 1 / Math.sqrt(inputs)
      for (let n = 0; n < weights.length; n++) weights[n] = (2 * random.uniform() - 1) * bound
      for (let n = 0; n < bias.length; n++) bias[n] = (2 * random.uniform() - 1) * bound
    }
  }

  /** Computes `output` for the first `rows` rows of `input`. */
  forward(rows: number): Float32Array {
    this.#layers.forEach(({ inputs, outputs, activation, weights, bias }, index) => {
      const x = this.#activations[index] as Float32Array
      const y = this.#activations[index + 1] as Float32Array
      this.#backend.dense(x, weights, bias, y, { rows, inputs, outputs }, activation)
    })
    return this.output
  }

  /** Computes the gradient of every parameter from `outputGradient`, after a `forward` over the same rows. */
  backward(rows: number): void {
    // The last layer is linear, so its gradient is the loss's; each other layer's comes from the one behind it.
    for (let index = this.#layers.length - 1; index >= 0; index--) {
      const { inputs, outputs, weights, weightGradient, biasGradient } = this.#layers[index] as Layer
      const x = this.#activations[index] as Float32Array
      const d = this.#gradients[index] as Float32Array
      const shape = { rows, inputs, outputs }
      this.#backend.weightGradient(x, d, weightGradient, shape)
      this.#backend.biasGradient(d, biasGradient, shape)
      const before = this.#layers[index - 1]
      if (before === undefined) return
      this.#backend.inputGradient(d, weights, this.#gradients[index - 1] as Float32Array, shape, x, before.activation)
    }
  }

  /** Multiplications and additions of one forward and backward pass over one row. */
  get macsPerRow(): number {
    return this.#layers.reduce((sum, { inputs, outputs }, index) => sum + inputs * outputs * (index === 0 ? 2 : 3), 0)
  }

  /** Returns a copy of the layers, for records and export. */
  layers(): DenseLayer[] {
    return this.#layers.map(({ inputs, outputs, activation, weights, bias }) => ({
      inputs,
      outputs,
      activation,
      weights: weights.slice(),
      bias: bias.slice(),
    }))
  }

  /** Takes over layers. @throws VT_NETWORK_SHAPE when they are of another shape */
  load(layers: readonly DenseLayer[]): void {
    const fits =
      layers.length === this.#layers.length &&
      layers.every((layer, index) => {
        const own = this.#layers[index] as Layer
        return layer.weights.length === own.weights.length && layer.bias.length === own.bias.length
      })
    if (!fits) {
      const widths = (list: readonly { inputs: number; outputs: number }[]) =>
        [list[0]?.inputs, ...list.map(({ outputs }) => outputs)].join('-')
      throw new ValuetrainError(
        'VT_NETWORK_SHAPE',
        `weights of a ${widths(layers)} network do not fit a ${widths(this.#layers)} one`,
        {
          hint: 'Check that the weights belong to this configuration.',
        },
      )
    }
    layers.forEach((layer, index) => {
      const own = this.#layers[index] as Layer
      own.weights.set(layer.weights)
      own.bias.set(layer.bias)
    })
  }
}

/** Returns the shape of a network given by its layers. @throws VT_NETWORK_SHAPE when they do not chain */
export function shapeOf(layers: readonly DenseLayer[]): MlpShape {
  const [first] = layers
  const last = layers.at(-1)
  const chained = layers.every((layer, index) => index === 0 || layers[index - 1]?.outputs === layer.inputs)
  const hidden = layers.slice(0, -1)
  const activation = first === undefined || layers.length === 1 ? 'tanh' : first.activation
  if (
    first === undefined ||
    last === undefined ||
    !chained ||
    last.activation !== 'linear' ||
    hidden.some((layer) => layer.activation !== activation)
  ) {
    throw new ValuetrainError('VT_NETWORK_SHAPE', 'these layers are not one network with a linear last layer', {
      hint: 'The model file is damaged or was written by something else.',
    })
  }
  return { inputs: first.inputs, hidden: hidden.map(({ outputs }) => outputs), outputs: last.outputs, activation }
}

function layersOf({
  inputs,
  hidden,
  outputs,
  activation,
}: MlpShape): { inputs: number; outputs: number; activation: Activation }[] {
  const widths = [inputs, ...hidden, outputs]
  return widths.slice(1).map((width, index) => ({
    inputs: widths[index] as number,
    outputs: width,
    activation: index === widths.length - 2 ? 'linear' : activation,
  }))
}

/** Fills [rows x columns] with orthonormal rows or columns, whichever are fewer, times `gain`: Gram-Schmidt on normal draws, twice. */
function orthogonal(out: Float32Array, rows: number, columns: number, gain: number, random: Random): void {
  const count = Math.min(rows, columns)
  const size = Math.max(rows, columns)
  const basis: Float64Array[] = []
  while (basis.length < count) {
    const vector = Float64Array.from({ length: size }, () => random.normal())
    const before = norm(vector)
    for (let pass = 0; pass < 2; pass++) {
      for (const other of basis) {
        let dot = 0
        for (let n = 0; n < size; n++) dot += (vector[n] as number) * (other[n] as number)
        for (let n = 0; n < size; n++) vector[n] = (vector[n] as number) - dot * (other[n] as number)
      }
    }
    const length = norm(vector)
    // Drawn into the span of the others: draw again.
    if (length < 1e-8 * before) continue
    for (let n = 0; n < size; n++) vector[n] = (vector[n] as number) / length
    basis.push(vector)
  }
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const value = rows <= columns ? basis[r]?.[c] : basis[c]?.[r]
      out[r * columns + c] = gain * (value as number)
    }
  }
}

function norm(vector: Float64Array): number {
  let sum = 0
  for (let n = 0; n < vector.length; n++) sum += (vector[n] as number) * (vector[n] as number)
  return Math.sqrt(sum)
}
