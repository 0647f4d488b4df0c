import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advantages } from '../../training/algo/advantage.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { crossEntropy, huber, huberGradient, logProbability, softmax, squaredError } from '../../training/nn/loss.ts'
import { Mlp, type MlpShape, openParameters, parameterLength } from '../../training/nn/mlp.ts'
import { normalise, RunningMoments } from '../../training/nn/normalise.ts'
import { adamOptimiser, type Optimiser, sgdOptimiser } from '../../training/nn/optimiser.ts'
import { boundedSight } from '../../training/nn/perception.ts'
import { policyOf } from '../../training/nn/policy.ts'
import { valueAt } from '../../training/nn/schedule.ts'
import { randomFrom } from '../../training/random.ts'
import type { Normaliser, PolicyModel } from '../../training/types.ts'

function network(shape: MlpShape, rows: number, seed = 1) {
  const backend = wasmBackend(1 << 22)
  const parameters = openParameters(backend, [shape])
  const net = new Mlp(backend, shape, rows, parameters)
  net.initialise(randomFrom(seed), 1)
  return { backend, parameters, net }
}

/** Compares a gradient with central differences of the loss, at every parameter. @returns the largest relative difference */
function gradientError(shape: MlpShape, rows: number, loss: (net: Mlp) => number): number {
  const { parameters, net } = network(shape, rows)
  const random = randomFrom(2)
  for (let n = 0; n < rows * shape.inputs; n++) net.input[n] = random.normal()
  // Biases away from 0, so that no relu sits on its edge.
  for (let n = 0; n < parameters.values.length; n++)
    parameters.values[n] = (parameters.values[n] as number) + 0.05 * random.normal()
  const lossNow = () => {
    net.forward(rows)
    return loss(net)
  }
  lossNow()
  net.backward(rows)
  const gradient = parameters.gradient.slice()
  const scale = Math.max(...gradient.map(Math.abs))
  const step = 2e-3
  let worst = 0
  for (let n = 0; n < parameterLength(shape); n++) {
    const kept = parameters.values[n] as number
    parameters.values[n] = kept + step
    const up = lossNow()
    parameters.values[n] = kept - step
    const down = lossNow()
    parameters.values[n] = kept
    worst = Math.max(worst, Math.abs((up - down) / (2 * step) - (gradient[n] as number)) / scale)
  }
  return worst
}

describe('gradients agree with finite differences', () => {
  const shape = { inputs: 3, hidden: [7, 5], outputs: 4 }
  it.each(['tanh', 'relu'] as const)('for the squared error, %s layers', (activation) => {
    const rows = 6
    const targets = Float64Array.from({ length: rows * 4 }, (_, n) => Math.sin(n))
    const error = gradientError({ ...shape, activation }, rows, (net) =>
      squaredError(net.output, targets, rows * 4, net.outputGradient),
    )
    expect(error).toBeLessThan(activation === 'tanh' ? 2e-3 : 2e-2)
  })

  it('for the cross-entropy, weighted', () => {
    const classes = [0, 3, 1, 1, 2, 0]
    const weights = [1, 2, 0.5, 1, 0, 3]
    const error = gradientError({ ...shape, activation: 'tanh' }, 6, (net) =>
      crossEntropy(net.output, classes, 6, 4, net.outputGradient, weights),
    )
    expect(error).toBeLessThan(2e-3)
  })

  it("for Huber's loss", () => {
    for (const error of [-3, -1.0001, -0.3, 0, 0.4, 0.9999, 2]) {
      expect((huber(error + 1e-6) - huber(error - 1e-6)) / 2e-6).toBeCloseTo(huberGradient(error), 5)
    }
  })
})

