/** Rate, time left, cost and budget of a run, and the breath between two pieces of computing. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ValuetrainError } from '../../core/errors.ts'
import { seedsOf } from './identity.ts'
import type { Journal } from './journal.ts'
import type { RunOrder } from './order.ts'
import type { RunState } from './state.ts'

/** Milliseconds that computing may keep the process from everything else: leases, signals, the terminal. */
const BREATH_MS = 40
/** Milliseconds between two reports. */
const REPORT_MS = 250

export interface Meter {
  /** Dollars spent, those of the processes before included. */
  usd(): number
  /** Milliseconds spent, those of the processes before included. */
  ms(): number
  /** Notes where a learner stands, reports now and then, and lets others have a turn. */
  tick(state: RunState, seed: number, steps: number, returnMean?: number): Promise<void>
  /** Notes that a learner has stopped before its end, so that nothing more of it is waited for. */
  ended(seed: number, steps: number): void
  /** Returns the error of a run over its budget (T406). */
  overBudget(): ValuetrainError | undefined
}

/** Returns a run's meter. What earlier processes spent is read from the journal. */
export function openMeter({ config, clock, onProgress }: RunOrder, run: string, journal: Journal): Meter {
  const started = clock.monotonic()
  const before = spentMs(journal)
  const ms = () => before + clock.monotonic() - started
  const usd = () => (ms() / 3_600_000) * config.limits.usdPerHour
  const stepsAt = new Map<number, { first: number; now: number }>()
  let [breath, reported] = [started, Number.NEGATIVE_INFINITY]
  const wantedOf = new Map(seedsOf(config).map((seed) => [seed, config.settings.totalSteps]))
  const done = () => {
    const seeds = [...stepsAt.values()]
    return { steps: sum(seeds.map(({ now }) => now)), here: sum(seeds.map(({ first, now }) => now - first)) }
  }
  return {
    usd,
    ms,
    async tick(state, seed, steps, returnMean) {
      const known = stepsAt.get(seed)
      if (steps >= 0) stepsAt.set(seed, { first: known?.first ?? steps, now: Math.min(steps, config.settings.totalSteps) })
      const now = clock.monotonic()
      if (now - reported >= REPORT_MS) {
        reported = now
        const { steps: all, here } = done()
        const rate = now > started ? (1000 * here) / (now - started) : 0
        const totalSteps = sum([...wantedOf.values()])
        onProgress({
          run,
          state,
          seed,
          steps: all,
          totalSteps,
          stepsPerSecond: rate,
          etaMs: rate > 0 ? (1000 * (totalSteps - all)) / rate : undefined,
          usd: usd(),
          returnMean,
        })
      }
      if (now - breath >= BREATH_MS) {
        await nextTurn()
        breath = clock.monotonic()
      }
    },
    ended(seed, steps) {
      wantedOf.set(seed, steps)
    },
    overBudget() {
      const { minutes, usd: most } = config.limits
      if (minutes !== null && ms() > minutes * 60_000) return budget(`${minutes} minutes`, 'limits.minutes', ms() / 60_000)
      if (most !== null && usd() > most) return budget(`$${most}`, 'limits.usd', usd())
      return undefined
    },
  }
}

function budget(limit: string, key: string, spent: number): ValuetrainError {
  return new ValuetrainError('VT_RUN_BUDGET', `the run has used its ${limit}`, {
    hint: `raise ${key} and run the same command again; it goes on from the checkpoint`,
    details: { key, spent },
  })
}

/** Sum of the times between entering `provisioning` and whatever ended that process's work. */
function spentMs({ events }: Journal): number {
  let [total, since] = [0, undefined as number | undefined]
  let last = 0
  for (const { state, at } of events) {
    if (state === undefined) continue
    const now = Date.parse(at)
    if (state === 'provisioning') since = now
    else if (since !== undefined && ['paused', 'cancelled', 'budget-exceeded', 'failed', 'done'].includes(state)) {
      // A killed process wrote no end; `paused` was written by the one after it, so the last event before counts.
      total += Math.max(0, last - since)
      since = undefined
    }
    last = now
  }
  return total
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
