import { spawn } from 'node:child_process'
import { appendFile, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { type ProcessIdentity, processIdentity } from '../../core/identity.ts'
import { withLock } from '../../core/lock.ts'
import { bundleProgram } from '../support/program.ts'

async function folder(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'vt-lock-')))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

const patient = { waitMs: 30_000, clock: systemClock }

/** Runs code in processes of their own, all at once, and returns their exit codes. */
async function inProcesses(dir: string, count: number, code: string): Promise<(number | null)[]> {
  const file = join(dir, 'racer.mts')
  const at = (path: string) => JSON.stringify(join(import.meta.dirname, '../../core', path))
  await writeFile(
    file,
    `import { withLock } from ${at('lock.ts')}; import { systemClock as clock } from ${at('clock.ts')}\n${code}`,
  )
  const racer = join(dir, 'racer.mjs')
  await bundleProgram(file, racer)
  const children = Array.from({ length: count }, (_, at) => spawn(process.execPath, [racer, String(at)], { stdio: 'inherit' }))
  return Promise.all(children.map((child) => new Promise<number | null>((resolve) => child.once('exit', resolve))))
}

/** Returns the identity of a process that ran here and is gone. */
async function someoneGone(): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['60'])
  const identity = await processIdentity(child.pid as number)
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  if (!identity) throw new Error('sleep did not run')
  return identity
}

describe('a lock', () => {
  it('lets one in at a time, in one process and over several', async () => {
    const dir = await folder()
    const file = join(dir, 'locks', 'one')
    const counter = join(dir, 'counter')
    await writeFile(counter, '0')
    const codes = await inProcesses(
      dir,
      5,
      `import { readFile, writeFile } from 'node:fs/promises'
       for (let i = 0; i < 20; i++) await withLock(${JSON.stringify(file)}, async () => {
         const count = Number(await readFile(${JSON.stringify(counter)}, 'utf8'))
         await new Promise((go) => setTimeout(go, 1))
         await writeFile(${JSON.stringify(counter)}, String(count + 1))
       }, { waitMs: 60_000, clock })`,
    )
    expect([codes, await readFile(counter, 'utf8'), await readdir(join(dir, 'locks'))]).toEqual([[0, 0, 0, 0, 0], '100', []])
  })

  it('is given back when the function throws', async () => {
    const file = join(await folder(), 'lock')
    await expect(withLock(file, () => Promise.reject(new Error('no')), patient)).rejects.toThrow('no')
    expect(await withLock(file, async () => 'in', patient)).toBe('in')
  })

  it('is refused after the wait, naming process and time', async () => {
    const file = join(await folder(), 'lock')
    await withLock(
      file,
      async () => {
        const error = await withLock(file, async () => 'in', { waitMs: 50, clock: systemClock }).catch((error) => error)
        expect(error).toMatchObject({ code: 'VT_LOCK_HELD', kind: 'environment', details: { pid: process.pid } })
        expect(error.message).toMatch(new RegExp(`^the lock lock is held by process ${process.pid} since \\d{4}-`))
      },
      patient,
    )
  })

  it('of a process that is gone is moved aside, by one of all who want it', async () => {
    const dir = await folder()
    const file = join(dir, 'locks', 'dead')
    const gone = await someoneGone()
    await withLock(file, async () => {}, patient)
    const note = { token: 'ffff', since: '2026-01-01T00:00:00.000Z', process: gone }
    await writeFile(file, JSON.stringify(note))
    const log = join(dir, 'log')
    const codes = await inProcesses(
      dir,
      4,
      `import { appendFile } from 'node:fs/promises'
       await withLock(${JSON.stringify(file)}, async () => {
         await appendFile(${JSON.stringify(log)}, 'in\\n')
         await new Promise((go) => setTimeout(go, 20))
         await appendFile(${JSON.stringify(log)}, 'out\\n')
       }, { waitMs: 60_000, clock })`,
    )
    expect([codes, await readFile(log, 'utf8')]).toEqual([[0, 0, 0, 0], 'in\nout\n'.repeat(4)])
    expect(await readdir(join(dir, 'locks'))).toEqual(['dead.dead-ffff'])
    expect(JSON.parse(await readFile(`${file}.dead-ffff`, 'utf8'))).toEqual(note)
  })

  it('of a dead holder is taken although the one who was moving it died, too', async () => {
    const dir = await folder()
    const file = join(dir, 'lock')
    const gone = await someoneGone()
    await writeFile(file, JSON.stringify({ token: 'a', since: '', process: gone }))
    await writeFile(`${file}.break-a`, JSON.stringify({ token: 'b', since: '', process: gone }))
    expect(await withLock(file, async () => 'in', patient)).toBe('in')
    expect((await readdir(dir)).sort()).toEqual(['lock.break-a.dead-b', 'lock.dead-a'])
  })

  it('of a process elsewhere is left alone', async () => {
    const dir = await folder()
    const file = join(dir, 'lock')
    const elsewhere = { ...(await someoneGone()), machine: 'another' }
    await writeFile(file, JSON.stringify({ token: 'a', since: 'then', process: elsewhere }))
    await expect(withLock(file, async () => 'in', { waitMs: 400, clock: systemClock })).rejects.toMatchObject({
      code: 'VT_LOCK_HELD',
    })
    await appendFile(file, ' ')
    expect(await readdir(dir)).toEqual(['lock'])
  })

  it('that names no holder is reported, not removed', async () => {
    const file = join(await folder(), 'lock')
    await writeFile(file, '')
    await expect(withLock(file, async () => 'in', patient)).rejects.toMatchObject({ code: 'VT_LOCK_UNREADABLE' })
    expect(await readFile(file, 'utf8')).toBe('')
  })

  it('in a place that cannot be written is an error of the surroundings', async () => {
    const dir = await folder()
    await writeFile(join(dir, 'file'), '')
    await expect(withLock(join(dir, 'file', 'lock'), async () => 'in', patient)).rejects.toMatchObject({
      code: 'VT_READ_ONLY',
      kind: 'environment',
    })
  })
})
