/**
 * Leases over a real ssh to a real sshd on this machine, with keys, home and configuration of their own. Runs in the full
 * tier where sshd is installed; there is no card here, so the machine alone is leased.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { defaultConfig } from '../../core/config.ts'
import { systemIds } from '../../core/ids.ts'
import { openProviders, providerNamed } from '../../training/gpu/open.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'

const SSHD = ['/usr/sbin/sshd', '/usr/bin/sshd'].find((file) => existsSync(file))
const run = promisify(execFile)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 120; round++) {
    if (await isSo()) return
    await delay(500)
  }
  throw new Error('it never came to be so')
}

/** A repository, an sshd that it is let in by, and `ssh` with a configuration of its own: that of the user is not read. */
async function reached() {
  const repository = await makeRepository()
  const { outside, dir } = repository
  const [there, keys, bin] = ['there', 'keys', 'bin'].map((name) => join(outside, name)) as [string, string, string]
  await Promise.all([there, keys, bin].map((folder) => mkdir(folder, { mode: 0o700 })))
  for (const name of ['host', 'mine', 'other']) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, name)])
  const port = await freePort()
  const publicKey = async (name: string) => (await readFile(join(keys, `${name}.pub`), 'utf8')).trim()
  await writeFile(join(keys, 'authorized'), `${await publicKey('mine')}\n`, { mode: 0o600 })
  await writeFile(join(keys, 'known'), `[127.0.0.1]:${port} ${await publicKey('host')}\n`)
  await writeFile(
    join(keys, 'sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(keys, 'host')}`,
      `AuthorizedKeysFile ${join(keys, 'authorized')}`,
      `PidFile ${join(keys, 'pid')}`,
      ...['StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'PermitRootLogin prohibit-password', 'PrintMotd no'],
      `SetEnv HOME=${there}`,
      '',
    ].join('\n'),
  )
  const host = (name: string, key: string, known: string) =>
    `Host ${name}\n  HostName 127.0.0.1\n  Port ${port}\n  User ${userInfo().username}\n  IdentityFile ${join(keys, key)}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${known}\n`
  const known = join(keys, 'known')
  const hosts = [host('box', 'mine', known), host('stranger', 'other', known), host('unknown', 'mine', '/dev/null')]
  await writeFile(join(keys, 'config'), hosts.join('\n'))
  await writeFile(join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${join(keys, 'config')} "$@"\n`)
  await chmod(join(bin, 'ssh'), 0o755)
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true })
  const serve = async () => {
    const sshd = spawn(SSHD as string, ['-D', '-e', '-f', join(keys, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
    onTestFinished(() => void sshd.kill())
    await until(async () => existsSync(join(keys, 'pid')))
    return sshd
  }
  const sshd = await serve()
  const env = { ...repository.env, PATH: `${bin}:${repository.env.PATH}` } as Record<string, string>
  const ssh = Object.fromEntries(['box', 'stranger', 'unknown'].map((name) => [name, { host: name, usdPerHour: 3600 }]))
  const options = { cwd: dir, env, stateDir: join(outside, 'state') }
  const providers = openProviders({ ...defaultConfig().training.gpu, ssh }, options, async () => {})
  return { ...repository, env, there, sshd, provider: (id: string) => providerNamed(providers, id) }
}

const request = (ttlS: number) => ({ id: systemIds(systemClock).ulid(), cards: 0, ttlS, mostS: 120 })

async function processesOf(lease: string): Promise<string[]> {
  const script = 'grep -ls "LEASE=$1" /proc/[0-9]*/environ 2>/dev/null; :'
  return (await run('sh', ['-c', script, 'sh', lease])).stdout.split('\n').filter((line) => line !== '')
}

/** Cuts the connections, too: those that are open have processes of their own. */
async function cut(sshd: ChildProcess): Promise<void> {
  const children = await run('pgrep', ['-P', String(sshd.pid)]).then(
    ({ stdout }) => stdout.trim().split('\n'),
    () => [],
  )
  sshd.kill('SIGKILL')
  for (const child of children) if (child !== '') process.kill(Number(child), 'SIGKILL')
}

const config = (trainer: string, leaseMs = 10_000) => `version: 1
training:
  gpu:
    trainer: [sh, -c, ${JSON.stringify(trainer)}]
    leaseMs: ${leaseMs}
    ssh: { box: { host: box, usdPerHour: 3600 }, stranger: { host: stranger } }
`

describe.runIf(process.env.VALUETRAIN_FULL !== undefined && SSHD !== undefined)('a machine behind a real sshd', () => {
  it('is listed, runs a trainer, and its log and cost come back', async () => {
    const place = await reached()
    await place.write({ '.valuetrain/config.yaml': config('echo one; sleep 2; echo two; exit 0') })
    const terminal = openTerminal({ ...place, clock: systemClock })
    const listed = await terminal.run('gpu', 'list', '--json')
    const box = JSON.parse(listed.stdout).find(({ provider }: { provider: string }) => provider === 'box')
    expect(box).toMatchObject({ provider: 'box', leases: [] })
    const { code, stdout, stderr } = await terminal.run('gpu', 'run', 'box', '--no-cards')
    expect([code, stdout]).toEqual([0, 'one\ntwo\n'])
    expect(stderr).toMatch(/trainer done in .*, \$[2-9]\./)
    expect(await terminal.run('gpu', 'run', 'stranger', '--no-cards')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('does not let us in'),
    })
  }, 120_000)

  it('takes nobody unknown for a host, and no key but the one that is let in', async () => {
    const { provider } = await reached()
    await expect(provider('unknown').list()).rejects.toMatchObject({ code: 'VT_GPU_AUTH' })
    await expect(provider('stranger').list()).rejects.toMatchObject({ code: 'VT_GPU_AUTH' })
  }, 60_000)

  it('ends a lease by itself when nobody beats, though the connection that began it is long gone', async () => {
    const { provider } = await reached()
    const box = provider('box')
    const lease = await box.lease(request(3))
    await box.start(lease, { argv: ['sh', '-c', "trap '' TERM; setsid sleep 300 & echo up; sleep 301"] })
    await until(async () => (await processesOf(lease.id)).length >= 2)
    await until(async () => (await box.list()).leases.length === 0)
    expect(await processesOf(lease.id)).toEqual([])
    expect(await box.beat(lease, 0)).toMatchObject({ state: 'ended', why: 'no-heartbeat', log: 'up\n' })
  }, 120_000)

  it('says that a machine is lost when its sshd dies, and the trainer there dies without us', async () => {
    const place = await reached()
    await place.write({ '.valuetrain/config.yaml': config('echo up; sleep 300', 5_000) })
    const ran = openTerminal({ ...place, clock: systemClock }).run('gpu', 'run', 'box', '--no-cards')
    const folder = join(place.there, '.cache/valuetrain/gpu')
    await until(async () => (await run('sh', ['-c', `cat ${folder}/*/log`]).catch(() => ({ stdout: '' }))).stdout === 'up\n')
    await cut(place.sshd)
    expect(await ran).toMatchObject({ code: 3, stderr: expect.stringContaining('no heartbeat reached lease') })
    await until(async () =>
      (await run('sh', ['-c', `cat ${folder}/*/ended`]).catch(() => ({ stdout: '' }))).stdout.startsWith('no-heartbeat'),
    )
  }, 120_000)

  it('has what a killed program leased ended at once by reap', async () => {
    const place = await reached()
    await place.write({ '.valuetrain/config.yaml': config('echo up; sleep 300', 100_000) })
    const main = new URL('../../bin/valuetrain.js', import.meta.url).pathname
    const child = spawn(process.execPath, [main, 'gpu', 'run', 'box', '--no-cards', '--json'], { cwd: place.dir, env: place.env })
    let said = ''
    child.stdout.on('data', (chunk) => (said += chunk))
    await until(async () => said.includes('"log"'))
    const [, lease = ''] = /"lease":"(\w+)"/.exec(said) ?? []
    expect((await processesOf(lease)).length).toBeGreaterThan(0)
    child.kill('SIGKILL')
    await delay(300)
    const { code, stdout, stderr } = await openTerminal({ ...place, clock: systemClock }).run('gpu', 'reap')
    expect(stdout).toMatch(new RegExp(`^ended lease ${lease} on box, \\d+ process.*: whoever took it is gone\n$`))
    // The machine that does not let us in is not passed over in silence.
    expect([code, stderr]).toEqual([3, expect.stringContaining('stranger was not looked at: VT_GPU_AUTH')])
    expect(await processesOf(lease)).toEqual([])
  }, 120_000)
})
