/**
 * The faults of the catalogue, each really brought about where a run can have it, and else in what a trainer, a provider, a
 * file or a judge left behind. Where a fix is a change of the configuration, it is applied as `train --fix` does, and the run
 * has to come to its end.
 */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { withValue } from '../../bin/config-edit.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { wasmBackend } from '../../training/backend/wasm.ts'
import {
  CATALOGUE,
  diagnose,
  diagnosisOf,
  examineData,
  type Fix,
  judgeDisagreement,
  openWatch,
  providerFault,
  readDataTable,
  readTrainerLog,
  tokenDrift,
} from '../../training/errors/index.ts'
import { executeRun, parseTrainConfig, type RunOrder, type TrainConfig } from '../../training/run/index.ts'
import { interrupted, orderOf } from './runs.ts'

const BASE = `name: fault
algorithm: ppo
environment: CartPole-v1
evaluation: { episodes: 4 }
settings: { totalSteps: 512, environments: 4, rolloutSteps: 32, minibatch: 128, epochs: 2, hidden: [8], learningRate: 0.01 }
`
const SCRIPT = fileURLToPath(new URL('fixtures/environment.mjs', import.meta.url))

/** A program's environment, alone: `totalSteps` 64 and one place. */
const program = (how: string, timeoutMs = 20_000) =>
  [
    BASE.replace('CartPole-v1', `{ process: { command: [${process.execPath}, ${SCRIPT}, ${how}], timeoutMs: ${timeoutMs} } }`)
      .replace('totalSteps: 512', 'totalSteps: 64')
      .replace('environments: 4', 'environments: 1')
      .replace('minibatch: 128', 'minibatch: 32')
      .replace('episodes: 4', 'episodes: 2'),
  ].join('')

const orders = { more: {} as Partial<RunOrder>, text: BASE }

/** Trains, and returns what the catalogue says to how it ended; undefined where there is nothing to say. */
async function code(text: string, more: Partial<RunOrder> = {}): Promise<string | undefined> {
  Object.assign(orders, { more, text })
  const order = await orderOf(await parseTrainConfig(text, 'train.yaml'), { ...more, env: { PATH: process.env.PATH ?? '' } })
  return executeRun(order).then(
    (outcome) => (outcome.state === 'done' ? outcome.noticed?.code : 'paused'),
    (error: ValuetrainError) => String(error.details?.diagnosis ?? error.code),
  )
}

/** A clock on which each look takes a while, so that a limit in minutes is met without waiting. */
const slowClock = () => {
  let now = 0
  return { now: () => new Date(0), monotonic: () => (now += 40), sleep: async () => {} } as unknown as RunOrder['clock']
}
const small = { open: async () => wasmBackend(64 * 1024), name: 'wasm', reason: 'small', arithmetic: 'exact' } as const
const rows = (count: number, row: (n: number) => string) => Array.from({ length: count }, (_, n) => row(n)).join('\n')
const dataCode = (text: string, of: Parameters<typeof examineData>[1] = {}) =>
  examineData(readDataTable(text, 'a.csv'), of).map((found) => found.code)[0]
const loggedCode = (line: string) => readTrainerLog(line).map((found) => found.code)[0]

type Injection = [code: string, fault: string, seen: () => Promise<string | undefined> | string | undefined]

