import { ValuetrainError } from '../../core/errors.ts'
import { ACTIVATION_CODES } from './activation.ts'
import { type Backend, DEFAULT_BACKEND_BYTES, outOfMemory, padded } from './backend.ts'
import { KERNELS_HEX } from './kernels.generated.ts'

/** What of WebAssembly is used; Node's types leave it to the browser's library. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: Record<string, Record<string, unknown>>) => { exports: Record<string, unknown> }
  Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer }
  validate(bytes: Uint8Array): boolean
}

interface Kernels {
  /** `a` lies in rows, `aStride` bytes from one to the next; what is written is multiplied by an activation's derivative. */
  multiply(
    a: number,
    aStride: number,
    b: number,
    bStep: number,
    bias: number,
    out: number,
    outRow: number,
    rows: number,
    depth: number,
    columns: number,
    y: number,
    activation: number,
  ): void
  /** `a` lies in columns. */
  multiplyTransposed(
    a: number,
    aStride: number,
    b: number,
    bStep: number,
    bias: number,
    out: number,
    outRow: number,
    rows: number,
    depth: number,
    columns: number,
  ): void
  activate(x: number, length: number, activation: number): void
  columnSums(d: number, out: number, rows: number, columns: number): void
  activationGradient(y: number, d: number, length: number, activation: number): void
  adam(
    weights: number,
    gradient: number,
    first: number,
    second: number,
    length: number,
    rate: number,
    beta1: number,
    beta2: number,
    keep1: number,
    keep2: number,
    epsilon: number,
    root: number,
    scale: number,
  ): void
  sgd(weights: number, gradient: number, length: number, rate: number, scale: number): void
  sumOfSquares(x: number, length: number): number
  transpose(x: number, out: number, rows: number, columns: number): void
  /** Panels of `PANEL` columns, each a matrix of its own. */
  pack(x: number, out: number, rows: number, columns: number): void
  /** The same of the transpose. */
  packTransposed(x: number, out: number, rows: number, columns: number): void
}

const PANEL = 8
/**
 * Columns of a matrix from which on it is packed, and rows for which that pays. Rows of a kilobyte and more lie apart by a power of
 * two: going down a column, they displace one another from the few places of the cache that such addresses share.
 */
const WIDE = 256
const WORTH_PACKING = 16

const PAGE = 65_536
/** Address 0 means "no bias", so nothing lies there. */
const FIRST = 16

let compiled: object | undefined

/** Returns whether this engine runs the kernels: WebAssembly with 128-bit SIMD. */
export function wasmWorks(): boolean {
  const api = webAssembly()
  return api?.validate(kernelBytes()) ?? false
}

/**
 * Returns the backend of our own SIMD kernels, with a memory of its own. Untouched pages cost nothing.
 *
 * @param bytes size of that memory, rounded up to 64 KiB; at most 2 GiB
 * @throws VT_BACKEND_UNSUPPORTED where WebAssembly has no SIMD
 */
export function wasmBackend(bytes = DEFAULT_BACKEND_BYTES): Backend {
  const api = webAssembly()
  if (api === undefined || !wasmWorks()) {
    throw new ValuetrainError('VT_BACKEND_UNSUPPORTED', 'this engine has no WebAssembly with SIMD', {
      kind: 'environment',
      hint: 'Use the backend `js`; it gives the same bits, more slowly.',
    })
  }
  const pages = Math.min(32_768, Math.max(2, Math.ceil(bytes / PAGE)))
  const memory = new api.Memory({ initial: pages, maximum: pages })
  compiled ??= new api.Module(kernelBytes())
  const kernels = new api.Instance(compiled, { env: { memory } }).exports as unknown as Kernels
  return over(kernels, memory.buffer)
}

