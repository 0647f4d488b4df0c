import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import type { RewardComponent, RewardSpec } from './spec.ts'

/** Measurements of one rollout by name. */
export interface Measured {
  /** Names the rollout in errors. */
  id: string
  measures: Readonly<Record<string, number>>
}

export interface RewardPart {
  name: string
  /** In [0, 1]. */
  value: number
  weight: number
  /** What it brought to the combined value; 0 when the first component held it back. */
  contribution: number
  /** The measurement behind it. */
  measured: number
}

export interface Reward {
  /** What a learner takes. */
  scalar: number
  /** Before scale, shift and clip, in [0, 1]. */
  combined: number
  /** Whether the first component is high enough for the others to count. */
  right: boolean
  parts: readonly RewardPart[]
  /** The same in words, for reports and for agents that learn from text. */
  feedback: string
}

/** A component's own function, from measurement to [0, 1]. */
export type RewardFunction = (measured: number, component: RewardComponent) => number

export type RewardFunctions = Readonly<Record<string, RewardFunction>>

const BUILT_IN: RewardFunctions = {
  share: (measured) => measured,
  under: (measured, { limit = 1 }) => Math.max(0, 1 - measured / limit),
}

/**
 * Returns a rollout's reward.
 *
 * A rollout without a measurement has no reward, which is an error and never a zero: a zero would teach.
 *
 * @param functions those that components name beside `share` and `under`
 * @throws VT_REWARD_MISSING when a measurement is not there or not finite
 * @throws VT_REWARD_RANGE when a component's value is outside [0, 1], or a quantity under a limit is negative
 * @throws VT_REWARD_FUNCTION when a component names a function that nobody brought
 */
export function rewardOf(spec: RewardSpec, rollout: Measured, functions: RewardFunctions = {}): Reward {
  const values = spec.components.map((component) => evaluate(component, rollout, { ...functions, ...BUILT_IN }))
  const right = (values[0]?.value ?? 0) >= spec.rightAt
  const parts = values.map(({ component, value, measured }, i): RewardPart => {
    const counts = i === 0 || spec.combine === 'weighted' || right
    return {
      name: component.name,
      value,
      weight: component.weight,
      contribution: counts ? component.weight * value : 0,
      measured,
    }
  })
  const combined = parts.reduce((sum, part) => sum + part.contribution, 0)
  const [low, high] = spec.clip ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  const scalar = Math.min(high, Math.max(low, combined * spec.scale + spec.shift))
  return { scalar, combined, right, parts, feedback: inWords(spec, parts, right) }
}

function evaluate(component: RewardComponent, rollout: Measured, functions: RewardFunctions) {
  const measured = rollout.measures[component.measure]
  if (measured === undefined || !Number.isFinite(measured)) {
    const near = measured === undefined ? didYouMean(component.measure, Object.keys(rollout.measures)) : ''
    throw new ValuetrainError(
      'VT_REWARD_MISSING',
      `rollout ${rollout.id} has no reward: ${component.name} reads ${component.measure}, which is ${measured ?? 'not measured'}${near}`,
      {
        hint: 'See why the grader gave nothing; a rollout without a reward is left out or run again, never counted as 0.',
        details: { rollout: rollout.id, component: component.name, measure: component.measure },
      },
    )
  }
  const value = functionOf(component, functions)(measured, component)
  const negative = component.by === 'under' && measured < 0
  if (!(value >= 0 && value <= 1) || negative) {
    throw new ValuetrainError(
      'VT_REWARD_RANGE',
      `${component.name} of rollout ${rollout.id} is ${negative ? `made from ${measured} ${component.measure}` : value}, outside ${negative ? 'what can be' : '[0, 1]'}`,
      {
        hint: `Check what ${component.measure} measures, and its unit.`,
        details: { rollout: rollout.id, component: component.name },
      },
    )
  }
  return { component, value, measured }
}

function functionOf(component: RewardComponent, functions: RewardFunctions): RewardFunction {
  const found = Object.hasOwn(functions, component.by) ? functions[component.by] : undefined
  if (found !== undefined) return found
  const names = Object.keys(functions)
  throw new ValuetrainError(
    'VT_REWARD_FUNCTION',
    `component ${component.name} is made by "${component.by}", which is not known${didYouMean(component.by, names)}`,
    { kind: 'config', hint: `Known: ${names.sort().join(', ')}.` },
  )
}

function inWords(spec: RewardSpec, parts: readonly RewardPart[], right: boolean): string {
  const [first, ...rest] = parts
  if (first === undefined) return ''
  const said = `${first.name} ${show(first.value)} (${component(spec, first)} ${show(first.measured)})`
  if (spec.combine === 'lexicographic' && !right) {
    const held = rest.map(({ name }) => name).join(' and ')
    return `${said}: below ${show(spec.rightAt)}, so wrong${held === '' ? '' : `; ${held} ${held.includes(' and ') ? 'do' : 'does'} not count until it is right`}.`
  }
  const weakest = rest.filter(({ value }) => value < 1).sort((a, b) => b.weight * (1 - b.value) - a.weight * (1 - a.value))[0]
  const others = rest.map((part) => `${part.name} ${show(part.value)} (${component(spec, part)} ${show(part.measured)})`)
  const lost =
    weakest === undefined ? '' : ` Most is left to win in ${weakest.name}: ${show(weakest.weight * (1 - weakest.value))}.`
  return `${[said, ...others].join(', ')}.${lost}`
}

function component(spec: RewardSpec, part: RewardPart): string {
  return spec.components.find(({ name }) => name === part.name)?.measure ?? part.name
}

function show(value: number): string {
  return String(Number(value.toPrecision(3)))
}
