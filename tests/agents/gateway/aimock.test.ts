import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { LLMock } from '@copilotkit/aimock'
import { describe, expect, it, onTestFinished } from 'vitest'
import { costOf, PROVIDERS, type Provider, priceOf, sharedTill } from '../../../agents/gateway/index.ts'
import { SimulatedClock, systemClock } from '../../../core/clock.ts'
import { picoOf, usdOf } from '../../../core/money.ts'
import { startAimock } from '../models.ts'
import { BOOK, NO_LIMITS, openGatewayWith } from './opened.ts'

const CALLER = fileURLToPath(new URL('caller.ts', import.meta.url))
const DIALECTS = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'] as const

function upstreamsTo(mock: LLMock) {
  return Object.fromEntries(PROVIDERS.map((name) => [name, { url: mock.url, key: 'a-key', prices: name }])) as Record<
    Provider,
    { url: string; key: string; prices: string }
  >
}

/** What one call of 1,000 tokens in and 50 out is at the prices of the tests, and every answer of the model here. */
const USAGE = {
  prompt_tokens: 1_000,
  completion_tokens: 50,
  input_tokens: 1_000,
  output_tokens: 50,
  promptTokenCount: 1_000,
  candidatesTokenCount: 50,
}

async function program(
  mock: LLMock,
  file: string,
  projectUsd: number,
  calls: number,
): Promise<{ child: ChildProcess; line(): Promise<string> }> {
  const argv = ['--import', 'tsx', CALLER, mock.url, file, String(projectUsd), String(calls)]
  const child = spawn(execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += String(chunk)
  })
  const line = async () => {
    while (!text.includes('\n')) await new Promise((resolve) => child.stdout.once('data', resolve))
    const at = text.indexOf('\n')
    const [first, rest] = [text.slice(0, at), text.slice(at + 1)]
    text = rest
    return first
  }
  return { child, line }
}

