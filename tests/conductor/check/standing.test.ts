import { describe, expect, it } from 'vitest'
import { askedOfCommits, foldEvidence, standingOfTree } from '../../../conductor/check/evidence.ts'
import { tickFindings } from '../../../conductor/check/ticks.ts'
import { waiverFindings, waiversOf } from '../../../conductor/check/waivers.ts'
import { defaultConfig } from '../../../core/config.ts'
import { EvidenceRecord } from '../../../core/contracts/evidence.ts'
import { resolveGates, specDigest } from '../../../gates/index.ts'
import { resultOf, scribe, TREE } from '../entries.ts'

const gates = resolveGates({ config: { ...defaultConfig(), commands: { test: ['true'] } } })
const asked = askedOfCommits(gates.values())
const TEST = asked.tree.get('test') as string
const SECRETS = asked.staged.get('secrets') as string
const OTHER = 'd'.repeat(40)
const SPEC = 'e'.repeat(64)

const record = (more: Partial<EvidenceRecord>): EvidenceRecord =>
  EvidenceRecord.parse({
    v: 1,
    by: 'hook',
    stage: 'pre-commit',
    tree: TREE,
    results: [],
    at: '2026-01-01T00:00:00.000Z',
    ...more,
  })
const standing = (entries: Parameters<typeof foldEvidence>[0], records: EvidenceRecord[], tree = TREE) =>
  standingOfTree(tree, new Set(['f'.repeat(40)]), foldEvidence(entries, records), asked)

describe('the evidence for a tree', () => {
  it('asks what the base asks of every tree, and of every commit', () => {
    expect([...asked.tree.keys(), ...asked.staged.keys()]).toEqual(['test', 'secrets'])
    expect(TEST).toBe(specDigest(gates.get('test') as never))
  })

  it('is the base’s own tree, or there is none', () => {
    expect(standing([], [], 'f'.repeat(40))).toBe('base')
    expect(standing([], [])).toBe('missing')
  })

  it('is a session in which every gate was asked of it, as the base defines the gate, whatever it said', () => {
    const judged = (spec: string, verdict: 'pass' | 'fail' = 'pass') => {
      const { write, entries, ids } = scribe()
      write('GATE_JUDGED', {
        stage: 'advance',
        phase: 'build',
        attempt: 1,
        result: { ...resultOf('test', verdict, ids.ulid()), spec },
      })
      return entries
    }
    expect(standing([judged(TEST)], [])).toBe('session')
    expect(standing([judged(TEST, 'fail')], [])).toBe('session')
    expect(standing([judged(TEST)], [], OTHER)).toBe('missing')
    expect(standing([judged(SPEC)], [])).toBe('stale')
  })

  it('is a hook’s record whose gates all held, under the definitions of now', () => {
    const by = (verdict: 'pass' | 'fail' | 'inconclusive', spec?: string) =>
      record({ results: [{ gate: 'secrets', verdict, ...(spec ? { spec } : {}) }] })
    expect(standing([], [by('pass')])).toBe('hook')
    expect(standing([], [by('pass', SECRETS)])).toBe('hook')
    expect(standing([], [by('pass')], OTHER)).toBe('missing')
    expect(standing([], [by('pass', SPEC)])).toBe('stale')
    expect(standing([], [by('fail')])).toBe('stale')
    expect(standing([], [by('inconclusive')])).toBe('stale')
    expect(standing([], [record({})])).toBe('stale')
    const test = { gate: 'test', verdict: 'pass' as const, spec: TEST }
    expect(standing([], [record({ by: 'conductor', stage: 'advance', results: [test] })])).toBe('record')
    // What a hook says about a gate of trees is no conductor's decision.
    expect(standing([], [record({ results: [test] })])).toBe('stale')
  })
})

