import { canonicalJson, sha256 } from '../../core/canonical.ts'
import { SimulatedClock } from '../../core/clock.ts'
import type { Actor, Entry, EventInput, EventType } from '../../core/contracts/event.ts'
import { EVENT_SCHEMAS, EVENT_TYPES } from '../../core/contracts/event.ts'
import { countingIds, type Ids } from '../../core/ids.ts'
import { headerDigest, type Segment, type SegmentHeader, sealEntry, segmentFile } from '../../sessions/index.ts'

export const CONDUCTOR: Actor = { kind: 'agent', role: 'conductor' }
export const ADA: Actor = { kind: 'human', role: 'evaluator', name: 'Ada Tester' }
export const BASE = 'b'.repeat(40)
export const TREE = 'c'.repeat(40)

/** One event of each type, with the awkward values a log meets. */
export function eventsOfEveryType(ids: Ids): { type: EventType; data: EventInput<EventType> }[] {
  const digest = sha256('example')
  const result: EventInput<'GATE_JUDGED'>['result'] = {
    id: ids.ulid(),
    gate: 'unit-tests',
    spec: digest,
    verdict: 'fail',
    key: digest,
    subject: { kind: 'tree', digest: TREE },
    severity: 'block',
    reasons: ['3 of 40 tests fail', 'a `backtick` and ``` three of them'],
    at: '2026-01-01T00:00:00.000Z',
  }
  const turn = ids.ulid()
  const examples: { [T in EventType]: Omit<EventInput<T>, 'actor'> } = {
    TICKET_OPENED: {
      ticket: 'build_42',
      issue: {
        number: 42,
        title: '  "Quotes", émoji 🚂,\n## 7 DELIVERED\n$(rm) ../x ',
        body: 'First\r\n```json\n{}\n```\n',
        digest,
        labels: ['auto', 'recipe:tidy'],
      },
      pipeline: 'routine',
      stretch: ['build', 'evaluate', 'deliver'],
      base: BASE,
      definitions: digest,
      runtime: 'recipe',
      epoch: 1,
      attempts: 3,
    },
    SEGMENT_OPENED: { reason: 'resumed', epoch: 2 },
    LINE_SET_ASIDE: { segment: ids.ulid(), bytes: 17, digest, kept: 'session.md.torn-12345678' },
    ROUTED: {
      arms: [
        { id: 'cheap', propensity: 0.75 },
        { id: 'strong', propensity: 0.25 },
      ],
      chosen: 'cheap',
      features: { 'label:bug': 1, words: 40 },
      policy: 'router@3f2a9c11d0e4',
      stage: 'canary',
    },
    PHASE_ENTERED: {
      phase: 'build',
      mode: 'build',
      child: 'dev',
      role: 'studio',
      attempt: 1,
      required: [
        { gate: 'lint', spec: digest, severity: 'block' },
        { gate: 'size', spec: digest, severity: 'warn' },
      ],
      works: true,
    },
    BRIEFED: { phase: 'build', attempt: 1, role: 'studio', runtime: 'recipe', digest, bytes: 812 },
    TURN_STARTED: { turn, phase: 'build', attempt: 1, runtime: 'recipe', from: BASE },
    INTENT_STATED: {
      turn,
      intent: { kind: 'comment', issue: 42, text: 'What about the *other* one?' },
      allowed: false,
      reasons: ['the role may not use forge here'],
    },
    INTENT_SETTLED: { intent: turn, done: true, how: 'said under issue 42' },
    TOOL_REFUSED: { turn, tool: 'web-fetch', reason: 'the role may not use it' },
    TURN_ENDED: {
      turn,
      outcome: 'failed',
      reason: 'exit 3',
      exit: 3,
      signal: 'SIGTERM',
      until: '2026-01-02T00:00:00.000Z',
      usage: { tokensIn: 10, tokensOut: 2, costUsd: 0.125 },
      session: 'a-session',
      decisions: ['keep the old parser'],
      handOff: 'see *notes*',
      outputTail: 'zero\u200bwidth \u0007bell \u202eright to left',
    },
    MODEL_CALLED: {
      ticket: 'build_42',
      turn,
      phase: 'build',
      mode: 'build',
      role: 'studio',
      runtime: 'exec',
      epoch: 1,
      call: ids.ulid(),
      provider: 'anthropic',
      dialect: 'anthropic-messages',
      model: 'claude `x`',
      status: 200,
      outcome: 'ok',
      streaming: true,
      tokens: { input: 10, output: 5, cacheRead: 100, cacheWrite: 7, cacheWriteLong: 0, reasoning: 2 },
      reported: 'all',
      startedAt: '2026-01-01T00:00:00.000Z',
      durationMs: 1200,
      prices: digest,
      costUsd: 0.000125,
      estimated: false,
    },
    TURN_INTERRUPTED: { turn, rescue: 'refs/valuetrain/rescue/build_42/1' },
    WORK_INTENDED: { phase: 'build', attempt: 1, turn },
    WORK_COMMITTED: { intent: ids.ulid(), commit: BASE, subject: TREE, files: 2, added: 10, removed: 1 },
    WORK_UNCHANGED: { intent: ids.ulid(), subject: TREE },
    ARTIFACT_WRITTEN: { path: 'artifacts/change summary.md', digest },
    GATE_JUDGED: { stage: 'advance', phase: 'build', attempt: 1, result },
    ITEM_TICKED: { item: 'tests-pass', phase: 'build', attempt: 1, subject: TREE, result: result.id },
    DECIDED: {
      phase: 'build',
      attempt: 1,
      outcome: 'recycle',
      code: 'gates-failed',
      reasons: ['tests fail'],
      to: 'build',
      subject: TREE,
    },
    CHECK_IN_ASKED: { moment: 'before-push', question: 'Push?', options: ['yes', 'no'], recommendation: 'yes' },
    CHECK_IN_ANSWERED: { moment: 'before-push', option: 'yes', channel: 'terminal', reason: 'looks right' },
    APPROVED: { gate: 'acceptance', subject: TREE, channel: 'review' },
    OVERRIDDEN: { gate: 'lint', subject: TREE, channel: 'terminal', reason: 'known', expires: '2026-02-01T00:00:00.000Z' },
    WAITING_BEGUN: { reason: 'usage-limit', on: 'the provider', until: '2026-01-02T00:00:00.000Z' },
    WAITING_ENDED: { reason: 'usage-limit', by: 'time' },
    PAUSED: {},
    RESUMED: { reason: 'back' },
    ABORTED: { reason: 'no-go' },
    CHILD_INTENDED: { key: 'a', title: 'A part' },
    CHILD_OPENED: { key: 'a', issue: 43 },
    CHILD_DONE: { issue: 43, ticket: 'build_43' },
    CHILDREN_SETTLED: { issues: [43, 44] },
    RESCUED: { ref: 'refs/valuetrain/rescue/build_42/2', why: 'removal', files: 3, ignored: ['.env', 'a b.log'] },
    ROLLED_BACK: {
      to: turn,
      checkpoint: 'refs/valuetrain/rescue/build_42/3',
      restored: ['a.ts'],
      deleted: ['b.ts'],
      reason: 'wrong way',
    },
    REDACTED: { entry: turn, reason: 'a name' },
    COMMENTED: { text: '' },
    FOUND: { finding: { rule: 'bypass', severity: 'warning', message: 'a commit without hooks', path: 'a.ts' } },
    DELIVERED: { base: BASE, head: BASE, merge: TREE, verdicts: [{ gate: 'lint', verdict: 'pass', key: digest }] },
    CHANGE_INTENDED: { branch: 'phase/build_42', base: 'main' },
    CHANGE_OPENED: { change: '7', reviewers: ['rita'] },
    CHANGE_RETURNED: {
      change: '7',
      feedback: [{ from: 'review', id: '12', name: 'rita', text: 'No.\n```json\n## 7 DELIVERED\n' }],
    },
    CHANGE_CLOSED: { change: '7', reason: 'closed without being merged' },
    REOPENED: { reason: 'base moved', findings: [{ rule: 'stale', severity: 'error', message: 'old' }] },
  }
  return EVENT_TYPES.map((type) => ({
    type,
    data: { actor: type === 'APPROVED' ? ADA : CONDUCTOR, ...examples[type] } as EventInput<EventType>,
  }))
}

