/**
 * The safetensors format: eight bytes of header length, a JSON header, then the numbers, little-endian.
 *
 * @see https://github.com/huggingface/safetensors, section Format
 */
import { ValuetrainError } from '../core/errors.ts'
import type { Tensors } from './types.ts'

/** What the format itself refuses beyond. */
const MAX_HEADER = 100_000_000

const TYPES = {
  F64: { bytes: 8, of: Float64Array, read: 'getFloat64', write: 'setFloat64' },
  F32: { bytes: 4, of: Float32Array, read: 'getFloat32', write: 'setFloat32' },
  U32: { bytes: 4, of: Uint32Array, read: 'getUint32', write: 'setUint32' },
} as const
type TypeName = keyof typeof TYPES

export interface SafetensorsFile {
  tensors: Tensors
  /** Dimensions by name, where they are not simply the length. */
  shapes?: Readonly<Record<string, readonly number[]>>
  /** Text by key, as the format allows. */
  metadata?: Readonly<Record<string, string>>
}

/** Returns the bytes of a file; the same content gives the same bytes. Tensors lie wide types first, then by name. */
export function writeSafetensors({ tensors, shapes = {}, metadata }: SafetensorsFile): Uint8Array {
  const entries = Object.entries(tensors)
    .map(([name, data]) => ({ name, data, type: typeOf(data) }))
    .sort((a, b) => TYPES[b.type].bytes - TYPES[a.type].bytes || (a.name < b.name ? -1 : 1))
  // Entries, not assignments: a tensor may be called `__proto__`.
  const header: [string, unknown][] = []
  if (metadata !== undefined) {
    header.push(['__metadata__', Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))])
  }
  let offset = 0
  for (const { name, data, type } of entries) {
    const shape = (Object.hasOwn(shapes, name) ? shapes[name] : undefined) ?? [data.length]
    if (name === '__metadata__' || shape.reduce((product, side) => product * side, 1) !== data.length) {
      throw new ValuetrainError('VT_SHAPE', `${name} has ${data.length} numbers, which are not ${shape.join(' x ')}`, {
        kind: 'internal',
      })
    }
    const end = offset + data.length * TYPES[type].bytes
    header.push([name, { dtype: type, shape, data_offsets: [offset, end] }])
    offset = end
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  // Spaces after the header bring the numbers to an address that every type is content with.
  const headerBytes = Math.ceil(text.length / 8) * 8
  const bytes = new Uint8Array(8 + headerBytes + offset).fill(0x20, 8, 8 + headerBytes)
  bytes.set(text, 8)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(headerBytes), true)
  let at = 8 + headerBytes
  for (const { data, type } of entries) {
    const { bytes: size, write } = TYPES[type]
    for (let n = 0; n < data.length; n++, at += size) view[write](at, data[n] as number, true)
  }
  return bytes
}

/**
 * Returns the content of a file.
 *
 * @param from named in messages
 * @throws VT_SAFETENSORS when it is cut off, damaged, or holds types that we do not read
 */
export function readSafetensors(bytes: Uint8Array, from: string): Required<SafetensorsFile> {
  const broken = (why: string) =>
    new ValuetrainError('VT_SAFETENSORS', `${from} is no readable safetensors file: ${why}`, {
      hint: 'It was cut off, changed or written by something else; take it from its source again.',
    })
  if (bytes.length < 8) throw broken(`it has ${bytes.length} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headerBytes = Number(view.getBigUint64(0, true))
  if (headerBytes > MAX_HEADER || 8 + headerBytes > bytes.length) throw broken(`its header would be ${headerBytes} bytes long`)
  const header = parseHeader(bytes.subarray(8, 8 + headerBytes), broken)
  const start = 8 + headerBytes
  const tensors: [string, Tensors[string]][] = []
  const shapes: [string, readonly number[]][] = []
  const ranges: { name: string; begin: number; end: number }[] = []
  const { __metadata__: metadata = {}, ...rest } = header
  for (const [name, entry] of Object.entries(rest)) {
    const { type, shape, begin, end } = parseEntry(name, entry, broken)
    const { bytes: size, of, read } = TYPES[type]
    const length = shape.reduce((product, side) => product * side, 1)
    if (end - begin !== length * size) throw broken(`${name} takes ${end - begin} bytes for ${length} numbers`)
    if (start + end > bytes.length) throw broken(`${name} ends at byte ${start + end} of ${bytes.length}`)
    const data = new of(length)
    for (let n = 0, at = start + begin; n < length; n++, at += size) data[n] = view[read](at, true)
    tensors.push([name, data])
    shapes.push([name, shape])
    ranges.push({ name, begin, end })
  }
  requireGapless(ranges, bytes.length - start, broken)
  return { tensors: Object.fromEntries(tensors), shapes: Object.fromEntries(shapes), metadata: parseMetadata(metadata, broken) }
}

type Broken = (why: string) => ValuetrainError

function parseHeader(bytes: Uint8Array, broken: Broken): Record<string, unknown> {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw broken('its header is not JSON')
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw broken('its header is no mapping')
  return header as Record<string, unknown>
}

function parseEntry(name: string, entry: unknown, broken: Broken) {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown }
  const natural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
  if (
    !Array.isArray(shape) ||
    !shape.every(natural) ||
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every(natural)
  ) {
    throw broken(`${name} has no shape or place`)
  }
  if (typeof dtype !== 'string' || !Object.hasOwn(TYPES, dtype)) throw broken(`${name} is of type ${String(dtype)}`)
  const [begin, end] = offsets as [number, number]
  if (begin > end) throw broken(`${name} ends before it begins`)
  return { type: dtype as TypeName, shape: shape as number[], begin, end }
}

/** The format wants the numbers without holes or overlaps, so that nothing hides between them. */
function requireGapless(ranges: { name: string; begin: number; end: number }[], total: number, broken: Broken): void {
  let at = 0
  for (const { name, begin, end } of ranges.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) throw broken(`${name} begins at ${begin}, where ${at} is due`)
    at = end
  }
  if (at !== total) throw broken(`${total - at} bytes belong to no tensor`)
}

function parseMetadata(metadata: unknown, broken: Broken): Record<string, string> {
  const sound = typeof metadata === 'object' && metadata !== null && Object.values(metadata).every((v) => typeof v === 'string')
  if (!sound) throw broken('its metadata is not text by key')
  return metadata as Record<string, string>
}

function typeOf(data: Float32Array | Float64Array | Uint32Array): TypeName {
  return data instanceof Float64Array ? 'F64' : data instanceof Float32Array ? 'F32' : 'U32'
}
