import { describe, expect, it } from 'vitest'
import type { RequiredGate } from '../../core/contracts/event.ts'
import { GateResult, type GateSpec } from '../../core/contracts/gate.ts'
import { LISTED } from '../../gates/guard-rails.ts'
import {
  builtinGates,
  COMMAND_NAMES,
  decide,
  GUARD_RAILS,
  isReusable,
  type JudgeContext,
  judgeGate,
  requiredOf,
} from '../../gates/index.ts'
import { gateOf } from './context.ts'
import { FIXTURES } from './fixtures.ts'

const NOW = '2026-01-01T00:00:00.000Z'

describe('every registered gate', () => {
  it('has a fixture that must go red and one that must not', () => {
    const registered = [...builtinGates.map(({ id }) => id), ...COMMAND_NAMES]
    expect(FIXTURES.map(({ gate }) => gate).toSorted()).toEqual(registered.toSorted())
  })

  it('is a guard-rail or is asked by lists', () => {
    expect(builtinGates.map(({ id }) => id).toSorted()).toEqual([...GUARD_RAILS, ...LISTED].toSorted())
  })

  describe.each(FIXTURES)('$gate', ({ gate, rule, bad, good }) => {
    it('fails its known-bad fixture, and lets it through only once it is no longer asked', async () => {
      const context = await bad()
      const spec = specOf(context, gate)
      const result = await judgeGate(spec, context)
      expect(result.verdict).toBe('fail')
      expect(result.reasons.length).toBeGreaterThan(0)
      if (rule !== undefined) expect(result.findings.map((finding) => finding.rule)).toContain(rule)
      expect(GateResult.parse(result)).toEqual(result)

      const other = await otherGate(context)
      const asked = [requiredOf(spec), other.required]
      const next = spec.mendedBy === 'person' ? 'hold' : 'iterate'
      expect(decide('build', asked, [result, other.result], NOW)).toMatchObject({ allow: false, next })
      const without = asked.filter((one) => one.gate !== gate)
      expect(decide('build', without, [result, other.result], NOW)).toMatchObject({ allow: true, next: 'advance' })
    })

    it('passes its known-good fixture, and repeats that only while nothing it reads has changed', async () => {
      const context = await good()
      const spec = specOf(context, gate)
      const result = await judgeGate(spec, context)
      expect({ verdict: result.verdict, reasons: result.reasons }).toEqual({ verdict: 'pass', reasons: [expect.any(String)] })
      const again = await judgeGate(spec, { ...context, results: [result] })
      expect(again.reusedFrom).toBe(isReusable(spec) ? result.id : undefined)
      const head = await changedHead(context)
      const after = await judgeGate(spec, { ...context, results: [result], head })
      expect({ reused: after.reusedFrom, sameKey: after.key === result.key }).toEqual({ reused: undefined, sameKey: false })
    })
  })
})

/** `link` asks for whatever its item names; the built-in gate itself names nothing. */
function specOf(context: JudgeContext, gate: string): GateSpec {
  const spec = gateOf(context, gate)
  return gate === 'link' ? { ...spec, kind: { type: 'builtin', name: 'link', options: { to: 'issue' } } } : spec
}

/** A commit on top of the head that changes one file. */
async function changedHead({ repository: { git }, head }: JudgeContext): Promise<string> {
  const blob = await git.text(['hash-object', '-w', '--stdin'], { input: 'more\n' })
  const entries = await git.text(['ls-tree', head])
  const tree = await git.text(['mktree'], { input: `${entries}\n100644 blob ${blob}\tzz-more.txt\n` })
  return git.text(['commit-tree', tree, '-p', head, '-m', 'More\n\nValuetrain-Ticket: build_42'])
}

/** A gate that holds beside the one in question, since a phase that asks nothing is never left. */
async function otherGate(context: JudgeContext): Promise<{ required: RequiredGate; result: GateResult }> {
  const spec: GateSpec = { ...gateOf(context, 'lfs'), id: 'other', kind: { type: 'kofn', k: 0, of: ['none'] } }
  return { required: requiredOf(spec), result: await judgeGate(spec, context) }
}
