import { describe, expect, it } from 'vitest'
import { defaultConfig } from '../../core/config.ts'
import type { EventType, PlacedEntry } from '../../core/contracts/event.ts'
import type { Issue } from '../../core/contracts/issue.ts'
import { builtinGates, GUARD_RAILS } from '../../gates/index.ts'
import { SPEC_RULES, type SpecFacts, type SpecTicket } from '../../modes/index.ts'
import { methodOf } from './method.ts'

const method = await methodOf()
const subject = 'a'.repeat(40)
const actor = { kind: 'agent', role: 'conductor' } as const

/** Returns entries of a session, chained in nothing: the rules look at what they say. */
function session(...events: [EventType, object][]): PlacedEntry[] {
  return events.map(([type, data], seq) => ({
    v: 1,
    seq,
    id: `E${seq}`,
    ts: '',
    type,
    data: { actor, ...data },
    prev: '',
    hash: '',
    segment: 'S',
  })) as never
}

const opened: [EventType, object] = [
  'TICKET_OPENED',
  { ticket: 'build_1', issue: { number: 1 }, stretch: ['build', 'evaluate', 'deliver'], attempts: 3 },
]
const entered = (mode: string, role = 'studio'): [EventType, object] => ['PHASE_ENTERED', { phase: mode, mode, role, attempt: 1 }]
const decided = (outcome: string): [EventType, object] => ['DECIDED', { phase: 'build', attempt: 1, outcome }]
const judged = (gate: string, verdict: string): [EventType, object] => [
  'GATE_JUDGED',
  { phase: 'build', result: { id: `R-${gate}`, gate, verdict } },
]
const ticked = (gate: string): [EventType, object] => [
  'ITEM_TICKED',
  { item: 'change', phase: 'build', attempt: 1, subject, result: `R-${gate}` },
]
const delivered: [EventType, object] = ['DELIVERED', { verdicts: [{ gate: 'change', verdict: 'pass', key: '' }] }]
const guards = GUARD_RAILS.map((gate) => judged(gate, 'pass'))
const good = session(
  opened,
  entered('build'),
  judged('change', 'pass'),
  ...guards,
  decided('advance'),
  entered('evaluate', 'evaluator'),
  decided('advance'),
  entered('deliver'),
  decided('advance'),
  delivered,
)

const ticketOf = (entries: PlacedEntry[], more: Partial<SpecTicket> = {}): SpecTicket => ({
  ticket: 'build_1',
  entries,
  done: false,
  checklist: undefined,
  integrity: 'intact',
  completeness: 'complete',
  policy: 'gated',
  ...more,
})
const facts = (more: Partial<SpecFacts> = {}): SpecFacts => ({
  config: { ...defaultConfig(), commands: { test: ['npm', 'test'] } },
  method,
  gates: new Set(builtinGates.map(({ id }) => id)),
  guardRails: new Set(GUARD_RAILS),
  tickets: [ticketOf(good)],
  issues: [],
  ...more,
})
const brokenBy = (more: Partial<SpecFacts>) =>
  SPEC_RULES.map(({ id, check }) => ({ id, ...check(facts(more)) }))
    .filter(({ state }) => state === 'broken')
    .map(({ id, why }) => `${id}: ${why}`)
const withTicket = (entries: PlacedEntry[], more: Partial<SpecTicket> = {}) => brokenBy({ tickets: [ticketOf(entries, more)] })

