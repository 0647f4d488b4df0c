/** The part of protocol buffers that ONNX needs: varints, 32-bit floats, and fields with a length. */
import { ValuetrainError } from '../../core/errors.ts'

const VARINT = 0
const LENGTH = 2
const FIXED32 = 5

/** A message being written: field numbers and values, in the order given. */
export type Field =
  | { field: number; varint: number }
  | { field: number; float: number }
  | { field: number; text: string }
  | { field: number; bytes: Uint8Array }
  | { field: number; message: readonly Field[] }
  | { field: number; packed: readonly number[] }

/** Returns the bytes of a message. */
export function encodeMessage(fields: readonly Field[]): Uint8Array {
  return Buffer.concat(fields.map(encodeField))
}

/** One field as it was read. Numbers of more than 53 bits are refused. */
export interface ReadField {
  field: number
  /** A number for varints and floats, bytes for everything with a length. */
  value: number | Uint8Array
}

/** Returns the fields of a message in their order. @throws VT_PROTOBUF when it is cut off or of a kind that is not read */
export function decodeMessage(bytes: Uint8Array): ReadField[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fields: ReadField[] = []
  let at = 0
  const varint = (): number => {
    let [value, scale] = [0, 1]
    for (let n = 0; n < 10; n++) {
      const byte = bytes[at++]
      if (byte === undefined) throw broken('it ends inside a number')
      value += (byte & 0x7f) * scale
      scale *= 128
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw broken('a number has more than 53 bits')
        return value
      }
    }
    throw broken('a number does not end')
  }
  while (at < bytes.length) {
    const tag = varint()
    const field = Math.floor(tag / 8)
    switch (tag % 8) {
      case VARINT:
        fields.push({ field, value: varint() })
        break
      case FIXED32:
        if (at + 4 > bytes.length) throw broken('it ends inside a float')
        fields.push({ field, value: view.getFloat32(at, true) })
        at += 4
        break
      case LENGTH: {
        const length = varint()
        if (at + length > bytes.length) throw broken(`field ${field} would be ${length} bytes long`)
        fields.push({ field, value: bytes.subarray(at, at + length) })
        at += length
        break
      }
      default:
        throw broken(`field ${field} is of wire type ${tag % 8}`)
    }
  }
  return fields
}

/** Returns the integers of a packed field. */
export function unpack(bytes: Uint8Array): number[] {
  const values: number[] = []
  let [value, scale] = [0, 1]
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale
    scale *= 128
    if (byte < 0x80) {
      values.push(value)
      value = 0
      scale = 1
    }
  }
  return values
}

function encodeField(given: Field): Uint8Array {
  const { field } = given
  if ('varint' in given) return Buffer.concat([encodeVarint(field * 8 + VARINT), encodeVarint(given.varint)])
  if ('float' in given) {
    const out = Buffer.alloc(4)
    out.writeFloatLE(given.float)
    return Buffer.concat([encodeVarint(field * 8 + FIXED32), out])
  }
  const content =
    'text' in given
      ? Buffer.from(given.text, 'utf8')
      : 'bytes' in given
        ? given.bytes
        : 'message' in given
          ? encodeMessage(given.message)
          : Buffer.concat(given.packed.map(encodeVarint))
  return Buffer.concat([encodeVarint(field * 8 + LENGTH), encodeVarint(content.length), content])
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  do {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? low + 128 : low)
  } while (rest > 0)
  return Uint8Array.from(bytes)
}

function broken(why: string): ValuetrainError {
  return new ValuetrainError('VT_PROTOBUF', `this is no protocol buffer that can be read: ${why}`, {
    hint: 'the file was cut off or is something else',
  })
}
