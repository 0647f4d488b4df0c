import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseLoad, scaleTrace } from '../../training/serve/index.ts'

const rule = { perProcess: 100, least: 0, most: 4, idleS: 3 }
const wanted = (load: readonly number[], more = {}) => scaleTrace(load, { ...rule, ...more }).map((step) => step.wanted)

describe('how many processes a load takes', () => {
  it('goes up at once, down when less was enough for a whole idle time, and to none', () => {
    expect(wanted([0, 1, 100, 101, 350, 0, 0, 0, 0])).toEqual([0, 1, 1, 2, 4, 4, 4, 0, 0])
    // A load that comes and goes starts nothing twice.
    expect(wanted([200, 0, 200, 0, 0, 200])).toEqual([2, 2, 2, 2, 2, 2])
    expect(wanted([9_999, 0, 0, 0], { least: 1 })).toEqual([4, 4, 4, 1])
  })

  it('answers with what was there when the second began, and counts what is above it', () => {
    expect(scaleTrace([150, 150, 500], rule)).toEqual([
      { second: 0, requests: 150, processes: 0, refused: 150, wanted: 2 },
      { second: 1, requests: 150, processes: 2, refused: 0, wanted: 2 },
      { second: 2, requests: 500, processes: 2, refused: 300, wanted: 4 },
    ])
  })

  it('stays within its bounds, and a steady load is met within a second', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2_000), { minLength: 1, maxLength: 40 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 9 }),
        (load, least, idleS) => {
          const needs = load.map((requests) => Math.max(least, Math.min(8, Math.ceil(requests / 70))))
          for (const step of scaleTrace(load, { perProcess: 70, least, most: 8, idleS })) {
            expect(step.wanted).toBe(Math.max(...needs.slice(Math.max(0, step.second - idleS + 1), step.second + 1)))
            expect(step.wanted).toBeGreaterThanOrEqual(Math.max(least, Math.min(8, Math.ceil(step.requests / 70))))
            expect(step.wanted).toBeLessThanOrEqual(8)
          }
          const steady = scaleTrace(Array(5).fill(load[0]), { perProcess: 70, least, most: 40, idleS })
          expect(steady.slice(1).every(({ refused }) => refused === 0)).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('takes a load of days, with an idle time of one', () => {
    const days = Array.from({ length: 300_000 }, (_, second) => second % 1_000)
    expect(wanted(days, { idleS: 86_400 }).at(-1)).toBe(4)
  })

  it('is refused for bounds and loads that cannot be', () => {
    const refused = expect.objectContaining({ code: 'VT_SERVE_SCALE', kind: 'user' })
    for (const more of [{ least: 5 }, { most: 0 }, { perProcess: 0 }, { idleS: 0 }])
      expect(() => wanted([1], more)).toThrow(refused)
    expect(parseLoad('3\n0\n12.5\n\n', 'load.txt')).toEqual([3, 0, 12.5])
    for (const text of ['', '3\n\n4', '3\nmany', '-1']) expect(() => parseLoad(text, 'load.txt')).toThrow(refused)
  })
})
