import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPpo, PPO_DEFAULTS } from '../../training/algo/ppo.ts'
import { examineAccelerator, installAccelerator, removeAccelerator } from '../../training/backend/accelerator.ts'
import type { Backend } from '../../training/backend/backend.ts'
import { chooseBackend } from '../../training/backend/choose.ts'
import { jsBackend } from '../../training/backend/js.ts'
import { findTfjs, tfjsBackend } from '../../training/backend/tfjs.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import { vectorise } from '../../training/env/vector.ts'
import type { OptimiserConfig } from '../../training/nn/optimiser.ts'
import { randomFrom } from '../../training/random.ts'

/** A folder whose node_modules has a TensorFlow.js with a backend, for the conformance test. */
const TFJS = process.env.VALUETRAIN_TFJS
const env = { PATH: process.env.PATH ?? '' }

let dir = ''
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vt-backends-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** A package of this name that is only found, never loaded to any good. */
async function plant(place: string, name: string): Promise<void> {
  const folder = join(place, 'node_modules', name)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, version: '4.22.0', main: 'index.js' }))
  await writeFile(join(folder, 'index.js'), "throw new Error('the native part is missing')\n")
}

describe('the choice of a backend', () => {
  it('is the kernels where nothing else is installed, and says why', async () => {
    const { backend, reason } = await chooseBackend({ backend: 'auto', places: [dir] })
    expect({ name: backend.name, exact: backend.exact, reason }).toEqual({
      name: 'wasm',
      exact: true,
      reason: 'wasm: own kernels, nothing to install',
    })
  })

  it('is what was asked for, or an error that says how to get it', async () => {
    expect((await chooseBackend({ backend: 'js', places: [] })).backend.name).toBe('js')
    expect((await chooseBackend({ backend: 'wasm', places: [] })).reason).toBe('wasm: asked for')
    await expect(chooseBackend({ backend: 'tfjs', places: [dir] })).rejects.toMatchObject({
      code: 'VT_TFJS_MISSING',
      kind: 'environment',
      hint: expect.stringContaining('valuetrain accel install'),
    })
  })

  it('keeps to the kernels for small networks although a card is there, and tells when its binding is broken', async () => {
    const place = join(dir, 'card')
    await plant(place, '@tensorflow/tfjs-node-gpu')
    expect(findTfjs([dir, place])).toEqual({ binding: '@tensorflow/tfjs-node-gpu', version: '4.22.0', place })
    const small = await chooseBackend({ backend: 'auto', places: [place], macsPerUpdate: 1e6 })
    expect(small.reason).toMatch(/^wasm: faster than @tensorflow\/tfjs-node-gpu at this size/)
    await expect(chooseBackend({ backend: 'auto', places: [place], macsPerUpdate: 1e12 })).rejects.toMatchObject({
      code: 'VT_TFJS_LOAD',
      details: { reason: 'the native part is missing' },
    })
  })

  it('prefers the graphics card, then the native binding, wherever they lie', async () => {
    const [one, two] = [join(dir, 'one'), join(dir, 'two')]
    await plant(one, '@tensorflow/tfjs')
    await plant(two, '@tensorflow/tfjs-node')
    expect(findTfjs([one, two])?.binding).toBe('@tensorflow/tfjs-node')
  })
})

describe('the accelerator folder', () => {
  const npm = (script: string) => [process.execPath, '-e', script, '--']

  it('is filled, proved and removed', async () => {
    const folder = join(dir, 'accelerator')
    const broken = installAccelerator('gpu', { folder, env, npm: npm('process.exit(1)') })
    await expect(broken).rejects.toMatchObject({ code: 'VT_ACCEL_INSTALL', kind: 'environment' })
    // A failed install leaves nothing behind.
    expect((await readdir(dir)).includes('accelerator')).toBe(false)
    expect(await removeAccelerator(folder)).toBe(false)
  })

  it('gives up after its time, and says so', async () => {
    const slow = installAccelerator('cpu', {
      folder: join(dir, 'slow'),
      env,
      timeoutMs: 200,
      npm: npm('setInterval(() => {}, 1000)'),
    })
    await expect(slow).rejects.toMatchObject({ message: expect.stringContaining('not done after 0.2 s') })
  })

  it('does not count when what was installed does not load', async () => {
    const folder = join(dir, 'unloadable')
    const script = `
      const { mkdirSync, writeFileSync } = require('node:fs')
      const at = 'node_modules/@tensorflow/tfjs-node'
      mkdirSync(at, { recursive: true })
      writeFileSync(at + '/package.json', JSON.stringify({ version: '4.22.0', main: 'index.js' }))
      writeFileSync(at + '/index.js', 'throw new Error("no such symbol")')`
    await expect(installAccelerator('cpu', { folder, env, npm: npm(script) })).rejects.toMatchObject({ code: 'VT_TFJS_LOAD' })
    expect((await readdir(dir)).filter((name) => name.startsWith('unloadable'))).toEqual([])
  })

  it('keeps what it had when another install fails, and names the host that is out of reach', async () => {
    const folder = join(dir, 'kept')
    await mkdir(folder)
    await writeFile(join(folder, 'valuetrain-accelerator.json'), '{"version":1}\n')
    const offline = npm("console.error('Error: getaddrinfo ENOTFOUND storage.example.com'); process.exit(1)")
    await expect(installAccelerator('cpu', { folder, env, npm: offline })).rejects.toMatchObject({
      code: 'VT_ACCEL_INSTALL',
      message: expect.stringContaining('storage.example.com, from which it downloads its native part, is out of reach'),
    })
    expect(await readdir(folder)).toEqual(['valuetrain-accelerator.json'])
    expect(await removeAccelerator(folder)).toBe(true)
  })

  it('is never somebody else’s folder', async () => {
    const folder = join(dir, 'theirs')
    await mkdir(folder)
    await writeFile(join(folder, 'thesis.txt'), 'ten years')
    await expect(installAccelerator('gpu', { folder, env, npm: npm('') })).rejects.toMatchObject({ code: 'VT_ACCEL_FOLDER' })
    await expect(removeAccelerator(folder)).rejects.toMatchObject({ code: 'VT_ACCEL_FOLDER' })
    expect(await readdir(folder)).toEqual(['thesis.txt'])
  })

  it('is reported without anything installed', async () => {
    const report = await examineAccelerator([join(dir, 'nowhere')], { cwd: dir, env })
    expect({ binding: report.binding, check: report.check }).toEqual({ binding: undefined, check: undefined })
    expect(Array.isArray(report.cards)).toBe(true)
  })
})

