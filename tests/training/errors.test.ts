import { describe, expect, it } from 'vitest'
import { withValue } from '../../bin/config-edit.ts'
import { ValuetrainError } from '../../core/errors.ts'
import {
  CATALOGUE,
  diagnose,
  examineData,
  judgeDisagreement,
  openWatch,
  providerFault,
  readDataTable,
  readTrainerLog,
  tokenDrift,
} from '../../training/errors/index.ts'
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
    [
      'entropy that is gone while the return is noisy and does not rise',
      'T102',
      repeated(20, (n) => ({ ...HEALTHY(n), entropy_nats: 0.01, return_mean: 9 + ((7 * n) % 5) / 5 })),
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
    ['VT_ENV_REWARD', 'T104'],
    ['VT_BACKEND_MEMORY', 'T201'],
    ['VT_ENV_TIMEOUT', 'T203'],
    ['VT_DATA_MISSING', 'T301'],
    ['VT_GPU_MEMORY', 'T202'],
    ['VT_DATA_FORMAT', 'T301'],
    ['VT_GPU_AUTH', 'T401'],
    ['VT_GPU_CAPACITY', 'T402'],
    ['VT_GPU_QUOTA', 'T403'],
    ['VT_GPU_LOST', 'T404'],
    ['VT_GPU_STRAY', 'T405'],
    ['VT_RUN_BUDGET', 'T406'],
    ['VT_EVAL_FLAKY', 'T502'],
    ['VT_RUN_NOT_REPRODUCED', 'T701'],
  ] as const)('explains %s as %s', (code, wanted) => {
    const found = diagnose(new ValuetrainError(code, 'the sentence'), tiny(), [{ seed: 2, steps: 7, evidence: 'odd' }])
    expect(found).toMatchObject({ code: wanted, evidence: ['the sentence', 'seed 2, step 7: odd'] })
  })

  it('does not explain what it does not know', () => {
    expect(diagnose(new ValuetrainError('VT_RUN_BUSY', 'x'), tiny(), [])).toBeUndefined()
    expect(diagnose(new Error('x'), tiny(), [])).toBeUndefined()
    // A program that ended by itself said why; one that was killed by nine was most likely too large.
    const ended = (signal: string | null) => new ValuetrainError('VT_ENV_PROCESS', 'x', { details: { signal } })
    expect([ended(null), ended('SIGKILL')].map((error) => diagnose(error, tiny(), [])?.code)).toEqual([undefined, 'T201'])
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

describe('the log of a trainer', () => {
  it.each([
    ['torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB', 'T202'],
    ['ValueError: No available memory for the cache blocks. Try increasing gpu_memory_utilization', 'T202'],
    ['INFO executor: # GPU blocks: 0, # CPU blocks: 2048', 'T202'],
    ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory', 'T201'],
    ['OSError: [Errno 12] Cannot allocate memory', 'T201'],
    ['HTTP 401 Unauthorized: invalid api key', 'T401'],
    ['instance-operations/launch/insufficient-capacity', 'T402'],
    ['error: GPU quota exceeded for this account', 'T403'],
    ['instance i-77 no longer exists', 'T404'],
  ])('that says "%s" is read as %s', (line, code) => {
    expect(readTrainerLog(`step 1\n${line}\nstep 2`)).toEqual([{ code, evidence: `line 2: ${line}` }])
  })

  it('tells a silent death by what was going on', () => {
    const killed = { exit: null, signal: 'SIGKILL' }
    expect(readTrainerLog('step 9\nall_gather of 7B parameters\n', killed)).toMatchObject([{ code: 'T202' }])
    expect(readTrainerLog('step 9\nloading rows\n', killed)).toMatchObject([
      { code: 'T201', evidence: expect.stringContaining('loading rows') },
    ])
    expect(readTrainerLog('step 9\nloading rows\n', { exit: 0, signal: null })).toEqual([])
  })

  it('says nothing about a healthy one, were it full of numbers and words', () => {
    const log = 'step 401 loss 0.43 tokens 4001\nKV cache size: 20480 tokens\n# GPU blocks: 1024\nquota: 20 % used'
    expect(readTrainerLog(log)).toEqual([])
  })

  it.each([
    [401, 'no', 'T401'],
    [403, 'quota exceeded for A100', 'T403'],
    [400, 'insufficient capacity in us-east-1', 'T402'],
    [404, '', 'T404'],
    [500, 'oops', undefined],
  ] as const)('a provider that answers %s "%s" is read as %s', (status, text, code) => {
    expect(providerFault(status, text)).toBe(code)
  })
})

describe('data files', () => {
  const rows = (count: number, row: (n: number) => string) => Array.from({ length: count }, (_, n) => row(n)).join('\n')
  const label = (n: number) => (n % 2 === 0 ? 'yes' : 'no')
  const good = `id,size,label\n${rows(60, (n) => `row ${n},${n * 1.5},${label(n)}`)}\n`
  const told = `id,size,label,mark\n${rows(60, (n) => `row ${n},${n * 1.5},${label(n)},${label(n)}!`)}\n`
  const look = (text: string, of: { target?: string; held?: string } = {}) =>
    examineData(readDataTable(text, 'a.csv'), {
      ...(of.target === undefined ? {} : { target: of.target }),
      ...(of.held === undefined ? {} : { held: readDataTable(of.held, 'b.csv') }),
    })

  it('that are sound are left alone, as CSV and as lines of JSON', () => {
    expect(look(good, { target: 'label', held: 'id,size,label\nother,7,yes\n' })).toEqual([])
    const lines = readDataTable('{"a":1,"b":"x, y"}\n{"a":2,"b":"z"}', 'a')
    expect(lines.rows.map(({ cells }) => cells)).toEqual([
      ['1', 'x, y'],
      ['2', 'z'],
    ])
    expect(readDataTable('a,b,c\n"x, ""y"" z",2,\n', 'a').rows[0]?.cells).toEqual(['x, "y" z', '2', ''])
  })

  it.each<[string, string, string, { target?: string; held?: string }, string]>([
    [
      'a cell of another type',
      'T301',
      good.replace('row 7,10.5', 'row 7,ten'),
      {},
      'column size holds numbers, but line 9 has "ten"',
    ],
    ['a torn row', 'T301', good.replace('row 7,10.5', 'row 7'), {}, 'line 9 do not have 3 cells'],
    [
      'a row of both splits, near enough',
      'T302',
      good,
      { held: 'id,size,label\nROW  7,10.50,no\n' },
      '1 rows are in both splits; line 9 is line 2 of b.csv',
    ],
    ['an answer among the questions', 'T302', told, { target: 'label' }, 'column mark tells label one to one'],
    ['a rare class', 'T303', good.replace('row 7,10.5,no', 'row 7,10.5,maybe'), { target: 'label' }, '"maybe" is 1 of 60'],
    ['too few rows', 'T303', 'id,label\na,yes\nb,no\nc,no\n', { target: 'label' }, '3 rows; fewer than 50'],
  ])('with %s are told as %s', (_, code, text, of, evidence) => {
    expect(look(text, of)).toEqual([{ code, evidence: expect.stringContaining(evidence) }])
  })

  it('are refused when they are neither, or have no such column', () => {
    expect(() => readDataTable('{"a":1}\n{', 'a')).toThrowError(expect.objectContaining({ code: 'VT_DATA_FORMAT' }))
    expect(() => look(good, { target: 'lable' })).toThrowError(/no column "lable"/)
  })
})

describe('judges and calls', () => {
  it('T501: a judge that contradicts itself in more than one repeat of five', () => {
    const judged = (flips: number) =>
      Array.from({ length: 10 }, (_, n) => [
        { case: `c${n}`, verdict: 1 },
        { case: `c${n}`, verdict: n < flips ? 0 : 1 },
      ]).flat()
    expect(judgeDisagreement(judged(2))).toEqual([])
    expect(judgeDisagreement(judged(3))).toEqual([
      { code: 'T501', evidence: 'the judge agreed with itself in 70 % of 10 repeats, below 80 %; first at c0, c1, c2' },
    ])
    expect(judgeDisagreement([{ case: 'once', verdict: 1 }])).toEqual([])
  })

  it('T601: a prompt that does not go on from what was said', () => {
    const first = { rollout: 'r', prompt: [1, 2], response: [3] }
    expect(tokenDrift([first, { rollout: 'r', prompt: [1, 2, 3, 4], response: [5] }])).toEqual([])
    expect(tokenDrift([first, { rollout: 's', prompt: [9], response: [] }])).toEqual([])
    expect(tokenDrift([first, { rollout: 'r', prompt: [1, 2, 7, 4], response: [5] }])).toEqual([
      { code: 'T601', evidence: '1 of 1 prompts (100 %) do not extend what was said before: rollout r at token 3' },
    ])
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
      hint: 'clip what is learned from to [-1, 1]: `valuetrain train train.yaml --fix`',
      details: { diagnosis: 'T101' },
    })
    expect(checkTrainConfig({ ...order.config }, 'train.yaml')).toEqual(order.config)
  })
})
