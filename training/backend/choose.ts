import { ValuetrainError } from '../../core/errors.ts'
import { type Backend, type BackendName, DEFAULT_BACKEND_BYTES } from './backend.ts'
import { jsBackend } from './js.ts'
import { type FoundTfjs, findTfjs, tfjsBackend } from './tfjs.ts'
import { wasmBackend, wasmWorks } from './wasm.ts'

export interface BackendWish {
  backend: 'auto' | BackendName
  /** Absolute folders to look for tfjs in: the user's project, the accelerator folder. */
  places: readonly string[]
  /** Multiplications and additions of one gradient step, rows included: what a graphics card has to be worth. */
  macsPerUpdate?: number
  /** Memory of the wasm backend. */
  bytes?: number
}

export interface BackendChoice {
  backend: Backend
  /** One sentence for people: which, and why. */
  reason: string
}

/** A gradient step below this is over before a graphics card has been asked. */
const WORTH_A_CARD = 2e10

/**
 * Returns a backend and why it is this one. `auto` prefers the kernels, whose results are the same everywhere, and takes
 * a graphics card only where one is installed and a gradient step is large enough for it.
 *
 * @throws VT_BACKEND_UNSUPPORTED, VT_TFJS_MISSING or VT_TFJS_LOAD when a named one cannot be had
 */
export async function chooseBackend({
  backend,
  places,
  macsPerUpdate = 0,
  bytes = DEFAULT_BACKEND_BYTES,
}: BackendWish): Promise<BackendChoice> {
  if (backend === 'wasm') return { backend: wasmBackend(bytes), reason: 'wasm: asked for' }
  if (backend === 'js') return { backend: jsBackend(), reason: 'js: asked for; the same bits as wasm, about ten times slower' }
  const found = findTfjs(places)
  if (backend === 'tfjs') {
    if (found === undefined) throw missing()
    const tfjs = await tfjsBackend(found)
    return { backend: tfjs, reason: `tfjs: asked for; ${describe(found)} on ${tfjs.device}, equal to wasm within rounding only` }
  }
  const card = found?.binding === '@tensorflow/tfjs-node-gpu' && macsPerUpdate >= WORTH_A_CARD
  if (found !== undefined && card) {
    const tfjs = await tfjsBackend(found)
    return {
      backend: tfjs,
      reason: `tfjs: a gradient step of ${macsPerUpdate.toExponential(1)} MACs is worth ${describe(found)}`,
    }
  }
  if (wasmWorks()) {
    const why =
      found === undefined
        ? 'own kernels, nothing to install'
        : `faster than ${found.binding} at this size, and the same bits everywhere`
    return { backend: wasmBackend(bytes), reason: `wasm: ${why}` }
  }
  return { backend: jsBackend(), reason: 'js: this engine has no WebAssembly with SIMD; the same bits as wasm, more slowly' }
}

function describe({ binding, version }: FoundTfjs): string {
  return `${binding} ${version}`
}

function missing(): ValuetrainError {
  return new ValuetrainError('VT_TFJS_MISSING', 'no TensorFlow.js is installed', {
    kind: 'environment',
    hint: 'Run `valuetrain accel install gpu` or `cpu`, or `npm i @tensorflow/tfjs-node@4.22.0` in your project; `--backend wasm` needs neither.',
  })
}
