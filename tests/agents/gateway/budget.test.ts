import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LEVELS, openLedger } from '../../../agents/gateway/index.ts'
import { SimulatedClock } from '../../../core/clock.ts'
import { picoOf, usdOf } from '../../../core/money.ts'
import { NO_LIMITS, openGatewayWith } from './opened.ts'

const payer = { run: 'r', ticket: 'build_1', day: '2026-01-01' }

describe('the gateway under a budget', () => {
  it('refuses a model without a price, a tier without one and a call that nothing bounds, and takes none for zero', async () => {
    const { provider, run, calls, ask } = await openGatewayWith({ day: 1000 })
    const asked = [
      await ask('openai-chat', { model: 'model-nobody-knows' }),
      await ask('openai-chat', { extra: { service_tier: 'priority' } }),
      await ask('anthropic-messages', { extra: { tools: [{ type: 'web_search_20250305', name: 'web_search' }] } }),
      await ask('gemini', { extra: { cachedContent: 'cachedContents/1' } }),
      await ask('ollama-chat', { model: 'big:cloud' }),
      await ask('openai-responses', { extra: { tools: [{ type: 'namespace', tools: [{ type: 'web_search' }] }] } }),
      await ask('openai-responses', { extra: { input: [{ type: 'additional_tools', tools: [{ type: 'web_search' }] }] } }),
    ]
    expect(asked.map(({ status }) => status)).toEqual([402, 402, 402, 402, 402, 402, 402])
    expect(provider.requests).toEqual([])
    expect(calls.every(({ outcome }) => outcome === 'refused')).toBe(true)
    // A side call to an unknown model does not end the turn.
    expect(run.signal.aborted).toBe(false)
    expect((await ask('openai-chat')).status).toBe(200)
    const group = { type: 'namespace', tools: [{ type: 'function', name: 'f' }] }
    expect((await ask('openai-responses', { extra: { tools: [group] } })).status).toBe(200)
    expect((await ask('ollama-chat')).status).toBe(200)
  })

  it('gives back what a call did not take, so that one after another fit', async () => {
    const { ask } = await openGatewayWith({ run: 0.01 })
    for (let call = 0; call < 5; call += 1) expect((await (await ask('openai-chat')).text()).length).toBeGreaterThan(0)
    expect((await ask('openai-chat')).status).toBe(200)
  })

  it('counts what the log says was spent, and knows nothing left where a past cost is unknown', async () => {
    const past = { ...payer, ticket: 'build_42', costUsd: 0.9999 }
    expect((await (await openGatewayWith({ ticket: 1 }, [past])).ask('openai-chat')).status).toBe(402)
    expect((await (await openGatewayWith({ ticket: 1 }, [{ ...past, ticket: 'build_43' }])).ask('openai-chat')).status).toBe(200)
    const { run, ask } = await openGatewayWith({ project: 1 }, [{ ...past, costUsd: null }])
    expect((await ask('openai-chat')).status).toBe(402)
    expect(run.stopped?.reason).toContain('unknown cost')
  })

  it('says until when a day’s budget is used up', async () => {
    const clock = new SimulatedClock(Date.UTC(2026, 4, 5, 13))
    const { run, ask } = await openGatewayWith({ day: 0.000001 }, [], { clock })
    expect((await ask('anthropic-messages')).status).toBe(402)
    expect(run.stopped).toMatchObject({ kind: 'budget', until: '2026-05-06T00:00:00.000Z' })
  })
})

describe('a ledger', () => {
  it('never lets spent and reserved exceed a limit, whatever is reserved and settled in whatever order', () => {
    const step = fc.record({
      run: fc.constantFrom('a', 'b'),
      ticket: fc.constantFrom('build_1', 'build_2'),
      day: fc.constantFrom('2026-01-01', '2026-01-02'),
      worst: fc.integer({ min: 0, max: 400 }),
      share: fc.integer({ min: 0, max: 100 }),
      settles: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const limits = { run: 0.5, ticket: 0.7, day: 0.9, project: 1 }
        const ledger = openLedger(limits, [])
        const spent = new Map<string, bigint>()
        for (const { worst, share, settles, ...who } of steps) {
          const pico = picoOf(worst / 1000)
          const reservation = ledger.reserve(who, pico)
          if (!reservation.admitted) continue
          const paid = settles ? (pico * BigInt(share)) / 100n : pico
          if (settles) ledger.settle(reservation.id, paid)
          for (const level of LEVELS) {
            const key = level === 'project' ? level : `${level}:${who[level]}`
            spent.set(key, (spent.get(key) ?? 0n) + paid)
            expect(usdOf(spent.get(key) as bigint)).toBeLessThanOrEqual(limits[level])
          }
        }
      }),
    )
  })

  it('settles a reservation once', () => {
    const ledger = openLedger({ ...NO_LIMITS, project: 1 }, [])
    const reservation = ledger.reserve(payer, picoOf(0.5))
    if (!reservation.admitted) throw new Error('there was room')
    ledger.settle(reservation.id, picoOf(0.25))
    ledger.settle(reservation.id, picoOf(0.25))
    expect(ledger.freeUsd(payer)).toBe(0.75)
  })
})
