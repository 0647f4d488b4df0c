import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exportPolicy, ONNX_OPSET, parseOnnx, renderOnnx, renderTfjs, runOnnx } from '../../training/export/index.ts'
import { exp } from '../../training/math.ts'
import { openScorer } from '../../training/nn/policy.ts'
import { parsePolicy, renderPolicy } from '../../training/policy/index.ts'
import { randomFrom } from '../../training/random.ts'
import type { Activation, DenseLayer, PolicyModel } from '../../training/types.ts'
import { emptyFolder } from './runs.ts'

const shapes = fc.record({
  widths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 5 }),
  activation: fc.constantFrom<Activation>('tanh', 'relu'),
  head: fc.constantFrom<PolicyModel['head']>('categorical', 'greedy'),
  normalised: fc.boolean(),
  seed: fc.nat(),
})

function modelOf({
  widths,
  activation,
  head,
  normalised,
  seed,
}: {
  widths: number[]
  activation: Activation
  head: PolicyModel['head']
  normalised: boolean
  seed: number
}): PolicyModel {
  const random = randomFrom(seed)
  const numbers = (length: number) => Float32Array.from({ length }, () => random.normal())
  const layers = widths.slice(1).map(
    (outputs, index): DenseLayer => ({
      inputs: widths[index] as number,
      outputs,
      activation: index === widths.length - 2 ? 'linear' : activation,
      weights: numbers((widths[index] as number) * outputs),
      bias: numbers(outputs),
    }),
  )
  const [size = 1] = widths
  const open = Array.from({ length: size }, () => Number.POSITIVE_INFINITY)
  return {
    version: 1,
    head,
    environment: 'Somewhere-v1',
    observation: { kind: 'box', shape: [size], low: open.map((bound) => -bound), high: open },
    action: { kind: 'discrete', n: widths.at(-1) as number },
    ...(normalised
      ? {
          normaliser: {
            mean: Float64Array.from(numbers(size)),
            variance: Float64Array.from(numbers(size), (x) => x * x + 0.1),
            epsilon: 1e-8,
            clip: 2,
          },
        }
      : {}),
    layers,
  }
}

/** Observations far enough out that the clip is at work. */
function observations(size: number, rows: number, seed: number): Float32Array {
  const random = randomFrom(seed).split('observations')
  return Float32Array.from({ length: size * rows }, () => 3 * random.normal())
}

function close(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(a.length).toBe(b.length)
  for (let n = 0; n < a.length; n++)
    expect(Math.abs((a[n] as number) - (b[n] as number))).toBeLessThan(2e-4 * (1 + Math.abs(b[n] as number)))
}

/** Within a millionth of the largest number: what is left is the order in which a program adds in 32 bits. */
function within(a: ArrayLike<number>, b: ArrayLike<number>): void {
  const largest = Array.from(b).reduce((most, value) => Math.max(most, Math.abs(value)), 1)
  const apart = Array.from(a, (value, n) => Math.abs(value - (b[n] as number)))
  expect([a.length, Math.max(...apart) <= 1e-6 * largest]).toEqual([b.length, true])
}

function softmax(scores: Float32Array): number[] {
  const powers = Array.from(scores, (score) => exp(score - Math.max(...scores)))
  const sum = powers.reduce((a, b) => a + b)
  return powers.map((power) => power / sum)
}

