import { execFile } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cos, exp, expm1, log, log1p, logSumExp, power, sigmoid, sin, tanh } from '../../training/math.ts'
import { randomAt, randomFrom } from '../../training/random.ts'
import { arithmeticFingerprint } from './fingerprint.ts'

const own = { exp, expm1, log, log1p, tanh, sin, cos }

/** Taken on Node 20; it changes only with the functions. */
const PRINTED = '4841cd202d0a3d45'

/** The distance from |x| to the next larger number. */
function ulp(x: number): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, Math.abs(x))
  view.setBigUint64(0, view.getBigUint64(0) + 1n)
  return view.getFloat64(0) - Math.abs(x)
}

describe('the elementary functions', () => {
  const cases: [keyof typeof own, number, number, number][] = [
    ['exp', -700, 709, 2],
    ['exp', -1, 1, 2],
    ['exp', -745, -700, 2],
    ['expm1', -5, 5, 3],
    ['expm1', -1e-3, 1e-3, 3],
    ['log', 0, 1e6, 2],
    ['log', 0.5, 1.5, 2],
    ['log', 0, 1e-307, 2],
    ['log1p', -0.99, 3, 2],
    ['log1p', -1e-3, 1e-3, 2],
    ['tanh', -25, 25, 5],
    ['tanh', -0.5, 0.5, 5],
    ['sin', -10, 10, 2],
    ['sin', -1e6, 1e6, 2],
    ['sin', -1e19, 1e19, 2],
    ['cos', -10, 10, 2],
    ['cos', -1e6, 1e6, 2],
    ['cos', -1e300, 1e300, 2],
  ]
  it.each(cases)('%s from %d to %d stays within %d ulp of the host', (name, low, high, limit) => {
    const random = randomFrom(1)
    const [f, host] = [own[name] as (x: number) => number, Math[name] as (x: number) => number]
    let worst = 0
    for (let n = 0; n < 20_000; n++) {
      const x = low + (high - low) * random.uniform()
      worst = Math.max(worst, Math.abs(f(x) - host(x)) / ulp(host(x)))
    }
    expect(worst).toBeLessThanOrEqual(limit)
  })

  it('agree with the host at the edges', () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus, MAX_VALUE: most, MIN_VALUE: least } = Number
    for (const x of [nan, infinity, minus, 0, -0, 1, -1, least, -least, most, -most, 709.9, -745.2, 1e-320, Math.PI, 355]) {
      for (const name of ['exp', 'expm1', 'log', 'log1p', 'tanh', 'sin', 'cos'] as const) {
        const [ours, host] = [own[name](x), Math[name](x)]
        const near = Object.is(ours, host) || Math.abs(ours - host) <= 2 * ulp(host)
        expect([name, x, near]).toEqual([name, x, true])
      }
    }
  })

  it('take whole powers exactly and others closely', () => {
    expect([power(2, 10), power(2, -2), power(0, 0.5), power(7, 0)]).toEqual([1024, 0.25, 0, 1])
    expect(power(2, 0.5)).toBeCloseTo(Math.SQRT2, 14)
    expect(sigmoid(-800)).toBe(0)
    expect(logSumExp([1000, 1000])).toBeCloseTo(1000 + Math.LN2, 12)
    expect(logSumExp([])).toBe(Number.NEGATIVE_INFINITY)
  })

  it('give the bits that were written down', () => {
    expect(arithmeticFingerprint()).toBe(PRINTED)
  })

  it.runIf(process.env.VALUETRAIN_FULL === '1')(
    'give the same bits, and so does a training run, on Node 22 and 24',
    async () => {
      const script = fileURLToPath(new URL('fingerprint.ts', import.meta.url))
      const tsx = fileURLToPath(import.meta.resolve('tsx/cli'))
      const here = await promisify(execFile)(process.execPath, [tsx, script])
      const [, ...due] = here.stdout.trim().split('\n')
      expect(due).toHaveLength(4)
      for (const version of ['22', '24']) {
        const { stdout } = await promisify(execFile)('npx', ['-y', '-p', `node@${version}`, 'node', tsx, script])
        const [node, ...found] = stdout.trim().split('\n')
        expect(node).toMatch(new RegExp(`^v${version}\\.`))
        expect(found).toEqual(due)
      }
    },
    300_000,
  )
})

