import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { type Dialect, routeOf } from '../../../agents/gateway/index.ts'
import type { TokenCounts } from '../../../core/contracts/model.ts'

/** What the scripted provider does with one request. */
export interface Script {
  tokens?: Partial<TokenCounts>
  /** Answers with this instead of a completion. */
  refusal?: { status: number; headers?: Record<string, string>; body: string }
  /** Ends the connection in the middle of the stream. */
  cut?: boolean
  /** Waits before the last part of a stream. */
  pauseMs?: number
  /** Cuts every message of the stream into pieces of this many bytes. */
  pieces?: number
}

/** What the provider billed: one line a request that it worked for. */
export interface Billed {
  model: string
  tokens: TokenCounts
}

export interface ModelServer {
  url: string
  journal: Billed[]
  requests: { path: string; headers: IncomingMessage['headers']; body: string }[]
  /** What comes next, in order; without a script every request is answered with ten tokens in and five out. */
  scripts: Script[]
}

/** Starts a provider that speaks all dialects over real HTTP, does as it is told, and keeps a journal of what it bills. */
export async function startModelServer(): Promise<ModelServer> {
  const state: ModelServer = { url: '', journal: [], requests: [], scripts: [] }
  const server = createServer((request, response) => {
    serve(state, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return state
}

async function serve(state: ModelServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString('utf8')
  const path = request.url ?? ''
  state.requests.push({ path, headers: request.headers, body })
  const route = routeOf(request.method ?? '', path.split('?')[0] as string)
  if (route?.kind !== 'call') {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ free: path }))
    return
  }
  const json = JSON.parse(body) as Record<string, unknown>
  const script = state.scripts.shift() ?? {}
  if (script.refusal) {
    response.writeHead(script.refusal.status, { 'content-type': 'application/json', ...script.refusal.headers })
    response.end(script.refusal.body)
    return
  }
  const tokens = { input: 10, output: 5, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0, reasoning: 0, ...script.tokens }
  const model = route.model ?? String(json.model)
  state.journal.push({ model, tokens })
  const streaming = route.streaming ?? (route.dialect === 'ollama-chat' ? json.stream !== false : json.stream === true)
  const withUsage =
    route.dialect !== 'openai-chat' || (json.stream_options as { include_usage?: boolean })?.include_usage === true
  const messages = SPEAK[route.dialect](tokens, streaming, withUsage)
  if (!streaming) {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(messages[0]))
    return
  }
  const isLines = route.dialect === 'ollama-chat'
  response.writeHead(200, { 'content-type': isLines ? 'application/x-ndjson' : 'text/event-stream' })
  const texts = messages.map((message) =>
    isLines ? `${JSON.stringify(message)}\n` : message === '[DONE]' ? 'data: [DONE]\n\n' : eventOf(route.dialect, message),
  )
  const half = Math.ceil(texts.length / 2)
  for (const [index, text] of texts.entries()) {
    if (index === half && (script.pauseMs || script.cut)) {
      await new Promise((resolve) => setTimeout(resolve, script.pauseMs ?? 30))
      if (script.cut) return void response.destroy()
    }
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += script.pieces ?? bytes.length) {
      response.write(bytes.subarray(at, at + (script.pieces ?? bytes.length)))
      if (script.pieces) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  response.end()
}

function eventOf(dialect: string, message: unknown): string {
  const type = (message as { type?: string }).type
  return `${dialect !== 'openai-chat' && type ? `event: ${type}\n` : ''}data: ${JSON.stringify(message)}\n\n`
}

type Speak = (tokens: TokenCounts, streaming: boolean, withUsage: boolean) => unknown[]

/** How each vendor says what it said and what that took: several parts when it streams, one when it does not. */
const SPEAK: Record<Dialect, Speak> = {
  'openai-chat': (t, streaming, withUsage) => {
    const usage = {
      prompt_tokens: t.input + t.cacheRead,
      completion_tokens: t.output,
      prompt_tokens_details: { cached_tokens: t.cacheRead },
      completion_tokens_details: { reasoning_tokens: t.reasoning },
    }
    if (!streaming) return [{ choices: [{ message: { content: 'Grüße 🚂' } }], usage }]
    const part = (content: string) => ({ choices: [{ delta: { content } }], ...(withUsage ? { usage: null } : {}) })
    return [part('Grüße '), part('🚂'), ...(withUsage ? [{ choices: [], usage }] : []), '[DONE]']
  },
  'openai-responses': (t, streaming) => {
    const usage = {
      input_tokens: t.input + t.cacheRead,
      input_tokens_details: { cached_tokens: t.cacheRead },
      output_tokens: t.output,
      output_tokens_details: { reasoning_tokens: t.reasoning },
    }
    if (!streaming) return [{ object: 'response', usage }]
    return [
      { type: 'response.created', response: { usage: null } },
      { type: 'response.output_text.delta', delta: 'Grüße' },
      { type: 'response.completed', response: { object: 'response', usage } },
    ]
  },
  'anthropic-messages': (t, streaming) => {
    const prompt = {
      input_tokens: t.input,
      cache_read_input_tokens: t.cacheRead,
      cache_creation_input_tokens: t.cacheWrite + t.cacheWriteLong,
      cache_creation: { ephemeral_5m_input_tokens: t.cacheWrite, ephemeral_1h_input_tokens: t.cacheWriteLong },
    }
    if (!streaming) return [{ type: 'message', content: [], usage: { ...prompt, output_tokens: t.output } }]
    return [
      { type: 'message_start', message: { usage: { ...prompt, output_tokens: 1 } } },
      { type: 'content_block_delta', delta: { text: 'Grüße' } },
      { type: 'ping' },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: t.output } },
      { type: 'message_stop' },
    ]
  },
  gemini: (t, streaming) => {
    const usage = (output: number) => ({
      promptTokenCount: t.input + t.cacheRead,
      cachedContentTokenCount: t.cacheRead,
      candidatesTokenCount: output - t.reasoning,
      thoughtsTokenCount: t.reasoning,
    })
    const last = { candidates: [{ content: {}, finishReason: 'STOP' }], usageMetadata: usage(t.output) }
    return streaming ? [{ candidates: [{ content: {} }], usageMetadata: usage(t.reasoning) }, last] : [last]
  },
  'ollama-chat': (t, streaming) => {
    const done = { done: true, message: { content: '' }, prompt_eval_count: t.input, eval_count: t.output }
    return streaming ? [{ done: false, message: { content: 'Grüße' } }, done] : [done]
  },
}
