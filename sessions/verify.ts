import type { EventType, PlacedEntry } from '../core/contracts/event.ts'
import type { Finding } from '../core/contracts/gate.ts'
import type { Anchor } from './anchors.ts'
import { assembleSession, type TicketSession } from './load.ts'
import { holds } from './order.ts'
import { headerDigest, headOf, type Segment } from './segment.ts'

/** What a fold of the entries refused: steps that the rules of the log do not allow. */
export type Replay = (entries: readonly PlacedEntry[]) => { refused: readonly { id: string; why: string }[] }

export interface VerifyInput {
  ticket: string
  segments: readonly Segment[]
  /** Heads told outside the files; those of other tickets do no harm. */
  anchors: readonly Anchor[]
  replay: Replay
  /** What was found before the segments were parsed, e.g. files that could not be read. */
  findings?: readonly Finding[]
}

/**
 * Four answers that do not stand for one another.
 * Integrity: is what is here what was written? Completeness: is everything here that was written? `unknown` when nothing
 * but the log itself tells of its end. Anchoring: does anything outside the files tell of them? Policy: did every
 * step follow the rules and its gates?
 */
export interface Verification {
  ticket: string
  integrity: 'intact' | 'altered'
  completeness: 'complete' | 'truncated' | 'unknown'
  anchoring: 'anchored' | 'unanchored'
  policy: 'gated' | 'ungated' | 'unknown'
  findings: Finding[]
}

/** Findings that say something is missing. */
const OF_COMPLETENESS = new Set(['parent-unknown', 'parent-head-unknown', 'closing-early', 'anchor-missing', 'segment-missing'])
/** Findings that say a rule was broken while the log is what was written. */
const OF_POLICY = new Set(['session-fork', 'step-refused'])
/** Without these it cannot be told whether the gates were asked. */
const DECISIVE = new Set<EventType>([
  'TICKET_OPENED',
  'PHASE_ENTERED',
  'GATE_JUDGED',
  'DECIDED',
  'OVERRIDDEN',
  'APPROVED',
  'DELIVERED',
])

/** Answers the four questions about one ticket's session. Pure; `replay` is the conductor's fold. */
export function verifySession(input: VerifyInput): Verification {
  const session = assembleSession(input.ticket, input.segments, input.findings)
  const onlyOurs = input.anchors.filter(
    ({ segment, ticket }) => ticket === input.ticket || session.segments.some(({ header }) => header.segment === segment),
  )
  const { refused } = input.replay(session.entries)
  const findings = [
    ...session.findings,
    ...session.segments.flatMap(checkClosing),
    ...session.segments.flatMap((segment) => checkAnchors(segment, onlyOurs)),
    ...missingSegments(session, onlyOurs),
    ...unexplainedRedactions(session),
    ...refused.map(({ id, why }): Finding => ({ rule: 'step-refused', severity: 'error', message: `entry ${id}: ${why}` })),
  ]
  const errors = findings.filter(({ severity }) => severity === 'error').map(({ rule }) => rule)
  return {
    ticket: input.ticket,
    integrity: errors.some((rule) => !OF_COMPLETENESS.has(rule) && !OF_POLICY.has(rule)) ? 'altered' : 'intact',
    completeness: errors.some((rule) => OF_COMPLETENESS.has(rule))
      ? 'truncated'
      : isEndTold(session, onlyOurs)
        ? 'complete'
        : 'unknown',
    anchoring: isAnchored(session, onlyOurs) ? 'anchored' : 'unanchored',
    policy: errors.some((rule) => OF_POLICY.has(rule)) ? 'ungated' : isJudgeable(session) ? 'gated' : 'unknown',
    findings,
  }
}

function checkClosing(segment: Segment): Finding[] {
  const { closing, entries } = segment
  if (!closing) return []
  if (entries.length < closing.events) {
    return [finding('closing-early', `it has ${entries.length} of the ${closing.events} entries it was closed with`, segment)]
  }
  if (entries.length === closing.events && headOf(segment) === closing.head) return []
  return [finding('closing-wrong', `its closing fields tell of ${closing.events} entries and another head`, segment)]
}