describe.runIf(TFJS !== undefined)('TensorFlow.js', () => {
  it('agrees with the oracle within rounding', async () => {
    const found = findTfjs([TFJS as string])
    if (found === undefined) throw new Error(`no TensorFlow.js below ${TFJS}`)
    const tfjs = await tfjsBackend(found)
    const oracle = jsBackend()
    const random = randomFrom(1)
    for (const [rows, inputs, outputs] of [
      [1, 1, 1],
      [7, 5, 3],
      [64, 33, 17],
    ] as const) {
      const draw = (length: number) => Float32Array.from({ length }, () => random.normal())
      const [x, w, b, d] = [draw(rows * inputs), draw(inputs * outputs), draw(outputs), draw(rows * outputs)]
      const shape = { rows, inputs, outputs }
      for (const activation of ['linear', 'tanh', 'relu'] as const) {
        const [ours, theirs] = [oracle, tfjs].map((backend) => {
          const out = [rows * outputs, inputs * outputs, rows * inputs].map((length) =>
            backend.allocate(length),
          ) as Float32Array[]
          backend.dense(x, w, b, out[0] as Float32Array, shape, activation)
          backend.weightGradient(x, d, out[1] as Float32Array, shape)
          backend.inputGradient(d, w, out[2] as Float32Array, shape, x.map(Math.tanh), activation)
          return out.flatMap((array) => [...array])
        })
        const worst = (ours as number[]).reduce((most, value, n) => Math.max(most, Math.abs(value - (theirs?.[n] as number))), 0)
        expect(worst).toBeLessThan(1e-5 * inputs + 1e-5 * rows)
      }
    }
    const report = await examineAccelerator([TFJS as string], { cwd: dir, env })
    expect(report.check?.ok).toBe(true)
  })

  it.each<OptimiserConfig>([
    { kind: 'adam' },
    { kind: 'adamw', weightDecay: 0.1 },
    { kind: 'rmsprop', momentum: 0.7, weightDecay: 0.1 },
    { kind: 'sgd', momentum: 0.7, weightDecay: 0.1 },
  ])('moves a learner with %o as the oracle does, within rounding', async (optimiser) => {
    const found = findTfjs([TFJS as string])
    if (found === undefined) throw new Error(`no TensorFlow.js below ${TFJS}`)
    for (const activation of ['tanh', 'relu'] as const) {
      const config = { ...PPO_DEFAULTS, environments: 4, rolloutSteps: 32, minibatch: 64, epochs: 2, hidden: [16, 8] }
      const learn = async (backend: Backend) => {
        const environment = vectorise(cartPole, 4)
        const learner = openPpo({ environment, config: { ...config, activation, optimiser }, backend, seed: 3 })
        const before = learner.state().tensors.parameters?.slice() as Float32Array
        await learner.step()
        return { before, after: learner.state().tensors.parameters as Float32Array }
      }
      const [ours, theirs] = [await learn(jsBackend()), await learn(await tfjsBackend(found))]
      const largest = (a: Float32Array, b: Float32Array) =>
        a.reduce((most, value, n) => Math.max(most, Math.abs(value - (b[n] as number))), 0)
      const moved = largest(ours.after, ours.before)
      const apart = largest(ours.after, theirs.after)
      console.log(`tfjs ${optimiser.kind}, ${activation}: moved by ${moved.toExponential(1)}, ${apart.toExponential(1)} apart`)
      // What rounding leaves apart is a small share of the way; a gradient that is wrong is as far off as the way is long.
      expect([moved > 1e-4, apart <= 1e-3 * moved]).toEqual([true, true])
    }
  })
})
