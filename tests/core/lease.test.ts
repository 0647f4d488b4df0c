import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SimulatedClock, systemClock } from '../../core/clock.ts'
import { openGit } from '../../core/git.ts'
import { type ProcessIdentity, processIdentity } from '../../core/identity.ts'
import { countingIds } from '../../core/ids.ts'
import {
  type Lease,
  type LeaseRequest,
  listLeases,
  readLease,
  releaseForsaken,
  releaseLease,
  renewLease,
  takeLease,
} from '../../core/lease.ts'
import { openRepository, type Repository } from '../../core/repository.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

const TTL = 90_000

async function setUp() {
  const test = await makeRepository()
  const repo = await openRepository(test.dir, test.env)
  const clock = new SimulatedClock()
  const take = (more: Partial<LeaseRequest> = {}, where: Repository = repo) =>
    takeLease(where, { issue: 42, remote: null, ids: countingIds(), clock, ttlMs: TTL, ...more })
  return { test, repo, clock, take }
}

/** A bare origin and two clones of it. */
async function setUpRemote() {
  const { test, clock, take } = await setUp()
  const origin = join(test.outside, 'origin.git')
  await test.git.run(['clone', '--quiet', '--bare', '.', origin])
  const clones: Repository[] = []
  for (const name of ['one', 'two']) {
    await test.git.run(['clone', '--quiet', origin, join(test.outside, name)])
    clones.push(await openRepository(join(test.outside, name), test.env))
  }
  const [one, two] = clones as [Repository, Repository]
  return {
    test,
    clock,
    one,
    two,
    origin,
    take: (where: Repository, more: Partial<LeaseRequest> = {}) => take({ remote: 'origin', ...more }, where),
  }
}

async function goneProcess(): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['60'])
  const identity = await processIdentity(child.pid as number)
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  if (!identity) throw new Error('sleep did not run')
  return identity
}

/** Makes a lease look as if another process of this clone had taken it. */
async function giveTo(repo: Repository, lease: Lease, process: ProcessIdentity): Promise<void> {
  const file = join(repo.stateDir, 'runs', `${lease.owner}.json`)
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), process }))
}

const refsOf = (test: TestRepository) => test.git.text(['for-each-ref', '--format=%(refname)', 'refs/valuetrain'])

describe('a claim in one clone', () => {
  it('is a ref that says nothing of host, user or process', async () => {
    const { test, repo, take } = await setUp()
    const lease = await take()
    expect(lease).toMatchObject({ issue: 42, epoch: 1, renewals: 0, isHeld: true })
    const record = await test.git.text(['cat-file', 'blob', 'refs/valuetrain/leases/42'])
    expect(JSON.parse(record)).toEqual({ v: 1, issue: 42, owner: expect.stringMatching(/^[0-9a-f]{32}$/), epoch: 1, renewals: 0 })
    const since = new Date(Date.UTC(2026, 0, 1)).toISOString()
    const claim = { issue: 42, owner: lease.owner, epoch: 1, renewals: 0, holder: { pid: process.pid, since, fate: 'running' } }
    expect(await readLease(repo, { issue: 42, remote: null })).toEqual(claim)
    expect(await listLeases(repo, { remote: null })).toEqual([claim])
  })

  it('goes to one of many racers, and the others learn who has it', async () => {
    const { repo, take } = await setUp()
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => take({ clock: systemClock })))
    const losers = results.filter((result) => result.status === 'rejected').map((result) => result.reason)
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(losers.map((error) => [error.code, error.kind, error.details.pid])).toEqual(
      Array(11).fill(['VT_LEASE_HELD', 'environment', process.pid]),
    )
    expect(losers[0].message).toMatch(new RegExp(`^issue 42 is being worked by process ${process.pid} since 20`))
    expect(await readdir(join(repo.stateDir, 'runs'))).toHaveLength(1)
  })

  it('leaves nothing behind when it is given back, and begins at epoch 1 again', async () => {
    const { test, repo, take } = await setUp()
    const lease = await take()
    await renewLease(repo, lease)
    await renewLease(repo, lease)
    expect([lease.renewals, (await readLease(repo, { issue: 42, remote: null }))?.renewals]).toEqual([2, 2])
    await releaseLease(repo, lease)
    expect([await refsOf(test), await readdir(join(repo.stateDir, 'runs'))]).toEqual(['', []])
    await renewLease(repo, lease)
    expect(await refsOf(test)).toBe('')
    expect((await take()).epoch).toBe(1)
  })

  it('is taken over at once, with a higher epoch, when its process is gone', async () => {
    const { repo, take } = await setUp()
    const lost = await take()
    await giveTo(repo, lost, await goneProcess())
    const taken = await take()
    expect(taken.epoch).toBe(2)
    await expect(renewLease(repo, lost)).rejects.toMatchObject({
      code: 'VT_LEASE_LOST',
      kind: 'environment',
      details: { issue: 42, epoch: 1 },
    })
    await releaseLease(repo, lost)
    expect((await readLease(repo, { issue: 42, remote: null }))?.owner).toBe(taken.owner)
    await releaseLease(repo, taken)
    expect(await readLease(repo, { issue: 42, remote: null })).toBeUndefined()
    expect(await listLeases(repo, { remote: null })).toEqual([])
    expect((await take()).epoch).toBe(2)
  })

  it('is given back for a process that is gone, when nobody goes on with the issue and nobody else has it', async () => {
    const { test, repo, take } = await setUp()
    const gone = await goneProcess()
    for (const issue of [41, 42, 43, 44]) {
      const lease = await take({ issue })
      if (issue !== 44) await giveTo(repo, lease, gone)
    }
    const next = await take({ issue: 42 })
    await giveTo(repo, next, gone)
    expect(await releaseForsaken(repo, { remote: null }, (issue) => issue !== 43)).toEqual(expect.arrayContaining([41, 42]))
    const claims = await listLeases(repo, { remote: null })
    expect(claims.map(({ issue, holder }) => [issue, holder?.fate])).toEqual([
      [43, 'gone'],
      [44, 'running'],
    ])
    // What was taken over keeps its number, so that its epoch is not given twice.
    expect(await refsOf(test)).toBe([42, 43, 44].map((issue) => `refs/valuetrain/leases/${issue}`).join('\n'))
    expect((await take({ issue: 42 })).epoch).toBe(next.epoch)
    expect(await releaseForsaken(repo, { remote: null }, () => true)).toEqual([43])
  })

  it('does not go below the epoch that the log knows', async () => {
    const { take } = await setUp()
    expect((await take({ epochFloor: 7 })).epoch).toBe(7)
  })

  it('with something unreadable in its ref is respected for its time, then taken over', async () => {
    const { test, clock, take } = await setUp()
    const blob = await test.git.text(['hash-object', '-w', '--stdin'], { input: 'no record' })
    await test.git.run(['update-ref', 'refs/valuetrain/leases/42', blob])
    await expect(take()).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
    clock.advance(TTL)
    expect((await take()).epoch).toBe(2)
  })

  it('that cannot be written is reported with the lock in the way', async () => {
    const { repo, take } = await setUp()
    await mkdir(join(repo.commonDir, 'refs/valuetrain/leases'), { recursive: true })
    await writeFile(join(repo.commonDir, 'refs/valuetrain/leases/42.lock'), '')
    await expect(take()).rejects.toMatchObject({ code: 'VT_GIT', kind: 'environment' })
    expect(await readdir(join(repo.stateDir, 'runs'))).toEqual([])
  })
})

