/** What came of a served split, as the server's log says: for the one who decides whether the challenger is better. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { mean, studentQuantile, variance } from '../stats/index.ts'

/** How one run did. */
export interface ServedRun {
  decisions: number
  /** Keys that have an outcome; a decision without a key stands for itself. */
  keys: number
  /** Mean over keys; null where no outcome had one. */
  score: number | null
  usd: number | null
}

export interface SplitReport {
  champion: ServedRun
  challenger: ServedRun | undefined
  /** Challenger less champion in score, 95 %; absent below two keys with a score each. */
  difference: { estimate: number; low: number; high: number } | undefined
}

/** Returns where a clone keeps the decisions and outcomes of a served policy. */
export function serveLog(stateDir: string, policy: string): string {
  return join(stateDir, 'serve', `${policy}.jsonl`)
}

/**
 * Reads a log. Of several outcomes of a decision the last one counts. Requests of one key are not independent, since all
 * of them went to the same answerer, so each key is one case.
 *
 * The interval (Welch's) is for one look at the end of a trial: whoever looks until it says what they hope finds it too
 * often.
 *
 * @returns undefined when nothing of the champion was served here
 */
export async function readSplit(
  file: string,
  runs: { champion: string; challenger?: string | undefined },
): Promise<SplitReport | undefined> {
  const decisions = new Map<string, { run: string; key: string }>()
  const outcomes = new Map<string, { score?: number; usd?: number }>()
  const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })
  try {
    for await (const line of lines) {
      const { type, decision, run, key = decision, score, usd } = parseLine(line)
      if (type === 'decision') decisions.set(decision, { run, key })
      if (type === 'outcome')
        outcomes.set(decision, {
          ...outcomes.get(decision),
          ...(score === undefined ? {} : { score }),
          ...(usd === undefined ? {} : { usd }),
        })
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
  const of = (run: string) => {
    const own = [...decisions].filter(([, decision]) => decision.run === run)
    const byKey = (what: 'score' | 'usd') => {
      const keys = new Map<string, number[]>()
      for (const [id, { key }] of own) {
        const value = outcomes.get(id)?.[what]
        if (value !== undefined) keys.set(key, [...(keys.get(key) ?? []), value])
      }
      return [...keys.values()].map(mean)
    }
    const [scores, costs] = [byKey('score'), byKey('usd')]
    const told = (values: readonly number[]) => (values.length === 0 ? null : mean(values))
    const keys = Math.max(scores.length, costs.length)
    return { scores, run: { decisions: own.length, keys, score: told(scores), usd: told(costs) } }
  }
  const champion = of(runs.champion)
  const challenger = runs.challenger === undefined ? undefined : of(runs.challenger)
  if (champion.run.decisions === 0) return undefined
  return {
    champion: champion.run,
    challenger: challenger?.run,
    difference: challenger === undefined ? undefined : welch(challenger.scores, champion.scores),
  }
}

interface LogLine {
  type: string
  decision: string
  run: string
  key?: string
  score?: number
  usd?: number
}

/** A server that died while it wrote leaves a torn line; what it said was answered, and is lost. */
function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return { type: 'torn', decision: '', run: '' }
  }
}

/** @see Welch 1947, doi:10.1093/biomet/34.1-2.28 */
function welch(a: readonly number[], b: readonly number[]): SplitReport['difference'] {
  if (a.length < 2 || b.length < 2) return undefined
  const [u, v] = [variance(a) / a.length, variance(b) / b.length]
  const estimate = mean(a) - mean(b)
  const freedom = u + v === 0 ? 1 : (u + v) ** 2 / (u ** 2 / (a.length - 1) + v ** 2 / (b.length - 1))
  const half = studentQuantile(0.975, freedom) * Math.sqrt(u + v)
  return { estimate, low: estimate - half, high: estimate + half }
}
