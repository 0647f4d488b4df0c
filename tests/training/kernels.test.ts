import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assembleKernels, renderKernels } from '../../scripts/kernels.ts'
import { tanh32 } from '../../training/backend/activation.ts'
import { type Backend, type DenseShape, padded } from '../../training/backend/backend.ts'
import { jsBackend } from '../../training/backend/js.ts'
import { KERNEL_DIGEST, KERNELS_HEX } from '../../training/backend/kernels.generated.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import { randomFrom } from '../../training/random.ts'
import type { Activation } from '../../training/types.ts'

const js = jsBackend()

/** Bits, so that -0 and 0 are told apart. */
function bitsOf(array: Float32Array): number[] {
  return [...new Uint32Array(array.slice().buffer)]
}

/** Numbers of very different sizes, zeros and denormal ones among them. */
function numbers(seed: number, length: number): Float32Array {
  const random = randomFrom(seed)
  return Float32Array.from({ length }, () => {
    const kind = random.below(20)
    if (kind === 0) return 0
    if (kind === 1) return 1e-41 * random.normal()
    return random.normal() * 10 ** (random.below(7) - 3)
  })
}

function given(backend: Backend, values: Float32Array): Float32Array {
  const array = backend.allocate(values.length)
  array.set(values)
  return array
}

/** Runs one operation on both backends with equal inputs and returns the bits that both wrote. */
function both(run: (backend: Backend) => Float32Array[]): { js: number[][]; wasm: number[][] } {
  return { js: run(js).map(bitsOf), wasm: run(wasmBackend(1 << 22)).map(bitsOf) }
}

/** A dense layer and its three gradients. */
function layerOnBoth(shape: DenseShape, kind: Activation, s: number) {
  const { rows, inputs, outputs } = shape
  return both((backend) => {
    const x = given(backend, numbers(s, rows * inputs))
    const w = given(backend, numbers(s + 1, inputs * outputs))
    const b = given(backend, numbers(s + 2, outputs))
    const d = given(backend, numbers(s + 3, rows * outputs))
    const y = backend.allocate(rows * outputs)
    const [dw, db, dx] = [inputs * outputs, outputs, rows * inputs].map((length) => backend.allocate(length))
    backend.dense(x, w, b, y, shape, kind)
    backend.weightGradient(x, d, dw as Float32Array, shape)
    backend.biasGradient(d, db as Float32Array, shape)
    backend.inputGradient(d, w, dx as Float32Array, shape, x, kind)
    return [y, dw, db, dx] as Float32Array[]
  })
}

const side = fc.integer({ min: 1, max: 21 })
const seed = fc.integer({ min: 0, max: 1e6 })
const activation = fc.constantFrom<Activation>('linear', 'tanh', 'relu')