describe('a claim that several clones share', () => {
  it('goes to one of them and is seen by the other', async () => {
    const { one, two, take } = await setUpRemote()
    const results = await Promise.allSettled([take(one), take(two)])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const winner = results.findIndex(({ status }) => status === 'fulfilled')
    const lease = (results[winner] as PromiseFulfilledResult<Lease>).value
    const loser = winner === 0 ? two : one
    expect(await readLease(loser, { issue: 42, remote: 'origin' })).toEqual({
      issue: 42,
      owner: lease.owner,
      epoch: 1,
      renewals: 0,
    })
    expect(await listLeases(loser, { remote: 'origin' })).toEqual([{ issue: 42, owner: lease.owner, epoch: 1, renewals: 0 }])
    await releaseLease(winner === 0 ? one : two, lease)
    expect(await readLease(loser, { issue: 42, remote: 'origin' })).toBeUndefined()
  })

  it('is taken over from elsewhere only after it was seen unchanged for its whole time', async () => {
    const { one, two, clock, take } = await setUpRemote()
    const lease = await take(one)
    await expect(take(two)).rejects.toMatchObject({
      code: 'VT_LEASE_HELD',
      message: 'issue 42 is being worked by another machine or clone',
    })
    clock.advance(TTL - 1)
    await expect(take(two)).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
    await renewLease(one, lease)
    clock.advance(TTL)
    await expect(take(two)).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
    clock.advance(TTL - 1)
    await expect(take(two)).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
    clock.advance(1)
    expect((await take(two)).epoch).toBe(2)
    await expect(renewLease(one, lease)).rejects.toMatchObject({ code: 'VT_LEASE_LOST' })
  })

  it('is taken over by one who watches it for its whole time', async () => {
    const { one, two, take } = await setUpRemote()
    await take(one)
    expect((await take(two, { watchMs: TTL })).epoch).toBe(2)
  })

  it('does not trust a sighting by another clock', async () => {
    const { one, two, clock, take } = await setUpRemote()
    await take(one)
    await expect(take(two)).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
    clock.advance(TTL)
    const later = new SimulatedClock(clock.now())
    await expect(take(two, { clock: later })).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
  })

  it('is given back in this clone when the remote is away, so that the same process goes on with it afterwards', async () => {
    const { one, two, origin, take } = await setUpRemote()
    const lease = await take(one)
    await rename(origin, `${origin}.away`)
    await releaseLease(one, lease)
    await rename(`${origin}.away`, origin)
    expect(await readLease(one, { issue: 42, remote: 'origin' })).toMatchObject({ owner: lease.owner, holder: { fate: 'gone' } })
    // Elsewhere nobody can know, and waits for it to stand still.
    await expect(take(two)).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
    expect(await take(one)).toMatchObject({ epoch: 2 })
  })

  it('is an error of the surroundings when the remote is gone, unknown or refuses', async () => {
    const { test, one, origin, take } = await setUpRemote()
    await mkdir(join(origin, 'hooks'), { recursive: true })
    await writeFile(join(origin, 'hooks/pre-receive'), '#!/bin/sh\necho not today >&2\nexit 1\n', { mode: 0o755 })
    await expect(take(one)).rejects.toMatchObject({
      code: 'VT_REMOTE',
      kind: 'environment',
      message: expect.stringContaining('not today'),
    })
    await expect(take(one, { remote: 'nowhere' })).rejects.toMatchObject({ code: 'VT_REMOTE' })
    await expect(take(one, { remote: '--upload-pack=x' })).rejects.toMatchObject({ code: 'VT_REF_NAME' })
    await rm(origin, { recursive: true })
    await expect(take(one)).rejects.toMatchObject({ code: 'VT_REMOTE', kind: 'environment' })
    expect(await openGit(one.root as string, test.env).text(['for-each-ref', 'refs/valuetrain'])).toBe('')
    expect(await readdir(join(one.stateDir, 'runs')).catch(() => [])).toEqual([])
  })
})
