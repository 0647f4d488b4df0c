import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { findTicket } from '../../conductor/sources.ts'
import { listLeases } from '../../core/lease.ts'
import { defaultBase } from '../../core/repository.ts'
import { openStand, type Stand } from '../support/github/index.ts'
import { allPlaces, type Ended, type Place, visit } from './places.ts'
import { programOf } from './program.ts'
import { CONFIG, cloneLine, type StandLine, standLine } from './stand-line.ts'

const program = programOf(fileURLToPath(new URL('./stand-worker.ts', import.meta.url)))
const FILES = { 'value.txt': 'wrong', 'notes.txt': 'begin\n' }
const BOTH = CONFIG.replace(
  'forge: github',
  `  both: [[sh, -c, 'echo note >> notes.txt'], [sh, -c, 'printf right > value.txt']]\ndelivery:\n  labels: ['from: train']\n  reviewers: [rita]\nforge: github`,
)
const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 4)
/** Entries, ids, requests, pushes and effects of the whole journey; the full tier counts them anew and says when they are others. */
const STEPS = { effect: 6, pushed: 16, sent: 25, after: 84, before: 153 }

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

/** Works in a process of its own, which kills itself at a place, or which the other side of its n-th push kills (`pushed n`). */
async function work(line: StandLine, what: string, ...[when, count = 0]: [] | Place): Promise<Worked> {
  const file = await program()
  const place = when === undefined || when === 'pushed' ? [] : [when, String(count)]
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [file, line.dir, stand.token('pilot'), what, 'auto', ...place],
      { env: line.env, timeout: 600_000, maxBuffer: 1e8 },
      (error, stdout, stderr) => resolve({ signal: error?.signal ?? undefined, lines: stdout.trim().split('\n'), stderr }),
    )
    if (when === 'pushed') void killAtPush(line, child.pid as number, count)
  })
}

/** Returns the bare repository on the stand. */
function placeOf({ at }: StandLine): Promise<string> {
  return at.git.text(['rev-parse', '--absolute-git-dir'])
}

/** Lets the repository on the stand kill a process when refs were moved by a push for the n-th time. */
async function killAtPush(line: StandLine, pid: number, count: number): Promise<void> {
  const hook = `#!/bin/sh\necho pushed >> "$GIT_DIR/pushes"\n[ "$(wc -l < "$GIT_DIR/pushes")" -eq ${count} ] && kill -9 ${pid}\nexit 0\n`
  await writeFile(join(await placeOf(line), 'hooks', 'post-receive'), hook, { mode: 0o755 })
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
    pulls: pulls.map(({ state, merged, draft, labels, requested_reviewers }) => ({
      state,
      merged,
      draft,
      labels: labels.map(({ name }: { name: string }) => name),
      reviewers: requested_reviewers.map(({ login }: { login: string }) => login),
    })),
    comments: comments.length,
    left: { ...(await line.leftovers()), leases: await listLeases(line.ports.repository, { remote: 'origin' }) },
  }
}

const NOTHING = { here: ['refs/heads/main'], there: ['refs/heads/main'], worktrees: 1, leases: [] }
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
  pulls: [{ state: 'closed', merged: true, draft: false, labels: ['from: train'], reviewers: ['rita'] }],
  comments: 0,
}

describe('a journey on a forge of another machine that is killed', () => {
  it.runIf(FULL)('has as many steps as the sample knows', { timeout: 600_000 }, async () => {
    expect(await countSteps()).toEqual(STEPS)
  })

  it(`ends in the same state with one pull request, wherever it was killed (seed ${SEED})`, { timeout: 14_400_000 }, async () => {
    const wrong = await visit('github-kill', async () => allPlaces(await countSteps()), drawn(), killAndResume)
    expect(wrong.map(({ got }) => got)).toEqual(wrong.map(({ due }) => due))
  })

  it.runIf(FULL)('is finished by another clone when the machine does not come back', { timeout: 600_000 }, async () => {
    const config = `${BOTH}lease:\n  ttlMs: 3000\n`
    const line = await standLine(stand, 'elsewhere', FILES, config)
    const issue = await line.issue('Mend it', ['auto', 'recipe:both'])
    expect(await work(line, String(issue), 'effect', 1)).toMatchObject({ signal: 'SIGKILL' })
    const other = await cloneLine(stand, line.at, config)
    // Not before it has seen the claim unchanged for the whole time of a lease.
    const first = await work(other, 'queue')
    expect(first.lines.at(-1)).toBe('[]')
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    expect(await drive({ ...other.ports, signal: stop.signal }, { max: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(await line.pulls()).toMatchObject([{ state: 'closed', merged: true }])
  })
})

/** Counts what the whole journey does of each kind at which it can be killed. */
async function countSteps(): Promise<Record<string, number>> {
  const line = await standLine(stand, `whole-${++wholes}`, FILES, BOTH)
  const issue = await line.issue('Mend it', ['auto', 'recipe:both'])
  const whole = await work(line, String(issue), 'pushed', 0)
  expect({ stderr: whole.stderr, ...(await ending(line, issue)) }).toMatchObject({ stderr: '', ...EXPECTED })
  const count = (at: string) => whole.lines.filter((text) => text.startsWith(`${at} `)).length
  const pushes = await readFile(join(await placeOf(line), 'pushes'), 'utf8')
  const pushed = pushes.trim().split('\n').length
  return { effect: count('effect'), pushed, sent: count('sent'), after: count('after'), before: count('before') }
}

let wholes = 0

/** Kills a journey at a place and lets a new process finish it. */
async function killAndResume(place: Place): Promise<Ended> {
  const line = await standLine(stand, `kill-${place.join('-')}`, FILES, BOTH)
  const issue = await line.issue('Mend it', ['auto', 'recipe:both'])
  const killed = await work(line, String(issue), ...place)
  const again = await work(line, String(issue))
  const end = await ending(line, issue)
  // A claim that was taken over leaves its number, held by nobody.
  const there = end.left.there.filter((ref) => !ref.startsWith('refs/valuetrain/leases/'))
  const here = end.left.here.filter((ref) => !ref.startsWith('refs/valuetrain/rescue/'))
  const left = { ...end.left, here, there }
  await rm(join(line.dir, '..'), { recursive: true, force: true })
  const at = place.join(':')
  return {
    got: { at, signal: killed.signal, stderr: again.stderr, ...end, left },
    due: { at, signal: 'SIGKILL', stderr: '', ...EXPECTED, left: NOTHING },
  }
}

/** One place, drawn by the seed, and in most runs none. */
function drawn(): Place[] {
  const all = allPlaces(STEPS)
  return SEED % 4 === 0 ? [all[(SEED * 7919) % all.length] as Place] : []
}
