import { execFileSync, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DQN_DEFAULTS, openDqn } from '../../training/algo/dqn.ts'
import { openPpo } from '../../training/algo/ppo.ts'
import { PPO_PRESETS } from '../../training/algo/presets.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { acrobot } from '../../training/env/acrobot.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import { vectorise } from '../../training/env/vector.ts'
import { exportPolicy, ONNX_OPSET, parseOnnx, renderOnnx, renderTfjs, runOnnx } from '../../training/export/index.ts'
import { exp } from '../../training/math.ts'
import { openScorer, policyOf } from '../../training/nn/policy.ts'
import { parsePolicy, renderPolicy } from '../../training/policy/index.ts'
import { randomFrom } from '../../training/random.ts'
import type { Activation, DenseLayer, Environment, Learner, PolicyModel } from '../../training/types.ts'
import { emptyFolder } from './runs.ts'
import { tell } from './simulate.ts'

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
const ROWS = 1_000

/** Policies as they are trained: one that draws its actions, one behind a normaliser, one that tells values. */
const TRAINED: Record<string, () => { learner: Learner; open: () => Environment }> = {
  'PPO on CartPole': () => {
    const [open, config] = [cartPole, PPO_PRESETS.cartPole]
    const environment = vectorise(open, config.environments)
    return { open, learner: openPpo({ environment, config, backend: wasmBackend(), seed: 1 }) }
  },
  'PPO on Acrobot, normalised': () => {
    const [open, config] = [acrobot, PPO_PRESETS.acrobot]
    const environment = vectorise(open, config.environments)
    return { open, learner: openPpo({ environment, config, backend: wasmBackend(), seed: 1 }) }
  },
  'DQN on CartPole': () => {
    const config = { ...DQN_DEFAULTS, hidden: [64, 64] }
    return { open: cartPole, learner: openDqn({ environment: vectorise(cartPole, 1), config, backend: wasmBackend(), seed: 1 }) }
  },
}

/** What the policy sees over 1,000 steps in which it decides two thirds of the time. */
function seen(model: PolicyModel, open: () => Environment): Float32Array {
  const environment = open()
  const [policy, random] = [policyOf(model), randomFrom('seen')]
  const size = model.layers[0]?.inputs as number
  const input = new Float32Array(ROWS * size)
  let [observation, seed] = [environment.reset(0), 0]
  for (let row = 0; row < ROWS; row++) {
    input.set(observation, row * size)
    const action = random.below(3) === 0 ? random.below(model.action.n) : policy.act(observation, random).action
    const { terminated, truncated, observation: next } = environment.step(action)
    observation = terminated || truncated ? environment.reset(++seed) : next
  }
  return input
}

/** The largest difference, as it is and in shares of the largest number (of 1 where that is larger). */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): { absolute: number; relative: number } {
  expect(a.length).toBe(b.length)
  const largest = Array.from(b).reduce((most, value) => Math.max(most, Math.abs(value)), 1)
  const absolute = Array.from(a).reduce((most, value, n) => Math.max(most, Math.abs(value - (b[n] as number))), 0)
  return { absolute, relative: absolute / largest }
}

describe.skipIf(interop === undefined)('other programs', () => {
  it.each(Object.keys(TRAINED))(
    'compute the same from our files of %s: onnxruntime-node and TensorFlow.js',
    async (name) => {
      const { learner, open } = (TRAINED[name] as (typeof TRAINED)[string])()
      while (learner.steps < 8_000) await learner.step()
      const model = learner.model()
      const input = seen(model, open)
      const width = model.action.n
      const scores = openScorer(model, ROWS)
        .score(input, ROWS)
        .slice(0, ROWS * width)
      const chances = Array.from({ length: ROWS }, (_, row) => softmax(scores.slice(row * width, (row + 1) * width))).flat()
      const into = await emptyFolder()
      for (const format of ['onnx', 'tfjs'] as const) {
        for (const [file, content] of exportPolicy(model, format)) await writeFile(join(into, file), content)
      }
      await writeFile(join(into, 'check.cjs'), CHECK)
      await writeFile(join(into, 'input.json'), JSON.stringify([...input]))
      const out = execFileSync(process.execPath, [join(into, 'check.cjs'), interop as string, into, String(ROWS)], {
        encoding: 'utf8',
        maxBuffer: 1e8,
      })
      const theirs = JSON.parse(out.trim().split('\n').at(-1) as string) as Record<'onnx' | 'chances' | 'tfjs', number[]>
      const drawn = model.head === 'categorical'
      const found = {
        'onnx scores': difference(theirs.onnx, scores),
        ...(drawn ? { 'onnx probabilities': difference(theirs.chances, chances) } : {}),
        [`tfjs ${drawn ? 'probabilities' : 'scores'}`]: difference(theirs.tfjs, drawn ? chances : scores),
      }
      const largest = scores.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      for (const [what, { absolute }] of Object.entries(found)) {
        console.log(
          `G20 ${name}, ${ROWS} inputs, largest score ${largest.toFixed(1)}: ${what} within ${absolute.toExponential(1)}`,
        )
      }
      // A score of 8 has gaps of 1e-6 to its neighbours in 32 bits: scores are held to a millionth of the largest.
      for (const [what, { absolute, relative }] of Object.entries(found)) {
        expect([what, what.endsWith('scores') ? relative <= 1e-6 : absolute <= 1e-6]).toEqual([what, true])
      }
    },
    120_000,
  )
})

