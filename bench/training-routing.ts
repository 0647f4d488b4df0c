/**
 * G8, G9, G10: routers over an outcome table (columns `issue`, then `<arm>|resolved`, `<arm>|usd`, `<arm>|calls`), one
 * pass, every issue and all learning counted. Without `--table`, tables are generated from a model whose truth is known.
 */
import { readFile } from 'node:fs/promises'
import { choose } from '../training/bandit/bandit.ts'
import { LinThompson, LinUcb, LogisticThompson } from '../training/bandit/linear.ts'
import { Ridge } from '../training/bandit/ridge.ts'
import { randomFrom } from '../training/random.ts'
import {
  bestFixed,
  ChoiceRouter,
  type GateRates,
  generateOutcomeTable,
  type OutcomeTable,
  PERFECT_GATE,
  parseOutcomeTable,
  replayCascade,
  replayChoice,
  type replayFixed,
  replayOrders,
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

const bench: Benchmark = async ({ full, seed, table: file, note }) => {
  const orders = full || file !== undefined ? 30 : 6
  const tables = file === undefined ? generated(seed) : [parseOutcomeTable(await readFile(file, 'utf8'), file)]
  const { arms, rows } = tables[0] as OutcomeTable
  note(
    `${tables.length === 1 ? `${file}` : `${tables.length} generated tables`}: ${rows.length} issues, arms ${arms.join(', ')}, means over ${orders} orders`,
  )
  return [
    ...PRICES.flatMap((price) => routing(tables, price, orders)),
    ...cascades(tables[0] as OutcomeTable, orders, file !== undefined || full),
    ...NOISES.flatMap((noise) => bandits(noise)),
    speed(arms.length),
  ]
}
export default bench

function generated(seed: number): OutcomeTable[] {
  return [0, 1, 2].map((n) =>
    generateOutcomeTable({ arms: POOL, issues: 500, groups: 12, seed: 200 + 10 * seed + n, alike: 0.8, leaning: 0.2 }),
  )
}

/** Shares of the best fixed arm's reward, known only afterwards; one sample an order, the mean over the tables. */
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
  return [
    asMean(rowOf(`reward_share, router, price ${price}`, 'of best fixed', learned), learned, mean(plain)),
    asMean(rowOf(`reward_share, plain Thompson, price ${price}`, 'of best fixed', plain), plain),
    asMean(rowOf(`reward_share, random, price ${price}`, 'of best fixed', random), random),
  ]
}

function cascades(table: OutcomeTable, orders: number, whole: boolean): Row[] {
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
    const fixed = replayOrders(table, gate, randomFrom('orders'), whole ? table.arms.length : 3)
    const dominating = fixed.filter(({ result }) => (100 * result.resolved) / issues >= share && result.usd <= cost)
    return [
      asMean(rowOf(`resolved, cascade, ${name}`, '%', resolved), resolved),
      asMean(rowOf(`dollars, cascade, ${name}, budget ${usd}`, 'USD', dollars), dollars),
      { name: `fixed cascades that dominate it, of ${fixed.length}`, value: dominating.length, unit: '', rounds: 1 },
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

/** One decision and its update, after 2,000 outcomes in 40 groups. */
function speed(arms: number): Row {
  const random = randomFrom('speed')
  const router = new ChoiceRouter({ arms, price: 0.1 })
  const times: number[] = []
  for (let i = 0; i < 4000; i++) {
    const context = { groups: [`group-${random.below(40)}`] }
    const began = performance.now()
    const arm = random.categorical(router.propensities(context))
    router.update(context, arm, { resolved: random.uniform() < 0.6, usd: random.uniform() })
    if (i >= 2000) times.push(performance.now() - began)
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(share * times.length)] as number
  const value = Number(at(0.99).toPrecision(3))
  return { name: 'decide and update, p99', value, unit: 'ms', rounds: times.length, min: at(0), max: at(0.999) }
}

function asMean(row: Row, samples: readonly number[], peer?: number): Row {
  const value = Number(mean(samples).toPrecision(4))
  if (peer === undefined) return { ...row, value }
  return { ...row, value, peer: Number(peer.toPrecision(4)), ratio: value / peer }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
