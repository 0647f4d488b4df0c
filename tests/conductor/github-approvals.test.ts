import { describe, expect, it } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { systemClock } from '../../core/clock.ts'
import type { EventData, EventType } from '../../core/contracts/event.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { CONFIG, type StandLine, standLine } from './stand-line.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 7)
/** Whether one of these longer tests is run: all of them in the full tier, otherwise at most one, drawn by the seed. */
const isDrawn = (at: number) => FULL || SEED % 16 === at
const LONG = { timeout: 600_000 }

let stand: Stand

ownStand((opened) => {
  stand = opened
})

const WORKFLOW = '.github/workflows/test.yml'
const SCRIPT = `turns:
  - attempt: 1
    steps: [{ do: write, path: ${WORKFLOW}, content: "on: push\\n" }]
  - steps: [{ do: remove, path: ${WORKFLOW} }, { do: append, path: notes.txt, content: "attempt {attempt}\\n" }]
`

/** A drive that stays, on an issue whose agent changes a protected path. */
async function watched(name: string) {
  const stop = new AbortController()
  const files = { 'value.txt': 'right', 'notes.txt': 'begin\n', '.valuetrain/scripted.yaml': SCRIPT }
  const config = `${CONFIG}drive: { pollMs: 100 }\n`
  const line = await standLine(stand, name, files, config, { signal: stop.signal })
  const issue = await line.issue('Test on every push', ['auto', 'agent:scripted'])
  const driving = drive(line.ports, { merge: 'person' })
  await seen(line, 'WAITING_BEGUN')
  const [{ number }] = await line.pulls()
  const review = (login: string, event: string, body: string) =>
    stand.as(login)('POST', `/repos/${line.at.fullName}/pulls/${number}/reviews`, { event, body })
  const say = (login: string, body: string) =>
    stand.as(login)('POST', `/repos/${line.at.fullName}/issues/${issue}/comments`, { body })
  const end = async () => {
    stop.abort()
    await driving.catch(() => {})
  }
  return { line, issue, number: number as number, review, say, end }
}

/** Waits until the log has so many entries of a type. */
async function seen(line: StandLine, type: string, count = 1): Promise<void> {
  while (line.types().filter((other) => other === type).length < count) await systemClock.sleep(50)
}

const entriesOf = <T extends EventType>(line: StandLine, type: T) =>
  line.written.flatMap(({ entry }) => (entry.type === type && entry.data ? [entry.data as unknown as EventData<T>] : []))

describe(`a change of protected paths on GitHub (seed ${SEED})`, () => {
  it.runIf(isDrawn(8))('waits for a review by somebody with write access, and then goes on by itself', LONG, async () => {
    const { line, review, end } = await watched('by-review')
    expect(entriesOf(line, 'DECIDED')).toMatchObject([{ outcome: 'hold', code: 'people-missing' }])
    // The pull request is a draft, and who opened it cannot approve it.
    await expect(review('pilot', 'APPROVE', 'mine')).rejects.toThrow('Can not approve your own pull request')
    await review('triager', 'APPROVE', 'fine by me')
    await review('reader', 'APPROVE', 'fine by me, too')
    const from = stand.journal.length
    while (!stand.journal.slice(from).some(({ path }) => path.endsWith('/reviews'))) await systemClock.sleep(50)
    await systemClock.sleep(500)
    // Looking again and again takes no claim and writes nothing.
    expect(stand.journal.slice(from).filter(({ method, path }) => method !== 'GET' && path !== '/graphql')).toEqual([])
    expect([line.types().includes('APPROVED'), line.types().at(-1)]).toEqual([false, 'WAITING_BEGUN'])
    await review('rita', 'APPROVE', 'right')
    await seen(line, 'DELIVERED')
    expect(entriesOf(line, 'APPROVED')).toMatchObject([
      {
        gate: 'protected-paths',
        channel: 'review',
        actor: { kind: 'human', name: 'rita' },
        via: { id: expect.stringMatching(/^review-\d+$/), login: 'rita', permission: 'write' },
      },
    ])
    expect(entriesOf(line, 'TURN_STARTED')).toHaveLength(1)
    await end()
  })

  it.runIf(isDrawn(9))('goes on by the comment /approve, too, and a word at the terminal counts for nothing', LONG, async () => {
    const { line, issue, say, end } = await watched('by-comment')
    const { operate } = await import('../../conductor/operate.ts')
    await operate(line.ports, issue, { type: 'approve', channel: 'terminal' }, { name: 'Ada' })
    await seen(line, 'WAITING_BEGUN', 2)
    await say('reader', '/approve')
    await say('rita', 'Looks right.\n\n/approve')
    await seen(line, 'DELIVERED')
    expect(entriesOf(line, 'APPROVED').map((data) => [data.channel, data.via?.login, data.via?.permission])).toEqual([
      ['terminal', undefined, undefined],
      ['comment', 'rita', 'write'],
    ])
    await end()
  })

  it.runIf(isDrawn(10))('goes back to work with a reviewer’s words when they say no', LONG, async () => {
    const { line, issue, review, end } = await watched('refused')
    await review('rita', 'REQUEST_CHANGES', 'We test elsewhere.')
    await seen(line, 'DELIVERED')
    expect(entriesOf(line, 'COMMENTED')).toMatchObject([{ text: 'We test elsewhere.', via: { login: 'rita' } }])
    expect(entriesOf(line, 'DECIDED')[1]).toMatchObject({
      outcome: 'iterate',
      code: 'refused',
      reasons: ['rita does not approve: We test elsewhere.'],
    })
    const files = await line.at.git.text(['ls-tree', '-r', '--name-only', `phase/build_${issue}`])
    expect(files.split('\n')).not.toContain(WORKFLOW)
    await end()
  })
})
