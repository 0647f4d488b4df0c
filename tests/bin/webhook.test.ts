import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { openBell } from '../../conductor/bell.ts'
import { SimulatedClock, systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { cloneStand } from '../support/github/clone.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { openTerminal } from './terminal.ts'

let stand: Stand

ownStand((opened) => {
  stand = opened
})

const CONFIG = `version: 1
forge: github
remote: origin
jail: off
checkIns: [before-work]
drive: { pollMs: 3600000 }
recipes:
  mend: [[sh, -c, 'printf right > value.txt']]
`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('drive with a webhook', () => {
  it('begins when the label is set, and would not have looked for an hour', async () => {
    const at = await stand.repository('deliveries', { 'value.txt': 'wrong', '.valuetrain/config.yaml': CONFIG })
    const clone = await cloneStand(stand, at)
    const owner = stand.as('owner')
    const issue = await owner('POST', `/repos/${at.fullName}/issues`, {
      title: 'Mend it',
      body: 'Please',
      labels: ['recipe:mend'],
    })
    const port = await freePort()
    const config = { url: `http://127.0.0.1:${port}/`, secret: 'the secret of the hook', content_type: 'json' }
    await owner('POST', `/repos/${at.fullName}/hooks`, { name: 'web', active: true, events: ['issues'], config })
    const env = {
      ...clone.env,
      VALUETRAIN_GITHUB_TOKEN: stand.token('pilot'),
      VALUETRAIN_WEBHOOK_SECRET: 'the secret of the hook',
    }
    const terminal = openTerminal({ dir: clone.dir, env, clock: systemClock, ids: systemIds(systemClock) })
    const before = stand.journal.length
    const driving = terminal.run('drive', '--max', '1', '--webhook', String(port), '--json')
    // It has looked at the queue and found nothing.
    while (!stand.journal.slice(before).some(({ path }) => path === `/repos/${at.fullName}/issues`)) await systemClock.sleep(20)
    await systemClock.sleep(300)
    await owner('POST', `/repos/${at.fullName}/issues/${issue.number}/labels`, { labels: ['auto'] })
    const { stdout, stderr } = await driving
    expect(stderr).toContain(`deliveries are taken at http://127.0.0.1:${port}/`)
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ outcome: 'waiting', issue: issue.number })
  })

  it('says what is missing: a secret, a free port, or a forge that sends any', async () => {
    const at = await stand.repository('lacking', { '.valuetrain/config.yaml': CONFIG })
    const clone = await cloneStand(stand, at)
    const env = { ...clone.env, VALUETRAIN_GITHUB_TOKEN: stand.token('pilot') }
    const unsigned = await openTerminal({ dir: clone.dir, env }).run('drive', '--once', '--webhook', '0')
    expect([unsigned.code, unsigned.stderr]).toEqual([2, expect.stringContaining('VALUETRAIN_WEBHOOK_SECRET')])
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as AddressInfo
    const signed = openTerminal({ dir: clone.dir, env: { ...env, VALUETRAIN_WEBHOOK_SECRET: 'the secret of the hook' } })
    const refused = await signed.run('drive', '--once', '--webhook', String(port))
    taken.close()
    expect([refused.code, refused.stderr]).toEqual([
      3,
      `error: port ${port} of 127.0.0.1 cannot be listened at (EADDRINUSE)\nhint: choose another port, or end the program that has it\n`,
    ])
    const local = await openTerminal({ dir: clone.dir, env }).run('drive', '--once', '--webhook', '0', '--forge', 'local')
    expect([local.code, local.stderr]).toEqual([2, expect.stringContaining('--webhook needs a forge that sends deliveries')])
  })
})

describe('a bell', () => {
  it('ends a pause, also one that begins after it rang, and each who waits hears it once', async () => {
    const clock = new SimulatedClock()
    const bell = openBell()
    const [one, other] = [bell.waiter(), bell.waiter()]
    const never = new AbortController().signal
    bell.ring()
    await one(60_000, clock, never)
    const first = other(60_000, clock, never)
    await first
    const second = one(60_000, systemClock, never)
    bell.ring()
    await second
    expect(clock.monotonic()).toBe(new SimulatedClock().monotonic())
    const third = one(60_000, clock, never)
    await third
    expect(clock.monotonic() - new SimulatedClock().monotonic()).toBe(60_000)
  })
})
