/**
 * G8, G9, G10: routers over an outcome table (columns `issue`, then `<arm>|resolved`, `<arm>|usd`, `<arm>|calls`), one
 * pass, every issue and all learning counted. Without `--table`, tables are generated from a model whose truth is known.
 * With `--digits`, the bandits read handwritten digits instead of generated cases.
 */
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { choose } from '../training/bandit/bandit.ts'
import { LinThompson, LinUcb, LogisticThompson } from '../training/bandit/linear.ts'
import { Ridge } from '../training/bandit/ridge.ts'
import { randomFrom } from '../training/random.ts'
import {
  bestByGroup,
  bestFixed,
  ChoiceRouter,
  expectOrders,
  type GateRates,
  generateOutcomeTable,
  type OutcomeTable,
  PERFECT_GATE,
  parseOutcomeTable,
  replayCascade,
  replayChoice,
  type replayFixed,
  replayRandom,
  replayThompson,
  rewardOfReplay,
} from '../training/router/index.ts'
import { type Benchmark, type Row, rowOf } from './measure.ts'

const POOL = [
  { id: 'large', solves: 0.744, usd: 0.72 },
  { id: 'strong', solves: 0.742, usd: 0.46 },
  { id: 'middle', solves: 0.66, usd: 0.306 },
  { id: 'small', solves: 0.598, usd: 0.035 },
  { id: 'cheap', solves: 0.6, usd: 0.028 },
]
const PRICES = [0.1, 0.5, 1]
/** Standard deviations around a class's centre; the centres themselves have one of 0.29. */
const NOISES = [0.4, 0.6]
const TRUSTED: GateRates = PERFECT_GATE
const MEASURED: GateRates = { falsePass: 0.2, falseFail: 0.05 }

const bench: Benchmark = async ({ full, seed, table: file, digits, note }) => {
  const orders = full || file !== undefined ? 30 : 6
  const tables = file === undefined ? generated(seed) : [parseOutcomeTable(await readFile(file, 'utf8'), file)]
  const { arms, rows } = tables[0] as OutcomeTable
  note(
    `${tables.length === 1 ? `${file}` : `${tables.length} generated tables`}: ${rows.length} issues, arms ${arms.join(', ')}, means over ${orders} orders`,
  )
  return [
    ...PRICES.flatMap((price) => routing(tables, price, orders)),
    ...cascades(tables[0] as OutcomeTable, orders),
    ...(digits === undefined ? NOISES.flatMap((noise) => bandits(noise)) : handwritten(await readDigits(digits))),
    speed(arms.length),
  ]
}
export default bench

function generated(seed: number): OutcomeTable[] {
  return [0, 1, 2].map((n) =>
    generateOutcomeTable({ arms: POOL, issues: 500, groups: 12, seed: 200 + 10 * seed + n, alike: 0.8, leaning: 0.2 }),
  )
}

/**
 * Shares of the best fixed arm's reward, and of what the best arm of each group gives, both known only afterwards; one sample an
 * order, the mean over the tables.
 */
function routing(tables: readonly OutcomeTable[], price: number, orders: number): Row[] {
  const shares = (replay: (table: OutcomeTable, order: number) => ReturnType<typeof replayFixed>) =>
    Array.from({ length: orders }, (_, order) =>
      mean(
        tables.map(
          (table) => rewardOfReplay(replay(table, order), price) / rewardOfReplay(bestFixed(table, price).result, price),
        ),
      ),
    )
  const learned = shares((table, order) => replayChoice(table, { price }, randomFrom(order)))
  const plain = shares((table, order) => replayThompson(table, price, randomFrom(order)))
  const random = shares((table, order) => replayRandom(table, randomFrom(order)))
  const fixedOfOptimum = mean(
    tables.map(
      (table) => rewardOfReplay(bestFixed(table, price).result, price) / rewardOfReplay(bestByGroup(table, price), price),
    ),
  )
  const ofOptimum = learned.map((value) => value * fixedOfOptimum)
  return [
    {
      ...asMean(rowOf(`reward_share, router, price ${price}`, 'of best fixed', learned), learned, mean(plain)),
      goal: 'at least 0.97',
    },
    asMean(rowOf(`optimum_share, router, price ${price}`, 'of best by group', ofOptimum), ofOptimum),
    asMean(rowOf(`reward_share, plain Thompson, price ${price}`, 'of best fixed', plain), plain),
    asMean(rowOf(`reward_share, random, price ${price}`, 'of best fixed', random), random),
  ]
}

