/**
 * ONNX for networks of dense layers: a writer, and a reader that computes what a file says, so that what we write is
 * checked by more than the hand that wrote it.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto for field numbers, docs/Operators.md for the operators
 */
import { ValuetrainError } from '../../core/errors.ts'
import { sizeOf } from '../env/space.ts'
import { exp, tanh } from '../math.ts'
import type { PolicyModel } from '../types.ts'
import { decodeMessage, encodeMessage, type Field, type ReadField, unpack } from './protobuf.ts'

/** Operator set whose Gemm, Clip and Softmax the file uses. */
export const ONNX_OPSET = 17
const IR_VERSION = 8
const FLOAT = 1
const ATTRIBUTE_FLOAT = 1
const ATTRIBUTE_INT = 2

/**
 * Returns a policy as an ONNX file: from `observation` [batch, n] to `scores` [batch, actions], and for a policy that
 * draws its actions to `probabilities` as well. The normaliser is part of it.
 */
export function renderOnnx(model: PolicyModel): Uint8Array {
  const nodes: Field[] = []
  const tensors: Field[] = []
  const width = sizeOf(model.observation)
  const node = (op: string, inputs: readonly string[], output: string, attributes: readonly Field[] = []) => {
    nodes.push({
      field: 1,
      message: [
        ...inputs.map((text): Field => ({ field: 1, text })),
        { field: 2, text: output },
        { field: 3, text: output },
        { field: 4, text: op },
        ...attributes,
      ],
    })
    return output
  }
  const tensor = (name: string, dims: readonly number[], values: ArrayLike<number>) => {
    tensors.push({
      field: 5,
      message: [
        ...(dims.length === 0 ? [] : [{ field: 1, packed: dims } as Field]),
        { field: 2, varint: FLOAT },
        { field: 8, text: name },
        { field: 9, bytes: floats(values) },
      ],
    })
    return name
  }
  let at = 'observation'
  if (model.normaliser !== undefined) {
    const { mean, variance, epsilon, clip } = model.normaliser
    at = node('Sub', [at, tensor('normaliser.mean', [width], mean)], 'centred')
    at = node(
      'Div',
      [
        at,
        tensor(
          'normaliser.spread',
          [width],
          variance.map((value) => Math.sqrt(value + epsilon)),
        ),
      ],
      'scaled',
    )
    at = node('Clip', [at, tensor('normaliser.low', [], [-clip]), tensor('normaliser.high', [], [clip])], 'normalised')
  }
  model.layers.forEach(({ inputs, outputs, activation, weights, bias }, index) => {
    const isLast = index === model.layers.length - 1
    const product = isLast && activation === 'linear' ? 'scores' : `layer.${index}.sum`
    const names = [
      at,
      tensor(`layer.${index}.weights`, [inputs, outputs], weights),
      tensor(`layer.${index}.bias`, [outputs], bias),
    ]
    at = node('Gemm', names, product, [floatAttribute('alpha', 1), floatAttribute('beta', 1), intAttribute('transB', 0)])
    if (activation !== 'linear') at = node(activation === 'tanh' ? 'Tanh' : 'Relu', [at], isLast ? 'scores' : `layer.${index}`)
  })
  const outputs = [output('scores', model.action.n)]
  if (model.head === 'categorical') {
    node('Softmax', [at], 'probabilities', [intAttribute('axis', 1)])
    outputs.push(output('probabilities', model.action.n))
  }
  return encodeMessage([
    { field: 1, varint: IR_VERSION },
    { field: 2, text: 'valuetrain' },
    {
      field: 7,
      message: [
        ...nodes,
        { field: 2, text: 'policy' },
        ...tensors,
        { field: 11, message: value('observation', width) },
        ...outputs,
      ],
    },
    {
      field: 8,
      message: [
        { field: 1, text: '' },
        { field: 2, varint: ONNX_OPSET },
      ],
    },
    ...Object.entries({ environment: model.environment, head: model.head }).map(
      ([key, text]): Field => ({
        field: 14,
        message: [
          { field: 1, text: key },
          { field: 2, text },
        ],
      }),
    ),
  ])
}