describe('a policy as ONNX', () => {
  it('computes what the policy computes, by our own reader', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const model = modelOf(shape)
        const size = shape.widths[0] as number
        const rows = 3
        const input = observations(size, rows, shape.seed)
        const wanted = openScorer(model, rows)
          .score(input, rows)
          .slice(0, rows * model.action.n)
        const file = parseOnnx(renderOnnx(model))
        const outputs = runOnnx(file, input, rows)
        close(outputs.get('scores') as Float32Array, wanted)
        expect([...outputs.keys()]).toEqual(shape.head === 'categorical' ? ['scores', 'probabilities'] : ['scores'])
        if (shape.head === 'categorical')
          close((outputs.get('probabilities') as Float32Array).slice(0, model.action.n), softmax(wanted.slice(0, model.action.n)))
      }),
      { numRuns: 60 },
    )
  })

  it('says its operator set, its shapes and where it is from, and uses only operators of dense layers', () => {
    const model = modelOf({ widths: [4, 8, 2], activation: 'tanh', head: 'categorical', normalised: true, seed: 1 })
    const { opset, irVersion, inputs, outputs, nodes, tensors, metadata } = parseOnnx(renderOnnx(model))
    expect({ opset, irVersion, inputs, outputs, metadata }).toEqual({
      opset: ONNX_OPSET,
      irVersion: 8,
      inputs: [{ name: 'observation', dims: ['batch', 4] }],
      outputs: [
        { name: 'scores', dims: ['batch', 2] },
        { name: 'probabilities', dims: ['batch', 2] },
      ],
      metadata: { environment: 'Somewhere-v1', head: 'categorical' },
    })
    expect(nodes.map(({ op }) => op)).toEqual(['Sub', 'Div', 'Clip', 'Gemm', 'Tanh', 'Gemm', 'Softmax'])
    expect(tensors.get('layer.0.weights')?.dims).toEqual([4, 8])
  })

  it('is refused when it is cut off anywhere, and never read as something else', () => {
    const bytes = renderOnnx(modelOf({ widths: [3, 4, 2], activation: 'relu', head: 'greedy', normalised: false, seed: 2 }))
    const whole = JSON.stringify([...parseOnnx(bytes).tensors])
    for (let length = 0; length < bytes.length - 30; length += 7) {
      let read: string | undefined
      try {
        read = JSON.stringify([...parseOnnx(bytes.subarray(0, length)).tensors])
      } catch (error) {
        expect((error as { code: string }).code).toMatch(/^VT_(ONNX|PROTOBUF)$/)
      }
      if (length < 20) expect(read).toBeUndefined()
      else expect([undefined, whole]).toContain(read)
    }
  })
})

describe('a policy as a layers model', () => {
  it('computes what the policy computes, read by its own manifest', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const model = modelOf(shape)
        const size = shape.widths[0] as number
        const input = observations(size, 1, shape.seed)
        const scores = openScorer(model, 1).score(input, 1).slice(0, model.action.n)
        close(runLayers(renderTfjs(model), input), shape.head === 'categorical' ? softmax(scores) : scores)
      }),
      { numRuns: 60 },
    )
  })
})

describe('a policy as safetensors', () => {
  it('is read back as it was, and the same policy gives the same bytes', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const model = modelOf(shape)
        const files = renderPolicy(model)
        expect(parsePolicy(files, 'a run')).toEqual(model)
        expect(exportPolicy(model, 'safetensors').get('policy.safetensors')).toEqual(files.weights)
        expect(renderPolicy(modelOf(shape)).version).toBe(files.version)
      }),
      { numRuns: 40 },
    )
  })

  it('is refused when weights and description do not belong together, or are something else', () => {
    const shape = { widths: [3, 4, 2], activation: 'tanh' as const, head: 'greedy' as const, normalised: true }
    const [a, b] = [renderPolicy(modelOf({ ...shape, seed: 1 })), renderPolicy(modelOf({ ...shape, seed: 2 }))]
    expect(() => parsePolicy({ weights: b.weights, model: a.model }, 'a run')).toThrow('is not the file that model.json names')
    expect(() => parsePolicy({ weights: a.weights.slice(0, 40), model: a.model }, 'a run')).toThrow('is not the file')
    expect(() => parsePolicy({ weights: a.weights, model: '{"format":"other"}' }, 'a run')).toThrow(
      'no policy of ours but "other"',
    )
    expect(() => parsePolicy({ weights: a.weights, model: 'model' }, 'a run')).toThrow('is not JSON')
  })
})

const interop = process.env.VALUETRAIN_INTEROP

