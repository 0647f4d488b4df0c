import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { parseConfig } from '../../core/config.ts'
import { systemIds } from '../../core/ids.ts'
import { named } from '../../training/errors/index.ts'
import { programProvider } from '../../training/gpu/program.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'
import { emptyFolder } from './runs.ts'

const FARM = join(import.meta.dirname, 'fixtures', 'farm.mjs')
const ids = systemIds(systemClock)
const CONFIG = `version: 1
workspace: { env: [FARM_SOCKET] }
training:
  gpu:
    trainer: [sh, -c, 'echo "on $CARDS"; sleep 0.3; echo done']
    leaseMs: 5000
    providers:
      farm: { command: [node, tools/farm.mjs], usdPerHour: 3600 }
`

/** A repository whose provider is a farm of one card, running. */
async function farm(config = CONFIG) {
  const text = await readFile(FARM, 'utf8')
  const repository = await makeRepository({ '.valuetrain/config.yaml': config, 'tools/farm.mjs': text })
  const socket = join(repository.outside, 'farm.sock')
  const server = spawn(process.execPath, [FARM, 'serve', socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  })
  onTestFinished(() => void server.kill())
  await once(server.stdout, 'data')
  const env = { ...repository.env, FARM_SOCKET: socket } as Record<string, string>
  const options = { cwd: repository.dir, env, stateDir: join(repository.outside, 'state'), usdPerHour: 0, vouch: async () => {} }
  const provider = programProvider({ ...options, id: 'farm', argv: ['node', 'tools/farm.mjs'] })
  return { ...repository, server, provider, terminal: openTerminal({ ...repository, env, clock: systemClock }) }
}

describe('a provider of one’s own', () => {
  it('lists its machines, runs a job to its end, and has what nothing guards reaped', async () => {
    const { terminal, provider, server } = await farm()
    const stock = async () => JSON.parse((await terminal.run('gpu', 'list', '--json')).stdout).at(-1)
    expect(await stock()).toMatchObject({
      provider: 'farm',
      title: 'by node tools/farm.mjs',
      cards: [{ id: 'farm-card-0', name: 'Farm 9000', memoryMiB: 8192, busyPercent: null }],
      leases: [],
    })
    expect(await terminal.run('gpu', 'run', 'farm')).toEqual({
      code: 0,
      stdout: 'on farm-card-0\ndone\n',
      stderr: expect.stringMatching(/^lease \w+ on farm, cards farm-card-0\ntrainer done in .*, \$\d/),
    })
    expect((await stock()).leases).toEqual([])

    const stray = await provider.lease({ id: ids.ulid(), cards: 1, ttlS: 0, mostS: 60 })
    await provider.start(stray, { argv: ['sleep', '60'] })
    expect(await terminal.run('gpu', 'run', 'farm')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('T402 no capacity: the provider farm says: 0 of 1 cards are free, and 1 are asked for'),
    })
    expect((await terminal.run('gpu', 'list')).stdout).toContain(`${stray.id} (stray)`)
    expect(await terminal.run('gpu', 'reap')).toMatchObject({
      code: 0,
      stdout: `ended lease ${stray.id} on farm, 1 process: nothing guarded it any more\n`,
    })
    expect(await provider.beat(stray, 0)).toMatchObject({ state: 'ended', why: 'reaped', exit: undefined })
    server.kill()
    await once(server, 'exit')
    expect(await terminal.run('gpu', 'reap')).toMatchObject({ code: 3, stderr: expect.stringContaining('VT_GPU_UNREACHABLE') })
  }, 60_000)

  it('is not started while its program or its entry is not what the default branch has', async () => {
    const { terminal, dir, git, write } = await farm()
    const refused = async (what: string) => {
      const said = `the provider farm is not started: ${what} is not as main has it`
      expect((await terminal.run('gpu', 'list')).stdout).toContain(`VT_GPU_PROVIDER_CHANGED: ${said}`)
      expect(await terminal.run('gpu', 'run', 'farm')).toMatchObject({ code: 2, stderr: expect.stringContaining(said) })
    }
    await appendFile(join(dir, 'tools/farm.mjs'), '// more\n')
    await refused('tools/farm.mjs')
    await git.run(['restore', 'tools/farm.mjs'])
    await write({ '.valuetrain/config.yaml': CONFIG.replace('3600', '1') })
    await refused('`training.gpu.providers.farm`')
    await write({ '.valuetrain/config.yaml': CONFIG })
    await git.run(['branch', '--move', 'main', 'other'])
    await refused('its program')
    await git.run(['branch', '--move', 'other', 'main'])
    expect((await terminal.run('gpu', 'list')).stdout).toContain('Farm 9000')
  }, 60_000)

  it.each([
    ['ends without a word', 'exit 4', 'VT_GPU_PROVIDER', 'the provider odd ended with 4'],
    ['prints nothing', ':', 'VT_GPU_PROVIDER', 'it printed 0 lines where one is due'],
    ['prints more than its answer', 'echo hello; echo {}', 'VT_GPU_PROVIDER', 'it printed 2 lines where one is due'],
    ['speaks no JSON', 'echo hello', 'VT_GPU_PROVIDER', '"hello" is not JSON'],
    ['leaves out what is asked', `echo '{"state":"running","log":"","next":0}'`, 'VT_GPU_PROVIDER', 'seconds: '],
    [
      'ends a lease for no reason',
      `echo '{"state":"ended","seconds":1,"log":"","next":0}'`,
      'VT_GPU_PROVIDER',
      'why: is said of',
    ],
    [
      'counts bytes it does not show',
      `echo '{"state":"running","seconds":1,"log":"","next":9}'`,
      'VT_GPU_PROVIDER',
      'next: 9 after 0',
    ],
    ['does not let us in', `echo '{"error":{"code":"auth","message":"no key"}}'`, 'VT_GPU_AUTH', 'T401'],
    ['has a fault of its own', `echo '{"error":{"code":"odd","message":"x"}}'`, 'VT_GPU_PROVIDER', 'state: '],
  ])('that %s is named with what it said', async (_, script, code, said) => {
    const cwd = await emptyFolder()
    const argv = ['sh', '-c', `cat >/dev/null; ${script}`]
    const options = {
      cwd,
      env: { PATH: process.env.PATH ?? '' },
      stateDir: join(cwd, 'state'),
      usdPerHour: 0,
      vouch: async () => {},
    }
    const beat = programProvider({ ...options, id: 'odd', argv }).beat({ provider: 'odd', id: 'a', cards: [], usdPerHour: 0 }, 0)
    await expect(beat.catch((error) => Promise.reject(named(error)))).rejects.toMatchObject({
      code,
      kind: 'environment',
      message: expect.stringContaining(said),
      hint: expect.stringMatching(/./),
    })
  })

  it('has a name that no machine has already', () => {
    const twice = CONFIG.replace('    providers:', '    ssh: { farm: { host: me@box } }\n    providers:')
    expect(() => parseConfig(twice, 'config.yaml')).toThrow('is a name of `training.gpu.ssh` already')
  })
})
