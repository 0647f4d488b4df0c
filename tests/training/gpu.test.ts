import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { defaultConfig } from '../../core/config.ts'
import { systemIds } from '../../core/ids.ts'
import { named } from '../../training/errors/index.ts'
import { connectionError } from '../../training/gpu/faults.ts'
import { readCards } from '../../training/gpu/nvidia-smi.ts'
import { openProviders, providerNamed } from '../../training/gpu/open.ts'
import type { GpuProvider } from '../../training/gpu/provider.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'

const A = 'GPU-5d8c4a2e-77f0-2b3c-9d1e-0123456789ab'
const B = 'GPU-f00dcafe-0000-1111-2222-abcdefabcdef'
const ids = systemIds(systemClock)

/** What sshd does with a command: a session of its own, a home and an environment of its own, the login shell's greeting. */
const ssh = (home: string) => `#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift 2
echo "Welcome"
exec setsid -w env -i HOME="${home}" PATH="$PATH" sh -c "$*"
`

/**
 * A repository with both kinds of machine. There is no sshd to be had in a test, so ssh is a program of its shape that
 * does what the other end would do; \`nvidia-smi\`, where it is wanted, prints what one printed.
 */
async function machines(smi?: string) {
  const repository = await makeRepository()
  const bin = join(repository.outside, 'bin')
  const other = join(repository.outside, 'other')
  await Promise.all([bin, other].map((dir) => mkdir(dir)))
  const programs = { ssh: ssh(other), ...(smi === undefined ? {} : { 'nvidia-smi': `#!/bin/sh\nprintf '${smi}'\n` }) }
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), text)
    await chmod(join(bin, name), 0o755)
  }
  const home = repository.env.HOME as string
  const env = { ...repository.env, HOME: home, PATH: `${bin}:${repository.env.PATH}` }
  const gpu = { ...defaultConfig().training.gpu, ssh: { box: { host: 'me@box', usdPerHour: 3.6 } } }
  const options = { cwd: repository.dir, env: env as Record<string, string>, stateDir: join(repository.outside, 'state') }
  const providers = openProviders(gpu, options, async () => {})
  return { ...repository, env, other, providers, provider: (id: string) => providerNamed(providers, id) }
}

function request(ttlS: number, cards = 0) {
  return { id: ids.ulid(), cards, ttlS, mostS: 60 }
}

async function processesOf(lease: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    `grep -ls "LEASE=$1" /proc/[0-9]*/environ 2>/dev/null; :`,
    'sh',
    lease,
  ])
  return stdout.split('\n').filter((line) => line !== '')
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 60; round++) {
    if (await isSo()) return
    await delay(700)
  }
  throw new Error('it never came to be so')
}

/** Two processes, of which one has left the process group. */
const STUBBORN = ['sh', '-c', "trap '' TERM; setsid sleep 300 & echo up; sleep 301; sleep 302"]

async function started(provider: GpuProvider, ttlS: number, cards = 0) {
  const lease = await provider.lease(request(ttlS, cards))
  await provider.start(lease, { argv: STUBBORN })
  await until(async () => (await processesOf(lease.id)).length >= 2)
  return lease
}

