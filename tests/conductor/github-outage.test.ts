import { describe, expect, it } from 'vitest'
import { selectIssues } from '../../agents/index.ts'
import { drive } from '../../conductor/drive.ts'
import { SimulatedClock } from '../../core/clock.ts'
import type { EventType } from '../../core/contracts/event.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { CONFIG, type StandLine, standLine } from './stand-line.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 7)
/** Whether one of these longer tests is run: all of them in the full tier, otherwise at most one, drawn by the seed. */
const isDrawn = (at: number) => FULL || SEED % 16 === at
const LONG = { timeout: 600_000 }
const MINUTE_MS = 60_000

let stand: Stand

ownStand((opened) => {
  stand = opened
})

/** A drive that stays, on a clock that is moved by waiting only, until the pull request is there and waits for a person. */
async function driven(name: string, at: 'look' | EventType, trouble: (clock: SimulatedClock) => () => boolean) {
  const clock = new SimulatedClock()
  const stop = new AbortController()
  let isOver: (() => boolean) | undefined
  let spent = 0
  const begin = (place: string) => {
    if (place === at && isOver === undefined) isOver = trouble(clock)
  }
  const sleep = clock.sleep.bind(clock)
  clock.sleep = async (ms, signal) => {
    await sleep(ms, signal)
    // Others are let in: time that is moved by waiting alone never ends a turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (isOver?.() && isQuiet(line)) stop.abort()
    // Something is stuck, and the test says what.
    if (++spent > 3000) stop.abort()
  }
  const files = { 'value.txt': 'wrong', 'notes.txt': 'begin\n' }
  const config = `${CONFIG}drive: { pollMs: ${MINUTE_MS} }\nlease: { ttlMs: 600000 }\n`
  const line = await standLine(stand, name, files, config, {
    clock,
    signal: stop.signal,
    onEvent: (ticket, entry) => {
      line.written.push({ ticket, entry })
      begin(entry.type)
    },
    select: (...given) => {
      begin('look')
      return selectIssues(...given)
    },
  })
  const issue = await line.issue('Mend it', ['auto', 'recipe:mend'])
  await drive(line.ports, { merge: 'person' }).catch((error) => {
    if (!stop.signal.aborted) throw error
  })
  return { line, issue, clock }
}

/** Delivered, and made ready: what comes next is a person's. */
function isQuiet(line: StandLine): boolean {
  const last = stand.journal.findLast(({ path, body }) => path === '/graphql' && JSON.stringify(body).includes('ForReview'))
  return line.types().includes('DELIVERED') && last?.status === 200
}

async function expectOnePull(line: StandLine, issue: number): Promise<void> {
  const pulls = await line.pulls()
  expect(
    pulls.map(({ head, state, draft }) => [head.ref, state, draft]),
    line.told.join('\n'),
  ).toEqual([[`phase/build_${issue}`, 'open', false]])
  const statuses = line.at.statuses(pulls[0].head.sha)
  expect(statuses.filter(({ state }) => state !== 'success')).toEqual([])
  expect(statuses.map(({ context }) => context)).toEqual(expect.arrayContaining(['valuetrain', 'valuetrain/test']))
  const contexts = statuses.map(({ context }) => context)
  expect(new Set(contexts).size).toBe(contexts.length)
}

describe(`a drive on GitHub, on a simulated clock (seed ${SEED})`, () => {
  const places = ['look', 'CHANGE_INTENDED', 'CHANGE_OPENED', 'DELIVERED'] as const
  it.each(places.filter((_, at) => isDrawn(11 + at)))(
    'goes on after ten minutes without a network that begin at %s, and ends with one pull request',
    LONG,
    async (place) => {
      const { line, issue } = await driven(`outage-${place.toLowerCase().replace('_', '-')}`, place, (clock) => {
        stand.setDown(true)
        const from = clock.now()
        return () => {
          const isOver = clock.now() - from >= 10 * MINUTE_MS
          if (isOver) stand.setDown(false)
          return isOver
        }
      })
      await expectOnePull(line, issue)
    },
  )

  it.runIf(isDrawn(15))(
    'waits for a secondary and for the hourly limit as long as GitHub asks, and makes nothing twice',
    LONG,
    async () => {
      const reset = String(Math.floor(Date.now() / 1000) + 600)
      const { line, issue, clock } = await driven('limits', 'CHANGE_INTENDED', () => {
        stand.fault({
          on: /POST .*\/pulls$/,
          status: 403,
          headers: { 'retry-after': '120' },
          body: { message: 'You have exceeded a secondary rate limit.' },
        })
        stand.fault({
          on: /POST .*\/statuses\/.*/,
          status: 403,
          headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
          body: { message: 'API rate limit exceeded for user ID 1.' },
        })
        return () => true
      })
      await expectOnePull(line, issue)
      expect(clock.now() - new SimulatedClock().now()).toBeGreaterThan(120_000 + 590_000)
    },
  )

  // The last one here: the pilot's token is no good afterwards.
  it.runIf(isDrawn(5))('says so when the token is revoked in the middle, and keeps the work', LONG, async () => {
    const files = { 'value.txt': 'wrong', 'notes.txt': 'begin\n' }
    const revoke = { onEvent: (_: string, { type }: { type: string }) => void (type === 'WORK_COMMITTED' && lose()) }
    const line = await standLine(stand, 'revoked', files, CONFIG, revoke)
    const lose = () => stand.revoke(stand.token('pilot'))
    const issue = await line.issue('Mend it', ['auto', 'recipe:mend'])
    const refused = await drive(line.ports, { once: true, merge: 'person' }).catch((error) => error)
    expect(refused).toMatchObject({
      code: 'VT_REMOTE',
      message: expect.stringContaining('Invalid username or token'),
      hint: expect.stringContaining('`valuetrain doctor` looks at it'),
    })
    expect(JSON.stringify([refused.message, refused.details, line.told])).not.toContain(stand.token('pilot'))
    expect(line.told.join('\n')).toContain('not pushed yet')
    expect(await line.ports.repository.git.text(['show', `phase/build_${issue}:value.txt`])).toBe('right')
  })
})