describe('the rules of the methodology', () => {
  it('have ids of their own, a sentence and a part', () => {
    expect(new Set(SPEC_RULES.map(({ id }) => id)).size).toBe(SPEC_RULES.length)
    expect(SPEC_RULES.filter(({ text }) => !text.endsWith('.'))).toEqual([])
    expect([...new Set(SPEC_RULES.map(({ part }) => part))]).toEqual([
      'tickets',
      'modes',
      'roles',
      'pipelines',
      'auto-pilot',
      'guard-rails',
      'sessions',
      'flow',
    ])
  })

  it('are all held or not applicable where everything is right', () => {
    expect(brokenBy({})).toEqual([])
    expect(brokenBy({ tickets: [] })).toEqual([])
  })

  const item =
    '- [x] `change`* Changed <!-- {"evidence":{"gate":"change","kind":"gate"},"ticks":[{"attempt":1,"subject":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]} -->'
  const cases: [string, () => string[], string[]][] = [
    [
      'a session that begins with something else',
      () => withTicket(session(entered('build'))),
      ['ticket-has-session: build_1: its session does not begin with its opening'],
    ],
    [
      'a ticket under another name',
      () => withTicket(session(opened), { ticket: 'design_1' }),
      ['ticket-name: design_1: its opening says build_1'],
    ],
    [
      'a delivery on nothing',
      () => withTicket(session(opened, ...guards, ['DELIVERED', { verdicts: [] }])),
      ['delivered-on-verdicts: build_1: it was delivered on no verdict at all'],
    ],
    [
      'an edge that is not in the table',
      () => withTicket(session(opened, entered('build'), decided('advance'), entered('deliver'))),
      ['allowed-edges: build_1: it went from build to deliver'],
    ],
    [
      'a mode left without a decision',
      () => withTicket(session(opened, entered('build'), entered('evaluate', 'evaluator'))),
      ['left-by-decision: build_1: a phase was entered without a decision on the one before'],
    ],
    [
      'steps that did not follow their gates',
      () => withTicket(good, { policy: 'ungated' }),
      ['left-by-decision: build_1: a step did not follow its gates'],
    ],
    [
      'a role in a mode that is not its own',
      () => withTicket(session(opened, entered('build', 'ops'))),
      ['roles-in-their-modes: build_1: ops worked in build'],
    ],
    [
      'a tick on a failure',
      () => withTicket(session(opened, judged('change', 'fail'), ticked('change')), { checklist: `## build\n${item}\n` }),
      ['ticks-with-evidence: build_1: change was ticked although change said fail'],
    ],
    [
      'a tick on nothing',
      () => withTicket(session(opened, ticked('change')), { checklist: `## build\n${item}\n` }),
      ['ticks-with-evidence: build_1: change was ticked on a result that is not in the session'],
    ],
    [
      'a tick that disappeared',
      () => withTicket(session(opened, judged('change', 'pass'), ticked('change')), { checklist: '# Checklist\n' }),
      ['ticks-stay: build_1: change was ticked and no longer is'],
    ],
    [
      'a fourth attempt by itself',
      () => withTicket(session(opened, entered('build'), decided('iterate'), decided('iterate'), decided('iterate'))),
      ['three-strikes: build_1: it was tried again after 3 failures of 3'],
    ],
    [
      'an altered session',
      () => withTicket(good, { integrity: 'altered', completeness: 'truncated' }),
      ['sessions-intact: build_1: it was altered; build_1: its end is missing'],
    ],
    [
      'an entry after the last one',
      () => withTicket([...good, ...session(['COMMENTED', { text: 'x' }])]),
      ['last-entry: build_1: COMMENTED comes after it'],
    ],
    [
      'an event by nobody',
      () => withTicket(session(opened, ['COMMENTED', { actor: undefined }])),
      ['tagged-events: build_1: E1 does not'],
    ],
    [
      'an override without a reason',
      () => withTicket(session(opened, ['OVERRIDDEN', { gate: 'x', reason: ' ' }])),
      ['reasons-given: build_1: E1 has none'],
    ],
    [
      'a guard-rail that nobody asks',
      () => brokenBy({ guardRails: new Set(GUARD_RAILS.filter((id) => id !== 'secrets')) }),
      ['guard-secrets: no phase asks secrets'],
    ],
    [
      'a delivery that a guard-rail did not see',
      () => withTicket(good.filter(({ data }) => (data as { result?: { gate: string } }).result?.gate !== 'size')),
      ['guard-size: delivered without being asked: build_1'],
    ],
    [
      'no command',
      () => brokenBy({ config: defaultConfig() }),
      ['guard-commands: no command is configured, so nothing of the code is judged'],
    ],
    [
      'a queue in another order',
      () =>
        brokenBy({ config: { ...facts().config, labels: { ...defaultConfig().labels, priorities: ['next', 'now', 'future'] } } }),
      ['priority-order: the order is next, now, future'],
    ],
    [
      'risks taken for work',
      () => brokenBy({ config: { ...facts().config, labels: { ...defaultConfig().labels, excluded: ['blocked'] } } }),
      ['not-work: taken all the same: risk, mitigation, meta'],
    ],
    [
      'a gate that an item names and nobody has',
      () => brokenBy({ gates: new Set(['change', 'summary', 'link']) }).map((line) => line.split(':')[0] as string),
      ['checkable-items', 'pipelines-checked'],
    ],
    [
      'two live tickets of one issue',
      () => brokenBy({ tickets: [ticketOf(session(opened)), ticketOf(session(opened))] }),
      ['one-ticket-a-piece: issue 1 has several'],
    ],
  ]
  it.each(cases)('are seen to be broken by %s', (_, broken, expected) => {
    expect(broken()).toEqual(expected)
  })

  it('hold product requirements, stories and tasks to what is now', () => {
    const issue = (number: number, parent?: number, more: Partial<Issue> = {}): Issue =>
      ({
        number,
        title: '',
        body: '',
        labels: [],
        assignees: [],
        state: 'open',
        createdAt: '',
        blockedBy: [],
        location: '',
        ...(parent ? { parent } : {}),
        ...more,
      }) as Issue
    const now = { labels: ['now'] }
    const tree = (label: object) => [
      issue(1, undefined, label),
      issue(2, 1),
      issue(3, 2),
      issue(4, undefined, label),
      issue(5, 4),
      issue(6, 5),
    ]
    expect(brokenBy({ issues: tree({}) })).toEqual([])
    expect(brokenBy({ issues: tree(now) })).toEqual(['one-now-requirement: now: #1, #4'])
    const stories = [
      issue(1),
      issue(2, 1, { ...now, assignees: ['ada'] }),
      issue(3, 2),
      issue(4, 1, { ...now, assignees: ['ada'] }),
      issue(5, 4),
    ]
    expect(brokenBy({ issues: stories })).toEqual(['one-now-story: now for one person: #2, #4'])
    expect(brokenBy({ issues: [issue(1, 2), issue(2, 1), issue(3, 9)] })[0]).toContain('hierarchy: issue 1 is part of a circle')
  })
})