describe('a network', () => {
  it('begins with orthogonal layers', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0 }),
        (inputs, outputs, seed) => {
          const { net } = network({ inputs, hidden: [], outputs, activation: 'tanh' }, 1, seed)
          const [layer] = net.layers()
          const at = (i: number, o: number) => layer?.weights[i * outputs + o] as number
          const [few, many] = inputs <= outputs ? [inputs, outputs] : [outputs, inputs]
          for (let a = 0; a < few; a++) {
            for (let b = 0; b < few; b++) {
              let dot = 0
              for (let n = 0; n < many; n++) dot += inputs <= outputs ? at(a, n) * at(b, n) : at(n, a) * at(n, b)
              expect(dot).toBeCloseTo(a === b ? 1 : 0, 5)
            }
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('gives a row the same bits in any batch', () => {
    const { net } = network({ inputs: 5, hidden: [9, 9], outputs: 3, activation: 'tanh' }, 11)
    const random = randomFrom(4)
    for (let n = 0; n < 55; n++) net.input[n] = random.normal()
    const all = net.forward(11).slice()
    const rows = net.input.slice()
    for (let r = 0; r < 11; r++) {
      net.input.set(rows.subarray(r * 5, r * 5 + 5))
      expect([...net.forward(1).slice(0, 3)]).toEqual([...all.slice(r * 3, r * 3 + 3)])
    }
  })

  it('takes over the layers of another, and refuses those of another shape', () => {
    const shape: MlpShape = { inputs: 2, hidden: [4], outputs: 2, activation: 'relu' }
    const [a, b] = [network(shape, 1, 1).net, network(shape, 1, 2).net]
    b.load(a.layers())
    expect(b.layers()).toEqual(a.layers())
    const other = network({ ...shape, hidden: [5] }, 1).net
    expect(() => other.load(a.layers())).toThrowError(expect.objectContaining({ code: 'VT_NETWORK_SHAPE' }))
    expect(() => network({ ...shape, hidden: [0] }, 1)).toThrowError(expect.objectContaining({ code: 'VT_NETWORK_SHAPE' }))
  })

  it('learns what one layer cannot', () => {
    const lossAfter = (open: (net: ReturnType<typeof network>) => Optimiser, rate: number) => {
      const made = network({ inputs: 2, hidden: [8], outputs: 2, activation: 'tanh' }, 4)
      const optimiser = open(made)
      let loss = 0
      for (let step = 0; step < 400; step++) {
        made.net.input.set([0, 0, 0, 1, 1, 0, 1, 1])
        made.net.forward(4)
        loss = crossEntropy(made.net.output, [0, 1, 1, 0], 4, 2, made.net.outputGradient)
        made.net.backward(4)
        optimiser.step(rate, Number.POSITIVE_INFINITY)
      }
      return loss
    }
    expect(lossAfter(({ backend, parameters }) => adamOptimiser(backend, parameters), 0.02)).toBeLessThan(0.02)
    expect(lossAfter(({ backend, parameters }) => sgdOptimiser(backend, parameters), 0.5)).toBeLessThan(0.1)
    expect(lossAfter(({ backend, parameters }) => sgdOptimiser(backend, parameters), 0)).toBeGreaterThan(0.5)
  })
})

describe('Adam', () => {
  it('takes the steps of the published algorithm', () => {
    const backend = wasmBackend(1 << 17)
    const parameters = { values: backend.allocate(4), gradient: backend.allocate(4) }
    const optimiser = adamOptimiser(backend, parameters, { epsilon: 1e-8 })
    let [m, v, w] = [0, 0, 0.5]
    parameters.values.fill(0.5)
    for (let t = 1; t <= 20; t++) {
      const g = Math.cos(t)
      parameters.gradient.fill(g)
      optimiser.step(0.01, Number.POSITIVE_INFINITY)
      m = 0.9 * m + 0.1 * g
      v = 0.999 * v + 0.001 * g * g
      w -= (0.01 * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
      expect(parameters.values[3]).toBeCloseTo(w, 5)
    }
  })

  it('shortens long gradients, tells their length, and refuses what is no number', () => {
    const backend = wasmBackend(1 << 17)
    const parameters = { values: backend.allocate(4), gradient: backend.allocate(4) }
    const optimiser = sgdOptimiser(backend, parameters)
    parameters.gradient.set([3, 4, 0, 0])
    expect(optimiser.step(1, 0.5)).toBe(5)
    expect([...parameters.values.map((value) => Math.round(value * 1e6) / 1e6)]).toEqual([
      Math.fround(-0.3),
      Math.fround(-0.4),
      0,
      0,
    ])
    parameters.gradient.set([Number.NaN, 0, 0, 0])
    expect(() => optimiser.step(1, 1)).toThrowError(expect.objectContaining({ code: 'VT_TRAIN_DIVERGED' }))
  })
})

describe('losses', () => {
  it('make probabilities that sum to 1, with their entropy, also for extreme scores', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -300, max: 300, noNaN: true }), { minLength: 1, maxLength: 6 }), (scores) => {
        const logits = Float32Array.from(scores)
        const p = new Float64Array(scores.length)
        const entropy = softmax(logits, 0, scores.length, p)
        expect(p.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12)
        expect(entropy).toBeGreaterThanOrEqual(-1e-9)
        expect(entropy).toBeLessThanOrEqual(Math.log(scores.length) + 1e-9)
        p.forEach((value, n) => {
          if (value > 0) expect(logProbability(logits, 0, scores.length, n)).toBeCloseTo(Math.log(value), 6)
        })
      }),
    )
  })
})

describe('advantages', () => {
  it('equal the sums they stand for', () => {
    // One environment, three steps, no end: delta_t = r + gamma V(t+1) - V(t); A_t = delta_t + gamma lambda A_(t+1).
    const out = new Float64Array(3)
    advantages(Float64Array.of(1, 2, 3), Float64Array.of(0.5, 0.25, 1), Float64Array.of(2), new Uint8Array(3), 0.9, 0.5, out)
    const [d0, d1, d2] = [1 + 0.9 * 0.25 - 0.5, 2 + 0.9 * 1 - 0.25, 3 + 0.9 * 2 - 1]
    expect([...out]).toEqual([d0 + 0.45 * (d1 + 0.45 * d2), d1 + 0.45 * d2, d2].map((value) => expect.closeTo(value, 12)))
  })

  it('do not look past an end, and keep environments apart', () => {
    const [rewards, values] = [Float64Array.of(1, 10, 1, 10), Float64Array.of(0, 0, 0, 0)]
    const out = new Float64Array(4)
    advantages(rewards, values, Float64Array.of(100, 1000), Uint8Array.of(1, 0, 0, 1), 1, 1, out)
    expect([...out]).toEqual([1, 20, 101, 10])
    expect(() => advantages(rewards, values, new Float64Array(3), new Uint8Array(4), 1, 1, out)).toThrowError(
      expect.objectContaining({ code: 'VT_SHAPE' }),
    )
  })
})

