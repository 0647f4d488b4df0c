import { describe, expect, it } from 'vitest'
import type { PlacedEntry } from '../../core/contracts/event.ts'
import { countingIds } from '../../core/ids.ts'
import { explainDecision, foldDecisions } from '../../training/router/index.ts'
import { eventsOfEveryType, headerOf, segmentOf } from '../sessions/written.ts'

const at = (minute: number) => `2026-01-01T00:${String(minute).padStart(2, '0')}:00.000Z`
const entry = (id: string, minute: number, type: string, data: unknown) =>
  ({ id, ts: at(minute), type, data }) as unknown as PlacedEntry
const routed = (id: string, minute: number, changes: object = {}) =>
  entry(id, minute, 'ROUTED', {
    arms: [
      { id: 'cheap', propensity: 0.75 },
      { id: 'strong', propensity: 0.25 },
    ],
    chosen: 'cheap',
    features: { 'label:bug': 1, 'label:docs': 0, words: 40 },
    policy: 'router@3f2a',
    stage: 'on',
    ...changes,
  })
const judged = (minute: number, gate: string, verdict: string) =>
  entry(`g${minute}`, minute, 'GATE_JUDGED', { result: { gate, verdict } })
const turn = (from: number, to: number, costUsd: number) => [
  entry(`s${from}`, from, 'TURN_STARTED', {}),
  entry(`e${to}`, to, 'TURN_ENDED', { usage: { tokensIn: 1, tokensOut: 1, costUsd } }),
]

describe('the decision log', () => {
  it('joins each choice with what became of it, until the next choice', () => {
    const entries = [
      routed('d1', 1),
      ...turn(2, 5, 0.5),
      judged(6, 'test', 'fail'),
      judged(6, 'lint', 'pass'),
      judged(7, 'types', 'inconclusive'),
      routed('d2', 8, { chosen: 'strong' }),
      ...turn(9, 10, 1.5),
      ...turn(11, 12, 0.25),
      judged(13, 'test', 'fail'),
      judged(14, 'test', 'pass'),
      entry('end', 15, 'DELIVERED', {}),
    ]
    const decisions = foldDecisions(entries, [
      { decision: 'd2', kind: 'merged', value: 1, at: at(20) },
      { decision: 'd2', kind: 'reverted', value: 1, at: at(40) },
      { decision: 'd2', kind: 'reverted', value: 0, at: at(30) },
    ])
    expect(decisions.map(({ id, propensity, outcomes }) => ({ id, propensity, outcomes }))).toEqual([
      {
        id: 'd1',
        propensity: 0.75,
        outcomes: { usd: { value: 0.5, at: at(5) }, minutes: { value: 3, at: at(5) }, gates: { value: 0.5, at: at(6) } },
      },
      {
        id: 'd2',
        propensity: 0.25,
        outcomes: {
          usd: { value: 1.75, at: at(12) },
          minutes: { value: 2, at: at(12) },
          gates: { value: 1, at: at(14) },
          delivered: { value: 1, at: at(15) },
          merged: { value: 1, at: at(20) },
          reverted: { value: 1, at: at(40) },
        },
      },
    ])
  })

  it('explains a choice in four lines', () => {
    const [decision] = foldDecisions([routed('d1', 1), ...turn(2, 5, 0.5), judged(6, 'test', 'pass')])
    expect(decision && explainDecision(decision)).toEqual([
      'cheap: had a chance of 75 %, drawn by router@3f2a (on)',
      'others: strong 25 %',
      'features: label:bug 1, words 40',
      'outcome: gates 1, usd 0.5, minutes 3',
    ])
    const watched = { policy: 'router@9c11', arms: [{ id: 'strong', propensity: 1 }] }
    const named = { stage: 'shadow', policy: 'configuration', arms: [{ id: 'cheap', propensity: 1 }], features: {}, watched }
    const [shadow] = foldDecisions([routed('d1', 1, { ...named, phase: 'build', attempt: 2 })])
    expect(shadow && explainDecision(shadow)).toEqual([
      'cheap: had a chance of 100 %, named by the configuration (shadow) for attempt 2 at build',
      'there was no other candidate',
      'router@9c11 only watched: strong 100 %',
      'no features',
      'nothing is known yet of what came of it',
    ])
  })

  it('reads what a session really writes', () => {
    const ids = countingIds()
    const segment = segmentOf(headerOf({ ids }), eventsOfEveryType(ids), ids)
    const entries = segment.entries.map((line) => ({ ...line, segment: segment.header.segment })) as PlacedEntry[]
    expect(foldDecisions(entries)).toMatchObject([
      { chosen: 'cheap', propensity: 0.75, stage: 'canary', outcomes: { delivered: { value: 0 } } },
    ])
  })

  it('refuses chances that do not sum to 1, a choice that was no candidate, and outcomes of nothing', () => {
    const arms = [
      { id: 'cheap', propensity: 0.75 },
      { id: 'strong', propensity: 0.15 },
    ]
    expect(() => foldDecisions([routed('d1', 1, { arms })])).toThrow('decision d1: propensities sum to 0.9, not to 1')
    expect(() => foldDecisions([routed('d1', 1, { chosen: 'other' })])).toThrow('decision d1 chose other, which was no candidate')
    expect(() => foldDecisions([routed('d1', 1)], [{ decision: 'd9', kind: 'merged', value: 1, at: at(2) }])).toThrow(
      expect.objectContaining({ code: 'VT_DECISION' }),
    )
  })

  it('passes over a redacted choice', () => {
    expect(foldDecisions([entry('d1', 1, 'ROUTED', null), judged(2, 'test', 'pass')])).toEqual([])
  })
})
