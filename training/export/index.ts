import { MODEL_FILE, renderPolicy, WEIGHTS_FILE } from '../policy/model-file.ts'
import type { PolicyModel } from '../types.ts'
import { renderOnnx } from './onnx.ts'
import { renderTfjs, TFJS_WEIGHTS_FILE } from './tfjs.ts'

export { ONNX_OPSET, type OnnxModel, type OnnxNode, parseOnnx, renderOnnx, runOnnx } from './onnx.ts'
export { renderTfjs, TFJS_WEIGHTS_FILE, type TfjsFiles } from './tfjs.ts'

export const EXPORT_FORMATS = ['safetensors', 'onnx', 'tfjs'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

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
