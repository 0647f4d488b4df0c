import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { COST_KEYS, costReport } from '../../conductor/costs.ts'
import { FOCUS_COLUMNS, focusCsv, focusRows } from '../../conductor/focus.ts'
import type { ModelCall } from '../../core/contracts/model.ts'
import { picoOf } from '../../core/money.ts'
import { TAGS } from '../agents/gateway/opened.ts'

const CALL: ModelCall = {
  ...TAGS,
  call: TAGS.turn,
  provider: 'anthropic',
  dialect: 'anthropic-messages',
  model: 'model-a',
  status: 200,
  outcome: 'ok',
  streaming: true,
  tokens: { input: 10, output: 5, cacheRead: 100, cacheWrite: 7, cacheWriteLong: 1, reasoning: 0 },
  reported: 'all',
  startedAt: '2026-12-31T23:59:59.500Z',
  durationMs: 1500,
  prices: 'a'.repeat(64),
  costUsd: 0.000125,
  estimated: false,
}

const anyCall = fc
  .record({
    ticket: fc.constantFrom('build_1', 'build_2'),
    mode: fc.constantFrom('build' as const, 'evaluate' as const),
    role: fc.constantFrom('studio' as const, 'lab' as const),
    runtime: fc.constantFrom('exec', 'acp'),
    model: fc.constantFrom('a', 'b', 'c'),
    startedAt: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'),
    costUsd: fc.option(fc.integer({ min: 0, max: 1e9 }).map((micro) => micro / 1e6)),
    estimated: fc.boolean(),
  })
  .map((fields): ModelCall => ({ ...CALL, ...fields }))

describe('a cost report', () => {
  it('has groups that add up to the same total, to the last fraction, by every key', () => {
    fc.assert(
      fc.property(fc.array(anyCall, { maxLength: 40 }), (calls) => {
        const known = calls.reduce((sum, { costUsd }) => sum + picoOf(costUsd ?? 0), 0n)
        for (const by of COST_KEYS) {
          const { groups, total } = costReport(calls, by)
          expect(picoOf(total.costUsd)).toBe(known)
          expect(groups.reduce((sum, group) => sum + picoOf(group.costUsd), 0n)).toBe(known)
          expect(groups.reduce((sum, group) => sum + group.calls, 0)).toBe(calls.length)
          expect(groups.reduce((sum, group) => sum + group.unknown, 0)).toBe(calls.filter((call) => call.costUsd === null).length)
        }
      }),
    )
  })
})

describe('FOCUS rows', () => {
  it('have every column, for the billed calls alone', () => {
    const rows = focusRows([CALL, { ...CALL, costUsd: null }, { ...CALL, outcome: 'refused', costUsd: 0 }], 'valuetrain')
    expect(rows).toEqual([
      {
        BilledCost: 0.000125,
        BillingAccountId: 'valuetrain',
        BillingCurrency: 'USD',
        BillingPeriodEnd: '2027-01-01T00:00:00.000Z',
        BillingPeriodStart: '2026-12-01T00:00:00.000Z',
        ChargeCategory: 'Usage',
        ChargeClass: null,
        ChargeDescription: 'tokens of model-a',
        ChargeFrequency: 'Usage-Based',
        ChargePeriodEnd: '2027-01-01T00:00:01.000Z',
        ChargePeriodStart: '2026-12-31T23:59:59.500Z',
        ConsumedQuantity: 123,
        ConsumedUnit: 'Tokens',
        ContractedCost: 0.000125,
        EffectiveCost: 0.000125,
        ListCost: 0.000125,
        PricingCategory: 'Standard',
        PricingQuantity: 123,
        PricingUnit: 'Tokens',
        ProviderName: 'anthropic',
        PublisherName: 'anthropic',
        ResourceId: CALL.call,
        ServiceCategory: 'AI and Machine Learning',
        ServiceName: 'anthropic-messages',
        SkuId: 'anthropic/model-a',
        SkuPriceId: 'anthropic/model-a@aaaaaaaaaaaa',
        Tags: '{"ticket":"build_42","phase":"build","mode":"build","role":"studio","agent":"exec","epoch":1}',
      },
    ])
  })

  it('are written as CSV with values of any kind in their cells', () => {
    const text = focusCsv(focusRows([{ ...CALL, model: 'a,"b"\nc' }], 'x'))
    expect(text.split('\n')[0]).toBe(FOCUS_COLUMNS.join(','))
    expect(text).toContain('"tokens of a,""b""\nc"')
  })
})
