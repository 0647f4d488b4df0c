import { describe, expect, it } from 'vitest'
import { costOf, DIALECTS, type Dialect, priceOf } from '../../../agents/gateway/index.ts'
import { usdOf } from '../../../core/money.ts'
import { BOOK, openGatewayWith } from './opened.ts'

const providerOf = (dialect: Dialect) =>
  ({
    'openai-chat': 'openai',
    'openai-responses': 'openai',
    'anthropic-messages': 'anthropic',
    gemini: 'gemini',
    'ollama-chat': 'ollama',
  })[dialect]

/** Tokens that each vendor's own way of counting can say. */
const TOKENS: Record<Dialect, object> = {
  'openai-chat': { input: 1200, output: 340, cacheRead: 5000, reasoning: 200 },
  'openai-responses': { input: 1200, output: 340, cacheRead: 5000, reasoning: 200 },
  'anthropic-messages': { input: 12, output: 340, cacheRead: 5000, cacheWrite: 700, cacheWriteLong: 90 },
  gemini: { input: 1200, output: 340, cacheRead: 5000, reasoning: 200 },
  'ollama-chat': { input: 1200, output: 340 },
}

describe('the gateway, metering', () => {
  it.each(DIALECTS.flatMap((dialect) => [true, false].map((stream) => ({ dialect, stream }))))(
    'counts exactly what the provider bills and passes its answer on: $dialect, streaming $stream',
    async ({ dialect, stream }) => {
      const { provider, run, calls, ask } = await openGatewayWith()
      provider.scripts.push({ tokens: TOKENS[dialect], pieces: 7 })
      const response = await ask(dialect, { stream })
      const text = await response.text()
      expect(response.status).toBe(200)
      if (dialect === 'openai-chat') expect(text).toContain('🚂')
      if (dialect === 'openai-chat' && stream) expect(text).not.toContain('prompt_tokens')
      const [billed] = provider.journal
      const price = priceOf(BOOK, providerOf(dialect), billed?.model ?? '')
      const costUsd = price && billed ? usdOf(costOf(price, billed.tokens) as bigint) : null
      expect(calls).toMatchObject([
        {
          dialect,
          streaming: stream,
          status: 200,
          outcome: 'ok',
          tokens: billed?.tokens,
          reported: 'all',
          costUsd,
          estimated: false,
        },
      ])
      expect(calls[0]?.model).toBe(billed?.model)
      if (dialect !== 'ollama-chat') expect(costUsd).toBeGreaterThan(0)
      expect(run.usage?.costUsd).toBe(costUsd)
    },
  )

  it('equals the journal over retries, side calls, refusals and answers whose agent hung up', async () => {
    const { provider, run, calls, ask } = await openGatewayWith()
    const overloaded = { status: 529, body: '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}' }
    provider.scripts.push({ refusal: overloaded }, { refusal: overloaded }, { tokens: { input: 900, output: 80, cacheRead: 70 } })
    for (const status of [529, 529, 200]) {
      const response = await ask('anthropic-messages', { stream: true })
      expect(response.status).toBe(status)
      await response.text()
    }
    provider.scripts.push({ tokens: { input: 3, output: 1 } }, { tokens: { input: 800, output: 60, cacheRead: 1 }, pauseMs: 150 })
    await (await ask('openai-chat', { extra: { messages: [{ role: 'user', content: 'a title for this, please' }] } })).text()
    const hangUp = new AbortController()
    const reader = (await ask('openai-chat', { stream: true, signal: hangUp.signal })).body?.getReader()
    await reader?.read()
    hangUp.abort()
    await reader?.read().catch(() => {})
    await run.close()
    expect(calls.map(({ outcome, status }) => `${outcome} ${status}`)).toEqual([
      'failed 529',
      'failed 529',
      'ok 200',
      'ok 200',
      'aborted 200',
    ])
    expect(calls.filter(({ status }) => status === 200).map(({ model, tokens }) => ({ model, tokens }))).toEqual(provider.journal)
    const billed = provider.journal.reduce((sum, { model, tokens }) => {
      const price = priceOf(BOOK, model === 'model-a' ? 'anthropic' : 'openai', model)
      return sum + (price ? (costOf(price, tokens) ?? 0n) : 0n)
    }, 0n)
    expect(run.usage).toEqual({ tokensIn: 970 + 3 + 801, tokensOut: 80 + 1 + 60, costUsd: usdOf(billed) })
  })

  it('takes a cut answer to have cost the most it can have, and says so', async () => {
    const { provider, calls, ask } = await openGatewayWith()
    provider.scripts.push({ cut: true, tokens: { input: 20, output: 90 } })
    const response = await ask('anthropic-messages', { stream: true, maxTokens: 100 })
    await expect(response.text()).rejects.toThrow()
    const [call] = calls
    expect(call).toMatchObject({ outcome: 'cut', reported: 'part', estimated: true })
    expect(call?.costUsd).toBeGreaterThan(usdOf((20n * 3n + 90n * 15n) * 1_000_000n))
  })

  it('leaves the cost of a model without a price open, and counts its tokens', async () => {
    const { run, calls, ask } = await openGatewayWith()
    await (await ask('openai-chat', { model: 'model-nobody-knows' })).text()
    await (await ask('ollama-chat', { model: 'big:cloud' })).text()
    await (await ask('openai-chat', { extra: { service_tier: 'priority' } })).text()
    expect(calls.map(({ costUsd, tokens }) => [costUsd, tokens.input, tokens.output])).toEqual([
      [null, 10, 5],
      [null, 10, 5],
      [null, 10, 5],
    ])
    expect(run.usage).toBeUndefined()
  })
})

