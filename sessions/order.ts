import type { Entry } from '../core/contracts/event.ts'
import type { Finding } from '../core/contracts/gate.ts'
import { headerDigest, type Segment } from './segment.ts'

/** Two or more ways the log goes on from one place, or begins. */
export interface Fork {
  /** The segment they continue; null when each begins the log. */
  parent: string | null
  children: string[]
  /** The one whose entries are folded. */
  chosen: string
  /** `merged`: a later segment names both and puts the chosen one first. `undecided`: nothing in the log decides. */
  by: 'epoch' | 'merged' | 'undecided'
}

export interface OrderedSegments {
  /** The line from the beginning to the tip, each with the entries that count. */
  line: { segment: Segment; entries: Entry[] }[]
  /** Entries beside the line: written after a takeover by the older epoch, or on the other side of a fork. */
  beside: { segment: Segment; entries: Entry[] }[]
  forks: Fork[]
  findings: Finding[]
}

/**
 * Orders segments by their parents alone, never by id or time. Where the log forks, the side that reaches the higher lease
 * epoch is the line; on equal epochs a later segment that names both sides decides by naming the chosen one first; if there
 * is none, the smaller front-matter digest is taken, so that every clone folds the same, and a finding says so.
 * A segment's entries behind the head that its follower names do not count.
 *
 * @returns findings `segment-repeated`, `parent-unknown`, `parent-head-unknown`, `session-fork`, `session-cycle`, `outranked`
 */
export function orderSegments(segments: readonly Segment[]): OrderedSegments {
  const findings: Finding[] = []
  const family = familyOf(segments, findings)
  const forks: Fork[] = []
  const line: OrderedSegments['line'] = []
  let current: Segment | null = null
  // Each segment is the child of one first parent at most, so from a beginning on there is no way in a circle.
  for (;;) {
    const choices: Segment[] = current === null ? family.roots : (family.children.get(current.header.segment) ?? [])
    if (choices.length === 0) break
    const next = choose(choices, current, family, forks, findings)
    cutAfter(line, next)
    line.push({ segment: next, entries: next.entries })
    current = next
  }
  const beside = besideOf(segments, line)
  for (const part of beside) findings.push(outrankedFinding(part))
  if (family.roots.length === 0 && segments.length > 0) {
    findings.push(finding('session-cycle', 'the segments name one another as parents, so none begins the log', segments[0]))
  }
  return { line, beside, forks, findings }
}

interface Family {
  byId: ReadonlyMap<string, Segment>
  roots: Segment[]
  /** By first parent. */
  children: Map<string, Segment[]>
}

function familyOf(segments: readonly Segment[], findings: Finding[]): Family {
  const byId = new Map<string, Segment>()
  for (const segment of segments) {
    const { segment: id } = segment.header
    if (byId.has(id)) findings.push(finding('segment-repeated', `segment ${id} is there twice`, segment))
    else byId.set(id, segment)
  }
  const family: Family = { byId, roots: [], children: new Map() }
  for (const segment of byId.values()) {
    segment.header.parents.forEach(({ segment: id, head }) => {
      const parent = byId.get(id)
      if (!parent) findings.push(finding('parent-unknown', `it continues segment ${id}, which is not there`, segment))
      else if (!holds(parent, head)) {
        findings.push(finding('parent-head-unknown', `it continues ${id} at a head that is not in ${parent.file}`, segment))
      }
    })
    const first = segment.header.parents[0]
    if (first === undefined || !byId.has(first.segment)) family.roots.push(segment)
    else family.children.set(first.segment, [...(family.children.get(first.segment) ?? []), segment])
  }
  return family
}

/** Tells whether a hash is one of a segment's: of an entry, or of its front matter. */
export function holds(segment: Segment, head: string): boolean {
  return segment.entries.some(({ hash }) => hash === head) || headerDigest(segment.header) === head
}

function choose(choices: Segment[], parent: Segment | null, family: Family, forks: Fork[], findings: Finding[]): Segment {
  const [only, ...others] = choices
  if (only !== undefined && others.length === 0) return only
  const sides = choices
    .map((segment) => ({ segment, members: descendantsOf(segment, family) }))
    .map((side) => ({ ...side, epoch: Math.max(...side.members.map(({ header }) => header.epoch)) }))
  const highest = Math.max(...sides.map(({ epoch }) => epoch))
  const best = sides.filter(({ epoch }) => epoch === highest)
  const merging = best.filter(({ members }) =>
    best.every((other) => members === other.members || namesOneOf(members, other.members)),
  )
  const pick =
    merging.length === 1
      ? merging[0]
      : best.toSorted((a, b) => (headerDigest(a.segment.header) < headerDigest(b.segment.header) ? -1 : 1))[0]
  const chosen = (pick as (typeof sides)[number]).segment
  const by = best.length === 1 ? 'epoch' : merging.length === 1 ? 'merged' : 'undecided'
  forks.push({
    parent: parent?.header.segment ?? null,
    children: choices.map(({ header }) => header.segment),
    chosen: chosen.header.segment,
    by,
  })
  if (by === 'undecided') {
    const place = parent ? `after ${parent.file}` : 'at its beginning'
    const message = `the log forks ${place} into ${best.map(({ segment }) => segment.file).join(' and ')}, both of epoch ${highest}`
    findings.push(finding('session-fork', message, chosen))
  }
  return chosen
}

function descendantsOf(segment: Segment, family: Family): Segment[] {
  const found = new Set([segment])
  for (const member of found) for (const child of family.children.get(member.header.segment) ?? []) found.add(child)
  return [...found]
}

function namesOneOf(members: readonly Segment[], others: readonly Segment[]): boolean {
  const ids = new Set(others.map(({ header }) => header.segment))
  return members.some(({ header }) => header.parents.some((parent) => ids.has(parent.segment)))
}

/** The follower says up to where it has read; what its parent wrote behind that does not count. */
function cutAfter(line: OrderedSegments['line'], next: Segment): void {
  const last = line.at(-1)
  const head = next.header.parents[0]?.head
  if (!last || head === undefined) return
  const at = last.segment.entries.findIndex(({ hash }) => hash === head)
  if (at >= 0) last.entries = last.segment.entries.slice(0, at + 1)
  else if (head === headerDigest(last.segment.header)) last.entries = []
}

function besideOf(segments: readonly Segment[], line: OrderedSegments['line']): OrderedSegments['beside'] {
  const counted = new Map(line.map(({ segment, entries }) => [segment, entries.length]))
  return segments
    .map((segment) => ({ segment, entries: segment.entries.slice(counted.get(segment) ?? 0) }))
    .filter(({ entries }) => entries.length > 0)
}

function outrankedFinding({ segment, entries }: OrderedSegments['beside'][number]): Finding {
  const message = `${entries.length} entries are shown but do not count: another segment has taken the log over`
  return { ...finding('outranked', message, segment), severity: 'warning' }
}

function finding(rule: string, message: string, segment: Segment | undefined): Finding {
  const file = segment?.file ?? 'session'
  return { rule, severity: 'error', message: `${file}: ${message}`, path: file }
}
