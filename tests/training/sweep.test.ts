import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  goesOn,
  gridOf,
  type Parameters,
  parseSearchSpace,
  rungsOf,
  Sweep,
  type SweepConfigInput,
  type TrialResult,
} from '../../training/sweep/index.ts'
import { FULL, tell } from './simulate.ts'

const real = (low: number, high: number, log = false) => ({ kind: 'real' as const, low, high, log })

/** Branin's function; smallest value 0.397887. */
function branin(p: Parameters): number {
  const [x, y] = [Number(p.x), Number(p.y)]
  return (y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6) ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10
}
const BRANIN = { x: real(-5, 10), y: real(0, 15) }

/** A sphere in logarithms, centres 1e-3, 1e-4, 1e-2, 1e-1; smallest value 0. */
const logSphere = (p: Parameters) =>
  [1e-3, 1e-4, 1e-2, 1e-1].reduce((sum, centre, i) => sum + Math.log10(Number(p[`x${i}`]) / centre) ** 2, 0)
const LOG_SPHERE = Object.fromEntries([0, 1, 2, 3].map((i) => [`x${i}`, real(1e-6, 1, true)]))

/** Hartmann's six-dimensional function; smallest value -3.32237. */
function hartmann(p: Parameters): number {
  const a = [
    [10, 3, 17, 3.5, 1.7, 8],
    [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
  ]
  const places = [
    [1312, 1696, 5569, 124, 8283, 5886],
    [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650],
    [4047, 8828, 8732, 5743, 1091, 381],
  ]
  return -[1, 1.2, 3, 3.2].reduce((sum, height, i) => {
    const away = (a[i] ?? []).reduce((t, weight, j) => t + weight * (Number(p[`x${j}`]) - (places[i]?.[j] ?? 0) / 1e4) ** 2, 0)
    return sum + height * Math.exp(-away)
  }, 0)
}
const HARTMANN = Object.fromEntries([0, 1, 2, 3, 4, 5].map((i) => [`x${i}`, real(0, 1)]))

function run(config: SweepConfigInput, f: (p: Parameters) => number): Sweep {
  const sweep = new Sweep({ direction: 'minimize', ...config })
  while (!sweep.done)
    for (const { trial, parameters } of sweep.ask())
      sweep.tell({ trial, parameters, values: [{ steps: 0, value: f(parameters) }] })
  return sweep
}

function medianBest(space: SweepConfigInput['space'], f: (p: Parameters) => number, method: 'tpe' | 'random'): number {
  const seeds = FULL ? 20 : 3
  const best = Array.from(
    { length: seeds },
    (_, seed) => run({ space, method, trials: 100, seed }, f).best()?.value ?? Number.NaN,
  ).sort((x, y) => x - y)
  const median = ((best[Math.floor((seeds - 1) / 2)] ?? 0) + (best[Math.ceil((seeds - 1) / 2)] ?? 0)) / 2
  if (process.env.VALUETRAIN_SHOW === '1')
    console.log(
      `${method} best of 100, median of ${seeds} seeds: ${median.toFixed(4)} (${best[0]?.toFixed(4)} to ${best.at(-1)?.toFixed(4)})`,
    )
  return median
}

describe('the tree-structured Parzen estimator', () => {
  it.each([
    ['Branin', BRANIN, branin, 0.428],
    ['Hartmann', HARTMANN, hartmann, -3.146],
    ['a sphere in logarithms', LOG_SPHERE, logSphere, 0.0561],
  ])('comes near the smallest value of %s in 100 trials, and far nearer than chance', (_, space, f, bound) => {
    const tpe = medianBest(space, f, 'tpe')
    expect(tpe).toBeLessThan(bound)
    expect(medianBest(space, f, 'random')).toBeGreaterThan(tpe)
  })

  it('finds the best of choices and whole numbers too', () => {
    const space = { optimiser: { kind: 'choice', values: ['sgd', 'adam', 'none'] }, layers: { kind: 'whole', low: 1, high: 20 } }
    const loss = (p: Parameters) => (p.optimiser === 'adam' ? 0 : 4) + Math.abs(Number(p.layers) - 13)
    expect(run({ space, trials: 60 }, loss).best()?.parameters).toEqual({ optimiser: 'adam', layers: 13 })
  })

  it('is no better than chance when losses are dealt to the wrong trials', () => {
    const shuffled = [...Array(100).keys()].map((i) => (i * 37) % 101)
    const sweep = new Sweep({ space: LOG_SPHERE, trials: 100, direction: 'minimize' })
    let best = Number.POSITIVE_INFINITY
    while (!sweep.done)
      for (const { trial, parameters } of sweep.ask()) {
        best = Math.min(best, logSphere(parameters))
        sweep.tell({ trial, parameters, values: [{ steps: 0, value: shuffled[trial] ?? 0 }] })
      }
    expect(best).toBeGreaterThan(0.1)
  })
})

describe('a sweep', () => {
  it('proposes the same trials whoever is done first, and goes on from results as if it had not stopped', () => {
    const numRuns = FULL ? 100 : 8
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(2)), fc.integer({ min: 1, max: 29 }), (picks, cut) => {
        const config: SweepConfigInput = { space: BRANIN, trials: 30, parallel: 3, seed: 5, direction: 'minimize' }
        const inOrder = run(config, branin).results()
        let sweep = new Sweep(config)
        let told = 0
        while (!sweep.done) {
          const ready = sweep.ask()
          const { trial, parameters } = ready[picks.next().value % ready.length] as (typeof ready)[number]
          sweep.tell({ trial, parameters, values: [{ steps: 0, value: branin(parameters) }] })
          if (++told === cut) {
            const again = new Sweep(config)
            again.resume(JSON.parse(JSON.stringify(sweep.results())).reverse())
            sweep = again
          }
        }
        expect(sweep.results()).toEqual(inOrder)
      }),
      { numRuns },
    )
    tell(`G6 sweep: ${numRuns} of ${numRuns} interruptions end with the same trials and results`)
  })

  it('goes over every point of a grid, or tells how many it leaves out', () => {
    const space = { a: { kind: 'choice', values: ['x', 'y'] }, b: { kind: 'whole', low: 1, high: 3 }, c: real(1, 100, true) }
    const points = gridOf(parseSearchSpace(space), 3)
    expect(points.length).toBe(18)
    expect(points[1]).toEqual({ a: 'x', b: 1, c: expect.closeTo(10, 10) })
    const swept = (trials: number) => run({ space, method: 'grid', gridSteps: 3, trials }, () => 0)
    expect([swept(100).results().length, swept(100).leftOut]).toEqual([18, 0])
    expect([swept(5).results().length, swept(5).leftOut]).toEqual([5, 13])
  })

  it('counts a failed trial as the worst and goes on', () => {
    const sweep = new Sweep({ space: BRANIN, trials: 20, direction: 'maximize' })
    while (!sweep.done)
      for (const { trial, parameters } of sweep.ask()) {
        if (trial % 3 === 0) sweep.tell({ trial, parameters, values: [], failed: 'out of memory' })
        else sweep.tell({ trial, parameters, values: [{ steps: 0, value: -branin(parameters) }] })
      }
    expect(sweep.best()?.failed).toBeUndefined()
    expect(sweep.results().filter(({ failed }) => failed !== undefined).length).toBe(7)
  })

  it('refuses results that are not its own', () => {
    const sweep = new Sweep({ space: BRANIN, trials: 5 })
    const { trial, parameters } = sweep.ask()[0] ?? { trial: -1, parameters: {} }
    const tell = (changes: Partial<TrialResult>) => () =>
      sweep.tell({ trial, parameters, values: [{ steps: 0, value: 1 }], ...changes })
    const refused = (message: string) =>
      expect.objectContaining({ code: 'VT_SWEEP_RESULT', message: expect.stringContaining(message) })
    expect(tell({ trial: 9 })).toThrow(refused('the sweep has trials 0 to 4'))
    expect(tell({ trial: 1 })).toThrow(refused('was not to run yet'))
    expect(tell({ parameters: { x: 1, y: 1 } })).toThrow(refused('not those that were proposed'))
    expect(tell({ values: [{ steps: 0, value: Number.NaN }] })).toThrow(refused('not finite'))
    expect(tell({ values: [] })).toThrow(refused('has no value'))
    tell({})()
    expect(tell({})).toThrow(refused('was told already'))
  })

  it.each([
    ['a range that is empty', { x: real(3, 3) }, 'space.x: low has to be below high'],
    ['a logarithmic range from 0', { x: real(0, 1, true) }, 'a logarithmic range begins above 0'],
    ['an unknown key', { x: { ...real(0, 1), step: 2 } }, 'space.x'],
    ['nothing', {}, 'a sweep over nothing'],
  ])('refuses a space with %s', (_, space, message) => {
    expect(() => new Sweep({ space })).toThrow(
      expect.objectContaining({ code: 'VT_SWEEP_SPACE', message: expect.stringContaining(message) }),
    )
  })

  it('refuses a configuration with unknown keys or impossible numbers', () => {
    expect(() => new Sweep({ space: BRANIN, trails: 5 } as SweepConfigInput)).toThrow(
      expect.objectContaining({ code: 'VT_SWEEP_CONFIG' }),
    )
    expect(() => new Sweep({ space: BRANIN, trials: 0 })).toThrow(expect.objectContaining({ code: 'VT_SWEEP_CONFIG' }))
    expect(() => new Sweep({ space: BRANIN, halving: { least: 10, most: 5 } })).toThrow(
      expect.objectContaining({ code: 'VT_SWEEP_HALVING' }),
    )
  })
})