export interface OnnxNode {
  op: string
  inputs: string[]
  output: string
  attributes: Record<string, number>
}

export interface OnnxModel {
  irVersion: number
  opset: number
  nodes: OnnxNode[]
  tensors: Map<string, { dims: number[]; values: Float32Array }>
  inputs: { name: string; dims: (number | string)[] }[]
  outputs: { name: string; dims: (number | string)[] }[]
  metadata: Record<string, string>
}

/** Returns what an ONNX file of dense layers holds. @throws VT_PROTOBUF, VT_ONNX when it is something else */
export function parseOnnx(bytes: Uint8Array): OnnxModel {
  const file = decodeMessage(bytes)
  const graph = decodeMessage(bytesOf(file, 7))
  const opset = messages(file, 8).find((entry) => textOf(entry, 1) === '')
  return {
    irVersion: numberOf(file, 1),
    opset: opset === undefined ? 0 : numberOf(opset, 2),
    nodes: messages(graph, 1).map((fields) => ({
      op: textOf(fields, 4),
      inputs: texts(fields, 1),
      output: textOf(fields, 2),
      attributes: Object.fromEntries(
        messages(fields, 5).map((entry) => [textOf(entry, 1), numberOf(entry, numberOf(entry, 20) === ATTRIBUTE_INT ? 3 : 2)]),
      ),
    })),
    tensors: new Map(
      messages(graph, 5).map((fields) => {
        if (numberOf(fields, 2) !== FLOAT) throw notOurs(`tensor ${textOf(fields, 8)} is not of 32-bit floats`)
        const dims = fields.flatMap(({ field, value }) =>
          field !== 1 ? [] : typeof value === 'number' ? [value] : unpack(value),
        )
        return [textOf(fields, 8), { dims, values: floatsOf(bytesOf(fields, 9)) }]
      }),
    ),
    inputs: messages(graph, 11).map(valueInfo),
    outputs: messages(graph, 12).map(valueInfo),
    metadata: Object.fromEntries(messages(file, 14).map((entry) => [textOf(entry, 1), textOf(entry, 2)])),
  }
}

/** Computes a file's outputs for a batch. @param observations [rows x width] @throws VT_ONNX for an operator that is not ours */
export function runOnnx(model: OnnxModel, observations: ArrayLike<number>, rows: number): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>()
  for (const [name, { values: constant }] of model.tensors) values.set(name, constant)
  values.set(model.inputs[0]?.name ?? '', Float32Array.from(observations))
  const get = (name: string | undefined) => {
    const found = values.get(name ?? '')
    if (found === undefined) throw notOurs(`nothing computes "${name}"`)
    return found
  }
  for (const { op, inputs, output, attributes } of model.nodes) {
    const [a, b, c] = inputs
    const x = get(a)
    switch (op) {
      case 'Sub':
        values.set(
          output,
          x.map((value, n) => value - at(get(b), n)),
        )
        break
      case 'Div':
        values.set(
          output,
          x.map((value, n) => value / at(get(b), n)),
        )
        break
      case 'Clip':
        values.set(
          output,
          x.map((value) => Math.min(at(get(c), 0), Math.max(at(get(b), 0), value))),
        )
        break
      case 'Tanh':
        values.set(output, x.map(tanh))
        break
      case 'Relu':
        values.set(
          output,
          x.map((value) => Math.max(0, value)),
        )
        break
      case 'Gemm':
        if (attributes.transB !== 0) throw notOurs('Gemm with a transposed weight')
        values.set(output, gemm(x, get(b), get(c), rows))
        break
      case 'Softmax':
        values.set(output, softmaxRows(x, rows))
        break
      default:
        throw notOurs(`operator ${op}`)
    }
  }
  return new Map(model.outputs.map(({ name }) => [name, get(name)]))
}

