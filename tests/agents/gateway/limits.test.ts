import { describe, expect, it } from 'vitest'
import { loadPriceBook, parsePrices, priceOf, readTrouble, splitterFor } from '../../../agents/gateway/index.ts'
import { openGatewayWith } from './opened.ts'

const NOW = Date.UTC(2026, 0, 1, 12)

describe('a provider’s refusal', () => {
  it.each([
    ['a moment’s crowding', 429, { 'retry-after': '7' }, '{"error":{"type":"rate_limit_error"}}', 'transient', undefined],
    [
      'a limit of hours',
      429,
      { 'retry-after': '7200' },
      '{"error":{"type":"rate_limit_error"}}',
      'limited',
      '2026-01-01T14:00:00.000Z',
    ],
    ['a date', 429, { 'retry-after': 'Thu, 01 Jan 2026 15:00:00 GMT' }, '{}', 'limited', '2026-01-01T15:00:00.000Z'],
    ['a login’s window', 429, { 'anthropic-ratelimit-unified-reset': '1767290400' }, '{}', 'limited', '2026-01-01T18:00:00.000Z'],
    ['money that is gone', 429, {}, '{"error":{"code":"insufficient_quota","message":"x"}}', 'limited', undefined],
    [
      'a balance',
      400,
      {},
      '{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}',
      'limited',
      undefined,
    ],
    [
      'a day’s quota',
      429,
      {},
      '{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"quotaId":"RequestsPerDay"},{"retryDelay":"34s"}]}}',
      'limited',
      '2026-01-01T12:00:34.000Z',
    ],
    ['a wrong key', 401, {}, '{"error":{"type":"authentication_error"}}', 'auth', undefined],
    ['too much to do', 529, {}, '{"error":{"type":"overloaded_error"}}', 'transient', undefined],
    ['a mistake of the agent', 400, {}, '{"error":{"type":"invalid_request_error"}}', 'failed', undefined],
    ['no words', 500, {}, '<html>', 'transient', undefined],
    ['a reset in a hundred years', 429, { 'retry-after': '3153600000' }, '{}', 'transient', undefined],
  ] as const)('is told apart: %s', (_, status, headers, body, kind, until) => {
    const trouble = readTrouble(status, headers as Record<string, string>, body, NOW)
    expect({ kind: trouble.kind, until: 'until' in trouble ? trouble.until : undefined }).toEqual({ kind, until })
  })

  it('of its usage stops the run with the time at which it may go on, and other refusals do not', async () => {
    const { provider, run, calls, ask } = await openGatewayWith()
    provider.scripts.push({ refusal: { status: 500, body: 'oops' } })
    expect((await ask('anthropic-messages')).status).toBe(500)
    expect(run.stopped).toBeUndefined()
    provider.scripts.push({
      refusal: { status: 429, headers: { 'retry-after': '3600' }, body: '{"error":{"type":"rate_limit_error"}}' },
    })
    const limited = await ask('anthropic-messages')
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '3600'])
    await limited.text()
    expect(run.stopped).toMatchObject({ kind: 'usage-limit', until: expect.stringMatching(/^2\d{3}-/) })
    expect(run.signal.aborted).toBe(true)
    expect((await ask('anthropic-messages')).status).toBe(402)
    expect(calls.map(({ outcome }) => outcome)).toEqual(['failed', 'limited'])
  })
})

describe('the price book', () => {
  const nothing = { source: 'nothing', list: async () => [] }

  it('names where and when each of its prices was read, and has no price for what it does not list', async () => {
    const book = await loadPriceBook({ ...nothing, read: async () => undefined })
    for (const entry of book.prices)
      expect(entry).toMatchObject({ source: expect.stringMatching(/\S/), read: expect.any(String) })
    expect(priceOf(book, 'anthropic', 'claude-haiku-4-5')?.usd).toMatchObject({ input: 1, output: 5 })
    expect(priceOf(book, 'anthropic', 'claude-haiku-4-5-20991231')).toBeUndefined()
    expect(priceOf(book, 'openai', 'claude-haiku-4-5')).toBeUndefined()
    expect(priceOf(book, 'ollama', 'qwen3:8b')?.usd.input).toBe(0)
    expect(priceOf(book, 'ollama', 'gpt-oss:120b-cloud')).toBeUndefined()
  })

  it('lets the repository’s own prices go first, under another version', async () => {
    const own =
      'version: 1\nprices:\n  - { provider: anthropic, ids: [claude-haiku-4-5], usd: { input: 9, output: 9 }, source: a contract, read: 2026-01-01 }\n'
    const plain = await loadPriceBook({ ...nothing, read: async () => undefined })
    const book = await loadPriceBook({ ...nothing, read: async () => own })
    expect(priceOf(book, 'anthropic', 'claude-haiku-4-5')?.source).toBe('a contract')
    expect(book.version).not.toBe(plain.version)
  })

  it('refuses a price without a source, naming file and key', () => {
    const text = 'version: 1\nprices:\n  - { provider: x, ids: [y], usd: { input: 1, output: 1 }, read: 2026-01-01 }\n'
    expect(() => parsePrices(text, '.valuetrain/prices.yaml')).toThrow(/\.valuetrain\/prices\.yaml/)
  })
})

describe('a stream', () => {
  it('is cut into its events wherever the network has cut it, none lost and none changed', () => {
    const text = 'event: a\r\ndata: {"x":1}\r\n\r\n: comment\n\ndata: one\ndata: two\n\ndata: "ü🚂"\n\ndata: rest'
    const bytes = Buffer.from(text)
    const whole = splitterFor('text/event-stream; charset=utf-8')
    const expected = [...whole.take(bytes), ...whole.end()].map((message) => message.text)
    expect(expected).toEqual(['{"x":1}', '', 'one\ntwo', '"ü🚂"', 'rest'])
    for (let size = 1; size < bytes.length; size += 1) {
      const splitter = splitterFor('text/event-stream')
      const messages = []
      for (let at = 0; at < bytes.length; at += size) messages.push(...splitter.take(bytes.subarray(at, at + size)))
      messages.push(...splitter.end())
      expect(messages.map((message) => message.text)).toEqual(expected)
      expect(Buffer.concat(messages.map(({ raw }) => raw)).toString('utf8')).toBe(text)
    }
  })
})
