import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { operate } from '../../conductor/operate.ts'
import { runIssue } from '../../conductor/run.ts'
import { findTickets } from '../../conductor/sources.ts'
import { systemClock } from '../../core/clock.ts'
import { readConfig } from '../../core/config.ts'
import type { PlacedEntry } from '../../core/contracts/event.ts'
import { type Git, openGit } from '../../core/git.ts'
import { countingIds } from '../../core/ids.ts'
import { type Lease, listLeases, releaseLease, renewLease, takeLease } from '../../core/lease.ts'
import { pushBranch } from '../../core/push.ts'
import { readerAt } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { programOf } from '../support/program.ts'
import { makeRepository } from '../support/repository.ts'
import { CONFIG, issueFile } from './line.ts'
import { portsFor } from './ports.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 1)
/** Whether one of the three long tests is run: all of them in the full tier, otherwise at most one, drawn by the seed. */
const isDrawn = (at: number) => FULL || SEED % 6 === at
const program = programOf(fileURLToPath(new URL('./driver.ts', import.meta.url)))
const COUNT = FULL ? 12 : 2
const NUMBERS = Array.from({ length: COUNT }, (_, at) => at + 1)
const SHARED = `${CONFIG}${NUMBERS.map((number) => `  slow-${number}: [[sh, -c, 'sleep 0.2; echo slow > slow-${number}.txt']]\n`).join('')}remote: origin
`
const BRIEF = `${SHARED}lease:
  ttlMs: 1500
`
const FILES = { 'value.txt': 'right', 'notes.txt': 'begin\n', '.valuetrain/config.yaml': SHARED }

/** A bare repository that two clones share, with the issues committed. */
async function twoClones(issues: Record<string, string>, config = SHARED) {
  const whole = await makeRepository({ ...FILES, '.valuetrain/config.yaml': config, ...issues })
  const origin = join(whole.outside, 'origin.git')
  await whole.git.run(['clone', '--quiet', '--bare', '.', origin])
  const dirs = ['one', 'two'].map((name) => join(whole.outside, name)) as [string, string]
  for (const dir of dirs) await whole.git.run(['clone', '--quiet', origin, dir])
  return { env: whole.env, origin: openGit(origin, whole.env), one: dirs[0], two: dirs[1] }
}

async function joined(dir: string, env: NodeJS.ProcessEnv) {
  const written: PlacedEntry[] = []
  const told: string[] = []
  const ports = await portsFor(dir, env, {
    onEvent: (_, entry) => written.push(entry),
    onProgress: (_, text) => told.push(text),
  })
  return { ports, written, told, git: ports.repository.git }
}

async function driveIn(dir: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ lines: string[]; stderr: string }> {
  const file = await program()
  return new Promise((resolve) => {
    execFile(process.execPath, [file, dir, ...args], { env, timeout: 120_000 }, (_, stdout, stderr) =>
      resolve({ lines: stdout.trim().split('\n'), stderr }),
    )
  })
}

const refsOf = (git: Git) => git.text(['for-each-ref', '--format=%(refname)'])

describe(`two clones of one remote (seed ${SEED})`, () => {
  it.runIf(isDrawn(0))('share one queue with nothing done twice', { timeout: 240_000 }, async () => {
    const issues = NUMBERS.map((number) => issueFile(number, `Issue ${number}`, ['auto', `recipe:slow-${number}`]))
    const { env, origin, one, two } = await twoClones(Object.assign({}, ...issues))
    const both = await Promise.all([driveIn(one, env, 'auto'), driveIn(two, env, 'auto')])
    const opened = both.flatMap(({ lines }) => lines.filter((line) => line.endsWith(' TICKET_OPENED')))
    expect(opened.toSorted()).toEqual(NUMBERS.map((number) => `build_${number} TICKET_OPENED`).toSorted())
    const repository = await openRepository(origin.dir, env)
    const { config } = await readConfig(readerAt(origin, 'main'))
    const found = await findTickets(repository, { ...config, remote: null })
    expect(found.map(({ done, session }) => [done, session.findings, session.outranked])).toEqual(
      NUMBERS.map(() => [true, [], []]),
    )
    const files = (await origin.text(['ls-tree', '--name-only', 'main'])).split('\n')
    expect(files.filter((name) => name.startsWith('slow-'))).toHaveLength(COUNT)
    // Claims that were never taken over leave nothing, merged branches neither.
    expect(await refsOf(origin)).toBe('refs/heads/main')
  })

  it.runIf(isDrawn(1))(
    'go on from the last push when one is killed, and show what it wrote beyond it',
    { timeout: 120_000 },
    async () => {
      const { env, origin, one, two } = await twoClones(issueFile(1, 'Take over', ['auto', 'recipe:note']), BRIEF)
      // The eleventh entry is behind the push of the committed work.
      const first = await driveIn(one, env, 'auto', 'kill', '11')
      expect(first.lines).toHaveLength(11)
      expect(await refsOf(origin)).toContain('refs/heads/phase/build_1')
      const second = await joined(two, env)
      await expect(runIssue(second.ports, { issue: 1, merge: 'person' })).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
      await new Promise((resolve) => setTimeout(resolve, 1700))
      const outcome = await runIssue(second.ports, { issue: 1, merge: 'person' })
      expect(outcome).toMatchObject({ outcome: 'waiting', ticket: 'build_1' })
      // The work was not done again: the note stands once, and no second turn was worked.
      expect(second.written.map(({ type }) => type)).not.toContain('TURN_STARTED')
      expect(second.written[0]).toMatchObject({ type: 'SEGMENT_OPENED', data: { reason: 'taken-over', epoch: 2 } })

      const back = await joined(one, env)
      const merged = await runIssue(back.ports, { issue: 1, merge: 'auto' })
      expect(merged).toMatchObject({ outcome: 'done' })
      expect(await origin.text(['show', 'main:notes.txt'])).toBe('begin\nnote')
      expect(await refsOf(back.git)).toContain('refs/valuetrain/rescue/build_1/')
    },
  )

  it.runIf(isDrawn(2))(
    'shows what an older epoch wrote after the takeover, and folds none of it',
    { timeout: 120_000 },
    async () => {
      const { env, one, two } = await twoClones(issueFile(1, 'Older epoch', ['auto', 'recipe:idle']), BRIEF)
      // It idles: the ticket is blocked on the other clone, and continued here after a person's word.
      await driveIn(one, env, 'auto', 'kill', '9')
      const second = await joined(two, env)
      await expect(runIssue(second.ports, { issue: 1 })).rejects.toMatchObject({ code: 'VT_LEASE_HELD' })
      await new Promise((resolve) => setTimeout(resolve, 1700))
      expect(await runIssue(second.ports, { issue: 1 })).toMatchObject({ outcome: 'blocked' })
      const back = await joined(one, env)
      const done = await operate(back.ports, 1, { type: 'comment', text: 'seen' }, { name: 'Ada' })
      expect(done.applied).toBe(true)
      const [found] = await findTickets(back.ports.repository, (await readConfig(readerAt(back.git, 'HEAD'))).config)
      expect(found?.state.status).toBe('blocked')
      expect(found?.session.outranked.length).toBeGreaterThan(0)
      expect(found?.session.findings.map(({ rule, severity }) => [rule, severity])).toEqual([['outranked', 'warning']])
      expect(found?.state.ledger.notes).toContain('seen')
    },
  )
})

