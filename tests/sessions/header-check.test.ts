import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SegmentClosing, SegmentHeader } from '../../sessions/header.ts'
import { problemOfClosing, problemOfHeader } from '../../sessions/header-check.ts'

const ULID = '01J00000000000000000000001'
const DIGEST = 'a'.repeat(64)
const HEADER: Record<string, unknown> = {
  schema: 1,
  session: ULID,
  segment: ULID,
  parents: [{ segment: ULID, head: DIGEST }],
  ticket: 'build_1',
  pipeline: 'routine',
  phase: 'build',
  mode: 'build',
  actor: { kind: 'agent', role: 'conductor', runtime: 'x', name: 'y' },
  base: 'b'.repeat(40),
  opened: '2026-01-01T00:00:00.000Z',
  epoch: 1,
}
const CLOSING: Record<string, unknown> = { closed: '2026', events: 0, head: DIGEST, outcome: 'done' }

/** Values that are nearly right for one field or another. */
const odd = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    0,
    1,
    2,
    -1,
    1.5,
    Number.NaN,
    2 ** 53,
    '',
    'build',
    'Build',
    'build_1',
    ULID,
    DIGEST,
    'b'.repeat(64),
  ),
  fc.constantFrom([], [null], [{ segment: ULID }], [{ segment: ULID, head: DIGEST, more: 1 }], {}, { kind: 'agent' }),
  fc.constantFrom(
    { kind: 'human', role: 'lab', name: 1 },
    { kind: 'agent', role: 'lab' },
    { kind: 'agent', role: 'x' },
    { kind: 'agent', role: 'lab', z: 1 },
  ),
  fc.string(),
)

describe('the check of front matter without schemas', () => {
  it('says no exactly where the schemas do', () => {
    expect([problemOfHeader(HEADER), problemOfClosing(CLOSING)]).toEqual([undefined, undefined])
    const compare = (
      whole: Record<string, unknown>,
      check: typeof problemOfHeader,
      schema: typeof SegmentHeader | typeof SegmentClosing,
    ) =>
      fc.assert(
        fc.property(fc.constantFrom(...Object.keys(whole)), odd, (key, value) => {
          const changed = { ...whole, [key]: value }
          expect([key, value, check(changed) === undefined]).toEqual([key, value, schema.safeParse(changed).success])
        }),
        { numRuns: 2000 },
      )
    compare(HEADER, problemOfHeader, SegmentHeader)
    compare(CLOSING, problemOfClosing, SegmentClosing)
  })

  it('keeps fields that a newer version adds', () => {
    expect(problemOfHeader({ ...HEADER, later: true })).toBe(undefined)
  })
})
