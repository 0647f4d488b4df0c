/** What a router looks at: numbers by name, so that a log stays readable and a policy says which of them it knows. */
import type { Context } from '../bandit/bandit.ts'
import { log } from '../math.ts'

/** Numbers by name, each about 0 to 1. */
export type Features = Readonly<Record<string, number>>

export interface FeatureFacts {
  /** Where the issue belongs beside its labels, e.g. the repository of an outcome table. */
  group?: string
  labels?: readonly string[]
  mode?: string
  title?: string
  body?: string
  /** From 1. */
  attempt?: number
}

/** Labels that say who works an issue and when, not what it is about. */
const CONTROL = /^(?:agent:|recipe:|auto$|now$|next$|future$)/

/** Returns the features of an issue at the moment of choice. */
export function featuresOf({ group, labels = [], mode, title, body, attempt }: FeatureFacts): Features {
  const topics = [...new Set(labels)].filter((label) => !CONTROL.test(label)).sort()
  const text = [title, body].filter((part) => part !== undefined).join(' ')
  const words = text.split(/\s+/).filter((word) => word !== '').length
  return {
    bias: 1,
    ...(group === undefined ? {} : { [`group:${group}`]: 1 }),
    ...Object.fromEntries(topics.map((label) => [`label:${label}`, 1])),
    ...(mode === undefined ? {} : { [`mode:${mode}`]: 1 }),
    ...(words === 0 ? {} : { words: Number((log(1 + words) / 10).toFixed(4)) }),
    ...(attempt === undefined || attempt < 2 ? {} : { retry: Math.min(1, (attempt - 1) / 4) }),
  }
}

/** Returns the groups a case belongs to, from broad to narrow, for bandits that learn by group. */
export function groupsOf(features: Features): string[] {
  const named = (prefix: string) => Object.keys(features).filter((name) => name.startsWith(prefix) && features[name] !== 0)
  return [named('group:'), named('label:').sort()].flatMap((names) => (names.length === 0 ? [] : [names.join(' ')]))
}

/** Returns the features as a vector; a name that is not there counts as 0, one that is not asked for not at all. */
export function vectorOf(features: Features, names: readonly string[]): Float64Array {
  return Float64Array.from(names, (name) => features[name] ?? 0)
}

/** Returns what bandits read of a case. */
export function contextOf(features: Features, names: readonly string[]): Context {
  return { groups: groupsOf(features), features: vectorOf(features, names) }
}

/** Returns every name that occurs, sorted: the schema of a policy that learns from these cases. */
export function namesOf(cases: readonly Features[]): string[] {
  return [...new Set(['bias', ...cases.flatMap((features) => Object.keys(features))])].sort()
}
