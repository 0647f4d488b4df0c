/** Looks at a learner while it learns. What it finds is recorded; only what is not a number stops a run. */
import { log } from '../math.ts'
import type { TrainConfig } from '../run/config.ts'
import type { MetricRow } from '../run/journal.ts'
import { mean } from '../stats/interval.ts'
import type { EnvironmentSpec } from '../types.ts'

export interface Anomaly {
  /** Of the catalogue. */
  code: string
  /** A sentence with the numbers. */
  evidence: string
}

/** Updates looked back on. */
const WINDOW = 20

/** Returns a watch over one learner: given its rows in order, it answers each with what is newly wrong. */
export function openWatch(config: TrainConfig, spec: EnvironmentSpec): (row: MetricRow) => Anomaly[] {
  const rows: MetricRow[] = []
  const told = new Set<string>()
  return (row) => {
    rows.push(row)
    const found = DETECTORS.flatMap((detect) => detect(rows, config, spec) ?? [])
    return found.filter(({ code }) => {
      if (told.has(code)) return false
      told.add(code)
      return true
    })
  }
}

type Detector = (rows: readonly MetricRow[], config: TrainConfig, spec: EnvironmentSpec) => Anomaly | undefined

const DETECTORS: readonly Detector[] = [gradientJump, movedTooFar, valuesWorseThanConstant, entropyCollapse, noSignal, rewardHack]

function gradientJump(rows: readonly MetricRow[]): Anomaly | undefined {
  const norms = last(rows, 'gradient_norm', WINDOW + 1)
  const now = norms.pop()
  if (now === undefined || norms.length < WINDOW) return undefined
  const usual = median(norms)
  if (!(usual > 0 && now > 100 * usual)) return undefined
  return { code: 'T101', evidence: `the gradient's norm is ${short(now)}, over 100 times its median ${short(usual)}` }
}

function movedTooFar(rows: readonly MetricRow[], config: TrainConfig): Anomaly | undefined {
  const target = config.algorithm === 'ppo' ? config.settings.targetKl : null
  const [kl] = last(rows, 'kl_nats', 1)
  if (target === null || kl === undefined || kl <= 10 * target) return undefined
  return { code: 'T101', evidence: `the policy moved ${short(kl)} nats in one update, over 10 times its target ${short(target)}` }
}

function valuesWorseThanConstant(rows: readonly MetricRow[], _: TrainConfig, spec: EnvironmentSpec): Anomaly | undefined {
  // Returns that are all the same leave no variance to explain.
  if (isSolved(rows, spec)) return undefined
  const explained = last(rows, 'explained_variance', 5)
  if (explained.length < 5 || explained.some((value) => value >= -1)) return undefined
  return { code: 'T101', evidence: 'for five updates the value network was worse than a constant (explained variance below -1)' }
}

function entropyCollapse(rows: readonly MetricRow[], _: TrainConfig, spec: EnvironmentSpec): Anomaly | undefined {
  if (spec.action.kind !== 'discrete' || isSolved(rows, spec)) return undefined
  const highest = log(spec.action.n)
  const entropies = last(rows, 'entropy_nats', WINDOW)
  const returns = last(rows, 'return_mean', WINDOW)
  if (entropies.length < WINDOW || returns.length < WINDOW) return undefined
  const now = entropies.at(-1) as number
  if (now >= 0.05 * highest || isRising(returns)) return undefined
  return {
    code: 'T102',
    evidence: `entropy is ${short(now)} nats, below 5 % of its maximum ${short(highest)}, and the return does not rise`,
  }
}

function noSignal(rows: readonly MetricRow[], _: TrainConfig, spec: EnvironmentSpec): Anomaly | undefined {
  const returns = last(rows, 'return_mean', WINDOW)
  if (returns.length < WINDOW || isSolved(rows, spec)) return undefined
  const [first] = returns
  if (returns.some((value) => value !== first)) return undefined
  return { code: 'T103', evidence: `every episode of the last ${WINDOW} updates returned ${short(first as number)}` }
}

function rewardHack(rows: readonly MetricRow[]): Anomaly | undefined {
  const watched = rows.filter(({ metrics }) => metrics.heldout_return_mean !== undefined && metrics.return_mean !== undefined)
  if (watched.length < 4) return undefined
  const recent = watched.slice(-4)
  const [a, , , d] = recent.map(({ metrics }) => metrics.return_mean as number) as [number, number, number, number]
  const [e, , , h] = recent.map(({ metrics }) => metrics.heldout_return_mean as number) as [number, number, number, number]
  const rise = (d - a) / Math.max(Math.abs(a), 1e-9)
  if (rise < 0.2 || h > e) return undefined
  return {
    code: 'T105',
    evidence: `the training return rose from ${short(a)} to ${short(d)} while held-out episodes went from ${short(e)} to ${short(h)}`,
  }
}

function isSolved(rows: readonly MetricRow[], { solvedAt }: EnvironmentSpec): boolean {
  const [now] = last(rows, 'return_mean', 1)
  return solvedAt !== undefined && now !== undefined && now >= solvedAt
}

/** By more than a fiftieth, and by more than one standard error of the difference: single returns are noisy. */
function isRising(values: readonly number[]): boolean {
  const middle = Math.floor(values.length / 2)
  const [before, after] = [mean(values.slice(0, middle)), mean(values.slice(middle))]
  const all = mean(values)
  const variance = mean(values.map((value) => (value - all) ** 2))
  return after - before > Math.max(0.02 * Math.abs(before), Math.sqrt((4 * variance) / values.length))
}

function last(rows: readonly MetricRow[], name: string, count: number): number[] {
  const values: number[] = []
  for (let n = rows.length - 1; n >= 0 && values.length < count; n--) {
    const value = rows[n]?.metrics[name]
    if (value !== undefined) values.unshift(value)
  }
  return values
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] as number
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}