function over(kernels: Kernels, buffer: ArrayBuffer): Backend {
  let next = FIRST
  const allocate = (length: number): Float32Array => {
    const size = (padded(length) + 4) * 4
    if (next + size > buffer.byteLength) throw outOfMemory(length, buffer.byteLength)
    const array = new Float32Array(buffer, next, length)
    next += size
    return array
  }
  const at = (array: Float32Array): number => {
    if (array.buffer !== buffer) {
      throw new ValuetrainError('VT_BACKEND_FOREIGN', 'an array of another backend was given to the kernels', {
        kind: 'internal',
      })
    }
    return array.byteOffset
  }
  let scratch: Float32Array = new Float32Array(buffer, FIRST, 0)
  const room = (length: number): Float32Array => {
    if (scratch.length < length) scratch = allocate(length)
    return scratch
  }
  const packs = (rows: number, columns: number) => columns >= WIDE && columns % PANEL === 0 && rows >= WORTH_PACKING
  /** Calls back for each panel of a packed matrix: where it lies, and how many bytes into a row of the result its columns are. */
  const eachPanel = (packed: number, depth: number, columns: number, then: (panel: number, offset: number) => void) => {
    for (let column = 0; column < columns; column += PANEL) then(packed + 4 * column * depth, 4 * column)
  }
  return {
    name: 'wasm',
    exact: true,
    allocate,
    dense(x, weights, bias, out, { rows, inputs, outputs }, activation) {
      const [w, b, y] = [at(weights), at(bias), at(out)]
      if (packs(rows, outputs)) {
        const packed = at(room(inputs * outputs))
        kernels.pack(w, packed, inputs, outputs)
        eachPanel(packed, inputs, outputs, (panel, offset) => {
          kernels.multiply(at(x), 4 * inputs, panel, 4 * PANEL, b + offset, y + offset, 4 * outputs, rows, inputs, PANEL, 0, 0)
        })
      } else {
        kernels.multiply(at(x), 4 * inputs, w, 4 * outputs, b, y, 4 * outputs, rows, inputs, outputs, 0, 0)
      }
      if (activation !== 'linear') kernels.activate(y, rows * outputs, ACTIVATION_CODES[activation])
    },
    weightGradient(x, d, out, { rows, inputs, outputs }) {
      if (packs(inputs, outputs)) {
        const packed = at(room(rows * outputs))
        kernels.pack(at(d), packed, rows, outputs)
        eachPanel(packed, rows, outputs, (panel, offset) => {
          const to = at(out) + offset
          kernels.multiplyTransposed(at(x), 4 * inputs, panel, 4 * PANEL, 0, to, 4 * outputs, inputs, rows, PANEL)
        })
        return
      }
      if (outputs >= 4 || inputs < 4) {
        kernels.multiplyTransposed(at(x), 4 * inputs, at(d), 4 * outputs, 0, at(out), 4 * outputs, inputs, rows, outputs)
        return
      }
      // A vector across so few outputs would be half empty: the sums are made the other way round, and turned.
      const turned = at(room(inputs * outputs))
      kernels.multiplyTransposed(at(d), 4 * outputs, at(x), 4 * inputs, 0, turned, 4 * inputs, outputs, rows, inputs)
      kernels.transpose(turned, at(out), outputs, inputs)
    },
    biasGradient(d, out, { rows, outputs }) {
      kernels.columnSums(at(d), at(out), rows, outputs)
    },
    inputGradient(d, weights, out, { rows, inputs, outputs }, y, activation) {
      const turned = at(room(inputs * outputs))
      const code = ACTIVATION_CODES[activation]
      if (packs(rows, inputs)) {
        kernels.packTransposed(at(weights), turned, inputs, outputs)
        eachPanel(turned, outputs, inputs, (panel, offset) => {
          const [to, given] = [at(out) + offset, at(y) + offset]
          kernels.multiply(at(d), 4 * outputs, panel, 4 * PANEL, 0, to, 4 * inputs, rows, outputs, PANEL, given, code)
        })
        return
      }
      kernels.transpose(at(weights), turned, inputs, outputs)
      const fused = (inputs & 3) === 0 ? code : 0
      kernels.multiply(at(d), 4 * outputs, turned, 4 * inputs, 0, at(out), 4 * inputs, rows, outputs, inputs, at(y), fused)
      if (fused !== code) kernels.activationGradient(at(y), at(out), rows * inputs, code)
    },
    adam(weights, gradient, first, second, length, { rate, beta1, beta2, epsilon, root, scale }) {
      const keep1 = 1 - beta1
      const keep2 = 1 - beta2
      kernels.adam(
        at(weights),
        at(gradient),
        at(first),
        at(second),
        length,
        rate,
        beta1,
        beta2,
        keep1,
        keep2,
        epsilon,
        root,
        scale,
      )
    },
    sgd(weights, gradient, length, rate, scale) {
      kernels.sgd(at(weights), at(gradient), length, rate, scale)
    },
    sumOfSquares: (x, length) => kernels.sumOfSquares(at(x), length),
  }
}

function kernelBytes(): Uint8Array {
  return Buffer.from(KERNELS_HEX, 'hex')
}

function webAssembly(): WebAssemblyApi | undefined {
  return (globalThis as unknown as { WebAssembly?: WebAssemblyApi }).WebAssembly
}