describe('what nvidia-smi says', () => {
  const card = { index: 0, id: A, name: 'NVIDIA H100 80GB HBM3', driver: '550.54.15' }
  it.each([
    [
      'without units',
      `0, ${A}, NVIDIA H100 80GB HBM3, 550.54.15, 81559, 4, 0\n`,
      { memoryMiB: 81559, usedMiB: 4, busyPercent: 0 },
    ],
    [
      'with a head and units',
      `index, uuid, name, driver_version, memory.total [MiB], memory.used [MiB], utilization.gpu [%]\r\n0, ${A}, NVIDIA H100 80GB HBM3, 550.54.15, 81559 MiB, 4 MiB, 7 %\r\n`,
      { memoryMiB: 81559, usedMiB: 4, busyPercent: 7 },
    ],
    [
      'with values the driver does not tell',
      `0, ${A}, NVIDIA H100 80GB HBM3, 550.54.15, [N/A], [Not Supported], [Unknown Error]\n`,
      { memoryMiB: null, usedMiB: null, busyPercent: null },
    ],
    [
      'after a warning',
      `WARNING: infoROM is corrupted at gpu 0000:3B:00.0\n0, ${A}, NVIDIA H100 80GB HBM3, 550.54.15, 81559, 4, 0\n`,
      { memoryMiB: 81559, usedMiB: 4, busyPercent: 0 },
    ],
  ])('is read %s', (_, text, values) => {
    expect(readCards(text, 0)).toEqual({ cards: [{ ...card, ...values }], why: undefined })
  })

  it.each([
    ['', 127, 'there is no nvidia-smi on the PATH, so no NVIDIA driver was found'],
    ['No devices were found\n', 6, 'nvidia-smi ended with 6: it says "No devices were found"'],
    ['No devices were found\n', 0, 'nvidia-smi works, but it says "No devices were found"'],
    [
      'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.54\n',
      18,
      'nvidia-smi ended with 18: it says "Failed to initialize NVML: Driver/library version mismatch"',
    ],
    ['', 0, 'nvidia-smi works, but it lists no card'],
    // A card that needs a reset is listed while the program fails.
    [`0, ${A}, NVIDIA H100 80GB HBM3, 550.54.15, 81559, 4, 0\n`, 15, 'nvidia-smi ended with 15: it lists no card'],
  ])('is no card, with the reason (%j, %i)', (text, exit, why) => {
    expect(readCards(text, exit)).toEqual({ cards: [], why })
  })
})

describe('what ssh says', () => {
  it.each([
    ['me@box: Permission denied (publickey).', 'VT_GPU_AUTH'],
    ['Host key verification failed.\r\n', 'VT_GPU_AUTH'],
    ['ssh: connect to host box port 22: Connection refused', 'VT_GPU_UNREACHABLE'],
    ['ssh: Could not resolve hostname box: Name or service not known', 'VT_GPU_UNREACHABLE'],
    ['This instance was terminated by its owner\nConnection closed', 'VT_GPU_LOST'],
    ['Your account limit of 4 instances is reached', 'VT_GPU_QUOTA'],
  ])('%j is %s', (said, code) => {
    const entry = { VT_GPU_AUTH: 'T401', VT_GPU_QUOTA: 'T403', VT_GPU_LOST: 'T404' }[code]
    const told = expect.stringMatching(entry === undefined ? /^box / : new RegExp(`^${entry} .*: box `))
    expect(named(connectionError('box', said))).toMatchObject({ code, message: told })
    expect(connectionError('box', said)).toMatchObject({ code, kind: 'environment', message: expect.stringContaining('box') })
  })

  it('is asked of the real program, which never asks back', async () => {
    const { dir, env, outside } = await makeRepository()
    const gpu = { ...defaultConfig().training.gpu, ssh: { closed: { host: 'nobody@127.0.0.1', usdPerHour: 0 } } }
    const [, closed] = openProviders(
      gpu,
      { cwd: dir, env: env as Record<string, string>, stateDir: join(outside, 'state') },
      async () => {},
    )
    await expect(closed?.list()).rejects.toMatchObject({ code: expect.stringMatching(/^VT_GPU_(UNREACHABLE|AUTH)$/) })
  })
})

/** Their guards sleep most of the time, so both kinds are waited for at once. */
const both = (check: (id: string) => Promise<void>) => Promise.all(['local', 'box'].map(check))

describe('a lease', () => {
  it('ends by itself without a heartbeat, with all that it runs', async () => {
    await both(async (id) => {
      const own = (await machines()).provider(id)
      const lease = await started(own, 3)
      await until(async () => (await own.list()).leases.length === 0)
      expect(await processesOf(lease.id)).toEqual([])
      expect(await own.beat(lease, 0)).toMatchObject({ state: 'ended', why: 'no-heartbeat', log: 'up\n', exit: undefined })
    })
  }, 60_000)

  it('is stray when its guard is gone, keeps its card from others, and is reaped', async () => {
    // Here a guard is a child of ours, and what is left of it is ended at once; elsewhere somebody has to look.
    const { provider, other } = await machines(`0, ${A}, T4, 550.1, 15360, 1, 0\\n`)
    const own = provider('box')
    const lease = await started(own, 60, 1)
    const guard = Number(await readFile(join(other, '.cache/valuetrain/gpu', lease.id, 'guard'), 'utf8'))
    process.kill(guard, 'SIGKILL')
    await until(async () => (await own.list()).leases.every(({ guarded }) => !guarded))
    const stray = await own.lease(request(60, 1)).catch(named)
    expect(stray).toMatchObject({ code: 'VT_GPU_STRAY', message: expect.stringMatching(/^T405 stray machine: stray lease /) })
    await expect(own.beat(lease, 0)).rejects.toMatchObject({ code: 'VT_GPU_LOST' })
    const [reaped] = await own.reap([])
    expect(reaped).toMatchObject({ provider: 'box', lease: lease.id, why: 'nothing guarded it any more' })
    expect(reaped?.processes).toBeGreaterThanOrEqual(2)
    expect(await processesOf(lease.id)).toEqual([])
    expect((await own.list()).leases).toEqual([])
    await own.stop(await own.lease(request(60, 1)))
  }, 60_000)
})

