/**
 * A small assembler for WebAssembly: expressions are byte lists, functions are built from them, and `encode` returns
 * the module. It knows the instructions that the training kernels use, and no relaxed SIMD: those may round
 * differently from one machine to the next.
 *
 * @see https://webassembly.github.io/spec/core/binary/
 */

export type Code = readonly number[]
export type Type = 'i32' | 'f32' | 'v128'

const TYPES: Readonly<Record<Type, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b }
const END = 0x0b
const VOID = 0x40
const SIMD = 0xfd

export interface Local {
  get: Code
  set(value: Code): Code
  type: Type
}

/** A function under construction: parameters first, then locals as they are asked for. */
export class Func {
  readonly name: string
  readonly params: Type[] = []
  readonly locals: Type[] = []
  readonly results: Type[]
  #body: Code = []

  constructor(name: string, results: Type[] = []) {
    this.name = name
    this.results = results
  }

  param(type: Type): Local {
    if (this.locals.length > 0) throw new Error(`${this.name}: parameters come before locals`)
    this.params.push(type)
    return local(this.params.length - 1, type)
  }

  local(type: Type): Local {
    this.locals.push(type)
    return local(this.params.length + this.locals.length - 1, type)
  }

  body(...code: Code[]): void {
    this.#body = code.flat()
  }

  encode(): number[] {
    const declared = this.locals.flatMap((type) => [1, TYPES[type]])
    const content = [...unsigned(this.locals.length), ...declared, ...this.#body, END]
    return [...unsigned(content.length), ...content]
  }
}

/** Returns the bytes of a module that exports `funcs` and imports its memory as `env.memory`. */
export function encode(funcs: readonly Func[]): Uint8Array {
  const types = funcs.map(({ params, results }) => [0x60, ...vector(params.map(byteOf)), ...vector(results.map(byteOf))])
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([[...name('env'), ...name('memory'), 0x02, 0x00, 0x01]])),
    ...section(3, vector(funcs.map((_, index) => unsigned(index)))),
    ...section(7, vector(funcs.map((func, index) => [...name(func.name), 0x00, ...unsigned(index)]))),
    ...section(10, vector(funcs.map((func) => func.encode()))),
  ])
}

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  and: binary(0x71),
  shl: binary(0x74),
  eq: binary(0x46),
  lt: binary(0x49),
  ge: binary(0x4f),
  eqz: (value: Code): Code => [...value, 0x45],
}

export const f32 = {
  const: (value: number): Code => [0x43, ...floatBytes(value)],
  load: (address: Code, offset = 0): Code => [...address, 0x2a, 2, ...unsigned(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0x38, 2, ...unsigned(offset)],
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  div: binary(0x95),
  sqrt: (value: Code): Code => [...value, 0x91],
}

/** Four 32-bit floats at once. Each lane rounds as its scalar would. */
export const f32x4 = {
  load: (address: Code, offset = 0): Code => [...address, SIMD, 0, 2, ...unsigned(offset)],
  /** One float into all four lanes. */
  loadSplat: (address: Code, offset = 0): Code => [...address, SIMD, 9, 2, ...unsigned(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, SIMD, 11, 2, ...unsigned(offset)],
  /** The first `lanes` lanes, 1 to 3, one after the other. */
  storeLane: (address: Code, value: Code, lane: number, offset = 0): Code => [
    ...address,
    ...value,
    SIMD,
    ...unsigned(0x5a),
    2,
    ...unsigned(offset),
    lane,
  ],
  const: (value: number): Code => {
    const bytes = floatBytes(value)
    return [SIMD, 12, ...bytes, ...bytes, ...bytes, ...bytes]
  },
  splat: (value: Code): Code => [...value, SIMD, 19],
  lane: (value: Code, lane: number): Code => [...value, SIMD, 31, lane],
  gt: simd(0x44),
  sqrt: (value: Code): Code => [...value, SIMD, ...unsigned(0xe3)],
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
  /** b < a ? b : a, one instruction where `min` takes six; a NaN in `a` stays one. */
  pmin: simd(0xea),
  /** a < b ? b : a. */
  pmax: simd(0xeb),
  /** Bits of `value` where `mask` is set, else zero. */
  and: simd(0x4e),
}

/** Runs `body` with `index` counting from `from` up to below `to`. */
export function loop(index: Local, from: Code, to: Code, step: number, ...body: Code[]): Code {
  return [...index.set(from), ...loopOn(index, to, step, ...body)]
}

/** Like `loop`, from where `index` stands; afterwards it stands where the loop ended. */
export function loopOn(index: Local, to: Code, step: number, ...body: Code[]): Code {
  return [
    ...[0x02, VOID],
    ...i32.ge(index.get, to),
    ...[0x0d, 0],
    ...[0x03, VOID],
    ...body.flat(),
    ...index.set(i32.add(index.get, i32.const(step))),
    ...i32.lt(index.get, to),
    ...[0x0d, 0],
    ...[END, END],
  ]
}

/**
 * Runs `step(0)`, `step(1)`, … `step(times - 1)`, then `after`, and again from the first, until `isOver` after one of
 * them. At least one step is run.
 *
 * @param when.isOver tested after a step in the middle, and `goesOn`, its opposite, after the last one
 */
export function unrolledLoop(
  times: number,
  step: (n: number) => Code,
  { after, goesOn, isOver }: { after: Code; goesOn: Code; isOver: Code },
): Code {
  const steps = Array.from({ length: times }, (_, n) =>
    n < times - 1 ? [...step(n), ...isOver, 0x0d, 1] : [...step(n), ...after, ...goesOn, 0x0d, 0],
  )
  return [0x02, VOID, 0x03, VOID, ...steps.flat(), END, END]
}

export function when(condition: Code, then: Code, otherwise: Code = []): Code {
  return [...condition, 0x04, VOID, ...then, ...(otherwise.length > 0 ? [0x05, ...otherwise] : []), END]
}

function local(index: number, type: Type): Local {
  return { get: [0x20, ...unsigned(index)], set: (value) => [...value, 0x21, ...unsigned(index)], type }
}

function binary(opcode: number) {
  return (a: Code, b: Code): Code => [...a, ...b, opcode]
}

function simd(opcode: number) {
  return (a: Code, b: Code): Code => [...a, ...b, SIMD, ...unsigned(opcode)]
}

function byteOf(type: Type): number[] {
  return [TYPES[type]]
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content]
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()]
}

function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text)
  return [...unsigned(bytes.length), ...bytes]
}

function floatBytes(value: number): number[] {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, value, true)
  return [...new Uint8Array(view.buffer)]
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  do {
    const byte = rest & 0x7f
    rest >>>= 7
    bytes.push(rest === 0 ? byte : byte | 0x80)
  } while (rest !== 0)
  return bytes
}

function signed(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (;;) {
    const byte = rest & 0x7f
    rest >>= 7
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...bytes, byte]
    bytes.push(byte | 0x80)
  }
}
