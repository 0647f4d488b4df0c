import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareIssues, selectIssues } from '../../agents/index.ts'
import { defaultConfig } from '../../core/config.ts'
import type { Issue } from '../../core/contracts/issue.ts'

const { labels } = defaultConfig()
const facts = { labels, claimed: new Set<number>() }

function issue(number: number, more: Partial<Issue> = {}): Issue {
  const createdAt = '2026-01-01T00:00:00.000Z'
  return {
    number,
    title: `Issue ${number}`,
    body: '',
    labels: ['auto'],
    assignees: [],
    state: 'open',
    createdAt,
    blockedBy: [],
    location: '',
    ...more,
  }
}

const anyIssue = fc.record({
  number: fc.integer({ min: 1, max: 30 }),
  title: fc.constant(''),
  body: fc.constant(''),
  labels: fc.subarray([
    'auto',
    'task',
    'now',
    'next',
    'future',
    'blocked',
    'risk',
    'meta',
    'mitigation',
    'other',
    'requirement',
    'story',
  ]),
  assignees: fc.subarray(['ada', 'pilot']),
  state: fc.constantFrom('open' as const, 'open' as const, 'closed' as const),
  createdAt: fc.constantFrom(
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.000Z',
    '2025-12-31T23:00:00-01:00',
    '2026-02-01T00:00:00Z',
    'unknown',
  ),
  blockedBy: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 2 }),
  location: fc.constant(''),
})
const anyIssues = fc.uniqueArray(anyIssue, { selector: ({ number }) => number, maxLength: 20 })
const anyFacts = fc.record({
  labels: fc.constantFrom(labels, { ...labels, task: 'task' }),
  claimed: fc.array(fc.integer({ min: 1, max: 30 })).map((numbers) => new Set(numbers)),
  login: fc.constantFrom('pilot', 'ada'),
  done: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 5 }).map((numbers) => new Set(numbers)),
})

describe('selection', () => {
  test('takes now before next before future before none, then the oldest, then the lowest number', () => {
    const issues = [
      issue(1),
      issue(2, { labels: ['auto', 'future'] }),
      issue(3, { labels: ['auto', 'next'] }),
      issue(4, { labels: ['now', 'auto'], createdAt: '2026-01-03T00:00:00Z' }),
      issue(5, { labels: ['auto', 'now', 'future'], createdAt: '2026-01-02T12:00:00+13:00' }),
      issue(7, { labels: ['auto', 'next'] }),
      issue(6, { labels: ['auto', 'next'], createdAt: '2026-01-01T00:00:00Z' }),
    ]
    expect(selectIssues(issues, facts)).toEqual({
      ready: [5, 4, 3, 6, 7, 2, 1].map((n) => issues.find((i) => i.number === n)),
      passed: [],
    })
  })

  test('says for every open issue that it passes over the first reason', () => {
    const issues = [
      issue(1, { labels: [] }),
      issue(2, { labels: ['auto', 'blocked'] }),
      issue(3, { assignees: ['ada', 'bob'] }),
      issue(4),
      issue(5, { state: 'closed' }),
      issue(6, { blockedBy: [4, 5, 99] }),
      issue(7),
      issue(8, { assignees: ['pilot'] }),
      issue(9),
      issue(10, { blockedBy: [5, 9] }),
    ]
    const held = new Map([[7, 'paused by Ada']])
    const selection = selectIssues(issues, { ...facts, claimed: new Set([4]), login: 'pilot', held, done: new Set([9]) })
    expect({ ready: selection.ready.map(({ number }) => number), passed: selection.passed }).toEqual({
      ready: [8, 10],
      passed: [
        { number: 1, why: 'not labelled auto' },
        { number: 2, why: 'labelled blocked' },
        { number: 3, why: 'assigned to ada, bob' },
        { number: 4, why: 'claimed' },
        { number: 6, why: 'waits for #4, #99, which is not there' },
        { number: 7, why: 'paused by Ada' },
      ],
    })
  })

  test('wants the task label only where the repository uses it', () => {
    const issues = [issue(1), issue(2, { labels: ['auto', 'task'] })]
    expect(selectIssues(issues, facts).ready).toHaveLength(2)
    expect(selectIssues(issues, { ...facts, labels: { ...labels, task: 'task' } })).toEqual({
      ready: [issues[1]],
      passed: [{ number: 1, why: 'not labelled task' }],
    })
  })

  test('gives the same answer for any order of the issues, and every open issue is in exactly one of its lists', () => {
    fc.assert(
      fc.property(
        anyIssues.chain((issues) => fc.tuple(fc.constant(issues), fc.shuffledSubarray(issues, { minLength: issues.length }))),
        anyFacts,
        ([issues, shuffled], given) => {
          const selection = selectIssues(issues, given)
          expect(selectIssues(shuffled, given)).toEqual(selection)
          const told = [...selection.ready, ...selection.passed].map(({ number }) => number)
          const open = issues.filter(({ number, state }) => state === 'open' && !given.done.has(number))
          expect(told.sort((a, b) => a - b)).toEqual(open.map(({ number }) => number).sort((a, b) => a - b))
          for (const { number, labels: has, assignees } of selection.ready) {
            expect([has.includes('auto'), has.includes('risk'), given.claimed.has(number)]).toEqual([true, false, false])
            expect(assignees.filter((name) => name !== given.login)).toEqual([])
          }
        },
      ),
    )
  })

  test('lets one requirement of the first priority go at a time in a project, and one such story by a pilot', () => {
    const has = (number: number, ...more: string[]) => issue(number, { labels: ['auto', ...more] })
    const issues = [
      has(1, 'now', 'requirement'),
      has(2, 'now', 'requirement'),
      has(3, 'next', 'requirement'),
      has(4, 'now', 'story'),
      has(5, 'now', 'story'),
      has(6, 'now'),
      has(7, 'now'),
    ]
    const numbers = (more: Partial<Parameters<typeof selectIssues>[1]>) =>
      selectIssues(issues, { ...facts, ...more }).ready.map(({ number }) => number)
    expect(numbers({})).toEqual([1, 4, 6, 7, 3])
    // Somebody else's requirement counts, somebody else's story does not.
    expect(numbers({ claimed: new Set([2, 5]) })).toEqual([4, 6, 7, 3])
    expect(numbers({ claimed: new Set([5]), underWay: new Set([5]) })).toEqual([1, 6, 7, 3])
    expect(numbers({ claimed: new Set([2]), done: new Set([2]) })).toEqual([1, 4, 6, 7, 3])
    expect(selectIssues(issues, facts).passed).toEqual([
      { number: 2, why: 'one requirement labelled now at a time, and #1 comes first' },
      { number: 5, why: 'one story labelled now at a time, and #4 comes first' },
    ])
  })

  test('is a total order: antisymmetric, transitive, and equal only for the same number', () => {
    const compare = compareIssues(labels.priorities)
    fc.assert(
      fc.property(anyIssue, anyIssue, anyIssue, (a, b, c) => {
        expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a))).toBe(0)
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0)
        if (a.number !== b.number) expect(compare(a, b)).not.toBe(0)
      }),
    )
  })
})
