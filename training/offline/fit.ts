/** What the offline algorithms share: a network, batches drawn from a dataset, and the numbers of their configuration. */
import * as z from 'zod'
import { ValuetrainError } from '../../core/errors.ts'
import type { Backend } from '../backend/backend.ts'
import { jsBackend } from '../backend/js.ts'
import { wasmBackend, wasmWorks } from '../backend/wasm.ts'
import { Mlp, openParameters, parameterLength } from '../nn/mlp.ts'
import { type Optimiser, openOptimiser } from '../nn/optimiser.ts'
import { OptimiserSetting } from '../nn/optimiser-setting.ts'
import { randomFrom } from '../random.ts'
import type { PolicyModel, Random } from '../types.ts'
import type { OfflineDataset } from './dataset.ts'

export const OfflineConfig = z.strictObject({
  seed: z.int().default(0),
  /** Gradient steps. */
  updates: z.int().min(1).default(3000),
  /** Rows a gradient step. */
  batch: z.int().min(1).max(4096).default(128),
  /** Step size at the beginning; it falls to 0 by the end. */
  rate: z.number().gt(0).default(1e-3),
  /** Adam unless told. */
  optimiser: OptimiserSetting.optional(),
  hidden: z.array(z.int().min(1)).default([64, 64]),
  /** Discount per step; not read by behaviour cloning. */
  gamma: z.number().min(0).lt(1).default(0.99),
  /** Share by which the target network follows a step; not read by behaviour cloning. */
  follow: z.number().gt(0).max(1).default(0.01),
  /** Weight of CQL's penalty on actions the data does not take; not read by the others. */
  caution: z.number().min(0).default(1),
})
export type OfflineConfig = z.infer<typeof OfflineConfig>
export type OfflineConfigInput = z.input<typeof OfflineConfig>

/** @throws VT_OFFLINE_CONFIG naming each place that is wrong */
export function parseOfflineConfig(config: OfflineConfigInput): OfflineConfig {
  const parsed = OfflineConfig.safeParse(config)
  if (parsed.success) return parsed.data
  const places = parsed.error.issues.map((issue) => `${['offline', ...issue.path].join('.')}: ${issue.message}`)
  throw new ValuetrainError('VT_OFFLINE_CONFIG', places.join('; '), { kind: 'config' })
}

export interface Network {
  mlp: Mlp
  optimiser: Optimiser
  parameters: Float32Array
}

export interface Workbench {
  config: OfflineConfig
  backend: Backend
  random: Random
  open(label: string): Network
}

/** Returns networks from observations to one number an action, on kernels where they work. */
export function openWorkbench(dataset: OfflineDataset, input: OfflineConfigInput): Workbench {
  const config = parseOfflineConfig(input)
  const shape = { inputs: dataset.size, hidden: config.hidden, outputs: dataset.action.n, activation: 'relu' as const }
  const width = dataset.size + dataset.action.n + config.hidden.reduce((a, b) => a + b, 0)
  const floats = 2 * (6 * parameterLength(shape) + 3 * config.batch * width)
  const backend = wasmWorks() ? wasmBackend(4 * floats + 1024 * 1024) : jsBackend()
  const random = randomFrom(config.seed)
  return {
    config,
    backend,
    random,
    open(label) {
      const parameters = openParameters(backend, [shape])
      const mlp = new Mlp(backend, shape, config.batch, parameters)
      mlp.initialise(random.split(label), 1)
      return { mlp, optimiser: openOptimiser(backend, parameters, config.optimiser), parameters: parameters.values }
    },
  }
}

/** Writes rows of a flat [steps x size] array into a network's input. */
export function gather(from: Float32Array, size: number, rows: ArrayLike<number>, into: Float32Array): void {
  for (let i = 0; i < rows.length; i++) {
    const at = (rows[i] as number) * size
    for (let j = 0; j < size; j++) into[i * size + j] = from[at + j] as number
  }
}

/** Draws the steps of one batch. */
export function drawRows(dataset: OfflineDataset, random: Random, rows: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) rows[i] = random.below(dataset.steps)
}

/** Moves a target network a little towards the learned one. */
export function followNetwork(target: Float32Array, source: Float32Array, share: number): void {
  for (let i = 0; i < target.length; i++)
    target[i] = (target[i] as number) + share * ((source[i] as number) - (target[i] as number))
}

/** Returns the network as a policy to run and export. */
export function modelOf(dataset: OfflineDataset, mlp: Mlp, head: PolicyModel['head']): PolicyModel {
  return {
    version: 1,
    head,
    environment: dataset.environment,
    observation: dataset.space,
    action: dataset.action,
    layers: mlp.layers(),
  }
}

/** @throws VT_TRAIN_DIVERGED */
export function requireFiniteLoss(loss: number, update: number): void {
  if (Number.isFinite(loss)) return
  throw new ValuetrainError('VT_TRAIN_DIVERGED', `the loss is ${loss} at update ${update}`, {
    hint: 'Halve the rate, or scale the rewards down.',
    details: { update },
  })
}
