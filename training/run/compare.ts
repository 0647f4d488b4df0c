/** Runs beside each other, and runs found by what they are. */
import { ValuetrainError } from '../../core/errors.ts'
import { randomFrom } from '../random.ts'
import { pairCases, pairedDifference } from '../stats/index.ts'
import type { OutcomeRow } from '../types.ts'
import { wasDirty } from './events.ts'
import { contentOf, type StoredRun } from './folder.ts'

/** One line of `runs list`. */
export interface RunLine {
  run: string
  policy: string
  algorithm: string
  environment: string
  verdict: string
  candidate: number | null
  baseline: number | null
  seeds: number
  commit: string | null
  dirty: boolean | null
}

/** Returns a run in a line. */
export function lineOf(stored: StoredRun): RunLine {
  const { manifest, verdict, events } = stored
  const { inputs } = manifest
  const commit = events.findLast((event) => typeof event.commit === 'string')?.commit
  return {
    run: manifest.run,
    policy: manifest.policy,
    algorithm: String(inputs.algorithm),
    environment: nameOf(inputs.environment),
    verdict: verdict.verdict,
    candidate: verdict.candidate,
    baseline: verdict.baseline,
    seeds: Array.isArray(inputs.seeds) ? inputs.seeds.length : 0,
    commit: typeof commit === 'string' ? commit : null,
    dirty: wasDirty(stored) ?? null,
  }
}

export interface Comparison {
  runs: [string, string]
  /** Inputs that differ, by dotted key. */
  inputs: { key: string; values: [unknown, unknown] }[]
  means: [number | null, number | null]
  /** Second minus first over the cases of both; undefined when the suites differ. */
  difference: { estimate: number; low: number; high: number; cases: number } | undefined
  why: string
}

/** Compares two runs: what they were made from, and how they did on the episodes of both. */
export async function compareRuns(a: StoredRun, b: StoredRun): Promise<Comparison> {
  const [first, second] = [flatten(a.manifest.inputs), flatten(b.manifest.inputs)]
  const keys = [...new Set([...first.keys(), ...second.keys()])].sort()
  const inputs = keys
    .filter((key) => JSON.stringify(first.get(key)) !== JSON.stringify(second.get(key)))
    .map((key) => ({ key, values: [first.get(key) ?? null, second.get(key) ?? null] as [unknown, unknown] }))
  const common = {
    runs: [a.id, b.id] as [string, string],
    inputs,
    means: [a.verdict.candidate, b.verdict.candidate] as Comparison['means'],
  }
  const [one, two] = await Promise.all([evaluationOf(a), evaluationOf(b)])
  if (JSON.stringify(one.suite) !== JSON.stringify(two.suite)) {
    return { ...common, difference: undefined, why: 'they were measured on different episodes, so their scores are not compared' }
  }
  const pairs = pairCases(two.candidate, one.candidate)
  if (pairs.length < 2) return { ...common, difference: undefined, why: `only ${pairs.length} cases were measured for both` }
  const { estimate, low, high } = pairedDifference(pairs, { random: randomFrom(`${a.id} ${b.id}`) })
  const why = low > 0 ? 'the second is better' : high < 0 ? 'the first is better' : 'no difference can be told'
  return { ...common, difference: { estimate, low, high, cases: pairs.length }, why }
}

/** Returns `eval.json`, as far as comparing needs it. */
export async function evaluationOf(stored: StoredRun): Promise<{ suite: unknown; candidate: OutcomeRow[] }> {
  const text = (await contentOf(stored, 'eval.json'))?.toString('utf8')
  if (text === undefined)
    throw new ValuetrainError('VT_RUN_ALTERED', `run ${stored.id} has no eval.json`, { kind: 'environment' })
  return JSON.parse(text) as { suite: unknown; candidate: OutcomeRow[] }
}

const CONDITION = /^([\w.]+)\s*(>=|<=|!=|=|>|<)\s*(.+)$/

/**
 * Returns whether a run matches all terms: a word that its line holds, or a condition such as `candidate>=475`,
 * `settings.gamma=0.98` or `verdict=pass`.
 *
 * @throws VT_RUN_SEARCH when a condition compares what is no number
 */
export function matches(stored: StoredRun, terms: readonly string[]): boolean {
  const facts = flatten({ ...stored.manifest.inputs, ...lineOf(stored) })
  return terms.every((term) => {
    const condition = CONDITION.exec(term)
    if (condition === null) {
      const word = term.toLowerCase()
      return [...facts.values()].some((value) => String(value).toLowerCase().includes(word))
    }
    const [, key = '', op = '', wanted = ''] = condition
    const value = facts.get(key)
    if (op === '=') return String(value) === wanted
    if (op === '!=') return String(value) !== wanted
    const number = Number(wanted)
    if (Number.isNaN(number)) {
      throw new ValuetrainError('VT_RUN_SEARCH', `"${term.slice(0, 80)}" compares with "${wanted}", which is no number`, {
        hint: 'write a condition such as candidate>=475, or settings.gamma=0.98',
      })
    }
    if (typeof value !== 'number') return false
    return op === '>=' ? value >= number : op === '<=' ? value <= number : op === '>' ? value > number : value < number
  })
}

/** Returns the leaves of nested mappings by dotted key. */
export function flatten(value: unknown, prefix = '', into = new Map<string, unknown>()): Map<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) flatten(inner, prefix === '' ? key : `${prefix}.${key}`, into)
  } else into.set(prefix, value)
  return into
}

function nameOf(environment: unknown): string {
  if (typeof environment === 'string') return environment
  const { id, outcomes } = (environment ?? {}) as { id?: unknown; outcomes?: { table?: unknown } }
  return String(outcomes?.table ?? id ?? 'another program')
}
