import { headerDigest, renderSegment, type Segment, type SegmentHeader, sealEntry, segmentFile } from '../../sessions/index.ts'

const HEADER: SegmentHeader = {
  schema: 1,
  session: '01J00000000000000000000001',
  segment: '01J00000000000000000000002',
  parents: [],
  ticket: 'build_1',
  pipeline: 'routine',
  phase: 'build',
  mode: 'build',
  actor: { kind: 'agent', role: 'conductor' },
  base: 'b'.repeat(40),
  opened: '2026-01-01T00:00:00.000Z',
  epoch: 1,
}

/** A session file of `count` comments: where it lies, its text, and the head a commit of it anchors. */
export function sessionFile(count: number, text = 'Something was said.'): { path: string; text: string; anchor: string } {
  const entries: Segment['entries'] = []
  for (let seq = 0; seq < count; seq++) {
    const id = `01J${String(seq).padStart(23, '0')}`
    const prev = entries.at(-1)?.hash ?? headerDigest(HEADER)
    entries.push(sealEntry({ seq, id, ts: HEADER.opened, type: 'COMMENTED', data: { actor: HEADER.actor, text }, prev }))
  }
  return {
    path: `.valuetrain/tickets/build_1/${segmentFile(HEADER.segment)}`,
    text: renderSegment({ header: HEADER, entries }),
    anchor: `${HEADER.segment}:${entries.at(-1)?.hash}`,
  }
}