export interface MadeHeader extends Partial<SegmentHeader> {
  ids?: Ids
}

export function headerOf(overrides: MadeHeader = {}): SegmentHeader {
  const { ids = countingIds(), ...fields } = overrides
  return {
    schema: 1,
    session: ids.ulid(),
    segment: ids.ulid(),
    parents: [],
    ticket: 'build_42',
    pipeline: 'routine',
    phase: 'build',
    mode: 'build',
    actor: CONDUCTOR,
    base: BASE,
    opened: '2026-01-01T00:00:00.000Z',
    epoch: 1,
    ...fields,
  }
}

/** Returns a segment in memory whose entries are properly chained. */
export function segmentOf(
  header: SegmentHeader,
  events: readonly { type: EventType; data: EventInput<EventType> }[],
  ids: Ids,
): Segment {
  const clock = new SimulatedClock()
  const entries: Entry[] = []
  for (const { type, data } of events) {
    clock.advance(1000)
    const prev = entries.at(-1)?.hash ?? headerDigest(header)
    const ts = new Date(clock.now()).toISOString()
    const checked = JSON.parse(canonicalJson(EVENT_SCHEMAS[type].parse(data)))
    entries.push(sealEntry({ seq: entries.length, id: ids.ulid(), ts, type, data: checked, prev }))
  }
  return { header, entries, file: `.valuetrain/tickets/${header.ticket}/${segmentFile(header.segment)}`, findings: [] }
}

/** Returns `count` comments by the conductor. */
export function comments(count: number, text = 'note'): { type: EventType; data: EventInput<EventType> }[] {
  return Array.from({ length: count }, (_, n) => ({
    type: 'COMMENTED' as const,
    data: { actor: CONDUCTOR, text: `${text} ${n}` } as EventInput<EventType>,
  }))
}
