import { describe, expect, it } from 'vitest'
import { withValue } from '../../bin/config-edit.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { CATALOGUE, diagnose, openWatch } from '../../training/errors/index.ts'
import { checkTrainConfig, executeRun, parseTrainConfig, type TrainConfig } from '../../training/run/index.ts'
import type { EnvironmentSpec, Metrics } from '../../training/types.ts'
import { orderOf, tiny } from './runs.ts'

const SPEC: EnvironmentSpec = {
  id: 'Injected-v1',
  observation: { kind: 'box', shape: [1], low: [0], high: [1] },
  action: { kind: 'discrete', n: 4 },
  maxSteps: 10,
  solvedAt: 100,
}

/** Feeds rows to a watch and returns the codes it tells, in order. */
function codes(rows: readonly Metrics[], config: TrainConfig = tiny()): string[] {
  const watch = openWatch(config, SPEC)
  return rows.flatMap((metrics, n) => watch({ seed: 1, steps: n, metrics }).map(({ code }) => code))
}

const repeated = (count: number, row: (n: number) => Metrics) => Array.from({ length: count }, (_, n) => row(n))
const HEALTHY = (n: number): Metrics => ({
  gradient_norm: 1 + (n % 3) / 10,
  entropy_nats: 1.2,
  kl_nats: 0.01,
  explained_variance: 0.5,
  return_mean: n,
})

describe('the watch over a learner', () => {
  it('says nothing about a healthy one, and nothing about one that is done', () => {
    expect(codes(repeated(60, HEALTHY))).toEqual([])
    expect(codes(repeated(60, () => ({ ...HEALTHY(1), entropy_nats: 0.01, explained_variance: -9, return_mean: 100 })))).toEqual(
      [],
    )
  })

  it.each<[string, string, Metrics[], TrainConfig]>([
    ['a gradient over 100 times its median', 'T101', [...repeated(20, HEALTHY), { ...HEALTHY(20), gradient_norm: 200 }], tiny()],
    ['a move over 10 times its target', 'T101', [{ ...HEALTHY(0), kl_nats: 0.3 }], tiny({ targetKl: 0.02 })],
    [
      'values worse than a constant for five updates',
      'T101',
      repeated(5, (n) => ({ ...HEALTHY(n), explained_variance: -1.5 })),
      tiny(),
    ],
    [
      'entropy that is gone while the return is flat',
      'T102',
      repeated(20, (n) => ({ ...HEALTHY(n), entropy_nats: 0.05, return_mean: 20 + (n % 2) / 10 })),
      tiny(),
    ],
    ['returns that are all the same', 'T103', repeated(20, (n) => ({ ...HEALTHY(n), return_mean: -200 })), tiny()],
    [
      'a return that held-out episodes do not follow',
      'T105',
      repeated(4, (n) => ({ ...HEALTHY(n), return_mean: 10 + 5 * n, heldout_return_mean: 10 - n })),
      tiny(),
    ],
  ])('finds %s', (_, code, rows, config) => {
    expect(codes(rows, config)).toEqual([code])
    // One update less, or less far, is nothing.
    expect(codes(rows.slice(0, -1), config)).toEqual([])
  })
})

describe('the catalogue', () => {
  it.each([
    ['VT_TRAIN_DIVERGED', 'T101'],
    ['VT_ENV_OBSERVATION', 'T101'],
    ['VT_ENV_REWARD', 'T104'],
    ['VT_BACKEND_MEMORY', 'T201'],
    ['VT_ENV_TIMEOUT', 'T203'],
    ['VT_ENV_PROCESS', 'T203'],
    ['VT_DATA_MISSING', 'T301'],
    ['VT_RUN_BUDGET', 'T406'],
    ['VT_RUN_NOT_REPRODUCED', 'T701'],
  ] as const)('explains %s as %s', (code, wanted) => {
    const found = diagnose(new ValuetrainError(code, 'the sentence'), tiny(), [{ seed: 2, steps: 7, evidence: 'odd' }])
    expect(found).toMatchObject({ code: wanted, evidence: ['the sentence', 'seed 2, step 7: odd'] })
  })

  it('does not explain what it does not know', () => {
    expect(diagnose(new ValuetrainError('VT_RUN_BUSY', 'x'), tiny(), [])).toBeUndefined()
    expect(diagnose(new Error('x'), tiny(), [])).toBeUndefined()
    expect(diagnose(new RangeError('Array buffer allocation failed'), tiny(), [])?.code).toBe('T201')
  })

  it('has a fix for every code, and every patch gives a file that is valid and different', async () => {
    const files = {
      ppo: 'name: a\nalgorithm: ppo\nenvironment: CartPole-v1\n',
      dqn: 'name: a\nalgorithm: dqn\nenvironment: CartPole-v1\nlimits: { minutes: 3, usd: 2 }\n',
      reinforce:
        'name: a\nalgorithm: reinforce\nenvironment: { process: { command: [gym] } }\nsettings: { learningRate: { kind: linear, from: 0.01, to: 0 } }\n',
    }
    for (const entry of CATALOGUE) {
      const fixes = await Promise.all(
        Object.values(files).map(async (file) => {
          const config = await parseTrainConfig(file, 'train.yaml')
          const found = entry.fixes(config)
          for (const { patch } of found) {
            if (Object.keys(patch).length === 0) continue
            const after = Object.entries(patch).reduce((text, [key, value]) => withValue(text, key.split('.'), value), file)
            expect(await parseTrainConfig(after, 'train.yaml')).not.toEqual(config)
          }
          return found
        }),
      )
      expect([entry.code, fixes.flat().length > 0]).toEqual([entry.code, true])
    }
  })
})

describe('a run that leaves the numbers', () => {
  it('is stopped, named and explained', async () => {
    const order = await orderOf(tiny())
    const poisoned = {
      ...order.backends,
      async open() {
        const backend = await order.backends.open()
        let steps = 0
        return {
          ...backend,
          adam: (...args: Parameters<typeof backend.adam>) => {
            backend.adam(...args)
            steps += 1
            if (steps === 3) args[0].fill(Number.NaN)
          },
        }
      },
    }
    await expect(executeRun({ ...order, backends: poisoned })).rejects.toMatchObject({
      message: expect.stringContaining('T101 diverged'),
      hint: 'halve the learning rate: `valuetrain train train.yaml --fix`',
      details: { diagnosis: 'T101' },
    })
    expect(checkTrainConfig({ ...order.config }, 'train.yaml')).toEqual(order.config)
  })
})