describe('running moments', () => {
  it('equal those of all rows at once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 9 }), {
          minLength: 1,
          maxLength: 9,
        }),
        (batches) => {
          const moments = new RunningMoments(1)
          for (const batch of batches) moments.update(batch, batch.length)
          const all = batches.flat()
          const mean = all.reduce((sum, value) => sum + value, 0) / all.length
          const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length
          expect(Math.abs((moments.mean[0] as number) - mean)).toBeLessThan(0.02)
          expect(Math.abs((moments.variance[0] as number) - variance)).toBeLessThan(0.5)
        },
      ),
    )
  })

  it('bring rows to zero mean and unit spread, cut at the ends', () => {
    const out = new Float32Array(3)
    const how = { mean: Float64Array.of(5), variance: Float64Array.of(4), epsilon: 0, clip: 2 }
    normalise(how, [5, 8, 100], 3, out)
    expect([...out]).toEqual([0, 1.5, 2])
  })
})

describe('sight by bounds', () => {
  const space = { kind: 'box', shape: [2], low: [-1.2, 0], high: [0.6, 10] } as const

  it('brings the bounds to -1 and 1, and the model of it does the same', () => {
    const sight = boundedSight(space, 'Valley-v1')
    const rows = Float32Array.of(-1.2, 0, 0.6, 10, -0.3, 5)
    const seen = sight.see(rows, true)
    expect([...seen].map((value) => Math.round(value * 1e6) / 1e6 + 0)).toEqual([-1, -1, 1, 1, 0, 0])
    const again = new Float32Array(6)
    normalise(sight.normaliser() as Normaliser, rows, 3, again)
    expect(again).toEqual(seen)
  })

  it('is refused where an element has no bounds, by its place', () => {
    expect(() => boundedSight({ ...space, high: [0.6, Number.POSITIVE_INFINITY] }, 'Valley-v1')).toThrowError(
      /element 1 of Valley-v1 has none/,
    )
  })
})

describe('schedules', () => {
  it('take these values', () => {
    const at = (schedule: Parameters<typeof valueAt>[0]) => [0, 0.25, 0.5, 1].map((progress) => valueAt(schedule, progress))
    expect(at(3)).toEqual([3, 3, 3, 3])
    expect(at({ kind: 'linear', from: 1, to: 0 })).toEqual([1, 0.75, 0.5, 0])
    expect(at({ kind: 'linear', from: 1, to: 0, over: 0.5 })).toEqual([1, 0.5, 0, 0])
    expect(at({ kind: 'cosine', from: 2, to: 0 })).toEqual([2, 1 + Math.SQRT1_2, 1, 0].map((value) => expect.closeTo(value, 12)))
    expect(at({ kind: 'warmup', peak: 1, warmup: 0.5 })).toEqual([0, 0.5, 1, 0])
  })
})

describe('a policy from a model', () => {
  const { net } = network({ inputs: 2, hidden: [6], outputs: 3, activation: 'tanh' }, 1)
  const model: PolicyModel = {
    version: 1,
    head: 'categorical',
    environment: 'test',
    observation: { kind: 'box', shape: [2], low: [-1, -1], high: [1, 1] },
    action: { kind: 'discrete', n: 3 },
    layers: net.layers(),
  }

  it('takes each action as often as its propensity says', () => {
    const policy = policyOf(model)
    const random = randomFrom(6)
    const counts = new Map<number, { count: number; propensity: number }>()
    for (let n = 0; n < 20_000; n++) {
      const { action, propensity } = policy.act(Float32Array.of(0.3, -0.8), random)
      counts.set(action as number, { count: (counts.get(action as number)?.count ?? 0) + 1, propensity })
    }
    for (const { count, propensity } of counts.values()) {
      expect(Math.abs(count / 20_000 - propensity)).toBeLessThan(4 * Math.sqrt((propensity * (1 - propensity)) / 20_000))
    }
    expect(counts.size).toBe(3)
  })

  it('takes the best action when greedy, and refuses layers that do not fit the spaces', () => {
    const { action, propensity, logits } = policyOf(model).act(Float32Array.of(0.3, -0.8), randomFrom(1), true)
    expect({ best: logits[action as number], propensity }).toEqual({ best: Math.max(...logits), propensity: 1 })
    expect(() => policyOf({ ...model, action: { kind: 'discrete', n: 4 } })).toThrowError(
      expect.objectContaining({ code: 'VT_NETWORK_SHAPE' }),
    )
  })
})
