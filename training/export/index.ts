import { ValuetrainError } from '../../core/errors.ts'
import { MODEL_FILE, renderPolicy, WEIGHTS_FILE } from '../policy/model-file.ts'
import { type RouterModel, renderRouter } from '../router/model-file.ts'
import type { PolicyModel } from '../types.ts'
import { renderOnnx } from './onnx.ts'
import { renderTfjs, TFJS_WEIGHTS_FILE } from './tfjs.ts'

export { ONNX_OPSET, type OnnxModel, type OnnxNode, parseOnnx, renderOnnx, runOnnx } from './onnx.ts'
export { type ExportedPolicy, readExport, runFromExport, runOfExport } from './read.ts'
export { renderTfjs, TFJS_WEIGHTS_FILE, type TfjsFiles } from './tfjs.ts'

export const EXPORT_FORMATS = ['safetensors', 'onnx', 'tfjs'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/**
 * Returns the files of a router in a format, by name: its `model.json`, with the network beside it where it is one; or
 * that network alone, which takes the features in the order of the model and then 1 for each arm that was refused.
 *
 * @throws VT_EXPORT_FORMAT when the format is for networks and the router is none
 */
export function exportRouter(model: RouterModel, format: ExportFormat): Map<string, string | Uint8Array> {
  if (format !== 'safetensors' && model.network !== undefined) return exportPolicy(model.network, format)
  if (format !== 'safetensors') {
    throw new ValuetrainError(
      'VT_EXPORT_FORMAT',
      `a router of kind ${model.kind} is no network, so it cannot be written as ${format}`,
      {
        hint: `\`--format safetensors\` writes it as ${MODEL_FILE}, and \`valuetrain serve\` answers for it over HTTP`,
      },
    )
  }
  const { model: json, weights } = renderRouter(model)
  return new Map<string, string | Uint8Array>([
    [MODEL_FILE, json],
    ...(weights === undefined ? [] : [[WEIGHTS_FILE, weights] as const]),
  ])
}

/** Returns the files of a policy in a format, by name. */
export function exportPolicy(model: PolicyModel, format: ExportFormat): Map<string, string | Uint8Array> {
  switch (format) {
    case 'safetensors': {
      const { weights, model: json } = renderPolicy(model)
      return new Map<string, string | Uint8Array>([
        [WEIGHTS_FILE, weights],
        [MODEL_FILE, json],
      ])
    }
    case 'onnx':
      return new Map([['policy.onnx', renderOnnx(model)]])
    case 'tfjs': {
      const { model: json, weights } = renderTfjs(model)
      return new Map<string, string | Uint8Array>([
        ['model.json', json],
        [TFJS_WEIGHTS_FILE, weights],
      ])
    }
  }
}
