/** A router as `model.json`: what it is, what it reads and what it has learned; a network lies beside as safetensors. */
import { canonicalJson, type Json, sha256 } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { MODEL_FILE, parsePolicy, renderPolicy, WEIGHTS_FILE } from '../policy/model-file.ts'
import type { PolicyModel } from '../types.ts'
import { openRouter, ROUTER_KINDS, type RouterPolicy, type RouterSpec } from './policy.ts'

export const ROUTER_FORMAT = 'valuetrain-router-1'

/** A router as data. */
export interface RouterModel extends RouterSpec {
  state: Json
  network?: PolicyModel
}

export interface RouterFiles {
  model: string
  /** Only of a router that is a network. */
  weights: Uint8Array | undefined
  /** SHA-256 of the model, by which promotions name it. */
  version: string
}

/** Returns a router's files; equal routers give equal bytes. */
export function renderRouter({ network, ...spec }: RouterModel): RouterFiles {
  const files = network === undefined ? undefined : renderPolicy(network)
  const model = `${canonicalJson({
    format: ROUTER_FORMAT,
    ...spec,
    ...(files === undefined ? {} : { network: JSON.parse(files.model) }),
  })}\n`
  return { model, weights: files?.weights, version: sha256(model) }
}

/** Returns whether a model file is of a router. */
export function isRouterModel(text: string): boolean {
  return text.includes(`"format":"${ROUTER_FORMAT}"`)
}

/**
 * Returns a router as its files say, ready to choose.
 *
 * @throws VT_ROUTER_FOREIGN when it is no router of ours, VT_POLICY_DAMAGED when model and weights do not belong together
 */
export function parseRouter(
  files: { model: string; weights: Uint8Array },
  from: string,
): { model: RouterModel; policy: RouterPolicy } {
  const data = readModel(files.model, from)
  const { network: inner, format: _, ...spec } = data
  const network =
    inner === undefined ? undefined : parsePolicy({ weights: files.weights, model: `${canonicalJson(inner)}\n` }, from)
  const model: RouterModel = { ...spec, ...(network === undefined ? {} : { network }) }
  const policy = openRouter(model, network)
  policy.restore(model.state)
  return { model, policy }
}

function readModel(text: string, from: string): RouterSpec & { format: string; state: Json; network?: unknown } {
  let data: Record<string, unknown> | null
  try {
    data = JSON.parse(text) as Record<string, unknown> | null
  } catch {
    data = null
  }
  const texts = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string')
  const sound =
    data?.format === ROUTER_FORMAT &&
    (ROUTER_KINDS as readonly unknown[]).includes(data.kind) &&
    texts(data.arms) &&
    texts(data.features) &&
    typeof data.price === 'number' &&
    typeof data.settings === 'object' &&
    data.state !== undefined
  if (sound) return data as unknown as ReturnType<typeof readModel>
  throw new ValuetrainError(
    'VT_ROUTER_FOREIGN',
    `${from}/${MODEL_FILE} is no router of ours but "${String(data?.format ?? 'nothing named')}"`,
    {
      kind: 'environment',
      hint: `this version reads ${ROUTER_FORMAT}; a router's network is in ${WEIGHTS_FILE} beside it`,
    },
  )
}