function gemm(x: Float32Array, weights: Float32Array, bias: Float32Array, rows: number): Float32Array {
  const [inputs, outputs] = [x.length / rows, bias.length]
  const out = new Float32Array(rows * outputs)
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      let sum = at(bias, o)
      for (let i = 0; i < inputs; i++) sum += at(x, r * inputs + i) * (weights[i * outputs + o] as number)
      out[r * outputs + o] = sum
    }
  }
  return out
}

function softmaxRows(x: Float32Array, rows: number): Float32Array {
  const width = x.length / rows
  const out = new Float32Array(x.length)
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * width, (r + 1) * width)
    const highest = row.reduce((a, b) => Math.max(a, b))
    const powers = Array.from(row, (value) => exp(value - highest))
    const sum = powers.reduce((a, b) => a + b)
    powers.forEach((power, n) => {
      out[r * width + n] = power / sum
    })
  }
  return out
}

/** Broadcasts the last dimension, as Sub and Div do. */
function at(values: Float32Array, index: number): number {
  return values[index % values.length] as number
}

function value(name: string, width: number): Field[] {
  const dimensions: Field[] = [
    { field: 1, message: [{ field: 2, text: 'batch' }] },
    { field: 1, message: [{ field: 1, varint: width }] },
  ]
  const type: Field[] = [
    { field: 1, varint: FLOAT },
    { field: 2, message: dimensions },
  ]
  return [
    { field: 1, text: name },
    { field: 2, message: [{ field: 1, message: type }] },
  ]
}

function output(name: string, width: number): Field {
  return { field: 12, message: value(name, width) }
}

function floatAttribute(name: string, float: number): Field {
  return {
    field: 5,
    message: [
      { field: 1, text: name },
      { field: 2, float },
      { field: 20, varint: ATTRIBUTE_FLOAT },
    ],
  }
}

function intAttribute(name: string, varint: number): Field {
  return {
    field: 5,
    message: [
      { field: 1, text: name },
      { field: 3, varint },
      { field: 20, varint: ATTRIBUTE_INT },
    ],
  }
}

function floats(values: ArrayLike<number>): Uint8Array {
  const out = Buffer.alloc(4 * values.length)
  for (let n = 0; n < values.length; n++) out.writeFloatLE(values[n] as number, 4 * n)
  return out
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float32Array.from({ length: bytes.length / 4 }, (_, n) => view.getFloat32(4 * n, true))
}

function valueInfo(fields: ReadField[]): { name: string; dims: (number | string)[] } {
  const tensor = decodeMessage(bytesOf(decodeMessage(bytesOf(fields, 2)), 1))
  const dims = messages(decodeMessage(bytesOf(tensor, 2)), 1).map(
    (dim) => (texts(dim, 2)[0] ?? numberOf(dim, 1)) as number | string,
  )
  return { name: textOf(fields, 1), dims }
}

function messages(fields: readonly ReadField[], field: number): ReadField[][] {
  return fields.flatMap((one) => (one.field === field && typeof one.value !== 'number' ? [decodeMessage(one.value)] : []))
}

function texts(fields: readonly ReadField[], field: number): string[] {
  return fields.flatMap((one) =>
    one.field === field && typeof one.value !== 'number' ? [new TextDecoder().decode(one.value)] : [],
  )
}

function textOf(fields: readonly ReadField[], field: number): string {
  return texts(fields, field)[0] ?? ''
}

function numberOf(fields: readonly ReadField[], field: number): number {
  const found = fields.find((one) => one.field === field)
  return typeof found?.value === 'number' ? found.value : 0
}

function bytesOf(fields: readonly ReadField[], field: number): Uint8Array {
  const found = fields.find((one) => one.field === field)?.value
  if (found instanceof Uint8Array) return found
  throw notOurs(`field ${field} is missing`)
}

function notOurs(what: string): ValuetrainError {
  return new ValuetrainError('VT_ONNX', `this ONNX file is not one of dense layers: ${what}`, {
    hint: 'give a file that `valuetrain export` wrote',
  })
}