const INJECTIONS: readonly Injection[] = [
  ['T101', 'rewards that no step size survives', () => code(program('huge'))],
  [
    'T102',
    'a step size with which the policy is certain after the first updates',
    () => code(BASE.replace('0.01', '0.9').replace('totalSteps: 512', 'totalSteps: 4096')),
  ],
  [
    'T103',
    'episodes that all end alike',
    () =>
      code(
        BASE.replace('CartPole-v1', 'MountainCar-v0')
          .replace('totalSteps: 512', 'totalSteps: 16800')
          .replace('rolloutSteps: 32', 'rolloutSteps: 200')
          .replace('minibatch: 128', 'minibatch: 800')
          .replace('epochs: 2', 'epochs: 1'),
      ),
  ],
  ['T104', 'a step that is answered without a reward', () => code(program('noreward'))],
  [
    'T105',
    'a training return that rises while held-out episodes fall',
    async () => {
      Object.assign(orders, { more: {}, text: BASE })
      const config = await parseTrainConfig(BASE, 'train.yaml')
      const box = { kind: 'box', shape: [1], low: [0], high: [1] } as const
      const spec = {
        id: 'x',
        observation: { ...box, shape: [1], low: [0], high: [1] },
        action: { kind: 'discrete', n: 2 },
      } as const
      const watch = openWatch(config, { ...spec, maxSteps: 9 })
      const told = [0, 1, 2, 3].flatMap((n) =>
        watch({ seed: 1, steps: n, metrics: { return_mean: 10 + 5 * n, heldout_return_mean: 9 - n } }),
      )
      return told[0]?.code
    },
  ],
  [
    'T201',
    'layers that do not fit into the memory there is',
    () => code(BASE.replace('hidden: [8]', 'hidden: [64, 64]'), { backends: small }),
  ],
  ['T202', 'a trainer that dies on its card', () => logged('torch.OutOfMemoryError: CUDA out of memory. Tried 2.00 GiB')],
  ['T203', 'an environment slower than its limit', () => code(program('slow', 300))],
  [
    'T301',
    'a cell of another type',
    () => dataCode(`size,label\n${rows(60, (n) => `${n === 7 ? 'ten' : n},${n % 2 ? 'yes' : 'no'}`)}`),
  ],
  [
    'T302',
    'a row in both splits',
    () => dataCode('size,label\n1,yes\n2,no', { held: readDataTable('size,label\n2.0,NO', 'b.csv') }),
  ],
  [
    'T303',
    'too few rows of a class',
    () => dataCode(`size,label\n${rows(60, (n) => `${n},${n ? 'no' : 'yes'}`)}`, { target: 'label' }),
  ],
  ['T401', 'a key that is refused', () => providerFault(401, 'invalid api key')],
  ['T402', 'a region without capacity', () => logged('launch failed: insufficient-capacity')],
  ['T403', 'a quota that is used up', () => providerFault(403, 'quota exceeded for A100')],
  ['T404', 'a machine that was taken back', () => logged('spot instance interruption')],
  ['T405', 'a lease that nobody keeps alive', () => thrown('VT_GPU_STRAY')],
  ['T406', 'a limit below what the run takes', () => code(`${BASE}limits: { minutes: 0.005 }\n`, { clock: slowClock() })],
  [
    'T501',
    'a judge that contradicts itself',
    () => judgeDisagreement(Array.from({ length: 10 }, (_, n) => ({ case: String(n >> 1), verdict: n % 4 === 1 })))[0]?.code,
  ],
  ['T502', 'a case that scores differently', () => thrown('VT_EVAL_FLAKY')],
  [
    'T601',
    'a prompt that does not go on from what was said',
    () =>
      tokenDrift([
        { rollout: 'r', prompt: [1], response: [2] },
        { rollout: 'r', prompt: [1, 3], response: [] },
      ])[0]?.code,
  ],
  [
    'T701',
    'the same inputs with other numbers',
    async () => {
      const first = await orderOf(await parseTrainConfig(BASE, 'train.yaml'))
      await executeRun(first)
      const weights = { at: 0 }
      const moved = interrupted(first.backends, 3, () => (weights.at += 1))
      const open = async () => {
        const backend = await moved.open()
        const adam: typeof backend.adam = (...args) => {
          backend.adam(...args)
          if (weights.at > 0) args[0][0] = (args[0][0] as number) + 0.5
        }
        return { ...backend, adam }
      }
      const again = executeRun({ ...first, stateDir: `${first.root}/other`, backends: { ...moved, open } })
      return again.then(
        () => undefined,
        (error) => String(error.details.diagnosis),
      )
    },
  ],
]

function logged(line: string): string | undefined {
  Object.assign(orders, { more: {}, text: BASE })
  return loggedCode(line)
}

async function thrown(name: `VT_${string}`): Promise<string | undefined> {
  return diagnose(new ValuetrainError(name, 'the sentence'), await parseTrainConfig(BASE, 'train.yaml'), [])?.code
}

const patches = ({ patch }: Fix) => Object.keys(patch).length > 0
const fixesOf = (wanted: string, config: TrainConfig, isThrown: boolean) =>
  (diagnosisOf(wanted, config, [], isThrown)?.fixes ?? []).filter(patches)

describe('a fault', () => {
  const seen = new Map<string, number | undefined>()
  afterAll(() => {
    const fixed = [...seen.values()].filter((rounds) => rounds !== undefined)
    const first = fixed.filter((rounds) => rounds === 1).length
    console.log(
      `${seen.size} faults had their code; of ${fixed.length} with a patch, ${first} ended after the first, all by --fix`,
    )
  })

  it('of every code of the catalogue is injected', () => {
    expect(INJECTIONS.map(([wanted]) => wanted)).toEqual(CATALOGUE.map((entry) => entry.code))
  })

  it.each(INJECTIONS)('%s, %s, has its code, and its patch lets the run end', async (wanted, _, inject) => {
    expect(await inject()).toBe(wanted)
    seen.set(wanted, undefined)
    let { text } = orders
    const isThrown = ['T101', 'T201', 'T203', 'T406'].includes(wanted)
    if (fixesOf(wanted, await parseTrainConfig(text, 'train.yaml'), isThrown).length === 0) return
    // As `--fix` goes on: what was tried least often, the best of those first.
    const tried = new Map<string, number>()
    for (let round = 1; ; round++) {
      const fixes = fixesOf(wanted, await parseTrainConfig(text, 'train.yaml'), isThrown)
      const times = ({ does }: Fix) => tried.get(does) ?? 0
      const fix = fixes.reduce((best, one) => (times(one) < times(best) ? one : best))
      tried.set(fix.does, times(fix) + 1)
      text = Object.entries(fix.patch).reduce((file, [key, value]) => withValue(file, key.split('.'), value), text)
      const config = await parseTrainConfig(text, 'train.yaml')
      const more = { ...orders.more, ...(wanted === 'T406' ? { clock: slowClock() } : {}), env: { PATH: process.env.PATH ?? '' } }
      const ended = await executeRun(await orderOf(config, more)).then(
        ({ state }) => state === 'done',
        () => false,
      )
      if (ended) {
        seen.set(wanted, round)
        return
      }
      expect(round, `${wanted} after ${fix.does}`).toBeLessThan(6)
    }
  })
})
