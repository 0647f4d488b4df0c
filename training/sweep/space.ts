/** What a sweep may choose from. */
import * as z from 'zod'
import { ValuetrainError } from '../../core/errors.ts'
import { exp, log } from '../math.ts'
import type { Random } from '../types.ts'

const ordered = (dimension: { low: number; high: number }) => dimension.low < dimension.high

export const Dimension = z.union([
  /** A real number, evenly spread, or evenly in its logarithm. */
  z
    .strictObject({ kind: z.literal('real'), low: z.number(), high: z.number(), log: z.boolean().default(false) })
    .refine(ordered, { message: 'low has to be below high' })
    .refine((dimension) => !dimension.log || dimension.low > 0, { message: 'a logarithmic range begins above 0' }),
  /** A whole number, both ends included. */
  z
    .strictObject({ kind: z.literal('whole'), low: z.int(), high: z.int() })
    .refine(ordered, { message: 'low has to be below high' }),
  /** One of several values, without order. */
  z.strictObject({ kind: z.literal('choice'), values: z.array(z.union([z.string(), z.number(), z.boolean()])).min(1) }),
])
export type Dimension = z.infer<typeof Dimension>
export type DimensionInput = z.input<typeof Dimension>

export const SearchSpace = z.record(z.string().min(1), Dimension).refine((space) => Object.keys(space).length > 0, {
  message: 'a sweep over nothing',
})
export type SearchSpace = z.infer<typeof SearchSpace>

export type Value = string | number | boolean
export type Parameters = Readonly<Record<string, Value>>

/** Returns the checked space. @throws VT_SWEEP_SPACE naming each place that is wrong */
export function parseSearchSpace(value: unknown): SearchSpace {
  const parsed = SearchSpace.safeParse(value)
  if (parsed.success) return parsed.data
  const places = parsed.error.issues.map((issue) => `${['space', ...issue.path].join('.')}: ${issue.message}`)
  throw new ValuetrainError('VT_SWEEP_SPACE', places.join('; '), {
    kind: 'config',
    hint: 'A dimension is real {low, high, log}, whole {low, high} or choice {values}.',
  })
}

/** Returns a point drawn evenly. */
export function drawPoint(space: SearchSpace, random: Random): Parameters {
  return Object.fromEntries(namesOf(space).map((name) => [name, fromUnit(space[name] as Dimension, random.uniform())]))
}

/** Returns names in a fixed order, whatever order the configuration had. */
export function namesOf(space: SearchSpace): string[] {
  return Object.keys(space).sort()
}

/** Returns the value at a place in [0, 1] of a dimension. */
export function fromUnit(dimension: Dimension, unit: number): Value {
  if (dimension.kind === 'choice') {
    return dimension.values[Math.min(dimension.values.length - 1, Math.floor(unit * dimension.values.length))] as Value
  }
  if (dimension.kind === 'whole') {
    return Math.min(dimension.high, dimension.low + Math.floor(unit * (dimension.high - dimension.low + 1)))
  }
  const { low, high } = dimension
  const value = dimension.log ? exp(log(low) + unit * (log(high) - log(low))) : low + unit * (high - low)
  return Math.min(high, Math.max(low, value))
}

/** Returns the place of a number in [0, 1]; the middle of its cell for a whole number. */
export function toUnit(dimension: Exclude<Dimension, { kind: 'choice' }>, value: number): number {
  if (dimension.kind === 'whole') return (value - dimension.low + 0.5) / (dimension.high - dimension.low + 1)
  const { low, high } = dimension
  return dimension.log ? (log(value) - log(low)) / (log(high) - log(low)) : (value - low) / (high - low)
}

/** Returns every point of a grid: all choices, and `steps` places of each range (all whole numbers where they are fewer). */
export function gridOf(space: SearchSpace, steps: number): Parameters[] {
  let points: Record<string, Value>[] = [{}]
  for (const name of namesOf(space)) {
    const values = gridValues(space[name] as Dimension, steps)
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })))
  }
  return points
}

function gridValues(dimension: Dimension, steps: number): readonly Value[] {
  if (dimension.kind === 'choice') return dimension.values
  if (dimension.kind === 'whole' && dimension.high - dimension.low < steps) {
    return Array.from({ length: dimension.high - dimension.low + 1 }, (_, i) => dimension.low + i)
  }
  const unit = (i: number) => (steps === 1 ? 0.5 : i / (steps - 1))
  return Array.from({ length: steps }, (_, i) => fromUnit(dimension, unit(i)))
}
