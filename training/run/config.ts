/** `train.yaml`: what is trained, on what, how it is measured and by which rules it is judged. */
import * as z from 'zod'
import { checkShape } from '../../core/config.ts'
import { Slug } from '../../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import { parseMapping } from '../../core/frontmatter.ts'
import { Outcomes } from '../router/outcomes.ts'
import { Rule } from '../stats/index.ts'
import { readRecipe } from './recipes.ts'
import { ALGORITHMS, SETTING_DEFAULTS, SETTINGS, type Trained } from './settings.ts'

const seed = z.int('is a whole number').min(0)

/** Where the episodes come from: a built-in environment by name, another program's, or an outcome table. */
const EnvironmentSource = z.union([
  z.string().min(1),
  z.strictObject({
    process: z.strictObject({
      command: z.array(z.string()).min(1).describe('Program and arguments; it speaks JSON lines.'),
      timeoutMs: z.int().min(1).default(30_000).describe('Milliseconds an answer may take.'),
    }),
  }),
  z.strictObject({ outcomes: Outcomes }),
])

const Shape = z.strictObject({
  version: z.literal(1).default(1).describe('Format version of this file.'),
  recipe: Slug.optional().describe('A built-in recipe that this file starts from; what stands here wins.'),
  name: Slug.describe('Name of the policy that comes out, e.g. cart-pole.'),
  about: z.string().optional().describe('A sentence for people.'),
  algorithm: z.enum(ALGORITHMS).describe('How it learns.'),
  environment: EnvironmentSource.describe('What it learns on.'),
  settings: z.record(z.string(), z.json()).default({}).describe('Settings of the algorithm; the defaults unless told.'),
  seed: seed.default(1).describe('Seed of the first learner; the others count on from it.'),
  seeds: z.int().min(1).max(100).default(1).describe('Learners trained, each with its own seed; five or more carry a claim.'),
  evaluation: z
    .strictObject({
      episodes: z.int().min(2).max(100_000).default(100).describe('Episodes each policy is measured on.'),
      seed: seed.default(10_001).describe('Decides how the episodes begin; never that of the training.'),
      greedy: z.boolean().default(true).describe('Take the best action instead of drawing one.'),
      everySteps: z
        .int()
        .min(1)
        .nullable()
        .default(null)
        .describe('Steps between two measurements on held-out episodes during training; null for none.'),
      keep: z
        .enum(['last', 'best'])
        .default('last')
        .describe('Policy a learner ends with: its last, or the one that did best on those held-out episodes.'),
      stopAt: z
        .number()
        .optional()
        .describe('Mean score on those held-out episodes from which a learner stops; it learns to the end unless told.'),
      patience: z
        .int('is a whole number of looks')
        .min(1, 'is a number of looks from 1')
        .optional()
        .describe('Looks at those held-out episodes after which a learner stops that did not better its best score.'),
    })
    .prefault({})
    .describe('How it is measured.'),
  rules: z
    .array(Rule)
    .nullable()
    .default(null)
    .describe('Rules of the verdict; null takes the bound of the environment and superiority over the champion.'),
  checkpointSteps: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Environment steps between two checkpoints; null for a tenth of the run.'),
  limits: z
    .strictObject({
      minutes: z.number().gt(0).nullable().default(null),
      usd: z.number().gt(0).nullable().default(null),
      usdPerHour: z.number().min(0).default(0),
    })
    .prefault({})
    .describe('Where a run stops, at a checkpoint; what an hour costs.'),
  data: z.array(z.string()).default([]).describe('Repository files the run depends on; their digests enter its hash.'),
  retries: z
    .array(z.record(z.string(), z.json()))
    .default([])
    .describe('Settings that the second, third … attempt of a training phase changes after a rejection.'),
})

/** A training configuration, complete and checked. */
export type TrainConfig = Omit<z.infer<typeof Shape>, 'algorithm' | 'settings' | 'recipe'> & Trained

/** The part of a file's schema that programs and the reference page need. */
export const TrainFile = Shape

/**
 * Returns the training configuration a YAML text says.
 *
 * @param file named in errors
 * @throws VT_YAML when it does not parse; VT_CONFIG with key and nearest name when a value is wrong
 */
