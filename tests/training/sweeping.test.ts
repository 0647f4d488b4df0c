import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkRoutingConfig } from '../../training/router/train/config.ts'
import { routingTrialsOf } from '../../training/router/train/trials.ts'
import {
  chooseBackends,
  parseSweepFile,
  runSweep,
  type Searched,
  type SweepOutcome,
  type TrainConfig,
  trialsOf,
} from '../../training/run/index.ts'
import { emptyFolder, tiny } from './runs.ts'

async function swept(searched: Searched, stateDir: string, text: string): Promise<SweepOutcome> {
  const sweep = parseSweepFile(`config: train.yaml\nmethod: random\n${text}`, 'sweep.yaml')
  return runSweep({ sweep, searched, stateDir, signal: new AbortController().signal, onTrial: () => {} })
}

describe('a sweep over the settings of a policy', () => {
  const space = 'trials: 2\nspace:\n  gamma: { kind: real, low: 0.9, high: 0.99 }\n'
  const looking = (evaluation: object) => ({ evaluation: { episodes: 10, everySteps: 128, ...evaluation } })

  async function valuesOf(config: TrainConfig, more = '') {
    const root = await emptyFolder()
    const searched = trialsOf({ config, root, env: {}, backends: await chooseBackends('auto', config, []) })
    return (await swept(searched, root, space + more)).results.map(({ values }) => values)
  }

  it('lets a trial stop where a run of its settings would, and not before', async () => {
    const early = await valuesOf(tiny({ totalSteps: 512 }, looking({ stopAt: 1 })))
    expect(early).toEqual(await valuesOf(tiny({ totalSteps: 128 })))
    const never = await valuesOf(tiny({ totalSteps: 512 }, looking({ stopAt: 501 })))
    expect(never).toEqual(await valuesOf(tiny({ totalSteps: 512 })))
    expect(never).not.toEqual(early)
  })

  it('holds one that has stopped beside those that go on, at every later rung', async () => {
    const halving = 'halving: { least: 128, most: 512, keep: 2 }\n'
    const [first = []] = await valuesOf(tiny({ totalSteps: 512 }, looking({ stopAt: 1 })), halving)
    expect(first.map(({ steps }) => steps)).toEqual([128, 256, 512])
    expect(new Set(first.map(({ value }) => value)).size).toBe(1)
  })

  it('measures the policy that a run would keep', async () => {
    const evaluated = looking({ keep: 'best' })
    const last = await valuesOf(tiny({ totalSteps: 512, learningRate: 0.1 }, looking({})))
    expect(await valuesOf(tiny({ totalSteps: 512, learningRate: 0.1 }, evaluated))).not.toEqual(last)
  })
})

describe('a sweep over the settings of a router', () => {
  /** Sixty issues; the strong arm is worth its price on every third. */
  const table = (ofLast: string) =>
    [
      'issue,small|resolved,small|usd,small|calls,strong|resolved,strong|usd,strong|calls',
      ...Array.from({ length: 60 }, (_, n) => `i${n},${n >= 30 ? ofLast : n % 3 === 0 ? 0 : 1},0.1,1,1,2,1`),
      '',
    ].join('\n')
  const config = checkRoutingConfig(
    { name: 'router', algorithm: 'thompson', environment: { outcomes: { table: 't.csv' } } },
    'train.yaml',
  )
  const space = 'trials: 4\nspace:\n  exploration: { kind: real, low: 0.01, high: 2, log: true }\n'

  async function on(text: string) {
    const root = await emptyFolder()
    await writeFile(join(root, 't.csv'), text)
    return { root, searched: await routingTrialsOf({ config, root, decisions: async () => [] }) }
  }

  it('gives the same again, goes on where it was, and never looks at a case of a verdict', async () => {
    const [one, other] = [await on(table('1')), await on(table('0'))]
    const first = await swept(one.searched, one.root, space)
    expect(first).toMatchObject({ finished: true, resumed: 0, results: { length: 4 } })
    expect(new Set(first.results.map(({ values }) => values[0]?.value)).size).toBeGreaterThan(1)
    expect(await swept(one.searched, one.root, space)).toEqual({ ...first, resumed: 4 })
    // The cases held out are all others there.
    const second = await swept(other.searched, other.root, space)
    expect(second.id).not.toBe(first.id)
    expect(second.results).toEqual(first.results)
  })

  it('refuses halving, settings of another algorithm, and a table of which too little is left', async () => {
    const { root, searched } = await on(table('1'))
    const halved = swept(searched, root, `${space}halving: { least: 1, most: 9 }\n`)
    await expect(halved).rejects.toMatchObject({ code: 'VT_SWEEP_HALVING', kind: 'config' })
    const wrong = swept(searched, root, space.replace('exploration', 'alpha'))
    await expect(wrong).rejects.toThrow('space.alpha is no setting of thompson')
    await expect(on(table('1').split('\n').slice(0, 17).join('\n'))).rejects.toMatchObject({ code: 'VT_ROUTER_DATA' })
  })
})
