import { onTestFinished } from 'vitest'
import {
  type Dialect,
  type GatewayOptions,
  type Limits,
  openGateway,
  PROVIDERS,
  type Provider,
  parsePrices,
  priceBook,
  type Spent,
} from '../../../agents/gateway/index.ts'
import { systemClock } from '../../../core/clock.ts'
import type { CallTags, ModelCall, ModelRun } from '../../../core/contracts/model.ts'
import { countingIds } from '../../../core/ids.ts'
import { type ModelServer, startModelServer } from './model-server.ts'

export const NO_LIMITS: Limits = { run: null, ticket: null, day: null, project: null }

/** Prices with round numbers, one model a dialect that has prices of its own, and none for Ollama but "local". */
export const BOOK = priceBook(
  parsePrices(
    `version: 1
prices:
  - provider: openai
    ids: [model-o]
    usd: { input: 1, output: 10, cacheRead: 0.125 }
    context: 1000000
    maxOutput: 1000
    source: a test
    read: 2026-01-01
  - provider: anthropic
    ids: [model-a]
    usd: { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75, cacheWriteLong: 6 }
    source: a test
    read: 2026-01-01
  - provider: gemini
    ids: [model-g]
    usd: { input: 1.25, output: 10, cacheRead: 0.125 }
    above: { tokens: 1000, usd: { input: 2.5, output: 15, cacheRead: 0.25 } }
    source: a test
    read: 2026-01-01
  - { provider: ollama, local: true, source: a test, read: 2026-01-01 }
`,
    'prices.yaml',
  ),
)

export const TAGS: CallTags = {
  ticket: 'build_42',
  turn: countingIds(77).ulid(),
  phase: 'build',
  mode: 'build',
  role: 'studio',
  runtime: 'exec',
  epoch: 1,
}

export interface Opened {
  provider: ModelServer
  run: ModelRun
  calls: ModelCall[]
  /** Asks for a completion as an agent of the dialect does. */
  ask(dialect: Dialect, options?: Asking): Promise<Response>
}

export interface Asking {
  model?: string
  stream?: boolean
  maxTokens?: number
  signal?: AbortSignal
  key?: string
  extra?: Record<string, unknown>
}

/** Opens a gateway in front of a scripted provider, with one run. */
export async function openGatewayWith(
  limits: Partial<Limits> = {},
  past: readonly Spent[] = [],
  overrides: Partial<GatewayOptions> = {},
): Promise<Opened> {
  const provider = await startModelServer()
  const upstreams = Object.fromEntries(
    PROVIDERS.map((name) => [name, { url: provider.url, key: `upstream-${name}`, prices: name }]),
  ) as Record<Provider, { url: string; key: string; prices: string }>
  const gateway = openGateway({
    upstreams,
    book: BOOK,
    limits: { ...NO_LIMITS, ...limits },
    past: async () => past,
    clock: systemClock,
    ids: countingIds(),
    newKey: () => 'run-key-of-this-test',
    ...overrides,
  })
  const calls: ModelCall[] = []
  const run = await gateway.open(TAGS, async (call) => void calls.push(call))
  onTestFinished(() => gateway.close())
  return { provider, run, calls, ask: (dialect, options) => ask(run, dialect, options) }
}

async function ask(run: ModelRun, dialect: Dialect, options: Asking = {}): Promise<Response> {
  const { stream = false, maxTokens = 100, signal, extra = {} } = options
  const key = options.key ?? run.access.key
  const { path, model, body, headers } = REQUESTS[dialect]({ key, stream, maxTokens })
  const asked = options.model ?? model
  return fetch(run.access.url + path.replace('MODEL', asked), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ ...(dialect === 'gemini' ? {} : { model: asked }), ...body, ...extra }),
    ...(signal ? { signal } : {}),
  })
}

interface Parts {
  key: string
  stream: boolean
  maxTokens: number
}

const REQUESTS: Record<
  Dialect,
  (parts: Parts) => { path: string; model: string; body: Record<string, unknown>; headers: Record<string, string> }
> = {
  'openai-chat': ({ key, stream, maxTokens }) => ({
    path: '/v1/chat/completions',
    model: 'model-o',
    body: { stream, max_completion_tokens: maxTokens, messages: [{ role: 'user', content: 'hi' }] },
    headers: { authorization: `Bearer ${key}` },
  }),
  'openai-responses': ({ key, stream, maxTokens }) => ({
    path: '/v1/responses',
    model: 'model-o',
    body: { stream, max_output_tokens: maxTokens, input: 'hi' },
    headers: { authorization: `Bearer ${key}` },
  }),
  'anthropic-messages': ({ key, stream, maxTokens }) => ({
    path: '/v1/messages',
    model: 'model-a',
    body: { stream, max_tokens: maxTokens, messages: [{ role: 'user', content: 'hi' }] },
    headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
  }),
  gemini: ({ key, stream, maxTokens }) => ({
    path: `/v1beta/models/MODEL:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    model: 'model-g',
    body: { generationConfig: { maxOutputTokens: maxTokens }, contents: [{ parts: [{ text: 'hi' }] }] },
    headers: { 'x-goog-api-key': key },
  }),
  'ollama-chat': ({ key, stream, maxTokens }) => ({
    path: `/k/${key}/api/chat`,
    model: 'qwen3:8b',
    body: { stream, options: { num_predict: maxTokens, num_ctx: 65536 }, messages: [{ role: 'user', content: 'hi' }] },
    headers: {},
  }),
}
