import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findTicket } from '../../conductor/sources.ts'
import { listLeases } from '../../core/lease.ts'
import { defaultBase } from '../../core/repository.ts'
import { openStand, type Stand } from '../support/github/index.ts'
import { CONFIG, cloneLine, type StandLine, standLine } from './stand-line.ts'

const WORKER = fileURLToPath(new URL('./stand-worker.ts', import.meta.url))
const FILES = { 'value.txt': 'wrong', 'notes.txt': 'begin\n' }
const BOTH = CONFIG.replace(
  'forge: github',
  `  both: [[sh, -c, 'echo note >> notes.txt'], [sh, -c, 'printf right > value.txt']]\nforge: github`,
)
const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 4)
/** Entries, ids and effects of the whole journey; the full tier counts them anew and says when they are others. */
const STEPS = { after: 84, before: 153, effect: 5 }

let stand: Stand

beforeAll(async () => {
  stand = await openStand()
})
afterAll(async () => {
  await stand.close()
  expect(stand.violations()).toEqual([])
})

interface Worked {
  signal: string | undefined
  lines: string[]
  stderr: string
}

function work(dir: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<Worked> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', WORKER, dir, stand.token('pilot'), ...args],
      { env, timeout: 600_000, maxBuffer: 1e8 },
      (error, stdout, stderr) => resolve({ signal: error?.signal ?? undefined, lines: stdout.trim().split('\n'), stderr }),
    )
  })
}

/** What must be the same however often the run was killed. */
async function ending(line: StandLine, issue: number) {
  const base = await defaultBase(line.ports.repository, line.config)
  const found = await findTicket(line.ports.repository, `build_${issue}`, base.commit, 'origin')
  const { git } = line.at
  const counted = [
    'TICKET_OPENED',
    'WORK_COMMITTED',
    'DELIVERED',
    'DECIDED',
    'CHANGE_INTENDED',
    'CHANGE_OPENED',
    'CHANGE_RETURNED',
  ]
  const pulls = await line.pulls()
  const comments = await stand.as('owner')('GET', `/repos/${line.at.fullName}/issues/${issue}/comments`)
  const works = await git.text(['log', '--format=%(trailers:key=Valuetrain-Event,valueonly)', 'main'])
  return {
    status: found?.state.status,
    refused: found?.state.refused,
    findings: found?.session.findings,
    entries: counted.map((type) => [type, found?.session.entries.filter((entry) => entry.type === type).length]),
    files: { value: await git.text(['show', 'main:value.txt']), notes: await git.text(['show', 'main:notes.txt']) },
    works: works.split('\n').filter((word) => word !== '').length,
    merges: (await git.text(['rev-list', '--merges', '--count', 'main'])).trim(),
    pulls: pulls.map(({ state, merged, draft }) => ({ state, merged, draft })),
    comments: comments.length,
    left: { ...(await line.leftovers()), leases: await listLeases(line.ports.repository, { remote: 'origin' }) },
  }
}

const EXPECTED = {
  status: 'done',
  refused: [],
  findings: [],
  entries: [
    ['TICKET_OPENED', 1],
    ['WORK_COMMITTED', 1],
    ['DELIVERED', 1],
    ['DECIDED', 3],
    ['CHANGE_INTENDED', 1],
    ['CHANGE_OPENED', 1],
    ['CHANGE_RETURNED', 0],
  ],
  files: { value: 'right', notes: 'begin\nnote' },
  works: 1,
  merges: '1',
  pulls: [{ state: 'closed', merged: true, draft: false }],
  comments: 0,
}

describe('a journey on a forge of another machine that is killed', () => {
  it.runIf(FULL)('has as many steps as the sample knows', { timeout: 600_000 }, async () => {
    const line = await standLine(stand, 'whole', FILES, BOTH)
    const issue = await line.issue('Mend it', ['auto', 'recipe:both'])
    const whole = await work(line.dir, line.env, String(issue), 'auto')
    expect({ stderr: whole.stderr, ...(await ending(line, issue)) }).toMatchObject({ stderr: '', ...EXPECTED })
    const count = (at: string) => whole.lines.filter((text) => text.startsWith(`${at} `)).length
    expect({ after: count('after'), before: count('before'), effect: count('effect') }).toEqual(STEPS)
  })

  it(`ends in the same state with one pull request, wherever it was killed (seed ${SEED})`, { timeout: 7_200_000 }, async () => {
    const wrong: unknown[] = []
    for (const [when, count] of places()) {
      const line = await standLine(stand, `kill-${when}-${count}`, FILES, BOTH)
      const issue = await line.issue('Mend it', ['auto', 'recipe:both'])
      const killed = await work(line.dir, line.env, String(issue), 'auto', when, String(count))
      const again = await work(line.dir, line.env, String(issue), 'auto')
      const end = await ending(line, issue)
      // A claim that was taken over leaves its number, held by nobody.
      const there = end.left.there.filter((ref) => !ref.startsWith('refs/valuetrain/leases/'))
      const here = end.left.here.filter((ref) => !ref.startsWith('refs/valuetrain/rescue/'))
      const got = { when, count, signal: killed.signal, stderr: again.stderr, ...end, left: { ...end.left, here, there } }
      const left = { here: ['refs/heads/main'], there: ['refs/heads/main'], worktrees: 1, leases: [] }
      const due = { when, count, signal: 'SIGKILL', stderr: '', ...EXPECTED, left }
      if (FULL && JSON.stringify(got) !== JSON.stringify(due)) wrong.push(got)
      else expect(got).toEqual(due)
    }
    expect(wrong).toEqual([])
  })

  it.runIf(FULL)('is finished by another clone when the machine does not come back', { timeout: 600_000 }, async () => {
    const config = `${BOTH}lease:\n  ttlMs: 3000\n`
    const line = await standLine(stand, 'elsewhere', FILES, config)
    const issue = await line.issue('Mend it', ['auto', 'recipe:both'])
    await work(line.dir, line.env, String(issue), 'auto', 'effect', '1')
    const other = await cloneLine(stand, line.at, config)
    const first = await work(other.dir, other.env, 'queue', 'auto')
    expect(first.lines.at(-1)).toBe('[]')
    const { drive } = await import('../../conductor/drive.ts')
    const stop = new AbortController()
    const end = drive({ ...other.ports, signal: stop.signal }, { max: 1, merge: 'auto' })
    expect(await end).toMatchObject({ outcome: 'done' })
    expect(await line.pulls()).toMatchObject([{ state: 'closed', merged: true }])
  })
})

/** All places in the full tier; otherwise one, drawn by the seed, and in most runs none. */
function places(): [string, number][] {
  const named = process.env.VALUETRAIN_PLACES
  if (named !== undefined) return named.split(',').map((place) => [place.split(':')[0] as string, Number(place.split(':')[1])])
  const all = Object.entries(STEPS).flatMap(([when, most]) =>
    Array.from({ length: most }, (_, at) => [when, at + 1] as [string, number]),
  )
  return FULL ? all : SEED % 4 === 0 ? [all[(SEED * 7919) % all.length] as [string, number]] : []
}
