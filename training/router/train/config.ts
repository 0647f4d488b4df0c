/** The `train.yaml` of a router: what it chooses among, from what it learns, how it is measured. */
import * as z from 'zod'
import { checkShape } from '../../../core/config.ts'
import { Slug } from '../../../core/contracts/names.ts'
import { ValuetrainError } from '../../../core/errors.ts'
import { parseMapping } from '../../../core/frontmatter.ts'
import { checkTrainConfig, type TrainConfig, withRecipe } from '../../run/config.ts'
import { ALGORITHMS } from '../../run/settings.ts'
import { Rule } from '../../stats/index.ts'
import { Outcomes } from '../outcomes.ts'
import { ROUTER_KINDS, ROUTER_SETTINGS, type RouterKind } from '../policy.ts'

const Decisions = z.strictObject({
  price: z.number().min(0).default(0.1).describe('What a US dollar counts for, in solved issues.'),
  gate: z
    .strictObject({ falsePass: z.number().min(0).max(1), falseFail: z.number().min(0).max(1) })
    .default({ falsePass: 0, falseFail: 0 })
    .describe('Error rates of the gates, for a cascade.'),
})

const Shape = z.strictObject({
  version: z.literal(1).default(1).describe('Format version of this file.'),
  recipe: Slug.optional().describe('A built-in recipe that this file starts from; what stands here wins.'),
  name: Slug.describe('Name of the policy that comes out; `router.policy` of the configuration names it.'),
  about: z.string().optional().describe('A sentence for people.'),
  algorithm: z.enum(ROUTER_KINDS).describe('How it learns.'),
  environment: z
    .union([z.strictObject({ outcomes: Outcomes }), z.strictObject({ decisions: Decisions })])
    .describe('What it learns from: an outcome table, or the decisions that the sessions of this repository hold.'),
  settings: z.record(z.string(), z.json()).default({}).describe('Settings of the algorithm; the defaults unless told.'),
  seed: z.int().min(0).default(1).describe('Seed of the first learner; the others count on from it.'),
  seeds: z.int().min(1).max(100).default(1).describe('Learners trained, each meeting the issues in an order of its own.'),
  evaluation: z
    .strictObject({
      heldOut: z.number().gt(0).lt(1).default(0.5).describe('Share of the issues, the last ones, that nothing is learned on.'),
      seed: z.int().min(0).default(10_001).describe('Decides what gates say while it is measured.'),
    })
    .prefault({})
    .describe('How it is measured.'),
  rules: z.array(Rule).nullable().default(null).describe('Rules of the verdict; null asks for superiority over the champion.'),
  retries: z
    .array(z.record(z.string(), z.json()))
    .default([])
    .describe('Settings that the second, third … attempt of a training phase changes after a rejection.'),
})

/** A router's training, complete and checked. */
export type RoutingConfig = Omit<z.infer<typeof Shape>, 'recipe' | 'settings'> & { settings: Record<string, unknown> }

/** What `train` can be given. */
export type AnyTrainConfig = TrainConfig | RoutingConfig

/** Returns whether a configuration trains a router. */
export function isRouting(config: AnyTrainConfig): config is RoutingConfig {
  return (ROUTER_KINDS as readonly string[]).includes(config.algorithm)
}

/**
 * Returns what a YAML text trains: a router, or a policy for an environment.
 *
 * @param file named in errors
 * @throws VT_YAML, VT_CONFIG with key and nearest name
 */
export async function parseAnyTrainConfig(text: string, file: string): Promise<AnyTrainConfig> {
  const mapping = await withRecipe(parseMapping(text, file), file)
  return checkAnyTrainConfig(mapping, file)
}

/** Returns a checked configuration of a plain mapping. @throws VT_CONFIG */
export function checkAnyTrainConfig(mapping: Record<string, unknown>, file: string): AnyTrainConfig {
  if ((ROUTER_KINDS as readonly unknown[]).includes(mapping.algorithm)) return checkRoutingConfig(mapping, file)
  const known = [...ALGORITHMS, ...ROUTER_KINDS]
  // Asked with all words there are, so that the nearest one is found among both kinds.
  if (typeof mapping.algorithm === 'string') checkShape(z.looseObject({ algorithm: z.enum(known) }), mapping, file)
  return checkTrainConfig(mapping, file)
}

/** Returns a checked configuration of a router. @throws VT_CONFIG */
export function checkRoutingConfig(mapping: Record<string, unknown>, file: string): RoutingConfig {
  const { recipe: _, settings, ...shape } = checkShape(Shape, mapping, file)
  const wrapped = z.strictObject({ settings: ROUTER_SETTINGS[shape.algorithm] as z.ZodType })
  const checked = checkShape(wrapped, { settings }, file)
  const offline = shape.algorithm === 'clone' || shape.algorithm === 'cql'
  if (offline && 'outcomes' in shape.environment) {
    throw new ValuetrainError(
      'VT_CONFIG',
      `${file}: environment: ${shape.algorithm} learns from a log, not from an outcome table`,
      {
        kind: 'config',
        hint: 'give `environment: { decisions: {} }`, or another algorithm for a table',
      },
    )
  }
  return { ...shape, settings: checked.settings as Record<string, unknown> }
}

/** Returns the configuration of the n-th attempt, from 1: each rejection moves on to the next of `retries`. */
export function routingAttempt(config: RoutingConfig, attempt: number, file: string): RoutingConfig {
  const patch = config.retries[Math.min(attempt - 1, config.retries.length) - 1]
  return patch === undefined ? config : checkRoutingConfig({ ...config, settings: { ...config.settings, ...patch } }, file)
}

/** Returns whether a router of this kind tries further arms after a refusal. */
export function escalates(kind: RouterKind): boolean {
  return kind === 'cascade'
}
