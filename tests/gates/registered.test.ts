import { describe, expect, it } from 'vitest'
import type { RequiredGate } from '../../core/contracts/event.ts'
import { GateResult, type GateSpec } from '../../core/contracts/gate.ts'
import { LISTED } from '../../gates/guard-rails.ts'
import { builtinGates, COMMAND_NAMES, decide, GUARD_RAILS, type JudgeContext, judgeGate, specDigest } from '../../gates/index.ts'
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
      expect(decide('build', asked, [result, other.result], NOW)).toMatchObject({ allow: false, next: 'iterate' })
      const without = asked.filter((one) => one.gate !== gate)
      expect(decide('build', without, [result, other.result], NOW)).toMatchObject({ allow: true, next: 'advance' })
    })

    it('passes its known-good fixture', async () => {
      const context = await good()
      const result = await judgeGate(specOf(context, gate), context)
      expect({ verdict: result.verdict, reasons: result.reasons }).toEqual({ verdict: 'pass', reasons: [expect.any(String)] })
    })
  })
})

/** `link` asks for whatever its item names; the built-in gate itself names nothing. */
function specOf(context: JudgeContext, gate: string): GateSpec {
  const spec = gateOf(context, gate)
  return gate === 'link' ? { ...spec, kind: { type: 'builtin', name: 'link', options: { to: 'issue' } } } : spec
}

function requiredOf(spec: GateSpec): RequiredGate {
  return { gate: spec.id, spec: specDigest(spec), severity: spec.severity, human: false }
}

/** A gate that holds beside the one in question, since a phase that asks nothing is never left. */
async function otherGate(context: JudgeContext): Promise<{ required: RequiredGate; result: GateResult }> {
  const spec: GateSpec = { ...gateOf(context, 'lfs'), id: 'other', kind: { type: 'kofn', k: 0, of: ['none'] } }
  return { required: requiredOf(spec), result: await judgeGate(spec, context) }
}
