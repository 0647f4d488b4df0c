import { describe, expect, it } from 'vitest'
import { scriptedRuntime } from '../../agents/runtimes/scripted.ts'
import { drive } from '../../conductor/drive.ts'
import { runIssue } from '../../conductor/run.ts'
import { surveyTickets } from '../../conductor/survey.ts'
import { SimulatedClock } from '../../core/clock.ts'
import type { Runtime } from '../../core/contracts/runtime.ts'
import { CONFIG, issueFile, makeLine } from './line.ts'

const THREE = `${CONFIG}  a: [[sh, -c, 'echo a > a.txt']]
  b: [[sh, -c, 'echo b > b.txt']]
  c: [[sh, -c, 'echo c > c.txt']]
`
const BASE = { 'value.txt': 'right', '.valuetrain/config.yaml': THREE }

const HOUR_MS = 3_600_000

describe('the queue', () => {
  it('merges three issues driven in parallel one after another, each judged on the merge result', async () => {
    const line = await makeLine({
      ...BASE,
      ...issueFile(1, 'A', ['auto', 'recipe:a']),
      ...issueFile(2, 'B', ['auto', 'recipe:b']),
      ...issueFile(3, 'C', ['auto', 'recipe:c']),
    })
    const result = await drive(line.ports, { once: true, parallel: 3, merge: 'auto' })
    expect(result).toMatchObject({ outcome: 'done', issues: [{ outcome: 'done' }, { outcome: 'done' }, { outcome: 'done' }] })
    const merges = (await line.git.text(['rev-list', '--first-parent', '--reverse', '--merges', 'main'])).split('\n')
    expect(merges).toHaveLength(3)
    // The base each change was judged on is exactly the first parent it was merged into.
    const delivered = line.written
      .filter(({ entry }) => entry.type === 'DELIVERED')
      .map(({ entry }) => (entry.data as { base: string }).base)
    const parents = await Promise.all(merges.map((merge) => line.git.text(['rev-parse', `${merge}^1`])))
    expect(delivered).toEqual(parents)
    expect(await line.git.text(['ls-tree', '--name-only', 'main'])).toBe('.valuetrain\na.txt\nb.txt\nc.txt\nvalue.txt')
    expect((await surveyTickets(line.ports)).map(({ ticket, status }) => [ticket, status])).toEqual([
      ['build_1', 'done'],
      ['build_2', 'done'],
      ['build_3', 'done'],
    ])
  })

  it('goes on with the others when one is blocked, and says why issues are passed over', async () => {
    const line = await makeLine({
      ...BASE,
      ...issueFile(1, 'Break', ['auto', 'now', 'recipe:break']),
      ...issueFile(2, 'B', ['auto', 'recipe:b']),
      ...issueFile(3, 'Mine', ['recipe:c']),
    })
    const result = await drive(line.ports, { once: true, merge: 'auto' })
    expect(result.issues.map(({ issue, outcome }) => [issue, outcome])).toEqual([
      [1, 'blocked'],
      [2, 'done'],
    ])
    expect(result.passed.map(({ number }) => number)).toEqual([1, 3])
    expect(result.outcome).toBe('blocked')
  })

  it('is empty when nothing is ready', async () => {
    const line = await makeLine({ ...BASE })
    expect(await drive(line.ports, { once: true })).toMatchObject({ outcome: 'empty', issues: [] })
  })

  it('parks a ticket until a usage limit is over, which costs no attempt, and says meanwhile what the queue needs', async () => {
    const clock = new SimulatedClock()
    const start = clock.now()
    const until = new Date(start + 5 * HOUR_MS).toISOString()
    const [limited, mended] = [
      scriptedRuntime({ turns: [{ steps: [{ do: 'end', outcome: 'limited', reason: 'five hours are used up', until }] }] }),
      scriptedRuntime({ turns: [{ steps: [{ do: 'write', path: 'a.txt', content: 'a' }] }] }),
    ]
    const stop = new AbortController()
    const sleep = clock.sleep.bind(clock)
    clock.sleep = async (ms, signal) => {
      await sleep(ms, signal)
      if (clock.now() - start > 8 * HOUR_MS) stop.abort()
    }
    const [turns, told]: [number[], string[]] = [[], []]
    const turn: Runtime['turn'] = (request, onEvent) => {
      turns.push(clock.now() - start)
      return (turns.length === 1 ? limited : mended).turn(request, onEvent)
    }
    const config = `${BASE['.valuetrain/config.yaml']}drive: { pollMs: ${HOUR_MS} }\n`
    const line = await makeLine(
      { ...BASE, '.valuetrain/config.yaml': config, ...issueFile(1, 'A', ['auto', 'agent:scripted']) },
      { clock, runtimes: [{ ...mended, turn }], signal: stop.signal, onProgress: (who, text) => told.push(`${who}: ${text}`) },
    )
    const { issues } = await drive(line.ports, { merge: 'auto' }).catch(() => ({ issues: undefined }))
    expect(turns.map((at) => Math.round(at / HOUR_MS))).toEqual([0, 5])
    const ended = line.written.filter(({ entry }) => entry.type === 'BRIEFED').map(({ entry }) => entry.data)
    expect(ended).toMatchObject([{ attempt: 1 }])
    expect([issues?.map(({ outcome }) => outcome), line.types('build_1').at(-1)]).toEqual([['done'], 'DELIVERED'])
    const empty = 'queue: no issue is ready; `valuetrain issue list` says why, and one that is labelled auto is begun'
    expect(told.filter((text) => text.startsWith('queue:'))).toEqual([empty, empty])
  })

  it('ends after the number of issues it was told', async () => {
    const line = await makeLine({
      ...BASE,
      ...issueFile(1, 'A', ['auto', 'recipe:a']),
      ...issueFile(2, 'B', ['auto', 'recipe:b']),
    })
    const result = await drive(line.ports, { max: 1, merge: 'auto' })
    expect(result.issues.map(({ issue }) => issue)).toEqual([1])
  })

  it('lets one of two runs of the same issue win and tells the other who holds it', async () => {
    const line = await makeLine({ ...BASE, ...issueFile(1, 'A', ['auto', 'recipe:a']) })
    const both = await Promise.allSettled([
      runIssue(line.ports, { issue: 1, merge: 'auto' }),
      runIssue(line.ports, { issue: 1, merge: 'auto' }),
    ])
    const lost = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
    const won = both.find(({ status }) => status === 'fulfilled') as PromiseFulfilledResult<{ outcome: string }> | undefined
    expect([won?.value.outcome, lost?.reason.code]).toEqual(['done', 'VT_LEASE_HELD'])
  })

  it('reads no state from its own refs: without them every ticket stands where it stood', async () => {
    const line = await makeLine({
      ...BASE,
      ...issueFile(1, 'A', ['auto', 'recipe:a']),
      ...issueFile(2, 'Break', ['auto', 'recipe:break']),
      ...issueFile(3, 'Think', ['auto', 'agent:person']),
    })
    await drive(line.ports, { once: true, merge: 'auto' })
    const before = await surveyTickets(line.ports)
    expect(before.map(({ status }) => status)).toEqual(['done', 'blocked', 'waiting'])
    for (const ref of (await line.git.text(['for-each-ref', '--format=%(refname)', 'refs/valuetrain'])).split('\n')) {
      if (ref !== '') await line.git.run(['update-ref', '-d', ref])
    }
    expect(await surveyTickets(line.ports)).toEqual(before)
  })
})
