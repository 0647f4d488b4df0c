import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { decodeCheckpoint, encodeCheckpoint, stateDigest } from '../../training/checkpoint.ts'
import { randomFrom } from '../../training/random.ts'
import type { Learner } from '../../training/types.ts'
import { programOf } from '../support/program.ts'
import { RUNS } from './train.ts'

/** Of a whole run in a process of its own. */
const STEPS = 2_500
const FULL = process.env.VALUETRAIN_FULL === '1'

describe.each(Object.keys(RUNS))('%s, interrupted', (name) => {
  const open = RUNS[name] as () => Learner
  const UPDATES = 14

  it(`at seeded updates and resumed from bytes ends with the hash of the whole run`, async () => {
    const whole = open()
    for (let n = 0; n < UPDATES; n++) await whole.step()
    const due = stateDigest(whole.state())
    const random = randomFrom(`interrupt ${name}`)
    for (let round = 0; round < (FULL ? 50 : 5); round++) {
      let learner = open()
      const cuts = new Set(Array.from({ length: 1 + random.below(3) }, () => random.below(UPDATES + 1)))
      for (let n = 0; n <= UPDATES; n++) {
        if (cuts.has(n)) {
          const bytes = encodeCheckpoint(learner.state())
          // What comes after the checkpoint is lost, as in a kill.
          if (n < UPDATES) await learner.step()
          learner = open()
          await learner.restore(decodeCheckpoint(bytes, 'memory'))
        }
        if (n < UPDATES) await learner.step()
      }
      expect({ cuts: [...cuts], digest: stateDigest(learner.state()) }).toEqual({ cuts: [...cuts], digest: due })
    }
  })

  it('by kill -9 and started again ends with the hash of the whole run', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vt-resume-'))
    try {
      const whole = open()
      while (whole.steps < STEPS) await whole.step()
      const due = `hash ${stateDigest(whole.state())}`
      const random = randomFrom(`kill ${name}`)
      for (let round = 0; round < (FULL ? 10 : 1); round++) {
        const file = join(dir, `killed-${round}`)
        const kills = FULL ? 3 : 1
        for (let kill = 0; kill < kills; kill++) {
          expect(await run(name, file, 1 + random.below(2), random.below(8))).not.toMatch(/^hash/)
        }
        expect(await run(name, file)).toBe(due)
      }
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }, 600_000)

  it('does not resume into another configuration', async () => {
    const other = Object.keys(RUNS).find((candidate) => candidate !== name) as string
    const state = open().state()
    await expect((RUNS[other] as () => Learner)().restore(state)).rejects.toMatchObject({ code: 'VT_CHECKPOINT_FOREIGN' })
    await expect(open().restore({ ...state, config: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'VT_CHECKPOINT_FOREIGN' })
    const { parameters: _gone, ...rest } = state.tensors
    await expect(open().restore({ ...state, tensors: rest })).rejects.toMatchObject({ code: 'VT_CHECKPOINT_FOREIGN' })
  })
})

const program = programOf(fileURLToPath(new URL('train.ts', import.meta.url)))

/** Runs train.ts; kills it `afterMs` after so many checkpoints when told. Returns the last line it printed. */
async function run(algorithm: string, file: string, checkpoints = Number.POSITIVE_INFINITY, afterMs = 0): Promise<string> {
  const child = spawn(process.execPath, [await program(), algorithm, `${STEPS}`, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    let printed = ''
    let complaint = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk
      if (printed.split('\n').length > checkpoints) setTimeout(() => child.kill('SIGKILL'), afterMs)
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      complaint += chunk
    })
    child.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') return reject(new Error(complaint))
      resolve(printed.trim().split('\n').at(-1) ?? '')
    })
  })
}