describe('a tick', () => {
  const RESULT = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
  const session = (verdict: 'pass' | 'fail' | undefined, subject = TREE) => {
    const { write, entries } = scribe()
    if (verdict) write('GATE_JUDGED', { stage: 'advance', phase: 'build', attempt: 1, result: resultOf('test', verdict, RESULT) })
    write('ITEM_TICKED', { item: 'tests', phase: 'build', attempt: 1, subject, result: RESULT })
    return tickFindings('build_1', entries, undefined).map(({ rule, message }) => `${rule}: ${message}`)
  }

  it('is forged without a result, with one that does not hold, or with one about something else', () => {
    const tick = 'tick-forged: build_1: the tick of "tests" in build'
    expect([session('pass'), session(undefined), session('fail'), session('pass', OTHER)]).toEqual([
      [],
      [`${tick} names a result that no gate gave before it`],
      [`${tick} names a result that says fail`],
      [`${tick} names a result about something else`],
    ])
  })

  it('is not accused where the result it names was redacted', () => {
    const { write, entries } = scribe()
    const blanked = {
      ...write('GATE_JUDGED', { stage: 'advance', phase: 'build', attempt: 1, result: resultOf('test', 'pass', RESULT) }),
      data: null,
    }
    const tick = write('ITEM_TICKED', { item: 'tests', phase: 'build', attempt: 1, subject: TREE, result: RESULT })
    expect(entries).toHaveLength(2)
    expect(tickFindings('build_1', [blanked, tick] as never, undefined)).toEqual([])
  })
})

describe('what was set aside', () => {
  it('is shown with actor, reason and an end that is never later than the gate allows', () => {
    const { write, entries } = scribe()
    const person = { kind: 'human', role: 'conductor', name: 'Ada' } as const
    const override = (more: object) =>
      write('OVERRIDDEN', { gate: 'test', subject: TREE, channel: 'terminal', reason: 'flaky', actor: person, ...more } as never)
    override({})
    override({ expires: '2026-01-02T00:00:00.000Z' })
    override({ expires: '2030-01-01T00:00:00.000Z' })
    const message = 'sizes was skipped at pre-commit (1 found), for this once: a picture: large'
    write('FOUND', { finding: { rule: 'check-skipped', severity: 'warning', message }, actor: person } as never)
    write('FOUND', { finding: { rule: 'needs-gates', severity: 'notice', message: 'a rebase' } } as never)
    const skip = { gate: 'secrets', reason: 'a test key', by: 'Bob', expires: '2026-01-03T00:00:00.000Z' }
    const waivers = waiversOf([{ ticket: 'build_1', entries }], [skip], gates, Date.UTC(2026, 0, 10))
    const common = { kind: 'waiver', gate: 'test', ticket: 'build_1', by: 'Ada', reason: 'flaky' }
    expect(waivers).toEqual([
      { ...common, expires: '2026-01-15T00:00:00.000Z', expired: false },
      { ...common, expires: '2026-01-02T00:00:00.000Z', expired: true },
      { ...common, expires: '2026-01-15T00:00:02.000Z', expired: false },
      {
        kind: 'skip',
        gate: 'sizes',
        ticket: 'build_1',
        by: 'Ada',
        reason: 'a picture: large',
        expires: '2026-01-01T00:00:03.000Z',
        expired: true,
      },
      { kind: 'skip', ticket: null, ...skip, expired: true },
    ])
    expect(waiverFindings(waivers.slice(4))).toEqual([
      {
        rule: 'gate-skipped',
        severity: 'notice',
        message: 'secrets was left out by Bob until 2026-01-03T00:00:00.000Z: a test key',
      },
    ])
  })

  it('is no record without a reason, an actor and an end', () => {
    const skip = { gate: 'secrets', reason: 'a test key', by: 'Bob', expires: '2026-01-03T00:00:00.000Z' }
    for (const missing of [{ reason: ' ' }, { by: '' }, { expires: 'never' }]) {
      const parsed = EvidenceRecord.safeParse({ ...record({}), skips: [{ ...skip, ...missing }] })
      expect({ missing, ok: parsed.success }).toEqual({ missing, ok: false })
    }
    expect(record({ skips: [skip] }).skips).toEqual([skip])
  })
})
