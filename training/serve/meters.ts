/** What a server measures of itself, and the limits it is held to. */
import type { Arm } from './split.ts'

/** Limits of operation; what is absent is not watched. */
export interface Thresholds {
  /** Milliseconds that 99 of 100 answers stay below. */
  latencyP99Ms?: number
  /** Share of requests that may fail through the server's own fault. */
  errorShare?: number
  /** Mean dollars an outcome may report. */
  usdPerDecision?: number
  /** Mean score of outcomes that is the least. */
  scoreAtLeast?: number
}

/** A limit that does not hold. */
export interface Breach {
  what: keyof Thresholds
  arm: Arm
  value: number
  limit: number
  /** Requests or outcomes looked at. */
  of: number
}

export interface Meters {
  answered(arm: Arm, ms: number): void
  /** A request that we failed; one that was wrong in itself is `refused`. */
  failed(arm: Arm): void
  refused(): void
  outcome(arm: Arm, facts: { score?: number | undefined; usd?: number | undefined }): void
  /** Returns the limits that do not hold now. */
  breaches(thresholds: Thresholds): Breach[]
  /** Returns everything in the text format that Prometheus reads. */
  render(policy: string): string
}

/** Requests and outcomes looked back on. */
const WINDOW = 2_000
/** Fewer say nothing yet. */
const LEAST = 100
const ARMS: readonly Arm[] = ['champion', 'challenger']

/** The last values of something, without growing. */
class Recent {
  readonly #values = new Float64Array(WINDOW)
  count = 0
  sum = 0

  add(value: number): void {
    this.#values[this.count % WINDOW] = value
    this.count += 1
    this.sum += value
  }

  get size(): number {
    return Math.min(this.count, WINDOW)
  }

  quantile(q: number): number {
    const sorted = this.#values.slice(0, this.size).sort()
    return sorted[Math.min(this.size - 1, Math.floor(q * this.size))] ?? 0
  }

  mean(): number {
    return this.#values.slice(0, this.size).reduce((sum, value) => sum + value, 0) / Math.max(1, this.size)
  }
}

/** Returns meters at zero. */
export function openMeters(): Meters {
  const arms = Object.fromEntries(
    ARMS.map((arm) => [arm, { latency: new Recent(), faults: new Recent(), usd: new Recent(), score: new Recent(), failed: 0 }]),
  ) as Record<Arm, { latency: Recent; faults: Recent; usd: Recent; score: Recent; failed: number }>
  let refused = 0
  return {
    answered(arm, ms) {
      arms[arm].latency.add(ms)
      arms[arm].faults.add(0)
    },
    failed(arm) {
      arms[arm].failed += 1
      arms[arm].faults.add(1)
    },
    refused() {
      refused += 1
    },
    outcome(arm, { score, usd }) {
      if (usd !== undefined) arms[arm].usd.add(usd)
      if (score !== undefined) arms[arm].score.add(score)
    },
    breaches(thresholds) {
      return ARMS.flatMap((arm) => {
        const { latency, faults, usd, score } = arms[arm]
        const looks = [
          { what: 'latencyP99Ms', seen: latency, value: latency.quantile(0.99), over: 1 },
          { what: 'errorShare', seen: faults, value: faults.mean(), over: 1 },
          { what: 'usdPerDecision', seen: usd, value: usd.mean(), over: 1 },
          { what: 'scoreAtLeast', seen: score, value: score.mean(), over: -1 },
        ] as const
        return looks.flatMap(({ what, seen, value, over }) => {
          const limit = thresholds[what]
          if (limit === undefined || seen.size < LEAST || over * (value - limit) <= 0) return []
          return [{ what, arm, value, limit, of: seen.size }]
        })
      })
    },
    render(policy) {
      const lines = ARMS.flatMap((arm) => {
        const { latency, failed, usd, score } = arms[arm]
        const labels = `{policy="${policy}",arm="${arm}"}`
        return [
          `valuetrain_decisions_total${labels} ${latency.count}`,
          `valuetrain_failures_total${labels} ${failed}`,
          `valuetrain_decision_seconds_p50${labels} ${latency.quantile(0.5) / 1000}`,
          `valuetrain_decision_seconds_p99${labels} ${latency.quantile(0.99) / 1000}`,
          `valuetrain_outcomes_total${labels} ${score.count}`,
          `valuetrain_outcome_score_sum${labels} ${score.sum}`,
          `valuetrain_outcome_usd_sum${labels} ${usd.sum}`,
        ]
      })
      return `${[...lines, `valuetrain_refused_total{policy="${policy}"} ${refused}`].join('\n')}\n`
    },
  }
}
