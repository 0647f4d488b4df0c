import * as z from 'zod'
import { DQN_DEFAULTS, type DqnConfig } from '../algo/dqn.ts'
import { PPO_DEFAULTS, type PpoConfig } from '../algo/ppo.ts'
import { REINFORCE_DEFAULTS, type ReinforceConfig } from '../algo/reinforce.ts'
import { OptimiserSetting } from '../nn/optimiser-setting.ts'

/** Algorithms a training configuration may name. */
export const ALGORITHMS = ['ppo', 'dqn', 'reinforce'] as const

const count = (unit: string) => z.int(`is a whole number of ${unit}`).min(1, `is a number of ${unit} from 1`)
const share = z.number().min(0, 'is a share from 0 to 1').max(1, 'is a share from 0 to 1, e.g. 0.99, not percent')
const rate = z.number().gt(0, 'is above 0').lt(1, 'is below 1; a step size such as 0.0003')
const over = z.number().gt(0, 'is a share of the run above 0').max(1, 'is a share of the run up to 1').optional()

/** A number, or how it changes over the run. */
function schedule<T extends z.ZodNumber>(value: T) {
  const end = z.number().min(0, 'is at least 0').max(1, 'is at most 1')
  return z.union(
    [
      value,
      z.strictObject({ kind: z.literal('linear'), from: value, to: end, over }),
      z.strictObject({ kind: z.literal('cosine'), from: value, to: end, over }),
      z.strictObject({ kind: z.literal('warmup'), peak: value, warmup: z.number().gt(0).lt(1) }),
    ],
    { error: 'is a share between 0 and 1 such as 0.0003, or a schedule such as { kind: linear, from: 0.001, to: 0 }' },
  )
}

const optimiser = OptimiserSetting.optional()

const reward = z
  .strictObject({
    scale: z.number().gt(0, 'is above 0').optional(),
    clip: z.tuple([z.number(), z.number()], { error: 'is the least and the most, such as [-1, 1]' }).optional(),
  })
  .refine(({ clip }) => clip === undefined || clip[0] < clip[1], {
    path: ['clip'],
    message: 'leaves no room: the least comes first',
  })
  .optional()

const accumulate = count('minibatches').max(10_000).optional()

const hidden = z.array(count('units')).min(1, 'needs one layer at least').max(8, 'has at most 8 layers')
const activation = z.enum(['linear', 'tanh', 'relu'])
const totalSteps = count('environment steps').describe('Environment steps of the whole run.')
const environments = count('environments').max(4096).describe('Environments stepped side by side.')
const maxGradientNorm = z.number().gt(0).describe('Longer gradients are scaled down to this norm.')

const Ppo = z
  .strictObject({
    totalSteps,
    environments,
    rolloutSteps: count('steps'),
    minibatch: count('steps'),
    accumulate,
    epochs: count('passes').max(1000),
    gamma: share,
    reward,
    lambda: share,
    learningRate: schedule(rate),
    optimiser,
    clip: schedule(rate),
    entropyBonus: z.number().min(0, 'is at least 0'),
    valueWeight: z.number().min(0, 'is at least 0'),
    maxGradientNorm,
    targetKl: z.number().gt(0).nullable(),
    hidden,
    activation,
    normaliseObservations: z.boolean(),
    normaliseRewards: z.boolean(),
  })
  .superRefine(({ environments: count, rolloutSteps, minibatch, accumulate = 1 }, context) => {
    const batch = count * rolloutSteps
    if (batch % (minibatch * accumulate) === 0) return
    const divides = batch % minibatch === 0
    const fits = nearestDivisor(divides ? batch / minibatch : batch, divides ? accumulate : minibatch)
    const step = divides ? `${accumulate} x ${minibatch}` : String(minibatch)
    context.addIssue({
      code: 'custom',
      path: [divides ? 'accumulate' : 'minibatch'],
      message: `${step} does not divide a rollout of ${count} x ${rolloutSteps} = ${batch} steps; ${fits} does`,
    })
  })

const Dqn = z
  .strictObject({
    totalSteps,
    environments,
    trainEvery: count('environment steps'),
    gradientSteps: count('gradient steps'),
    bufferSize: count('transitions'),
    learningStarts: z.int().min(0),
    minibatch: count('transitions'),
    accumulate,
    gamma: share,
    reward,
    learningRate: schedule(rate),
    optimiser,
    exploration: schedule(share),
    targetEvery: count('environment steps'),
    maxGradientNorm,
    hidden,
    activation,
    scaleObservations: z.boolean(),
  })
  .superRefine(({ minibatch, accumulate = 1, bufferSize, trainEvery, environments: count, ...run }, context) => {
    if (run.learningStarts >= run.totalSteps) {
      context.addIssue({
        code: 'custom',
        path: ['learningStarts'],
        message: `${run.learningStarts} steps are only gathered before learning begins, and the whole run has ${run.totalSteps}`,
      })
    }
    if (minibatch * accumulate > bufferSize) {
      context.addIssue({
        code: 'custom',
        path: [minibatch > bufferSize ? 'minibatch' : 'accumulate'],
        message: `${minibatch > bufferSize ? minibatch : minibatch * accumulate} transitions cannot be drawn from a buffer of ${bufferSize}`,
      })
    }
    if (trainEvery % count !== 0) {
      context.addIssue({
        code: 'custom',
        path: ['trainEvery'],
        message: `${trainEvery} is no multiple of the ${count} environments`,
      })
    }
  })

const Reinforce = z.strictObject({
  totalSteps,
  environments,
  episodes: count('episodes'),
  gamma: share,
  reward,
  learningRate: schedule(rate),
  optimiser,
  entropyBonus: z.number().min(0, 'is at least 0'),
  valueWeight: z.number().min(0, 'is at least 0'),
  maxGradientNorm,
  hidden,
  activation,
})

/** Every setting of an algorithm, with what it may be. */
export const SETTINGS = { ppo: Ppo, dqn: Dqn, reinforce: Reinforce } as const

/** What a setting is when nobody says. */
export const SETTING_DEFAULTS = { ppo: PPO_DEFAULTS, dqn: DQN_DEFAULTS, reinforce: REINFORCE_DEFAULTS } as const

/** An algorithm with all its settings. */
export type Trained =
  | { algorithm: 'ppo'; settings: PpoConfig }
  | { algorithm: 'dqn'; settings: DqnConfig }
  | { algorithm: 'reinforce'; settings: ReinforceConfig }

function nearestDivisor(batch: number, wanted: number): number {
  for (let apart = 0; apart < batch; apart++) {
    for (const candidate of [wanted - apart, wanted + apart]) if (candidate >= 1 && batch % candidate === 0) return candidate
  }
  return batch
}