describe.skipIf(interop === undefined)('other programs', () => {
  it('compute the same from our files: onnxruntime-node and TensorFlow.js', async () => {
    const folder = await emptyFolder()
    for (const [n, shape] of [
      { widths: [4, 16, 16, 2], activation: 'tanh' as const, head: 'categorical' as const, normalised: true, seed: 3 },
      { widths: [6, 8, 3], activation: 'relu' as const, head: 'greedy' as const, normalised: false, seed: 4 },
    ].entries()) {
      const model = modelOf(shape)
      const rows = 1_000
      const input = observations(shape.widths[0] as number, rows, shape.seed)
      const scores = openScorer(model, rows)
        .score(input, rows)
        .slice(0, rows * model.action.n)
      const into = join(folder, String(n))
      await mkdir(into, { recursive: true })
      for (const format of ['onnx', 'tfjs'] as const) {
        for (const [name, content] of exportPolicy(model, format)) await writeFile(join(into, name), content)
      }
      const script = join(into, 'check.cjs')
      await writeFile(script, CHECK)
      await writeFile(join(into, 'input.json'), JSON.stringify([...input]))
      const out = execFileSync(process.execPath, [script, interop as string, into, String(rows)], {
        encoding: 'utf8',
        maxBuffer: 1e8,
      })
      const { onnx, tfjs } = JSON.parse(out.trim().split('\n').at(-1) as string) as { onnx: number[]; tfjs: number[] }
      const width = model.action.n
      const wanted =
        shape.head === 'greedy'
          ? [...scores]
          : Array.from({ length: rows }, (_, r) => softmax(scores.slice(r * width, (r + 1) * width))).flat()
      within(onnx, scores)
      within(tfjs, wanted)
    }
  }, 120_000)
})

const CHECK = `
const { createRequire } = require('node:module')
const [, , place, folder, rowsText] = process.argv
const { readFileSync } = require('node:fs')
const need = createRequire(place + '/package.json')
const input = JSON.parse(readFileSync(folder + '/input.json', 'utf8')), rows = Number(rowsText), width = input.length / rows
;(async () => {
  const ort = need('onnxruntime-node')
  const session = await ort.InferenceSession.create(folder + '/policy.onnx')
  const out = await session.run({ observation: new ort.Tensor('float32', Float32Array.from(input), [rows, width]) })
  const tf = need('@tensorflow/tfjs')
  const json = JSON.parse(readFileSync(folder + '/model.json', 'utf8'))
  const weights = readFileSync(folder + '/group1-shard1of1.bin')
  const model = await tf.loadLayersModel(tf.io.fromMemory({
    modelTopology: json.modelTopology,
    weightSpecs: json.weightsManifest[0].weights,
    weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength),
  }))
  const tfjs = await model.predict(tf.tensor2d(input, [rows, width])).data()
  console.log(JSON.stringify({ onnx: [...out.scores.data], tfjs: [...tfjs] }))
})()
`

/** What a reader of layers models does with ours, written out: batch normalisation, a rectifier with a top, dense layers. */
function runLayers({ model, weights }: { model: string; weights: Uint8Array }, input: Float32Array): number[] {
  const json = JSON.parse(model) as {
    modelTopology: { config: { layers: { class_name: string; config: Record<string, unknown> }[] } }
    weightsManifest: { weights: { name: string; shape: number[] }[] }[]
  }
  const view = new DataView(weights.buffer, weights.byteOffset, weights.byteLength)
  const named = new Map<string, number[]>()
  let at = 0
  for (const { name, shape } of json.weightsManifest[0]?.weights ?? []) {
    const length = shape.reduce((product, side) => product * side, 1)
    named.set(
      name,
      Array.from({ length }, (_, n) => view.getFloat32(at + 4 * n, true)),
    )
    at += 4 * length
  }
  expect(at).toBe(weights.length)
  let x = [...input]
  for (const { class_name, config } of json.modelTopology.config.layers) {
    const get = (part: string) => named.get(`${String(config.name)}/${part}`) as number[]
    if (class_name === 'BatchNormalization') {
      x = x.map(
        (value, n) =>
          (value - (get('moving_mean')[n] as number)) /
            Math.sqrt((get('moving_variance')[n] as number) + (config.epsilon as number)) +
          (get('beta')[n] as number),
      )
    } else if (class_name === 'ReLU') {
      x = x.map((value) => Math.min(config.max_value as number, Math.max(0, value)))
    } else {
      const units = config.units as number
      const sums = Array.from({ length: units }, (_, o) =>
        x.reduce((sum, value, i) => sum + value * (get('kernel')[i * units + o] as number), get('bias')[o] as number),
      )
      x =
        config.activation === 'tanh'
          ? sums.map(Math.tanh)
          : config.activation === 'relu'
            ? sums.map((sum) => Math.max(0, sum))
            : config.activation === 'softmax'
              ? softmax(Float32Array.from(sums))
              : sums
    }
  }
  return x
}