describe('successive halving', () => {
  it('has rungs that grow by the share that is kept', () => {
    expect(rungsOf({ least: 1000, most: 27_000 })).toEqual([1000, 3000, 9000, 27_000])
    expect(rungsOf({ least: 5, most: 5 })).toEqual([5])
  })

  it('lets the best third go on, and the first always', () => {
    expect(goesOn(5, [])).toBe(true)
    expect(goesOn(5, [1])).toBe(false)
    expect(goesOn(0.5, [1, 2, 3])).toBe(true)
    expect(goesOn(1.5, [1, 2, 3, 4, 5])).toBe(true)
    expect(goesOn(1.5, [1, 1.2, 3, 4, 5])).toBe(false)
  })

  it('finds what random search finds with at most 40 % of its steps', () => {
    // A curve that falls towards the loss of its parameters, as training does.
    const curve = (p: Parameters, steps: number) => branin(p) + 20 * Math.exp(-steps / 8)
    const seeds = 5
    let steps = 0
    let found = 0
    let random = 0
    for (let seed = 0; seed < seeds; seed++) {
      const sweep = new Sweep({
        space: BRANIN,
        method: 'random',
        trials: 60,
        seed,
        direction: 'minimize',
        halving: { least: 3, most: 81 },
      })
      while (!sweep.done)
        for (const { trial, parameters } of sweep.ask()) {
          const values: { steps: number; value: number }[] = []
          for (const [rung, at] of (sweep.rungs ?? []).entries()) {
            values.push({ steps: at, value: curve(parameters, at) })
            if (!sweep.goesOn(trial, rung, curve(parameters, at))) break
          }
          steps += values.at(-1)?.steps ?? 0
          sweep.tell({ trial, parameters, values })
        }
      found += sweep.best()?.value ?? Number.NaN
      random += run({ space: BRANIN, method: 'random', trials: 60, seed }, (p) => curve(p, 81)).best()?.value ?? Number.NaN
    }
    expect(steps / (seeds * 60 * 81)).toBeLessThan(0.4)
    expect(found / seeds).toBeLessThan(random / seeds + 0.3)
  })

  it('waits for trials before it where the answer would depend on them', () => {
    const sweep = new Sweep({ space: BRANIN, trials: 6, parallel: 2, halving: { least: 1, most: 9 } })
    const [first, second] = sweep.ask()
    expect([first?.trial, second?.trial]).toEqual([0, 1])
    expect(sweep.goesOn(1, 0, 0.5)).toBe(true)
    expect(sweep.goesOn(2, 0, 0.5)).toBeUndefined()
  })
})
