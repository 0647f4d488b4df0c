import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { allPlaces, type Ended, type Place, visit } from './places.ts'
import { begin, ending, MENDED, placesOf, work } from './stand-journey.ts'
import { cloneLine } from './stand-line.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 4)
/** Entries, ids, requests, pushes and effects of the whole journey; the full tier counts them anew and says when they are others. */
const STEPS = { effect: 5, pushed: 16, sent: 25, after: 84, before: 153 }

let stand: Stand

ownStand((opened) => {
  stand = opened
})

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
  labels: ['auto', 'recipe:both'],
  comments: [],
  left: { here: ['refs/heads/main'], there: ['refs/heads/main'], worktrees: 1, leases: [] },
}

describe('a journey on a forge of another machine that is killed', () => {
  it.runIf(FULL)('has as many places as the sample knows', { timeout: 600_000 }, async () => {
    const all = await places()
    const count = (kind: string) => Math.max(...all.flatMap(([when, at]) => (when === kind ? at : [])))
    expect({ effect: count('effect'), after: count('after'), before: count('before') }).toEqual({
      effect: STEPS.effect,
      after: STEPS.after,
      before: STEPS.before,
    })
    // The longer it takes, the more often its claim is renewed.
    expect(count('pushed')).toBeGreaterThanOrEqual(STEPS.pushed)
    expect(count('sent')).toBeGreaterThanOrEqual(STEPS.sent)
  })

  it(`ends in the same state with one pull request, wherever it was killed (seed ${SEED})`, { timeout: 14_400_000 }, async () => {
    const wrong = await visit('github-kill', places, drawn(), killAndResume)
    expect(wrong.map(({ got }) => got)).toEqual(wrong.map(({ due }) => due))
  })

  it.runIf(FULL)('is finished by another clone when the machine does not come back', { timeout: 600_000 }, async () => {
    const journey = { ...MENDED, config: `${MENDED.config}lease:\n  ttlMs: 3000\n` }
    const { line, issue } = await begin(stand, 'elsewhere', journey)
    expect(await work(stand, line, String(issue), 'auto', 'effect', 1)).toMatchObject({ signal: 'SIGKILL' })
    const other = await cloneLine(stand, line.at, journey.config)
    // Not before it has seen the claim unchanged for the whole time of a lease.
    const first = await work(stand, other, 'queue', 'auto')
    expect(first.lines.at(-1)).toBe('[]')
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    expect(await drive({ ...other.ports, signal: stop.signal }, { max: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(await line.pulls()).toMatchObject([{ state: 'closed', merged: true }])
  })
})

/** Every place of the whole journey at which a kill can leave something else than at the place before. */
async function places(): Promise<Place[]> {
  const { line, issue } = await begin(stand, `whole-${++wholes}`, MENDED)
  const found = await placesOf(stand, line, issue, 'auto')
  expect(await ending(stand, line, issue)).toEqual(EXPECTED)
  return found
}

let wholes = 0

/** Kills a journey at a place and lets a new process finish it. */
async function killAndResume(place: Place): Promise<Ended> {
  const { line, issue } = await begin(stand, `kill-${place.join('-')}`, MENDED)
  const killed = await work(stand, line, String(issue), 'auto', ...place)
  const again = await work(stand, line, String(issue), 'auto')
  const end = await ending(stand, line, issue)
  await rm(join(line.dir, '..'), { recursive: true, force: true })
  const at = place.join(':')
  return {
    got: { at, signal: killed.signal, stderr: again.stderr, ...end },
    due: { at, signal: 'SIGKILL', stderr: '', ...EXPECTED },
  }
}

/** One place, drawn by the seed, and in most runs none. */
function drawn(): Place[] {
  const all = allPlaces(STEPS)
  return SEED % 4 === 0 ? [all[(SEED * 7919) % all.length] as Place] : []
}
