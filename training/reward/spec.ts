import * as z from 'zod'
import { ValuetrainError } from '../../core/errors.ts'

const finite = z.number()

/** One named part of a reward, in [0, 1] whatever it measures. */
export const RewardComponent = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  /** Share of the whole; all weights sum to 1. */
  weight: finite.gt(0).max(1),
  /** The measurement it reads: a field of the rollout, e.g. `score`, `seconds`, `usd`. */
  measure: z.string().min(1),
  /**
   * `share`: the measurement is in [0, 1] already and more is better. `under`: 1 at 0, falling to 0 at `limit`.
   * Any other word names a function that the caller brings.
   */
  by: z.string().default('share'),
  /** Unit of the measurement; with `under` only. */
  limit: finite.gt(0).optional(),
})
export type RewardComponent = z.infer<typeof RewardComponent>

/** How a rollout's measurements become one number. */
export const RewardSpec = z
  .strictObject({
    components: z.array(RewardComponent).min(1),
    /**
     * `lexicographic`: the first component decides; the others count only for what is right, so that a fast wrong
     * answer never outranks a slow right one. `weighted`: the plain weighted sum.
     */
    combine: z.enum(['lexicographic', 'weighted']).default('lexicographic'),
    /** Value of the first component from which an answer is right. */
    rightAt: finite.gt(0).max(1).default(1),
    /** The combined value in [0, 1] is multiplied by `scale`, then `shift` is added, then the result is cut to `clip`. */
    scale: finite.gt(0).default(1),
    shift: finite.default(0),
    clip: z.tuple([finite, finite]).optional(),
  })
  .superRefine((spec, context) => {
    const sum = spec.components.reduce((total, { weight }) => total + weight, 0)
    if (Math.abs(sum - 1) > 1e-9) {
      context.addIssue({
        code: 'custom',
        path: ['components'],
        message: `weights sum to ${Number(sum.toPrecision(6))}, not to 1`,
      })
    }
    spec.components.forEach(({ name, by, limit }, i) => {
      if (spec.components.findIndex((other) => other.name === name) !== i) {
        context.addIssue({ code: 'custom', path: ['components', i, 'name'], message: `component ${name} is there twice` })
      }
      if ((by === 'under') !== (limit !== undefined)) {
        context.addIssue({
          code: 'custom',
          path: ['components', i, 'limit'],
          message:
            by === 'under' ? `component ${name} needs a limit` : `component ${name} has a limit that "${by}" does not read`,
        })
      }
    })
    const [low, high] = spec.clip ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
    if (low >= high) context.addIssue({ code: 'custom', path: ['clip'], message: `[${low}, ${high}] leaves no room` })
    const right = (spec.components[0]?.weight ?? 1) * spec.rightAt * spec.scale + spec.shift
    if (spec.combine === 'lexicographic' && (right > high || right <= low)) {
      context.addIssue({
        code: 'custom',
        path: ['clip'],
        message: `[${low}, ${high}] makes right and wrong answers equal: right ones begin at ${right}`,
      })
    }
  })
export type RewardSpec = z.infer<typeof RewardSpec>
export type RewardSpecInput = z.input<typeof RewardSpec>

/** Accuracy 0.7, speed 0.2 (of ten minutes), cost 0.1 (of two dollars). */
export const DEFAULT_REWARD: RewardSpec = {
  components: [
    { name: 'accuracy', weight: 0.7, measure: 'score', by: 'share' },
    { name: 'speed', weight: 0.2, measure: 'seconds', by: 'under', limit: 600 },
    { name: 'cost', weight: 0.1, measure: 'usd', by: 'under', limit: 2 },
  ],
  combine: 'lexicographic',
  rightAt: 1,
  scale: 1,
  shift: 0,
}

/** Returns the checked specification. @throws VT_REWARD_SPEC naming each place that is wrong */
export function parseRewardSpec(value: unknown): RewardSpec {
  const parsed = RewardSpec.safeParse(value)
  if (parsed.success) return parsed.data
  const places = parsed.error.issues.map((issue) => `${['reward', ...issue.path].join('.')}: ${issue.message}`)
  throw new ValuetrainError('VT_REWARD_SPEC', places.join('; '), {
    kind: 'config',
    hint: 'The fields are components, combine, rightAt, scale, shift and clip; each component has name, weight, measure, by and limit.',
    details: { places },
  })
}
