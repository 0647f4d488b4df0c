import type * as z from 'zod'
import { sha256 } from '../../core/canonical.ts'
import type { GateKind, MetricRule } from '../../core/contracts/gate.ts'
import { type Answer, failed, notApplicable, passed } from '../gate.ts'
import { expandPath, type View } from '../view.ts'
import { readPlain } from './artifact.ts'

type Metric = Extract<GateKind, { type: 'metric' }>
type Rule = z.infer<typeof MetricRule>

const MOST_REASONS = 5
const MOST_CHARACTERS = 200

/** Judges one number of a committed JSON file against a threshold, a baseline, or both. */
export async function judgeMetric(kind: Metric, view: View): Promise<Answer> {
  const file = expandPath(kind.file, view.context.ticket)
  if (file === undefined) return notApplicable('there is no ticket, so no artifacts folder')
  const value = await numberAt(view, file, kind.path)
  if (typeof value === 'string') return failed(value)
  const wanted: { name: string; number: number }[] = []
  if (kind.rule.value !== undefined) wanted.push({ name: 'the threshold', number: kind.rule.value })
  if (kind.rule.baseline) {
    const at = expandPath(kind.rule.baseline.file, view.context.ticket)
    const baseline = at === undefined ? 'the baseline lies in no ticket' : await numberAt(view, at, kind.rule.baseline.path)
    if (typeof baseline === 'string') return failed(baseline)
    wanted.push({ name: 'the baseline', number: baseline })
  }
  if (wanted.length === 0) return failed('the rule names neither a value nor a baseline, so nothing can satisfy it')
  const evidence = { value, files: { [file]: sha256((await readPlain(view, file)) ?? '') } }
  const missed = wanted.filter(({ number }) => !compare(value, kind.rule.op, number))
  const why = kind.reasons === undefined ? [] : await sentencesAt(view, file, kind.reasons)
  if (missed.length === 0) {
    const holds = `${kind.path} is ${value}, ${kind.rule.op} ${wanted.map(({ number }) => number).join(' and ')}`
    return passed([...why, holds].join('; '), { evidence })
  }
  return failed(
    [...why, ...missed.map(({ name, number }) => `${kind.path} is ${value}, not ${kind.rule.op} ${number} (${name})`)],
    {
      evidence,
    },
  )
}

/** What a metric gate reads besides its subject. */
export async function metricInputs(kind: Metric, view: View): Promise<Record<string, string | null>> {
  const inputs: Record<string, string | null> = { ticket: view.context.ticket ?? null }
  for (const path of [kind.file, ...(kind.rule.baseline ? [kind.rule.baseline.file] : [])]) {
    const at = expandPath(path, view.context.ticket)
    const text = at === undefined ? undefined : await readPlain(view, at)
    inputs[`file ${path}`] = text === undefined ? null : sha256(text)
  }
  return inputs
}

/** Tells whether a number satisfies a rule's comparison. NaN satisfies none. */
export function compare(value: number, op: Rule['op'], other: number): boolean {
  switch (op) {
    case '>=':
      return value >= other
    case '>':
      return value > other
    case '<=':
      return value <= other
    case '<':
      return value < other
    case '==':
      return value === other
  }
}

/** Returns the number at a dotted path of a JSON file, or a sentence that says why there is none. */
async function numberAt(view: View, file: string, path: string): Promise<number | string> {
  const found = await valueAt(view, file, path)
  if ('problem' in found) return found.problem
  const { value } = found
  return typeof value === 'number' && Number.isFinite(value) ? value : `${file} has no number at "${path}"`
}

/** Returns the first few sentences of a list, each in one line and of bounded length. */
async function sentencesAt(view: View, file: string, path: string): Promise<string[]> {
  const found = await valueAt(view, file, path)
  const list = 'value' in found && Array.isArray(found.value) ? found.value : []
  const texts = list.filter((each) => typeof each === 'string').slice(0, MOST_REASONS)
  return texts.map((text) => text.replace(/\s+/g, ' ').trim().slice(0, MOST_CHARACTERS))
}

async function valueAt(view: View, file: string, path: string): Promise<{ value: unknown } | { problem: string }> {
  const text = await readPlain(view, file)
  if (text === undefined) return { problem: `${file} is missing` }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { problem: `${file} is not JSON` }
  }
  for (const key of path.split('.')) {
    const holder = value as Record<string, unknown> | null
    value = typeof holder === 'object' && holder !== null && Object.hasOwn(holder, key) ? holder[key] : undefined
  }
  return { value }
}
