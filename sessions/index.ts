export { type Anchor, anchorTrailer, collectAnchors, ticketsOf } from './anchors.ts'
export { checkChain } from './chain.ts'
export { blankEntry, type EntryDraft, hashOf, sealEntry } from './entry.ts'
export { assembleSession, loadSession, readSegments, type TicketSession } from './load.ts'
export { type Fork, holds, type OrderedSegments, orderSegments } from './order.ts'
export { isPrefix, prefixFindings } from './prefix.ts'
export { hasProse, proseOf } from './prose.ts'
export {
  type RollbackChange,
  type RollbackGoal,
  type RollbackInput,
  type RollbackPlan,
  type RollbackTarget,
  redactEntry,
  rollbackPlan,
  rollbackTarget,
} from './rollback.ts'
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
export { type Replay, type Verification, type VerifyInput, verifySession } from './verify.ts'
export { FULL_BYTES, MAX_ENTRY_BYTES, openSegment, type SegmentOptions, type SegmentWriter } from './writer.ts'