describe('a budget, against a model server of somebody else', () => {
  /** Scripts answers that take all that a call may take, so that nothing is given back, and returns what one costs. */
  async function dearest(mock: LLMock): Promise<number> {
    const { calls, ask } = await openGatewayWith({ ticket: 0.000001 })
    await ask('openai-chat', { stream: true, extra: { max_completion_tokens: undefined, max_tokens: 100 } })
    const oneCallUsd = Number(/may take \$([\d.e-]+)/.exec(calls[0]?.reason ?? '')?.[1])
    // At $1 a million tokens in and $10 out.
    const usage = { prompt_tokens: Math.round(oneCallUsd * 1e6) - 1_000, completion_tokens: 100 }
    mock.on({ predicate: () => true }, { content: 'Hello', usage })
    return oneCallUsd
  }

  it('that two programs share lets ten of their 64 callers through where there is money for ten', async () => {
    const mock = await startAimock()
    const oneCallUsd = await dearest(mock)
    const file = join(await mkdtemp(join(tmpdir(), 'vt-till-')), 'till.json')
    const other = await program(mock, file, oneCallUsd * 10, 32)
    const { ask, run } = await openGatewayWith({ project: oneCallUsd * 10 }, [], { upstreams: upstreamsTo(mock), file })
    expect(await other.line()).toBe('ready')
    other.child.stdin?.write('go\n')
    const asking = async () => {
      const answer = await ask('openai-chat', { stream: true, extra: { max_completion_tokens: undefined, max_tokens: 100 } })
      await answer.text()
      return answer.status
    }
    const own = await Promise.all(Array.from({ length: 32 }, () => asking().catch(() => 0)))
    const told = JSON.parse(await other.line()) as { statuses: number[]; spent: number }
    await run.close()
    expect(mock.getRequests()).toHaveLength(10)
    expect([...own, ...told.statuses].filter((status) => status === 200).length).toBeLessThanOrEqual(10)
    expect(told.statuses).toHaveLength(32)
    expect((run.usage?.costUsd ?? 0) + told.spent).toBeCloseTo(oneCallUsd * 10, 9)
    const { settled, open } = JSON.parse(await readFile(file, 'utf8'))
    expect([settled.length, open.length]).toEqual([10, 0])
  }, 120_000)

  it('lets ten of 64 callers through where there is money for ten', async () => {
    const mock = await startAimock()
    const oneCallUsd = await dearest(mock)
    const { run, ask } = await openGatewayWith({ project: oneCallUsd * 10 }, [], { upstreams: upstreamsTo(mock) })
    const asking = async () => {
      const answer = await ask('openai-chat', { stream: true, extra: { max_completion_tokens: undefined, max_tokens: 100 } })
      await answer.text()
    }
    await Promise.allSettled(Array.from({ length: 64 }, asking))
    await run.close()
    expect(mock.getRequests()).toHaveLength(10)
    expect(run.usage?.costUsd).toBeCloseTo(oneCallUsd * 10, 9)
  })

  it('equals the server’s journal over every dialect, retries, side calls and answers whose agent went away', async () => {
    const mock = await startAimock()
    mock.on(
      { userMessage: 'hi' },
      { content: 'Hello there, this is an answer in many pieces', usage: USAGE },
      { chunkSize: 4, latency: 5 },
    )
    mock.onMessage('a title', { content: 'Title', usage: { ...USAGE, prompt_tokens: 30, completion_tokens: 3 } })
    const { calls, run, ask } = await openGatewayWith({}, [], { upstreams: upstreamsTo(mock) })
    const gemini = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }
    for (const dialect of DIALECTS) {
      for (const stream of [true, false]) await (await ask(dialect, { stream, extra: dialect === 'gemini' ? gemini : {} })).text()
    }
    for (const status of [529, 503, 429]) {
      mock.nextRequestError(status)
      expect((await ask('anthropic-messages', { stream: true })).status).toBe(status)
      await (await ask('anthropic-messages', { stream: true })).text()
    }
    await (await ask('openai-chat', { extra: { messages: [{ role: 'user', content: 'a title' }] } })).text()
    for (const dialect of ['openai-chat', 'anthropic-messages'] as const) {
      const hangUp = new AbortController()
      const reader = (await ask(dialect, { stream: true, signal: hangUp.signal })).body?.getReader()
      await reader?.read()
      hangUp.abort()
      await reader?.read().catch(() => {})
    }
    await run.close()
    const journal = mock.getRequests().filter(({ response }) => response.status === 200)
    const billed = journal.map(({ path, body }) => {
      const title = JSON.stringify(body).includes('a title')
      const provider = path.startsWith('/v1beta') ? 'gemini' : path === '/v1/messages' ? 'anthropic' : 'openai'
      const model = provider === 'gemini' ? 'model-g' : provider === 'anthropic' ? 'model-a' : 'model-o'
      return { provider, model, input: title ? 30 : 1_000, output: title ? 3 : 50 }
    })
    const metered = calls.filter(({ status }) => status === 200)
    expect(
      metered.map(({ provider, model, tokens }) => ({ provider, model, input: tokens.input, output: tokens.output })),
    ).toEqual(billed)
    expect(calls.filter(({ outcome }) => outcome === 'aborted')).toHaveLength(2)
    expect(calls.filter(({ status }) => status !== 200).map(({ costUsd }) => costUsd)).toEqual([0, 0, 0])
    const pico = billed.reduce((sum, { provider, model, input, output }) => {
      const price = priceOf(BOOK, provider, model)
      const tokens = { input, output, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0, reasoning: 0 }
      return sum + ((price && costOf(price, tokens)) ?? 0n)
    }, 0n)
    expect(run.usage).toEqual({
      tokensIn: billed.reduce((sum, { input }) => sum + input, 0),
      tokensOut: billed.reduce((sum, { output }) => sum + output, 0),
      costUsd: usdOf(pico),
    })
  })
})