describe('a push of a branch', () => {
  const setUp = async () => {
    const { env, origin, one, two } = await twoClones({})
    const [mine, theirs] = await Promise.all([openRepository(one, env), openRepository(two, env)])
    const take = (repo: typeof mine, more: { watchMs?: number } = {}) =>
      takeLease(repo, { issue: 1, remote: 'origin', ids: countingIds(), clock: systemClock, ttlMs: 600, ...more })
    const work = async (git: Git, text: string) => {
      await writeFile(join(git.dir, 'work.txt'), text)
      await git.run(['add', '--all'])
      await git.run(['commit', '--quiet', '--message', text])
      return git.text(['rev-parse', 'HEAD'])
    }
    return { origin, mine, theirs, take, work }
  }
  const tip = (git: Git) => git.run(['rev-parse', '--verify', '--quiet', 'refs/heads/phase/build_1'], { okExit: [0, 1] })

  it('moves the claim with it, and a stale owner is refused with both', async () => {
    const { origin, mine, theirs, take, work } = await setUp()
    const lease: Lease = await take(mine)
    const first = await work(mine.git, 'first')
    await pushBranch(mine, lease, 'phase/build_1', first)
    expect(lease).toMatchObject({ renewals: 1, isHeld: true })
    await renewLease(mine, lease)
    const later = await take(theirs, { watchMs: 5000 })
    expect(later.epoch).toBe(2)
    const claim = await origin.text(['rev-parse', 'refs/valuetrain/leases/1'])
    const late = await work(mine.git, 'late')
    await expect(pushBranch(mine, lease, 'phase/build_1', late)).rejects.toMatchObject({ code: 'VT_LEASE_LOST' })
    expect((await tip(origin)).stdout.trim()).toBe(first)
    expect(await origin.text(['rev-parse', 'refs/valuetrain/leases/1'])).toBe(claim)
    // Once lost it asks nobody any more.
    await expect(pushBranch(mine, lease, 'phase/build_1', late)).rejects.toMatchObject({ code: 'VT_LEASE_LOST' })
  })

  it('overwrites nothing that somebody else has pushed', async () => {
    const { origin, mine, theirs, take, work } = await setUp()
    const foreign = await work(theirs.git, 'foreign')
    await theirs.git.run(['push', '--quiet', 'origin', 'HEAD:refs/heads/phase/build_1'])
    const lease = await take(mine)
    const own = await work(mine.git, 'own')
    await expect(pushBranch(mine, lease, 'phase/build_1', own)).rejects.toMatchObject({ code: 'VT_BRANCH_MOVED' })
    expect((await tip(origin)).stdout.trim()).toBe(foreign)
    expect(lease.isHeld).toBe(true)
    await releaseLease(mine, lease)
    expect(await listLeases(mine, { remote: 'origin' })).toEqual([])
  })

  it('and a renewal at the same moment do not refuse each other', async () => {
    const { mine, take, work } = await setUp()
    const lease = await take(mine)
    const commits = [await work(mine.git, 'a'), await work(mine.git, 'b')]
    const all = await Promise.allSettled([
      renewLease(mine, lease),
      pushBranch(mine, lease, 'phase/build_1', commits[0] as string),
      renewLease(mine, lease),
      pushBranch(mine, lease, 'phase/build_1', commits[1] as string),
    ])
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
    expect(lease.renewals).toBe(4)
  })

  it('tells a remote that is gone from a claim that is lost', async () => {
    const { mine, take, work } = await setUp()
    const lease = await take(mine)
    const own = await work(mine.git, 'own')
    await mine.git.run(['remote', 'set-url', 'origin', join(mine.git.dir, 'gone.git')])
    await expect(pushBranch(mine, lease, 'phase/build_1', own)).rejects.toMatchObject({ code: 'VT_REMOTE' })
    expect(lease.isHeld).toBe(true)
    expect(await readFile(join(mine.git.dir, 'work.txt'), 'utf8')).toBe('own')
  })
})