/**
 * The learned cascade beside all fixed ones of the table. Those are taken in expectation over the gate's errors; the learned one is a
 * mean over orders.
 */
function cascades(table: OutcomeTable, orders: number): Row[] {
  const issues = table.rows.length
  return [
    { gate: TRUSTED, usd: 0.45 * issues, name: 'perfect gate' },
    { gate: MEASURED, usd: 0.29 * issues, name: 'gate 20 % false pass, 5 % false fail' },
  ].flatMap(({ gate, usd, name }) => {
    const results = Array.from({ length: orders }, (_, order) =>
      replayCascade(table, { gate, budget: { usd, issues } }, randomFrom(order)),
    )
    const resolved = results.map((result) => (100 * result.resolved) / issues)
    const dollars = results.map((result) => result.usd)
    const [share, cost] = [mean(resolved), mean(dollars)]
    const fixed = expectOrders(table, gate)
    const affordable = fixed.filter(({ result }) => result.usd <= cost).map(({ result }) => result.resolved)
    const best = (100 * Math.max(0, ...affordable)) / issues
    const dominating = fixed.filter(({ result }) => (100 * result.resolved) / issues >= share && result.usd <= cost)
    return [
      asMean(rowOf(`resolved, cascade, ${name}`, '%', resolved), resolved, best),
      asMean(rowOf(`dollars, cascade, ${name}, budget ${usd}`, 'USD', dollars), dollars),
      {
        name: `fixed cascades that dominate it, ${name}, of ${fixed.length}`,
        value: dominating.length,
        unit: '',
        goal: '0',
        rounds: 1,
      },
    ]
  })
}

/**
 * Ten arms of which one is right for each case, 64 features in [0, 1] and a constant, 1,800 cases: the shape and the scale
 * of digit recognition, whose pictures do not lie here. What comes out depends on the noise, so there are two, and beside
 * the bandits a linear model that is told the right arm of every case: what they fall short of for seeing only their own.
 */
function bandits(noise: number): Row[] {
  const cases = (seed: number) => {
    const random = randomFrom(`case ${seed}`)
    const centres = Array.from({ length: 10 }, () => Float64Array.from({ length: 64 }, () => random.uniform()))
    return Array.from({ length: 1800 }, () => {
      const right = random.below(10)
      const centre = centres[right] as Float64Array
      const near = (f: number) => Math.min(1, Math.max(0, (centre[f] as number) + noise * random.normal()))
      return { right, features: Float64Array.from({ length: 65 }, (_, f) => (f === 64 ? 1 : near(f))) }
    })
  }
  const rounds = 3
  const of = (open: () => LinUcb | LinThompson | LogisticThompson) =>
    Array.from({ length: rounds }, (_, seed) => {
      const [bandit, random] = [open(), randomFrom(`choice ${seed}`)]
      let sum = 0
      for (const { right, features } of cases(seed)) {
        const { arm } = choose(bandit, { features }, random)
        bandit.update({ features }, arm, arm === right ? 1 : 0)
        sum += arm === right ? 1 : 0
      }
      return sum / 1800
    })
  const told = Array.from({ length: rounds }, (_, seed) => {
    const models = Array.from({ length: 10 }, () => new Ridge(65))
    let sum = 0
    for (const { right, features } of cases(seed)) {
      const values = models.map((model) => model.predict(features))
      sum += values.indexOf(Math.max(...values)) === right ? 1 : 0
      for (const [arm, model] of models.entries()) model.add(features, arm === right ? 1 : 0)
    }
    return sum / 1800
  })
  const shape = { arms: 10, features: 65 }
  return (
    [
      ['LinUCB 0.3', of(() => new LinUcb({ ...shape, alpha: 0.3 }))],
      ['LinTS 0.1', of(() => new LinThompson({ ...shape, alpha: 0.1 }))],
      ['logistic Thompson 0.3', of(() => new LogisticThompson({ ...shape, alpha: 0.3 }))],
      ['linear model that is told every answer', told],
    ] as const
  ).map(([name, rewards]) => asMean(rowOf(`reward, ${name}, noise ${noise}, one pass`, 'of optimum', rewards), rewards))
}

interface Case {
  /** The right arm, 0 to 9. */
  right: number
  /** 64 shades in [0, 1] and a constant. */
  features: Float64Array
}

/**
 * Returns pictures of 8 x 8 shades: a line each, 64 numbers from 0 to 16 and the digit, separated by commas, gzipped or not.
 * scikit-learn has such a file in its package (sklearn/datasets/data/digits.csv.gz).
 */