/**
 * A missing head means entries were removed or rewritten. When the last head that is still there ends the file, they were
 * removed; when entries follow it, nothing shows that these are the ones that were written.
 */
function checkAnchors(segment: Segment, anchors: readonly Anchor[]): Finding[] {
  const ours = anchors.filter((anchor) => anchor.segment === segment.header.segment)
  const missing = ours.filter(({ head }) => !holds(segment, head))
  if (missing.length === 0) return []
  const place = new Map(segment.entries.map(({ hash }, position) => [hash, position]))
  const lastHeld = Math.max(-1, ...ours.map(({ head }) => place.get(head) ?? -1))
  const findings = missing.map(({ head, commit }) => ({
    ...finding('anchor-missing', `commit ${commit} tells of head ${head}, which is not in it`, segment),
    commit,
  }))
  if (lastHeld === segment.entries.length - 1) return findings
  const after = `its entries from ${lastHeld + 1} on follow no head that a commit tells of, while such heads are missing`
  return [...findings, finding('anchor-rewritten', after, segment)]
}

function missingSegments({ ticket, segments }: TicketSession, anchors: readonly Anchor[]): Finding[] {
  const there = new Set(segments.map(({ header }) => header.segment))
  const missing = new Map(anchors.filter(({ segment }) => !there.has(segment)).map((anchor) => [anchor.segment, anchor]))
  return [...missing.values()].map(({ segment, commit }) => ({
    rule: 'segment-missing',
    severity: 'error',
    message: `${ticket}: commit ${commit} tells of segment ${segment}, which is not there`,
    commit,
  }))
}

/** Blanking is the one permitted edit, but somebody has to have said why. */
function unexplainedRedactions({ segments }: TicketSession): Finding[] {
  const explained = new Set(
    segments.flatMap(({ entries }) =>
      entries.map(({ type, data }) => (type === 'REDACTED' ? (data as { entry?: string } | null)?.entry : undefined)),
    ),
  )
  return segments.flatMap((segment) =>
    segment.entries
      .filter(({ data, id }) => data === null && !explained.has(id))
      .map(({ seq }) => ({
        ...finding('redaction-unexplained', `entry ${seq} was redacted and no entry says why`, segment),
        severity: 'warning' as const,
      })),
  )
}

/**
 * Tells whether anchors name the very end of the log, and of each segment that goes on beside it. Closing fields do not
 * count: who cuts the tail can write them, too.
 */
function isEndTold(session: TicketSession, anchors: readonly Anchor[]): boolean {
  const told = new Set(anchors.map(({ segment, head }) => `${segment}:${head}`))
  const beside = new Set(session.outranked.map(({ segment }) => segment))
  const ends = session.heads.filter(({ segment }, position) => position === 0 || beside.has(segment))
  return isAnchored(session, anchors) && ends.every(({ segment, head }) => told.has(`${segment}:${head}`))
}

/** An anchored head covers its whole chain, the front matter, and through the parents named there all that came before. */
function isAnchored({ segments, entries }: TicketSession, anchors: readonly Anchor[]): boolean {
  const byId = new Map(segments.map((segment) => [segment.header.segment, segment]))
  const told = new Set(anchors.map(({ segment, head }) => `${segment}:${head}`))
  const isTold = ({ header, entries }: Segment) =>
    told.has(`${header.segment}:${headerDigest(header)}`) || entries.some(({ hash }) => told.has(`${header.segment}:${hash}`))
  const covered = new Set(segments.filter(isTold))
  for (const segment of covered) {
    for (const { segment: id, head } of segment.header.parents) {
      const parent = byId.get(id)
      if (parent && holds(parent, head)) covered.add(parent)
    }
  }
  const needed = new Set(entries.map(({ segment }) => segment))
  return needed.size > 0 && segments.every((segment) => covered.has(segment) || !needed.has(segment.header.segment))
}

function isJudgeable({ entries }: TicketSession): boolean {
  return entries.length > 0 && !entries.some(({ type, data }) => data === null && DECISIVE.has(type))
}

function finding(rule: string, message: string, { file }: Segment): Finding {
  return { rule, severity: 'error', message: `${file}: ${message}`, path: file }
}