describe('the gateway, keeping keys', () => {
  it('puts the provider’s key in the place of the run’s, which the provider never sees', async () => {
    const { provider, run, ask } = await openGatewayWith()
    for (const dialect of DIALECTS) await (await ask(dialect)).text()
    await fetch(`${run.access.url}/v1beta/models?key=${run.access.key}`).then((response) => response.text())
    expect(JSON.stringify(provider.requests)).not.toContain(run.access.key)
    const keys = provider.requests.map(
      ({ headers }) => headers.authorization ?? headers['x-api-key'] ?? headers['x-goog-api-key'],
    )
    expect(keys).toEqual([
      'Bearer upstream-openai',
      'Bearer upstream-openai',
      'upstream-anthropic',
      'upstream-gemini',
      'Bearer upstream-ollama',
      'upstream-gemini',
    ])
  })

  it('lets nothing through without the key of an open run, from a page, for another host, or off the paths it knows', async () => {
    const { provider, run, ask } = await openGatewayWith()
    const { url, key } = run.access
    const status = async (path: string, headers: Record<string, string>) =>
      (await fetch(url + path, { method: 'POST', body: '{"model":"model-o"}', headers })).status
    expect((await ask('openai-chat', { key: 'another-key' })).status).toBe(401)
    expect(await status('/v1/chat/completions', {})).toBe(401)
    expect(await status('/v1/chat/completions', { authorization: `Bearer ${key}`, origin: 'https://example.com' })).toBe(403)
    expect(await status('/v1/embeddings', { authorization: `Bearer ${key}` })).toBe(404)
    expect(await status('/v1/files/../chat/completions/x', { authorization: `Bearer ${key}` })).toBe(404)
    await run.close()
    expect((await ask('openai-chat')).status).toBe(401)
    expect(provider.requests).toEqual([])
  })

  it('answers what is no JSON and who names no model, and goes on', async () => {
    const { run, calls, ask } = await openGatewayWith()
    const headers = { authorization: `Bearer ${run.access.key}` }
    const broken = await fetch(`${run.access.url}/v1/responses`, { method: 'POST', body: '{"model":', headers })
    expect(broken.status).toBe(400)
    expect((await ask('openai-chat', { model: '' })).status).toBe(400)
    expect((await ask('openai-chat')).status).toBe(200)
    expect(calls.map(({ outcome }) => outcome)).toEqual(['ok'])
  })

  it('says that a provider cannot be reached, and that this cost nothing', async () => {
    const nowhere = { url: 'http://127.0.0.1:9', key: undefined, prices: 'openai' }
    const { calls, ask } = await openGatewayWith({}, [], {
      upstreams: { openai: nowhere, anthropic: nowhere, gemini: nowhere, ollama: nowhere },
    })
    const response = await ask('openai-chat')
    expect(response.status).toBe(502)
    await response.text()
    expect(calls).toMatchObject([{ outcome: 'failed', status: 0, costUsd: 0, estimated: false }])
  })
})