const python = spawnSync('python3', ['--version']).status === 0

describe.skipIf(!python)('Python', () => {
  it('reads the weights of a policy as the format says, to the bit', async () => {
    const shape = { widths: [4, 16, 8, 3], activation: 'tanh' as const, head: 'categorical' as const, normalised: true, seed: 5 }
    const model = modelOf(shape)
    const folder = await emptyFolder()
    for (const [file, content] of exportPolicy(model, 'safetensors')) await writeFile(join(folder, file), content)
    const out = execFileSync('python3', ['-c', READ_SAFETENSORS, join(folder, 'policy.safetensors')], { encoding: 'utf8' })
    const { tensors, library } = JSON.parse(out) as {
      tensors: Record<string, { dtype: string; shape: number[]; bytes: string }>
      library: boolean | null
    }
    const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Float64Array) =>
      Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('hex')
    const due = model.layers.flatMap(({ weights, bias, inputs, outputs }, n) => [
      [`layers.${n}.weights`, { dtype: 'F32', shape: [inputs, outputs], bytes: bytesOf(weights) }],
      [`layers.${n}.bias`, { dtype: 'F32', shape: [outputs], bytes: bytesOf(bias) }],
    ])
    const { normaliser } = model
    const moments = (['mean', 'variance'] as const).map((which) => {
      const values = normaliser?.[which] as Float64Array
      return [`normaliser.${which}`, { dtype: 'F64', shape: [values.length], bytes: bytesOf(values) }]
    })
    expect(tensors).toEqual(Object.fromEntries([...due, ...moments]))
    // The library itself, where it is installed; null where it is not.
    expect(library).not.toBe(false)
    tell(`G20 safetensors read by Python to the bit; by its safetensors library: ${library ?? 'not installed'}`)
  })
})

/** Reads a file by the published layout alone; the library, where it is there, has to read the same. */
const READ_SAFETENSORS = `
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
(length,) = struct.unpack('<Q', data[:8])
head = json.loads(data[8:8 + length])
head.pop('__metadata__', None)
tensors, end = {}, 0
for name, entry in sorted(head.items(), key=lambda item: item[1]['data_offsets']):
    first, last = entry['data_offsets']
    assert first == end, 'a hole'
    end = last
    tensors[name] = {'dtype': entry['dtype'], 'shape': entry['shape'], 'bytes': data[8 + length + first:8 + length + last].hex()}
assert 8 + length + end == len(data), 'something is left over'
library = None
try:
    from safetensors.numpy import load_file
    read = load_file(sys.argv[1])
    library = {name: (list(array.shape), array.tobytes().hex()) for name, array in read.items()} == {
        name: (entry['shape'], entry['bytes']) for name, entry in tensors.items()
    }
except ImportError:
    pass
print(json.dumps({'tensors': tensors, 'library': library}))
`

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
  const chances = out.probabilities === undefined ? [] : [...out.probabilities.data]
  console.log(JSON.stringify({ onnx: [...out.scores.data], chances, tfjs: [...tfjs] }))
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
          Math.sqrt((get('moving_variance')[n] as number) + (config.epsilon as number)),
      )
    } else if (class_name === 'ReLU') {
      x = x.map((value) => Math.min(config.max_value as number, Math.max(0, value)))
    } else {
      const units = config.units as number
      const sums = Array.from({ length: units }, (_, o) =>
        x.reduce(
          (sum, value, i) => sum + value * (get('kernel')[i * units + o] as number),
          config.use_bias === true ? (get('bias')[o] as number) : 0,
        ),
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
