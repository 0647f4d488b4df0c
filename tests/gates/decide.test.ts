import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RequiredGate } from '../../core/contracts/event.ts'
import { type GateResult, type Standing, VERDICTS, type Verdict } from '../../core/contracts/gate.ts'
import { decide, holds, standingOf } from '../../gates/decide.ts'

const NOW = '2026-01-10T00:00:00.000Z'
const SPEC = 'a'.repeat(64)
const TREE = '1'.repeat(40)

describe('decide', () => {
  const cases: { standing: Standing; severity: 'block' | 'warn'; human: boolean; allow: boolean; next: string }[] = []
  for (const severity of ['block', 'warn'] as const) {
    for (const human of [false, true]) {
      for (const standing of [...VERDICTS, 'missing', 'stale'] as const) {
        const good = standing === 'pass' || standing === 'waived' || standing === 'not-applicable'
        const allow = good || severity === 'warn'
        cases.push({ standing, severity, human, allow, next: allow ? 'advance' : human ? 'hold' : 'iterate' })
      }
    }
  }

  it.each(cases)(
    'answers $next to a $severity gate (human: $human) that is $standing',
    ({ standing, severity, human, allow, next }) => {
      const decision = decide('build', [asked('a', { severity, human })], resultsFor('a', standing), NOW, TREE)
      expect({ allow: decision.allow, next: decision.next, standings: decision.standings }).toEqual({
        allow,
        next,
        standings: [{ gate: 'a', standing }],
      })
    },
  )

  it('asks people only when nothing else is open', () => {
    const required = [asked('tests'), asked('approval', { human: true })]
    expect(decide('build', required, [result('tests', 'fail')], NOW).next).toBe('iterate')
    expect(decide('build', required, [result('tests', 'pass')], NOW).next).toBe('hold')
    expect(decide('build', required, [result('tests', 'pass'), result('approval', 'pass')], NOW).next).toBe('advance')
  })

  it('asks people about what only they mend before another attempt could undo what was wanted', () => {
    const required = [asked('tests'), asked('paths', { mendedBy: 'person' })]
    const given = (tests: Verdict, paths: Verdict) => [result('tests', tests), result('paths', paths)]
    expect(decide('build', required, given('pass', 'fail'), NOW).next).toBe('hold')
    expect(decide('build', required, given('fail', 'fail'), NOW).next).toBe('iterate')
    expect(decide('build', required, given('pass', 'inconclusive'), NOW).next).toBe('iterate')
  })

  it('allows nothing where no gate is asked', () => {
    expect(decide('build', [], [], NOW)).toEqual({
      allow: false,
      reasons: ['build asks no gate at all, and what nothing looked at does not pass'],
      next: 'iterate',
      standings: [],
    })
  })

  it('says each reason, and a warning as a warning', () => {
    const required = [asked('a'), asked('b'), asked('c', { severity: 'warn' }), asked('d')]
    const results = [
      { ...result('a', 'fail'), reasons: ['3 tests failed'] },
      { ...result('c', 'inconclusive'), reasons: ['took longer than 5 s'] },
      { ...result('d', 'pass'), spec: 'b'.repeat(64) },
    ]
    expect(decide('build', required, results, NOW).reasons).toEqual([
      'a: fail: 3 tests failed',
      'b: nobody has judged it yet',
      'd: its last result is for another definition of the gate',
      'warning: c: inconclusive: took longer than 5 s',
    ])
    expect(decide('build', [asked('d')], [result('d', 'pass')], NOW).reasons).toEqual(['build: its gate holds'])
  })

  it('counts the last result of a gate, whatever came before', () => {
    expect(decide('build', [asked('a')], [result('a', 'pass'), result('a', 'fail')], NOW).allow).toBe(false)
    expect(decide('build', [asked('a')], [result('a', 'fail'), result('a', 'pass')], NOW).allow).toBe(true)
    expect(decide('build', [asked('a')], { a: result('a', 'pass') }, NOW).allow).toBe(true)
  })

  it('takes a result about another subject for stale, by the kind of subject', () => {
    const required = [asked('a')]
    expect(decide('build', required, [result('a', 'pass')], NOW, '2'.repeat(40)).standings[0]?.standing).toBe('stale')
    expect(decide('build', required, [result('a', 'pass')], NOW, { tree: '2'.repeat(40) }).allow).toBe(false)
    expect(decide('build', required, [result('a', 'pass')], NOW, { ticket: '2'.repeat(40) }).allow).toBe(true)
  })

  it('lets a waiver count until the moment it expires', () => {
    const waived = { ...result('a', 'waived'), expires: '2026-01-10T00:00:00.000Z' }
    const at = (now: string) => standingOf(asked('a'), waived, now)
    expect(at('2026-01-09T23:59:59.999Z')).toBe('waived')
    expect(at('2026-01-10T00:00:00.000Z')).toBe('stale')
    expect(at('not a time')).toBe('stale')
  })

  it('never allows while a blocking gate does not hold, and always otherwise', () => {
    const standing = fc.constantFrom<Standing>(...VERDICTS, 'missing', 'stale')
    const gate = fc.record({ standing, severity: fc.constantFrom('block' as const, 'warn' as const), human: fc.boolean() })
    fc.assert(
      fc.property(fc.array(gate, { minLength: 1, maxLength: 8 }), (gates) => {
        const required = gates.map((one, index) => asked(`g${index}`, one))
        const results = gates.flatMap((one, index) => resultsFor(`g${index}`, one.standing))
        const decision = decide('build', required, results, NOW, TREE)
        const blocking = gates.filter((one) => one.severity === 'block' && !holds(one.standing))
        expect(decision.allow).toBe(blocking.length === 0)
        expect(decision.standings.map((one) => one.standing)).toEqual(gates.map((one) => one.standing))
        expect(decision.reasons.length).toBeGreaterThan(0)
        // Taking results away can only ever close the way.
        for (const gone of required) {
          const fewer = results.filter((one) => one.gate !== gone.gate)
          if (decide('build', required, fewer, NOW, TREE).allow) expect(decision.allow).toBe(true)
        }
      }),
    )
  })

  it('does not depend on the order in which gates were judged', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(['a', 'b', 'c', 'd'], { minLength: 4 }), (order) => {
        const required = ['a', 'b', 'c', 'd'].map((id) => asked(id))
        const results = order.map((id) => result(id, id === 'c' ? 'fail' : 'pass'))
        expect(decide('build', required, results, NOW)).toEqual(decide('build', required, results.toReversed(), NOW))
      }),
    )
  })
})

function asked(gate: string, more: Partial<Pick<RequiredGate, 'severity' | 'human' | 'mendedBy'>> = {}): RequiredGate {
  return { gate, spec: SPEC, severity: 'block', human: false, ...more }
}

function resultsFor(gate: string, standing: Standing): GateResult[] {
  if (standing === 'missing') return []
  if (standing === 'stale') return [{ ...result(gate, 'pass'), subject: { kind: 'tree', digest: '9'.repeat(40) } }]
  return [result(gate, standing)]
}

function result(gate: string, verdict: GateResult['verdict']): GateResult {
  return {
    id: '01J00000000000000000000001',
    gate,
    spec: SPEC,
    verdict,
    key: 'c'.repeat(64),
    subject: { kind: 'tree', digest: TREE },
    severity: 'block',
    reasons: [],
    findings: [],
    evidence: {},
    at: '2026-01-01T00:00:00.000Z',
  }
}
