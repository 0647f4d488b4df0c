/** A trained policy as two files: numbers as safetensors, and `model.json` that says what they are. */
import { canonicalJson, sha256 } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { shapeOf } from '../nn/mlp.ts'
import { readSafetensors, writeSafetensors } from '../safetensors.ts'
import type { Activation, DenseLayer, PolicyModel, Tensors } from '../types.ts'

const FORMAT = 'valuetrain-policy-1'

export const WEIGHTS_FILE = 'policy.safetensors'
export const MODEL_FILE = 'model.json'

export interface PolicyFiles {
  /** `policy.safetensors`. */
  weights: Uint8Array
  /** `model.json`, canonical, with a newline at its end. */
  model: string
  /** What promotions name: SHA-256 of `model.json`, which names the digest of the weights. */
  version: string
}

interface ModelJson {
  format: string
  head: PolicyModel['head']
  environment: string
  observation: { kind: 'box'; shape: number[]; low: (number | null)[]; high: (number | null)[] }
  action: { kind: 'discrete'; n: number; names?: string[] }
  normaliser?: { epsilon: number; clip: number }
  layers: { inputs: number; outputs: number; activation: Activation }[]
  weights: { file: string; sha256: string; bytes: number }
}

/** Returns a policy's files; equal policies give equal bytes. */
export function renderPolicy(model: PolicyModel): PolicyFiles {
  const tensors: Tensors = {}
  const shapes: Record<string, number[]> = {}
  model.layers.forEach(({ inputs, outputs, weights, bias }, index) => {
    tensors[`layers.${index}.weights`] = weights
    shapes[`layers.${index}.weights`] = [inputs, outputs]
    tensors[`layers.${index}.bias`] = bias
  })
  if (model.normaliser !== undefined) {
    tensors['normaliser.mean'] = model.normaliser.mean
    tensors['normaliser.variance'] = model.normaliser.variance
  }
  const bytes = writeSafetensors({ tensors, shapes, metadata: { format: FORMAT } })
  const { observation, action, normaliser } = model
  const json: ModelJson = {
    format: FORMAT,
    head: model.head,
    environment: model.environment,
    // JSON has no infinity: an open side is null.
    observation: {
      ...observation,
      shape: [...observation.shape],
      low: observation.low.map(open),
      high: observation.high.map(open),
    },
    action: { kind: 'discrete', n: action.n, ...(action.names === undefined ? {} : { names: [...action.names] }) },
    ...(normaliser === undefined ? {} : { normaliser: { epsilon: normaliser.epsilon, clip: normaliser.clip } }),
    layers: model.layers.map(({ inputs, outputs, activation }) => ({ inputs, outputs, activation })),
    weights: { file: WEIGHTS_FILE, sha256: sha256(bytes), bytes: bytes.length },
  }
  const text = `${canonicalJson(json)}\n`
  return { weights: bytes, model: text, version: sha256(text) }
}

/**
 * Returns the policy in two files.
 *
 * @param from named in messages
 * @throws VT_POLICY_FOREIGN when `model.json` is something else; VT_POLICY_DAMAGED when the two do not belong together;
 *   VT_SAFETENSORS when the weights are cut off
 */
export function parsePolicy({ weights, model }: { weights: Uint8Array; model: string }, from: string): PolicyModel {
  const json = readModel(model, from)
  if (sha256(weights) !== json.weights.sha256) {
    throw damaged(from, `${WEIGHTS_FILE} is not the file that ${MODEL_FILE} names (${json.weights.sha256.slice(0, 12)})`)
  }
  const { tensors } = readSafetensors(weights, `${from}/${WEIGHTS_FILE}`)
  const layers = json.layers.map((layer, index): DenseLayer => {
    const numbers = tensors[`layers.${index}.weights`]
    const bias = tensors[`layers.${index}.bias`]
    if (
      !(numbers instanceof Float32Array && bias instanceof Float32Array) ||
      numbers.length !== layer.inputs * layer.outputs ||
      bias.length !== layer.outputs
    ) {
      throw damaged(from, `layer ${index} is not ${layer.inputs} x ${layer.outputs}`)
    }
    return { ...layer, weights: numbers, bias }
  })
  shapeOf(layers)
  const { observation } = json
  const result: PolicyModel = {
    version: 1,
    head: json.head,
    environment: json.environment,
    observation: {
      kind: 'box',
      shape: observation.shape,
      low: observation.low.map((value) => value ?? Number.NEGATIVE_INFINITY),
      high: observation.high.map((value) => value ?? Number.POSITIVE_INFINITY),
    },
    action: json.action,
    layers,
  }
  if (json.normaliser === undefined) return result
  const mean = tensors['normaliser.mean']
  const variance = tensors['normaliser.variance']
  const size = observation.shape.reduce((product, side) => product * side, 1)
  if (!(mean instanceof Float64Array && variance instanceof Float64Array) || mean.length !== size || variance.length !== size) {
    throw damaged(from, 'the normaliser has no statistics of the observation’s length')
  }
  return { ...result, normaliser: { mean, variance, ...json.normaliser } }
}

function readModel(text: string, from: string): ModelJson {
  let json: Partial<ModelJson> | null
  try {
    json = JSON.parse(text) as Partial<ModelJson> | null
  } catch (cause) {
    throw new ValuetrainError('VT_POLICY_FOREIGN', `${from}/${MODEL_FILE} is not JSON`, {
      hint: 'take the file from the commit of its run again',
      cause,
    })
  }
  const sound =
    json?.format === FORMAT &&
    (json.head === 'categorical' || json.head === 'greedy') &&
    Array.isArray(json.layers) &&
    Array.isArray(json.observation?.shape) &&
    Array.isArray(json.observation?.low) &&
    Array.isArray(json.observation?.high) &&
    Number.isInteger(json.action?.n) &&
    typeof json.weights?.sha256 === 'string'
  if (sound) return json as ModelJson
  throw new ValuetrainError(
    'VT_POLICY_FOREIGN',
    `${from}/${MODEL_FILE} is no policy of ours but "${json?.format ?? 'nothing named'}"`,
    {
      hint: `this version reads ${FORMAT}`,
    },
  )
}

function open(bound: number): number | null {
  return Number.isFinite(bound) ? bound : null
}

function damaged(from: string, why: string): ValuetrainError {
  return new ValuetrainError('VT_POLICY_DAMAGED', `${from} holds no whole policy: ${why}`, {
    hint: 'take the run folder from its commit again',
  })
}