describe('cards', () => {
  it('are leased to one at a time, the emptiest first, and named to the trainer', async () => {
    const { provider } = await machines(`0, ${A}, T4, 550.1, 15360, 900, 3\\n1, ${B}, T4, 550.1, 15360, 1, 0\\n`)
    const box = provider('box')
    const first = await box.lease(request(60, 1))
    await expect(box.lease(request(60, 2))).rejects.toMatchObject({
      code: 'VT_GPU_CAPACITY',
      message: 'me@box has 1 of 2 cards free, and 2 are asked for',
    })
    expect(first.cards).toEqual([B])
    await box.start(first, { argv: ['sh', '-c', 'echo $CUDA_VISIBLE_DEVICES; exit 3'] })
    await until(async () => (await box.beat(first, 0)).state === 'ended')
    expect(await box.beat(first, 0)).toMatchObject({ why: 'trainer-ended', exit: 3, log: `${B}\n` })
  }, 60_000)
})

describe('valuetrain gpu', () => {
  const config = (trainer: string) => `version: 1
training:
  gpu:
    trainer: [sh, -c, ${JSON.stringify(trainer)}]
    usdPerHour: 3600
    leaseMs: 5000
    ssh: { box: { host: me@box } }
`
  async function terminal(trainer: string) {
    const { write, ...place } = await machines()
    await write({ '.valuetrain/config.yaml': config(trainer) })
    return openTerminal({ ...place, clock: systemClock })
  }

  it('says why there is nothing to lease, and refuses it', async () => {
    const { run } = await terminal('true')
    const stocks = JSON.parse((await run('gpu', 'list', '--json')).stdout)
    expect(stocks.map(({ provider }: { provider: string }) => provider)).toEqual(['local', 'box'])
    // A machine with a card of its own has nothing to explain.
    if (stocks[0].cards.length > 0) return
    expect(stocks[0].why).toContain('nvidia-smi')
    expect((await run('gpu', 'list')).stdout).toContain(stocks[0].why)
    expect(await run('gpu', 'run')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('T402 no capacity: this machine has no card to lease'),
    })
    expect(await run('gpu', 'reap')).toMatchObject({ code: 0, stdout: 'no stray leases\n' })
    expect(await run('gpu', 'run', 'bix')).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean "box"') })
  })

  it('runs a trainer, shows its log and counts its cost', async () => {
    // What fails below runs here, so one of the two is enough unless everything is asked for.
    const check = async (machine: string) => {
      const { run } = await terminal('echo one; sleep 1; printf "\\033[2Jtwo\\n"')
      const { code, stdout, stderr } = await run('gpu', 'run', machine, '--no-cards')
      const cost = machine === 'local' ? /trainer done in .*, \$[1-9]/ : /trainer done in .*, \$0\.0000/
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'one\ntwo\n', stderr: expect.stringMatching(cost) })
    }
    await (process.env.VALUETRAIN_FULL ? both(check) : check('box'))
  }, 60_000)

  it('tells from the log of a trainer that failed what it failed of', async () => {
    const { run } = await terminal('echo "torch.cuda.OutOfMemoryError: CUDA out of memory."; exit 1')
    const { code, stderr } = await run('gpu', 'run', '--no-cards')
    expect(code).toBe(3)
    expect(stderr).toContain('the trainer ended with 1')
    expect(stderr).toContain('T202 out of memory on the graphics card: line 1')
  }, 60_000)
})
