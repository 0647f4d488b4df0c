export { checkChain } from './chain.ts'
export { blankEntry, type EntryDraft, hashOf, sealEntry } from './entry.ts'
export { assembleSession, loadSession, type TicketSession } from './load.ts'
export { type Fork, holds, type OrderedSegments, orderSegments } from './order.ts'
export { hasProse, proseOf } from './prose.ts'
export {
  headerDigest,
  headOf,
  parseSegment,
  renderEntry,
  renderHeader,
  renderSegment,
  type Segment,
  SegmentClosing,
  SegmentHeader,
  segmentFile,
  segmentOfFile,
} from './segment.ts'
export { setAsideTorn, type TornLine } from './torn.ts'
export { FULL_BYTES, MAX_ENTRY_BYTES, openSegment, type SegmentOptions, type SegmentWriter } from './writer.ts'
