import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, digestOf, sha256 } from '../../core/canonical.ts'
import type { Entry } from '../../core/contracts/event.ts'
import { countingIds } from '../../core/ids.ts'
import { checkChain, hashOf, headOf, isPrefix, prefixFindings, redactEntry, type Segment } from '../../sessions/index.ts'
import { comments, headerOf, segmentOf } from './written.ts'

const ids = countingIds()
const whole = segmentOf(headerOf({ ids }), comments(5), ids)
const change = (at: number, fields: object): Segment => ({
  ...whole,
  entries: whole.entries.map((entry, position) => (position === at ? ({ ...entry, ...fields } as Entry) : entry)),
})
const rules = (segment: Segment) => checkChain(segment).map(({ rule }) => rule)

describe('the hash of an entry', () => {
  it('is SHA-256 over the canonical JSON of its envelope, whatever the order of the data’s keys', () => {
    const odd = fc.constantFrom({ b: 1, a: { 10: 'x', 9: [null, -0] } }, { text: '\ud800', '\udfff': 1 }, { text: '\\ud800 "' })
    fc.assert(
      fc.property(fc.oneof(odd, fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())), (data) => {
        const entry = { v: 1 as const, seq: 3, id: ids.ulid(), ts: 'x', type: 'COMMENTED', data, prev: 'a'.repeat(64) }
        const { v, seq, id, ts, type, prev } = entry
        expect(hashOf(entry)).toBe(sha256(canonicalJson({ v, seq, id, ts, type, prev, digest: digestOf(data) })))
      }),
    )
  })

  it('is refused for a number that JSON cannot hold rather than taken for null', () => {
    const data = JSON.parse('{"value":1e999}')
    expect(() => hashOf({ ...(whole.entries[0] as Entry), data })).toThrow(TypeError)
  })
})

describe('the chain of a segment', () => {
  it('holds as written', () => {
    expect(checkChain(whole)).toEqual([])
  })

  it.each([
    ['another value', change(2, { data: { text: 'other' } }), ['hash-wrong']],
    ['another time', change(2, { ts: '2026-01-01T00:00:09.000Z' }), ['hash-wrong']],
    ['another predecessor', change(2, { prev: 'a'.repeat(64) }), ['chain-broken', 'hash-wrong']],
    ['a field that no hash covers', change(2, { note: 'x' }), ['field-unknown']],
    ['a digest beside its data', change(2, { digest: 'a'.repeat(64) }), ['digest-wrong']],
    ['no data and no digest', change(2, { data: null }), ['digest-wrong', 'hash-wrong']],
    ['a newer version', change(2, { v: 2 }), ['version-unknown', 'hash-wrong']],
    [
      'a removed entry',
      { ...whole, entries: whole.entries.toSpliced(1, 1) },
      ['seq-wrong', 'chain-broken', 'seq-wrong', 'seq-wrong'],
    ],
    ['other front matter', { ...whole, header: { ...whole.header, phase: 'deliver' } }, ['chain-broken']],
    ['a repeated id', change(2, { id: whole.entries[1]?.id }), ['id-repeated', 'hash-wrong']],
  ] as [string, Segment, string[]][])('with %s is broken', (_, segment, expected) => {
    expect(rules(segment)).toEqual(expected)
  })

  it('does not notice a cut tail: that is what anchors are for', () => {
    expect(rules({ ...whole, entries: whole.entries.slice(0, 2) })).toEqual([])
  })
})

describe('a later state of session files', () => {
  const closing = { closed: 'x', events: 5, head: headOf(whole), outcome: 'done' }
  const earlier: Segment = { ...whole, entries: whole.entries.slice(0, 3) }
  const other = segmentOf(headerOf({ ids }), comments(1), ids)

  it('continues an earlier one by appending, closing, adding segments and redacting', () => {
    const redacted = redactEntry(whole, whole.entries[1]?.id ?? '')
    for (const after of [[whole], [{ ...whole, closing }], [other, whole], [redacted], [earlier]]) {
      expect(prefixFindings([earlier], after)).toEqual([])
      expect(isPrefix([earlier], after)).toBe(true)
    }
    expect(isPrefix([], [whole])).toBe(true)
  })

  it.each([
    ['an entry was changed', change(1, { data: { text: 'other' } }), 'entries-changed'],
    [
      'entries were reordered',
      { ...whole, entries: whole.entries.toSpliced(0, 2, ...whole.entries.slice(0, 2).toReversed()) },
      'entries-changed',
    ],
    ['entries were removed', { ...whole, entries: whole.entries.slice(0, 2) }, 'entries-removed'],
    ['the front matter was changed', { ...whole, header: { ...whole.header, epoch: 9 } }, 'header-changed'],
    ['the file was removed', other, 'segment-removed'],
  ] as [string, Segment, string][])('does not when %s', (_, after, rule) => {
    expect(prefixFindings([earlier], [after]).map((finding) => finding.rule)).toEqual([rule])
    expect(isPrefix([earlier], [after])).toBe(false)
  })

  it('does not when closing fields that were set are changed or removed', () => {
    const closed = { ...whole, closing }
    expect(isPrefix([closed], [closed])).toBe(true)
    expect(isPrefix([closed], [{ ...whole, closing: { ...closing, outcome: 'blocked' } }])).toBe(false)
    expect(isPrefix([closed], [whole])).toBe(false)
  })
})
