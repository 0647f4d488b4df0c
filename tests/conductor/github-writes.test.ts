import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownStand, type Stand } from '../support/github/index.ts'
import { type Ended, type Place, visit } from './places.ts'
import { BLOCKED, begin, ending, type Journey, MENDED, RETURNED, SPOKEN, work } from './stand-journey.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined
const LONG = { timeout: 7_200_000 }

let stand: Stand

ownStand((opened) => {
  stand = opened
})

const JOURNEYS: { what: string; name: string; journey: Journey }[] = [
  { what: 'pull request, reports, labels, reviewers, ready and merge', name: 'mended', journey: MENDED },
  { what: 'what an agent says and labels', name: 'spoken', journey: SPOKEN },
  { what: 'why it is blocked', name: 'blocked', journey: BLOCKED },
  { what: 'what is taken up of a review', name: 'returned', journey: RETURNED },
]

describe.runIf(FULL)('what is written to a forge', () => {
  describe.each(JOURNEYS)('$what', ({ name, journey }) => {
    const whole = once(() => workWhole(name, journey))

    it.each([{ fault: { status: 502 } }, { fault: { cut: true } }])(
      'is there once when each answer is lost once: $fault',
      LONG,
      async ({ fault }) => {
        const { writes, expected } = await whole()
        const { line, issue } = await begin(stand, `${name}-${Object.keys(fault)[0]}`, journey)
        const from = stand.journal.length
        stand.fault({ on: everyOther(), times: 1_000_000, when: 'after', ...fault })
        const { stderr } = await work(stand, line, String(issue), journey.merge)
        stand.clearFaults()
        const lost = stand.journal
          .slice(from)
          .filter(({ method, status }) => method !== 'GET' && (status === 0 || status === 502))
        expect(lost.length).toBeGreaterThanOrEqual(writes.length)
        expect({ stderr, ...(await ending(stand, line, issue)) }).toEqual({ stderr: '', ...expected })
      },
    )

    it('is there once when the program is killed before it reads the answer', LONG, async () => {
      const { writes, expected } = await whole()
      const kill = async (place: Place): Promise<Ended> => {
        const { line, issue } = await begin(stand, `${name}-${place.join('-')}`, journey)
        const killed = await work(stand, line, String(issue), journey.merge, ...place)
        // Who comes next may be told the issue, or look at the queue and find nothing to do in it.
        const isLooking = journey === BLOCKED && place[1] % 2 === 1
        const again = await work(stand, line, isLooking ? 'queue' : String(issue), journey.merge)
        const end = await ending(stand, line, issue)
        await rm(join(line.dir, '..'), { recursive: true, force: true })
        const at = `${place.join(':')} ${writes[place[1] - 1]}`
        return {
          got: { at, signal: killed.signal, stderr: again.stderr, ...end },
          due: { at, signal: 'SIGKILL', stderr: '', ...expected },
        }
      }
      const places = writes.map((_, at): Place => ['sent', at + 1])
      const wrong = await visit(`github-writes-${name}`, async () => places.filter((_, at) => isNew(writes, at)), [], kill)
      expect(wrong.map(({ got }) => got)).toEqual(wrong.map(({ due }) => due))
    })
  })
})

/** What a journey writes when nothing goes wrong, and how it ends. */
async function workWhole(name: string, journey: Journey) {
  const { line, issue } = await begin(stand, `${name}-whole`, journey)
  const { lines, stderr } = await work(stand, line, String(issue), journey.merge)
  const expected = await ending(stand, line, issue)
  expect({ stderr, findings: expected.findings, refused: expected.refused }).toEqual({ stderr: '', findings: [], refused: [] })
  return { writes: lines.filter((text) => text.startsWith('sent ')), expected }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

/** Matches every writing request the first time, the third time and so on that it is made: its answer is lost, and it is made again. */
function everyOther(): RegExp {
  const counts = new Map<string, number>()
  const on = /^/
  on.test = (line) => {
    if (line.startsWith('GET ')) return false
    const count = (counts.get(line) ?? 0) + 1
    counts.set(line, count)
    return count % 2 === 1
  }
  return on
}

/** Tells whether a write is the first of its kind, or the last; the reports of gates are many and alike. */
function isNew(writes: readonly string[], at: number): boolean {
  const write = writes[at] as string
  return !write.includes('/statuses/') || writes.indexOf(write) === at || writes.lastIndexOf(write) === at
}
