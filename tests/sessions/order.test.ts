import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countingIds, type Ids } from '../../core/ids.ts'
import { assembleSession, headerDigest, headOf, orderSegments, type Segment, type TicketSession } from '../../sessions/index.ts'
import { comments, headerOf, segmentOf } from './written.ts'

/** Makes segments by name; each continues others at their end, or behind their nth entry. */
function family(ids: Ids = countingIds()) {
  const session = ids.ulid()
  return function member(name: string, entries: number, epoch: number, parents: (Segment | [Segment, number])[] = []): Segment {
    const named = parents.map((parent) => {
      const [segment, after] = Array.isArray(parent) ? parent : [parent, parent.entries.length]
      const head = after === 0 ? headerDigest(segment.header) : (segment.entries[after - 1]?.hash ?? headOf(segment))
      return { segment: segment.header.segment, head }
    })
    return segmentOf(headerOf({ ids, session, epoch, parents: named }), comments(entries, name), ids)
  }
}

const said = (entries: TicketSession['entries']) => entries.map(({ data }) => (data as { text: string }).text)
const load = (segments: Segment[]) => assembleSession('build_42', segments)
const errors = (session: TicketSession) => session.findings.filter(({ severity }) => severity === 'error').map(({ rule }) => rule)

describe('the order of segments', () => {
  it('follows parents, whatever ids, times and the order of reading say', () => {
    // Ids that run backwards: the youngest segment has the smallest.
    let left = 9000
    const member = family({ ulid: () => countingIds(left--).ulid() })
    const a = member('a', 2, 1)
    const b = member('b', 1, 1, [a])
    const c = member('c', 2, 1, [b])
    const whole = [a, b, c, member('d', 1, 1, [c])]
    fc.assert(
      fc.property(fc.shuffledSubarray(whole, { minLength: 4 }), (shuffled) => {
        const { line, findings } = orderSegments(shuffled)
        expect(line.map(({ segment }) => segment)).toEqual(whole)
        expect(findings).toEqual([])
      }),
    )
  })

  it('takes the side of the higher epoch; what the older one wrote after the takeover is shown and not folded', () => {
    const member = family()
    const old = member('old', 4, 1)
    const taker = member('new', 2, 2, [[old, 2]])
    const session = load([taker, old])
    expect(said(session.entries)).toEqual(['old 0', 'old 1', 'new 0', 'new 1'])
    expect(said(session.outranked)).toEqual(['old 2', 'old 3'])
    expect(errors(session)).toEqual([])
    expect(session.heads[0]).toEqual({ segment: taker.header.segment, head: headOf(taker) })
  })

  it('does not fold what the older epoch went on with in a segment of its own', () => {
    const member = family()
    const old = member('old', 1, 1)
    const rolled = member('rolled', 3, 1, [old])
    const taker = member('new', 1, 2, [old])
    const session = load([old, rolled, taker])
    expect(said(session.entries)).toEqual(['old 0', 'new 0'])
    expect(said(session.outranked)).toEqual(['rolled 0', 'rolled 1', 'rolled 2'])
    expect(session.forks).toEqual([
      {
        parent: old.header.segment,
        children: [rolled.header.segment, taker.header.segment],
        chosen: taker.header.segment,
        by: 'epoch',
      },
    ])
    expect(errors(session)).toEqual([])
  })

  it('looks at the highest epoch a side reaches, not at the first of it', () => {
    const member = family()
    const root = member('root', 1, 1)
    const one = member('one', 1, 1, [root])
    const taken = member('taken', 1, 2, [root])
    const again = member('again', 1, 3, [one])
    expect(said(load([root, one, taken, again]).entries)).toEqual(['root 0', 'one 0', 'again 0'])
  })

  it('of a fork of equal epochs is the same in every clone, and a finding', () => {
    const member = family()
    const root = member('root', 1, 1)
    const sides = [member('x', 1, 1, [root]), member('y', 1, 1, [root])]
    const first = load([root, ...sides])
    const second = load([...sides.toReversed(), root])
    expect(said(first.entries)).toEqual(said(second.entries))
    expect(said(first.entries)).toHaveLength(2)
    expect(said(first.outranked)).toHaveLength(1)
    expect(errors(first)).toEqual(['session-fork'])
    expect(first.forks[0]?.by).toBe('undecided')
  })

  it('of a fork of equal epochs is decided by a segment that names both, the chosen one first', () => {
    const member = family()
    const root = member('root', 1, 1)
    const x = member('x', 1, 1, [root])
    const y = member('y', 1, 1, [root])
    for (const [chosen, other] of [
      [x, y],
      [y, x],
    ] as const) {
      const merged = member('merged', 1, 1, [chosen, other])
      const session = load([root, x, y, merged])
      expect(session.entries.map(({ segment }) => segment)).toEqual([root, chosen, merged].map(({ header }) => header.segment))
      expect({ by: session.forks[0]?.by, errors: errors(session) }).toEqual({ by: 'merged', errors: [] })
    }
  })

  it('treats two beginnings as a fork', () => {
    const member = family()
    const session = load([member('x', 1, 1), member('y', 1, 2)])
    expect(said(session.entries)).toEqual(['y 0'])
    expect(session.forks[0]).toMatchObject({ parent: null, by: 'epoch' })
  })

  it('names a parent that is not there, or that never had the head', () => {
    const member = family()
    const a = member('a', 2, 1)
    const b = member('b', 1, 1, [a])
    expect(errors(load([b]))).toEqual(['parent-unknown'])
    expect(said(load([b]).entries)).toEqual(['b 0'])
    const cut = { ...a, entries: a.entries.slice(0, 1) }
    expect(errors(load([cut, b]))).toEqual(['parent-head-unknown'])
  })

  it('ends on segments that name one another, or are there twice', () => {
    const member = family()
    const a = member('a', 1, 1)
    const b = member('b', 1, 1, [a])
    const loop = { ...a, header: { ...a.header, parents: [{ segment: b.header.segment, head: headOf(b) }] } }
    expect(errors(load([loop, b]))).toContain('session-cycle')
    expect(errors(load([a, { ...a }, b]))).toContain('segment-repeated')
  })

  it('counts nothing of a parent whose follower began before its first entry', () => {
    const member = family()
    const old = member('old', 2, 1)
    const taker = member('new', 1, 2, [[old, 0]])
    expect(said(load([old, taker]).entries)).toEqual(['new 0'])
  })
})
