import * as z from 'zod'
import { OPTIMISER_OPTIONS, type OptimiserConfig } from './optimiser.ts'

const OPTIMISERS = ['adam', 'adamw', 'rmsprop', 'sgd'] as const satisfies readonly OptimiserConfig['kind'][]
const decay = z.number().min(0, 'is at least 0').lt(1, 'is below 1; a decay such as 0.9').optional()
const OPTIMISER_FORM = `is ${OPTIMISERS.join(', ')}, or one with options such as { kind: sgd, momentum: 0.9 }`

/** `optimiser` of a configuration: a name, or a name with options; the name alone means the same as the name without options. */
export const OptimiserSetting = z.preprocess(
  (value) => (typeof value === 'string' ? { kind: value } : value),
  z
    .strictObject(
      {
        kind: z.enum(OPTIMISERS),
        beta1: decay,
        beta2: decay,
        epsilon: z.number().gt(0, 'is above 0').optional(),
        decay,
        momentum: decay,
        weightDecay: z.number().min(0, 'is at least 0').lt(1, 'is below 1; such as 0.01').optional(),
      },
      { error: (issue) => (issue.code === 'invalid_type' ? OPTIMISER_FORM : undefined) },
    )
    .superRefine(({ kind, ...options }, context) => {
      for (const name of Object.keys(options)) {
        if ((OPTIMISER_OPTIONS[kind] as readonly string[]).includes(name)) continue
        const having = OPTIMISERS.filter((other) => (OPTIMISER_OPTIONS[other] as readonly string[]).includes(name))
        const message = `is nothing that ${kind} has; ${having.join(' and ')} ${having.length === 1 ? 'does' : 'do'}`
        context.addIssue({ code: 'custom', path: [name], message })
      }
    }),
)