export async function parseTrainConfig(text: string, file: string): Promise<TrainConfig> {
  return checkTrainConfig(await withRecipe(parseMapping(text, file), file), file)
}

/** Returns a checked configuration of a plain mapping. @throws VT_CONFIG */
export function checkTrainConfig(mapping: Record<string, unknown>, file: string): TrainConfig {
  const { recipe: _, settings, ...shape } = checkShape(Shape, mapping, file)
  const defaults = SETTING_DEFAULTS[shape.algorithm]
  // Checked below the key it stands at, so that messages name `settings.gamma` and the nearest setting.
  const wrapped = z.strictObject({ settings: SETTINGS[shape.algorithm] as z.ZodType })
  const checked = checkShape(wrapped, { settings: { ...defaults, ...settings } }, file)
  const config = { ...shape, settings: checked.settings } as TrainConfig
  if (config.evaluation.seed >= config.seed && config.evaluation.seed < config.seed + config.seeds) {
    throw new ValuetrainError('VT_CONFIG', `${file}: evaluation.seed ${config.evaluation.seed} is also a training seed`, {
      kind: 'config',
      hint: 'choose another evaluation.seed; what is learned on is not measured on',
    })
  }
  const needy = looking(config.evaluation)
  if (needy !== undefined && config.evaluation.everySteps === null) {
    throw new ValuetrainError('VT_CONFIG', `${file}: evaluation.${needy}, and evaluation.everySteps says never to look`, {
      kind: 'config',
      hint: `set evaluation.everySteps, e.g. to ${Math.max(1, Math.round(config.settings.totalSteps / 20))}`,
    })
  }
  return config
}

/** Returns what of an evaluation needs looks during training, in words; undefined for nothing. */
function looking({ keep, stopAt, patience }: z.infer<typeof Shape>['evaluation']): string | undefined {
  if (keep === 'best') return 'keep is best'
  if (stopAt !== undefined) return `stopAt is ${stopAt}`
  return patience === undefined ? undefined : `patience is ${patience}`
}

/** Returns a configuration whose settings are patched, checked anew; for the attempts after a rejection, and sweeps. */
export function withSettings(config: TrainConfig, patch: Record<string, unknown>, file: string): TrainConfig {
  return checkTrainConfig({ ...config, settings: { ...config.settings, ...patch } }, file)
}

/** Returns the configuration of the n-th attempt, from 1: each rejection moves on to the next of `retries`. */
export function attemptOf(config: TrainConfig, attempt: number, file: string): TrainConfig {
  const patch = config.retries[Math.min(attempt - 1, config.retries.length) - 1]
  return patch === undefined ? config : withSettings(config, patch, file)
}

/** Returns a mapping on top of the recipe it names, if any. @throws VT_CONFIG when there is no such recipe */
export async function withRecipe(mapping: Record<string, unknown>, file: string): Promise<Record<string, unknown>> {
  if (typeof mapping.recipe !== 'string') return mapping
  const base = await readRecipe(mapping.recipe).catch((cause) => {
    if (cause instanceof ValuetrainError && cause.code === 'VT_RECIPE_UNKNOWN') {
      throw new ValuetrainError('VT_CONFIG', `${file}: recipe: ${cause.message}`, {
        kind: 'config',
        ...(cause.hint === undefined ? {} : { hint: cause.hint }),
        cause,
      })
    }
    throw cause
  })
  const merged: Record<string, unknown> = { ...parseMapping(base, `recipe ${mapping.recipe}`), ...mapping }
  for (const key of ['settings', 'evaluation', 'limits']) {
    const [under, above] = [parseMapping(base, 'recipe')[key], mapping[key]]
    if (isMapping(under) && isMapping(above)) merged[key] = { ...under, ...above }
  }
  return merged
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns an error for a word that names neither a file nor a recipe. */
export function unknownConfig(word: string, known: readonly string[]): ValuetrainError {
  return new ValuetrainError(
    'VT_TRAIN_UNKNOWN',
    `"${word.slice(0, 80)}" is neither a file nor a recipe${didYouMean(word, known)}`,
    {
      hint: `give a YAML file, or one of the recipes: ${known.join(', ')}`,
    },
  )
}
