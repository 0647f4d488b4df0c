import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { earlyStop } from '../../training/run/early-stop.ts'
import { executeRun, type Progress, prepareRun, type RunOrder, type TrainConfig } from '../../training/run/index.ts'
import type { Metrics } from '../../training/types.ts'
import { bytesOf, interrupted, orderOf, tiny } from './runs.ts'

type Rules = Pick<TrainConfig['evaluation'], 'stopAt' | 'patience'>

/** The steps at which a learner stops that saw these scores, one an update; null is an update without a look. */
function stopsAfter(rules: Rules, scores: readonly (number | null)[]): number | undefined {
  const evaluation = { ...tiny().evaluation, ...rules }
  const rows = scores.map((score, n) => {
    const metrics: Metrics = score === null ? { loss_policy: 0 } : { heldout_return_mean: score }
    return { seed: 1, steps: n + 1, metrics }
  })
  for (let n = 1; n <= rows.length; n++) {
    const stop = earlyStop(evaluation, rows.slice(0, n))
    if (stop !== undefined) return stop.steps
  }
  return undefined
}

describe('a learner', () => {
  it('stops at the first look that reaches the bound', () => {
    expect(stopsAfter({ stopAt: 10 }, [1, null, 9.99, null, 10, 3])).toBe(5)
    expect(stopsAfter({ stopAt: 10 }, [1, null, 9.99])).toBeUndefined()
    expect(stopsAfter({ stopAt: -100 }, [-200, -99])).toBe(2)
  })

  it('stops when so many looks in a row did not better the best, an equal one being no better', () => {
    expect(stopsAfter({ patience: 2 }, [1, 5, null, 4, null, 5, 9])).toBe(6)
    expect(stopsAfter({ patience: 2 }, [1, 5, 4, 6, 5, 7, 6, 8])).toBeUndefined()
    expect(stopsAfter({ patience: 1 }, [5, 5])).toBe(2)
  })

  it('stops by whichever comes first, and never where nobody asked or nothing was seen', () => {
    expect(stopsAfter({ stopAt: 8, patience: 3 }, [1, 1, 8])).toBe(3)
    expect(stopsAfter({ stopAt: 8, patience: 3 }, [1, 1, 1, 1])).toBe(4)
    expect(stopsAfter({}, [1, 1, 1, 1, 1])).toBeUndefined()
    // Every episode died of its surroundings: as the number it is, and as it comes back from a file.
    expect(stopsAfter({ patience: 1 }, [5, Number.NaN, null])).toBeUndefined()
  })
})

describe('a run that stops early', () => {
  const stopping = (rules: Rules) =>
    tiny({ totalSteps: 2048 }, { seeds: 2, checkpointSteps: 256, evaluation: { episodes: 10, everySteps: 256, ...rules } })

  async function done(order: RunOrder) {
    const outcome = await executeRun(order)
    if (outcome.state !== 'done') throw new Error(`the run is ${outcome.state}`)
    const read = async (name: string) => readFile(join(order.root, outcome.folder, name), 'utf8')
    const lastSteps = async (seed: number) =>
      (await read('metrics.jsonl'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { seed: number; steps: number })
        .findLast((row) => row.seed === seed)?.steps
    return { ...outcome, read, lastSteps }
  }

  it('says after how many steps and why, in its report, its evaluation and its events', async () => {
    let last: Progress | undefined
    let now = 0
    const clock = { ...systemClock, monotonic: () => (now += 1_000) }
    const onProgress = (progress: Progress) => {
      last = progress
    }
    const order = await orderOf(stopping({ stopAt: 1 }), { clock, onProgress })
    const run = await done(order)
    // Nothing more is waited for of learners that have stopped.
    expect(last).toMatchObject({ state: 'evaluating', steps: 512, totalSteps: 512, etaMs: 0 })
    const { seeds } = JSON.parse(await run.read('eval.json')) as { seeds: { seed: number; stopped?: object }[] }
    for (const { seed, stopped } of seeds) {
      expect(stopped).toEqual({
        steps: 256,
        reason: expect.stringMatching(/^mean score [\d.]+ .* at least evaluation.stopAt 1$/),
      })
      expect(await run.lastSteps(seed)).toBe(256)
    }
    expect(run.stops).toMatchObject([{ seed: 1, steps: 256 }, { seed: 2 }])
    expect(await run.read('REPORT.md')).toMatch(/- seed 2 stopped early, after 256 steps: mean score/)
    const events = (await run.read('events.jsonl'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.filter(({ what }) => what === 'stopped early')).toMatchObject([{ seed: 1, steps: 256 }, { seed: 2 }])
  })

  it('is another run than one that does not, and leaves that one as it was', async () => {
    const order = await orderOf(tiny())
    const id = async (config: TrainConfig) => (await prepareRun(config, order, { champion: null, arithmetic: 'exact' })).id
    const ids = await Promise.all([{}, { stopAt: 1 }, { stopAt: 2 }, { patience: 1 }].map((rules) => id(stopping(rules))))
    expect(new Set(ids).size).toBe(4)
    expect(stopping({}).evaluation).toEqual({ ...tiny().evaluation, everySteps: 256 })
    const whole = await done(await orderOf(stopping({ stopAt: 501 })))
    expect(await whole.lastSteps(1)).toBe(2048)
    expect(await whole.read('eval.json')).not.toContain('stopped')
    expect(await whole.read('REPORT.md')).not.toContain('stopped early')
  })

  it('ends with the same bytes wherever it was interrupted, also after a learner of it has stopped', async () => {
    // Two gradient steps an update, two updates a look: the first learner stops after four, or later.
    for (const [rules, cuts] of [
      [{ patience: 1 }, [9]],
      [{ stopAt: 1 }, [5]],
    ] as const) {
      const config = stopping(rules)
      const whole = await orderOf(config)
      const first = await done(whole)
      expect(await first.lastSteps(1)).toBeLessThan(2048)
      const expected = await bytesOf(whole.root, first.folder)
      for (const at of cuts) {
        const stop = new AbortController()
        const order = await orderOf(config)
        const backends = interrupted(order.backends, at, () => stop.abort())
        expect(await executeRun({ ...order, backends, signal: stop.signal })).toMatchObject({ state: 'paused' })
        expect(await bytesOf(order.root, (await done(order)).folder)).toEqual(expected)
      }
    }
  })
})