describe('the kernels', () => {
  it('are what the source assembles to', async () => {
    const bytes = assembleKernels()
    const file = await readFile(new URL('../../training/backend/kernels.generated.ts', import.meta.url), 'utf8')
    expect(renderKernels(bytes)).toBe(file)
    expect(Buffer.from(KERNELS_HEX, 'hex').equals(bytes)).toBe(true)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(KERNEL_DIGEST)
  })

  it('are small and use no relaxed instruction', () => {
    const bytes = assembleKernels()
    expect(bytes.length).toBeLessThan(16_384)
    // Relaxed instructions are 0xfd followed by an opcode from 0x100, in LEB128 0x80 0x02 and on.
    const relaxed = [...bytes].some((byte, at) => byte === 0xfd && (bytes[at + 1] ?? 0) >= 0x80 && (bytes[at + 2] ?? 0) >= 2)
    expect(relaxed).toBe(false)
  })

  it('give the bits of the oracle for a dense layer and its three gradients', () => {
    fc.assert(
      fc.property(side, side, side, activation, seed, (rows, inputs, outputs, kind, s) => {
        const { js: due, wasm } = layerOnBoth({ rows, inputs, outputs }, kind, s)
        expect(wasm).toEqual(due)
      }),
      { numRuns: 150 },
    )
  })

  it('give the same bits where matrices are wide enough to be packed, and where they just are not', () => {
    const wide = fc.constantFrom(255, 256, 260, 264)
    const narrow = fc.constantFrom(15, 16, 17, 40)
    const sides = fc.oneof(fc.tuple(narrow, wide), fc.tuple(wide, narrow), fc.tuple(wide, wide))
    fc.assert(
      fc.property(narrow, sides, activation, seed, (rows, [inputs, outputs], kind, s) => {
        const { js: due, wasm } = layerOnBoth({ rows, inputs, outputs }, kind, s)
        // Compared as text: a difference of a hundred thousand numbers takes longer to print than to find.
        expect(wasm.map((bits) => bits.join()).join('|') === due.map((bits) => bits.join()).join('|')).toBe(true)
      }),
      { numRuns: 12 },
    )
  })

  it('give the bits of the oracle for Adam, plain descent and the sum of squares', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), seed, fc.double({ min: 0, max: 1, noNaN: true }), (length, s, scale) => {
        const { js: due, wasm } = both((backend) => {
          const weights = given(backend, numbers(s, length))
          const gradient = given(backend, numbers(s + 1, length))
          const first = given(backend, numbers(s + 2, length))
          const second = given(backend, numbers(s + 3, length).map(Math.abs))
          const step = { rate: 0.003, beta1: 0.9, beta2: 0.999, epsilon: 1e-5, root: 1.7, scale }
          backend.adam(weights, gradient, first, second, length, step)
          const plain = given(backend, numbers(s + 4, length))
          backend.sgd(plain, gradient, length, 0.1, scale)
          return [weights, first, second, plain, Float32Array.of(backend.sumOfSquares(gradient, length))]
        })
        expect(wasm).toEqual(due)
      }),
      { numRuns: 100 },
    )
  })

  it('compute what mathematics says, within rounding', () => {
    fc.assert(
      fc.property(side, side, side, seed, (rows, inputs, outputs, s) => {
        const random = randomFrom(s)
        const draw = (length: number) => Float32Array.from({ length }, () => random.normal())
        const [x, w, b] = [draw(rows * inputs), draw(inputs * outputs), draw(outputs)]
        const backend = wasmBackend(1 << 20)
        const y = backend.allocate(rows * outputs)
        backend.dense(given(backend, x), given(backend, w), given(backend, b), y, { rows, inputs, outputs }, 'tanh')
        for (let r = 0; r < rows; r++) {
          for (let o = 0; o < outputs; o++) {
            let sum = b[o] as number
            for (let i = 0; i < inputs; i++) sum += (x[r * inputs + i] as number) * (w[i * outputs + o] as number)
            expect(Math.abs((y[r * outputs + o] as number) - Math.tanh(sum))).toBeLessThan(2e-5)
          }
        }
      }),
      { numRuns: 30 },
    )
  })

  it('touch nothing beside their results', () => {
    const backend = wasmBackend(1 << 20)
    const guard = [backend.allocate(4).fill(7), backend.allocate(3), backend.allocate(4).fill(7)]
    const [x, w, b] = [
      given(backend, Float32Array.of(1, 2)),
      given(backend, Float32Array.of(1, 2, 3, 4, 5, 6)),
      backend.allocate(3),
    ]
    backend.dense(x, w, b, guard[1] as Float32Array, { rows: 1, inputs: 2, outputs: 3 }, 'tanh')
    expect([...(guard[0] as Float32Array), ...(guard[2] as Float32Array)]).toEqual(Array(8).fill(7))
  })
})

describe('the 32-bit tanh', () => {
  it('stays within 4e-7 of the true value, relatively, and within [-1, 1]', () => {
    let worst = 0
    for (let x = -12; x <= 12; x += 0.00037) {
      const [value, due] = [tanh32(Math.fround(x)), Math.tanh(Math.fround(x))]
      worst = Math.max(worst, Math.abs(value - due) / Math.abs(due))
      expect(Math.abs(value)).toBeLessThanOrEqual(1)
    }
    expect(worst).toBeLessThan(4e-7)
    expect([tanh32(0), tanh32(-0), tanh32(Number.NaN)]).toEqual([0, -0, Number.NaN])
    expect(tanh32(Number.POSITIVE_INFINITY)).toBeCloseTo(1, 6)
  })
})

describe('backend memory', () => {
  it('begins as zeros, has room for whole vectors, and ends with an error that names the sizes', () => {
    const backend = wasmBackend(1 << 17)
    const first = backend.allocate(5)
    expect([...first]).toEqual([0, 0, 0, 0, 0])
    expect(backend.allocate(1).byteOffset - first.byteOffset).toBeGreaterThanOrEqual(4 * padded(5))
    expect(() => backend.allocate(1 << 17)).toThrowError(expect.objectContaining({ code: 'VT_BACKEND_MEMORY', kind: 'config' }))
  })

  it('refuses arrays of another backend', () => {
    const [a, b] = [wasmBackend(1 << 17), wasmBackend(1 << 17)]
    expect(() => a.sumOfSquares(b.allocate(4), 4)).toThrowError(expect.objectContaining({ code: 'VT_BACKEND_FOREIGN' }))
  })
})