describe('a till that programs share', () => {
  const who = { run: 'r', ticket: 'build_1', day: '2026-01-01' }
  const place = async () => ({ file: join(await mkdtemp(join(tmpdir(), 'vt-till-')), 'till.json'), clock: systemClock })
  const gone = { pid: 999_999, start: '1', boot: 'another', host: 'x' }

  it('takes what a program that is gone had reserved to be paid, and counts a cost once that is in the log, too', async () => {
    const { file, clock } = await place()
    const own = JSON.parse(JSON.stringify(await (await import('../../../core/lock.ts')).ownIdentity())) as Record<string, unknown>
    const holder = { ...own, ...('pid' in own ? { pid: 999_999 } : {}), ...('start' in own ? { start: `${gone.start}` } : {}) }
    const settled = [
      { call: 'in-log', at: 5, payer: who, pico: String(picoOf(0.25)) },
      { call: 'not-in-log', at: 5, payer: who, pico: String(picoOf(0.125)) },
    ]
    await writeFile(
      file,
      JSON.stringify({
        version: 1,
        open: [{ call: 'lost', holder, payer: who, pico: String(picoOf(0.5)) }],
        settled,
        readers: [],
      }),
    )
    const past = async () => [{ ...who, call: 'in-log', costUsd: 0.25 }]
    const till = await sharedTill({ ...NO_LIMITS, project: 1 }, past, { file, clock })
    expect(await till.freeUsd(who)).toBe(0.125)
    expect(await till.reserve('a', who, picoOf(0.2))).toMatchObject({ admitted: false, freeUsd: 0.125 })
    const reservation = await till.reserve('b', who, picoOf(0.125))
    if (!reservation.admitted) throw new Error('there was room')
    await till.settle('b', reservation.id, picoOf(0.1))
    await till.settle('b', reservation.id, picoOf(0.1))
    expect(await till.freeUsd(who)).toBe(0.025)
    const file2 = JSON.parse(await readFile(file, 'utf8'))
    expect(file2.settled.map(({ call }: { call: string }) => call).sort()).toEqual(['b', 'lost', 'not-in-log'])
  })

  it('says what is wrong with a file that is not its own', async () => {
    const { file, clock } = await place()
    await writeFile(file, '{"version":2}')
    await expect(sharedTill({ ...NO_LIMITS, project: 1 }, async () => [], { file, clock })).rejects.toMatchObject({
      code: 'VT_BUDGET_FILE',
    })
  })
})

describe('a run that goes on and on', () => {
  it('is cut by its calls, and by its tokens', async () => {
    const mock = await startAimock()
    mock.on({ predicate: () => true }, { content: 'Hello', usage: USAGE })
    for (const [most, served, reason] of [
      [{ calls: 3 }, 3, 'the 3 calls of models that one turn may make are used up'],
      [{ tokens: 2_000 }, 2, 'the 2000 tokens that one turn may take are used up (2100 were)'],
    ] as const) {
      const { run, ask } = await openGatewayWith({}, [], { upstreams: upstreamsTo(mock), most })
      const before = mock.getRequests().length
      const statuses: number[] = []
      for (let call = 0; call < 5; call += 1) statuses.push((await ask('openai-chat')).status)
      expect([statuses.filter((status) => status === 200).length, mock.getRequests().length - before]).toEqual([served, served])
      expect(run.stopped).toMatchObject({ kind: 'run-limit', reason })
      expect(run.signal.aborted).toBe(true)
    }
  })

  it('is parked when a provider says "too many, soon" again and again, and not when it fails as often', async () => {
    const clock = new SimulatedClock(Date.UTC(2026, 0, 1))
    const { provider, run, ask } = await openGatewayWith({}, [], { clock })
    const crowded = { refusal: { status: 429, headers: { 'retry-after': '1' }, body: '{"error":{"type":"rate_limit_error"}}' } }
    const failing = { refusal: { status: 500, body: 'oops' } }
    provider.scripts.push(
      ...Array.from({ length: 9 }, () => crowded),
      {},
      ...Array.from({ length: 12 }, () => failing),
      ...Array.from({ length: 10 }, () => crowded),
    )
    for (let call = 0; call < 31; call += 1) await (await ask('anthropic-messages')).text()
    expect(run.stopped).toBeUndefined()
    await (await ask('anthropic-messages')).text()
    expect(run.stopped).toMatchObject({ kind: 'usage-limit', until: '2026-01-01T00:15:00.000Z' })
  })
})
