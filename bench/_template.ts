/**
 * M0: what is measured, and against which floor or peer.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { type Benchmark, costOf, interleave, rowOf } from './measure.ts'

const bench: Benchmark = async ({ full, seed, env, note }) => {
  const rounds = full ? 101 : 21
  const outside = await mkdtemp(join(tmpdir(), 'vt-bench-'))
  try {
    note(`${rounds} rounds, CPU time`)
    const cost = async (code: string) => (await costOf([process.execPath, '--eval', code], { cwd: outside, env })).cpuMs
    const samples = await interleave({ floor: () => cost(''), ours: () => cost('JSON.parse("{}")') }, rounds, seed)
    return [rowOf('bare node', 'ms CPU', samples.floor), rowOf('ours', 'ms CPU', samples.ours, { floor: samples.floor })]
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
}
export default bench
