import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeCheckpoint, encodeCheckpoint, loadCheckpoint, saveCheckpoint, stateDigest } from '../../training/checkpoint.ts'
import { readSafetensors, writeSafetensors } from '../../training/safetensors.ts'
import type { TrainingState } from '../../training/types.ts'

const state: TrainingState = {
  version: 1,
  algorithm: 'ppo',
  config: 'c'.repeat(64),
  steps: 256,
  tensors: {
    weights: Float32Array.of(1, -0, Number.NaN, 1e-42),
    moments: Float64Array.of(Math.PI, -0),
    words: Uint32Array.of(0, 4294967295),
    empty: new Float32Array(0),
  },
  json: { environment: [1, 'x', null], at: 0.1 },
}

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vt-checkpoint-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

describe('safetensors', () => {
  it('come back as they were written, whatever their order', () => {
    const array = fc.oneof(fc.float32Array({ maxLength: 9 }), fc.float64Array({ maxLength: 9 }), fc.uint32Array({ maxLength: 9 }))
    const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => text !== '__metadata__')
    fc.assert(
      fc.property(fc.dictionary(name, array), fc.dictionary(name, fc.string()), (tensors, metadata) => {
        const bytes = writeSafetensors({ tensors, metadata })
        const read = readSafetensors(bytes, 'memory')
        expect(read.tensors).toEqual({ ...tensors })
        expect(read.metadata).toEqual({ ...metadata })
        const reversed = Object.fromEntries(Object.entries(tensors).reverse())
        expect(Buffer.from(writeSafetensors({ tensors: reversed, metadata })).equals(Buffer.from(bytes))).toBe(true)
      }),
    )
  })

  it('are laid out as the format says', () => {
    const bytes = writeSafetensors({ tensors: { a: Float32Array.of(1, 2) }, shapes: { a: [1, 2] } })
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    expect(length % 8).toBe(0)
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
      a: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
    })
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 128, 63, 0, 0, 0, 64])
  })

  it('cut off anywhere are refused', () => {
    const bytes = writeSafetensors({ tensors: { a: Float32Array.of(1, 2, 3) }, metadata: { k: 'v' } })
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readSafetensors(bytes.subarray(0, length), 'cut')).toThrowError(
        expect.objectContaining({ code: 'VT_SAFETENSORS' }),
      )
    }
  })

  it('with holes, overlaps, foreign types or lies about their size are refused', () => {
    const file = (header: unknown, data = 8) => {
      const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
      const bytes = new Uint8Array(8 + text.length + data)
      new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
      bytes.set(text, 8)
      return bytes
    }
    const entry = (begin: number, end: number, more = {}) => ({
      dtype: 'F32',
      shape: [(end - begin) / 4],
      data_offsets: [begin, end],
      ...more,
    })
    expect(readSafetensors(file({ a: entry(0, 8) }), 'fine').tensors).toEqual({ a: new Float32Array(2) })
    for (const header of [
      { a: entry(4, 8) },
      { a: entry(0, 4) },
      { a: entry(0, 8), b: entry(4, 8) },
      { a: entry(0, 8, { dtype: 'BF16' }) },
      { a: entry(0, 8, { dtype: 'toString' }) },
      { a: entry(0, 8, { shape: [3] }) },
      { a: entry(0, 8, { shape: [-2] }) },
      { a: entry(8, 0) },
      { a: null },
      { a: entry(0, 8), __metadata__: { n: 1 } },
      [],
      'not json',
    ]) {
      expect(() => readSafetensors(file(header), 'bad')).toThrowError(expect.objectContaining({ code: 'VT_SAFETENSORS' }))
    }
    const huge = file({ a: entry(0, 8) })
    new DataView(huge.buffer).setBigUint64(0, 2n ** 63n, true)
    expect(() => readSafetensors(huge, 'huge')).toThrowError(expect.objectContaining({ code: 'VT_SAFETENSORS' }))
  })
})

describe('a checkpoint', () => {
  it('comes back as it was written, bit by bit', async () => {
    const file = join(dir, 'whole')
    await saveCheckpoint(file, state)
    const read = await loadCheckpoint(file)
    expect(read).toEqual(state)
    expect(Object.is(read.tensors.weights?.[1], -0)).toBe(true)
    expect(stateDigest(read)).toBe(stateDigest(state))
    expect(stateDigest({ ...state, steps: 257 })).not.toBe(stateDigest(state))
  })

  it('with any byte changed is refused', () => {
    const bytes = encodeCheckpoint(state)
    const refused = ['VT_SAFETENSORS', 'VT_CHECKPOINT_DAMAGED', 'VT_CHECKPOINT_FOREIGN']
    const taken: number[] = []
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at] = (changed[at] as number) ^ 1
      try {
        decodeCheckpoint(changed, 'changed')
        taken.push(at)
      } catch (error) {
        expect(refused).toContain((error as { code: string }).code)
      }
    }
    // White space that pads the header says nothing, and may say it otherwise.
    const padding = [...bytes.keys()].filter((at) => bytes[at] === 0x20)
    expect(taken.filter((at) => !padding.includes(at))).toEqual([])
  })

  it('of something else, or that is not there, is told by its code', async () => {
    const foreign = writeSafetensors({ tensors: { a: Float32Array.of(1) }, metadata: { format: 'pt' } })
    expect(() => decodeCheckpoint(foreign, 'foreign')).toThrowError(expect.objectContaining({ code: 'VT_CHECKPOINT_FOREIGN' }))
    await expect(loadCheckpoint(join(dir, 'none'))).rejects.toMatchObject({ code: 'VT_CHECKPOINT_MISSING' })
  })

  it('that cannot be written leaves the earlier one whole', async () => {
    const folder = join(dir, 'full')
    await mkdir(folder)
    const file = join(folder, 'state')
    await saveCheckpoint(file, state)
    // A folder in the way of the rename is what a user who is root can be refused by, too.
    await expect(saveCheckpoint(join(file, 'below'), state)).rejects.toMatchObject({
      code: 'VT_CHECKPOINT_WRITE',
      kind: 'environment',
    })
    expect(await loadCheckpoint(file)).toEqual(state)
    expect(await readdir(folder)).toEqual(['state'])
  })

  it('cut short by another program is refused and stays where it is', async () => {
    const file = join(dir, 'short')
    await saveCheckpoint(file, state)
    const bytes = await readFile(file)
    await writeFile(file, bytes.subarray(0, bytes.length - 1))
    await expect(loadCheckpoint(file)).rejects.toMatchObject({ code: 'VT_SAFETENSORS' })
    expect((await readFile(file)).length).toBe(bytes.length - 1)
  })
})