async function readDigits(file: string): Promise<Case[]> {
  const bytes = await readFile(file)
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  return text
    .trim()
    .split('\n')
    .map((line, index) => {
      const numbers = line.split(',').map(Number)
      const right = numbers[64] as number
      const sound = numbers.length === 65 && numbers.every((n) => n >= 0 && n <= 16) && Number.isInteger(right) && right < 10
      if (!sound) throw new Error(`line ${index + 1} of ${file} is no picture of 64 shades from 0 to 16 and its digit`)
      return { right, features: Float64Array.from({ length: 65 }, (_, f) => (f === 64 ? 1 : (numbers[f] as number) / 16)) }
    })
}

/** Orders of the pictures; with ten, two deviations of a mean are 0.01, which is more than what G8 turns on. */
const ORDERS = 40
/** Orders that go on to a second and a third pass. */
const LONG_ORDERS = 10

/** G8: orders of all pictures in one pass, some in three; and what one decision with its update takes. */
function handwritten(cases: readonly Case[]): Row[] {
  const shape = { arms: 10, features: 65 }
  const kinds = [
    { name: 'LinUCB 0.3', open: () => new LinUcb({ ...shape, alpha: 0.3 }), goal: 'at least 0.85' },
    { name: 'LinTS 0.1', open: () => new LinThompson({ ...shape, alpha: 0.1 }), goal: 'at least 0.845' },
  ]
  return kinds.flatMap(({ name, open, goal }) => {
    const times: number[] = []
    const passes = Array.from({ length: ORDERS }, (_, seed) => {
      const [bandit, random] = [open(), randomFrom(`digits ${seed}`)]
      return Array.from({ length: seed < LONG_ORDERS ? 3 : 1 }, () => {
        const order = [...cases.keys()]
        random.shuffle(order)
        let sum = 0
        for (const index of order) {
          const { right, features } = cases[index] as Case
          const began = process.cpuUsage()
          const { arm } = choose(bandit, { features }, random)
          bandit.update({ features }, arm, arm === right ? 1 : 0)
          times.push(cpuMsSince(began))
          sum += arm === right ? 1 : 0
        }
        return sum / cases.length
      })
    })
    const first = passes.map(([one]) => one as number)
    const all = passes.slice(0, LONG_ORDERS).map((three) => mean(three))
    times.sort((a, b) => a - b)
    const at = (share: number) => Number((times[Math.floor(share * times.length)] as number).toPrecision(3))
    return [
      { ...asMean(rowOf(`reward, ${name}, ${cases.length} digits, one pass`, 'of optimum', first), first), goal },
      asMean(rowOf(`reward, ${name}, three passes`, 'of optimum', all), all),
      {
        name: `decide and update, ${name}, p50`,
        value: at(0.5),
        unit: 'ms CPU',
        rounds: times.length,
        min: at(0),
        max: at(0.99),
      },
      {
        name: `decide and update, ${name}, p99`,
        value: at(0.99),
        unit: 'ms CPU',
        goal: 'below 1',
        rounds: times.length,
        min: at(0),
        max: at(0.999),
      },
    ]
  })
}

/** CPU time of the whole process, the threads that compile and collect included: on a machine at work the clock shows the others, too. */
function cpuMsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1000
}

/** One decision and its update, after 2,000 outcomes in 40 groups. */
function speed(arms: number): Row {
  const random = randomFrom('speed')
  const router = new ChoiceRouter({ arms, price: 0.1 })
  const times: number[] = []
  for (let i = 0; i < 4000; i++) {
    const context = { groups: [`group-${random.below(40)}`] }
    const began = process.cpuUsage()
    const arm = random.categorical(router.propensities(context))
    router.update(context, arm, { resolved: random.uniform() < 0.6, usd: random.uniform() })
    if (i >= 2000) times.push(cpuMsSince(began))
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(share * times.length)] as number
  const value = Number(at(0.99).toPrecision(3))
  return {
    name: 'decide and update, router, p99',
    value,
    unit: 'ms CPU',
    goal: 'below 1',
    rounds: times.length,
    min: at(0),
    max: at(0.999),
  }
}

function asMean(row: Row, samples: readonly number[], peer?: number): Row {
  const value = Number(mean(samples).toPrecision(4))
  if (peer === undefined) return { ...row, value }
  return { ...row, value, peer: Number(peer.toPrecision(4)), ratio: value / peer }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
