import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { openProcessEnvironment } from '../../training/env/process.ts'
import { vectoriseRemote } from '../../training/env/vector.ts'
import { evaluateRandom } from '../../training/evaluate.ts'
import type { RemoteEnvironment } from '../../training/types.ts'

const SCRIPT = fileURLToPath(new URL('fixtures/environment.mjs', import.meta.url))
const opened: RemoteEnvironment[] = []

async function open(how = 'well', answerMs = 20_000) {
  const environment = await openProcessEnvironment({
    argv: [process.execPath, SCRIPT, how],
    cwd: process.cwd(),
    env: { PATH: process.env.PATH ?? '' },
    answerMs,
    launchMs: how === 'mute' ? 300 : 20_000,
  })
  opened.push(environment)
  return environment
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((environment) => environment.close()))
})

describe('an environment in a program of its own', () => {
  it('announces its spaces and plays episodes', async () => {
    const environment = await open()
    expect(environment.spec).toEqual({
      id: 'Count-v1',
      observation: {
        kind: 'box',
        shape: [2],
        low: [0, Number.NEGATIVE_INFINITY],
        high: [5, Number.POSITIVE_INFINITY],
      },
      action: { kind: 'discrete', n: 2 },
      maxSteps: 20,
    })
    expect([...(await environment.reset(9))]).toEqual([0, 2])
    for (let n = 1; n <= 4; n++) await environment.step(1)
    expect(await environment.step(1)).toEqual({
      observation: Float32Array.of(5, 0),
      reward: 1,
      terminated: true,
      truncated: false,
    })
    await expect(environment.step(1)).rejects.toMatchObject({ code: 'VT_ENV_ENDED' })
  })

  it('is cut off at the limit it announced', async () => {
    const environment = await open()
    await environment.reset(1)
    for (let n = 1; n < 20; n++) expect((await environment.step(0)).truncated).toBe(false)
    expect((await environment.step(0)).truncated).toBe(true)
  })

  it('goes on from a saved state by playing the episode again', async () => {
    const environment = await open()
    await environment.reset(3)
    for (const action of [1, 0, 1]) await environment.step(action)
    const other = await open()
    await other.restore(JSON.parse(JSON.stringify(environment.state())))
    expect(await other.step(1)).toEqual(await environment.step(1))
  })

  it.each([
    ['hang', 'VT_ENV_TIMEOUT'],
    ['die', 'VT_ENV_PROCESS'],
    ['garbage', 'VT_ENV_PROTOCOL'],
    ['noreward', 'VT_ENV_REWARD'],
    ['shape', 'VT_ENV_SHAPE'],
    ['nan', 'VT_ENV_OBSERVATION'],
    ['infinite', 'VT_ENV_REWARD'],
  ])('that does this: %s, is told by its code', async (how, code) => {
    const environment = await open(how, how === 'hang' ? 200 : 20_000)
    await environment.reset(1)
    await expect(environment.step(1)).rejects.toMatchObject({ code, kind: 'environment' })
  })

  it('that ends passes on its last words', async () => {
    const environment = await open('die')
    await environment.reset(1)
    await expect(environment.step(1)).rejects.toMatchObject({ hint: 'It last said: out of cookies' })
  })

  it('that never begins is told by its code', async () => {
    await expect(open('mute')).rejects.toMatchObject({ code: 'VT_ENV_TIMEOUT' })
    await expect(open('newer')).rejects.toMatchObject({ code: 'VT_ENV_PROTOCOL' })
    const missing = openProcessEnvironment({ argv: ['no-such-program-here'], cwd: process.cwd(), env: {} })
    await expect(missing).rejects.toMatchObject({ code: 'VT_ENV_PROCESS' })
  })

  it('steps beside others in a vector', async () => {
    const vector = vectoriseRemote([await open(), await open()])
    await vector.reset(1)
    const answers = []
    for (let n = 0; n < 5; n++) answers.push([...(await vector.step([1, n % 2])).finished])
    expect(answers.flat()).toEqual([{ index: 0, return: 5, length: 5 }])
  })

  it('that breaks is an infrastructure fault in an evaluation, not a score', async () => {
    const environments = [await open(), await open('die')]
    const rows = await evaluateRandom({ open: (index) => environments[index] as RemoteEnvironment, episodes: 2, seed: 1 })
    expect(rows.map(({ infrastructureFault }) => infrastructureFault)).toEqual([false, true])
  })
})