describe('seeded randomness', () => {
  it('is the same for the same seed and different for another', () => {
    const draw = (seed: number | string) => Array.from({ length: 5 }, (_, n) => randomFrom(seed).split(`${n}`).uint32())
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
    expect(draw(1)).not.toEqual(draw('1'))
    expect(() => randomFrom(0.5)).toThrowError(expect.objectContaining({ code: 'VT_SEED' }))
  })

  it('gives the numbers of xoshiro128** from a known state', () => {
    // By hand from the recurrence, state 1 2 3 4: rotl(2 * 5, 7) * 9 = 11520, then rotl(0 * 5, 7) * 9 = 0.
    const random = randomAt(Uint32Array.of(1, 2, 3, 4, 0, 0, 0, 1))
    expect([random.uint32(), random.uint32(), random.uint32()]).toEqual([11520, 0, 5927040])
  })

  it('splits by label, whatever was drawn before', () => {
    const random = randomFrom(3)
    const before = random.split('a').uint32()
    random.uint32()
    expect(random.split('a').uint32()).toBe(before)
    expect(random.split('b').uint32()).not.toBe(before)
    expect(random.split('a').split('b').uint32()).not.toBe(random.split('b').split('a').uint32())
  })

  it('goes on exactly from a saved state, splits included', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 50 }), (seed, lead) => {
        const random = randomFrom(seed)
        for (let n = 0; n < lead; n++) random.normal()
        const other = randomAt(random.state())
        expect([other.uniform(), other.normal(), other.below(10), other.split('x').uint32()]).toEqual([
          random.uniform(),
          random.normal(),
          random.below(10),
          random.split('x').uint32(),
        ])
      }),
    )
    expect(() => randomAt(new Uint32Array(8))).toThrowError(expect.objectContaining({ code: 'VT_RANDOM_STATE' }))
    expect(() => randomAt(new Uint32Array(3))).toThrowError(expect.objectContaining({ code: 'VT_RANDOM_STATE' }))
  })

  it('has the moments of its distributions', () => {
    const random = randomFrom(11)
    const count = 100_000
    const mean = (draw: () => number) => Array.from({ length: count }, draw).reduce((sum, value) => sum + value, 0) / count
    // Four standard errors each.
    expect(Math.abs(mean(() => random.uniform()) - 0.5)).toBeLessThan((4 * Math.sqrt(1 / 12)) / Math.sqrt(count))
    expect(Math.abs(mean(() => random.normal()))).toBeLessThan(4 / Math.sqrt(count))
    expect(Math.abs(mean(() => random.normal() ** 2) - 1)).toBeLessThan((4 * Math.SQRT2) / Math.sqrt(count))
    const rolls = [0, 0, 0, 0, 0, 0]
    for (let n = 0; n < count; n++) {
      const rolled = random.below(6)
      rolls[rolled] = (rolls[rolled] as number) + 1
    }
    const chi2 = rolls.reduce((sum, seen) => sum + (seen - count / 6) ** 2 / (count / 6), 0)
    // The 99.9 % point of chi-squared with five degrees of freedom.
    expect(chi2).toBeLessThan(20.52)
  })

  it('draws by weight', () => {
    const random = randomFrom(12)
    const counts = [0, 0, 0, 0]
    for (let n = 0; n < 80_000; n++) {
      const drawn = random.categorical([1, 0, 2, 5])
      counts[drawn] = (counts[drawn] as number) + 1
    }
    ;[10_000, 0, 20_000, 50_000].forEach((due, n) => {
      expect(Math.abs((counts[n] as number) - due)).toBeLessThanOrEqual(4 * Math.sqrt(due))
    })
    for (const weights of [[], [0, 0], [1, -1], [Number.NaN], [Number.POSITIVE_INFINITY]]) {
      expect(() => random.categorical(weights)).toThrowError(expect.objectContaining({ code: 'VT_RANDOM_WEIGHTS' }))
    }
  })

  it('shuffles to every order equally often', () => {
    const random = randomFrom(13)
    const seen = new Map<string, number>()
    for (let n = 0; n < 12_000; n++) {
      const items = [1, 2, 3]
      random.shuffle(items)
      seen.set(items.join(''), (seen.get(items.join('')) ?? 0) + 1)
    }
    expect(seen.size).toBe(6)
    for (const count of seen.values()) expect(Math.abs(count - 2_000)).toBeLessThan(4 * Math.sqrt(2_000))
  })
})
