import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LLMock } from '@copilotkit/aimock'
import { onTestFinished } from 'vitest'
import { openGateway, PROVIDERS, type Provider } from '../../agents/gateway/index.ts'
import { listRuntimes } from '../../agents/index.ts'
import { systemClock } from '../../core/clock.ts'
import { parseConfig } from '../../core/config.ts'
import type { ModelCall, ModelRun } from '../../core/contracts/model.ts'
import type { Runtime } from '../../core/contracts/runtime.ts'
import { countingIds } from '../../core/ids.ts'
import { BOOK, NO_LIMITS, TAGS } from './gateway/opened.ts'

/** A model server that somebody else wrote, on a port of its own for one test. */
export async function startAimock(): Promise<LLMock> {
  const mock = new LLMock({ port: 0 })
  await mock.start()
  onTestFinished(() => mock.stop())
  return mock
}

export type Serve = (request: IncomingMessage, response: ServerResponse, body: string) => void | Promise<void>

/** Starts a server that does exactly what it is told, for answers that no proper server gives. */
export async function startServer(serve: Serve): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    bodies.push(body)
    await serve(request, response, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies }
}

export interface OllamaFacts {
  capabilities?: string[]
  context?: number
  /** Context with which the model is loaded, as `/api/ps` says it. */
  loaded?: number
}

/** Stands before aimock and answers what it does not: `/api/version`, `/api/show` and `/api/ps`. */
export async function startOllama(mock: LLMock, facts: OllamaFacts = {}): Promise<{ url: string; bodies: string[] }> {
  const { capabilities = ['completion', 'tools'], context = 131_072, loaded } = facts
  const json = (response: ServerResponse, value: object, status = 200) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  return startServer(async (request, response, body) => {
    if (request.url === '/api/version') return json(response, { version: '0.15.2' })
    if (request.url === '/api/show') {
      if (!body.includes('coder')) return json(response, { error: 'not found' }, 404)
      return json(response, { capabilities, model_info: { 'qwen3.context_length': context } })
    }
    if (request.url === '/api/ps') {
      return json(response, { models: loaded === undefined ? [] : [{ name: 'coder:30b', context_length: loaded }] })
    }
    const answer = await fetch(mock.url + (request.url ?? ''), {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
}

export interface Bare {
  runtime: Runtime
  models: ModelRun
  calls: ModelCall[]
}

/** Opens a bare model as a configuration names it, with a gateway in front of its endpoint. */
export async function openBare(protocol: 'ollama' | 'openai', url: string, more: object = {}): Promise<Bare> {
  const config = parseConfig(
    JSON.stringify({ agents: { mine: { protocol, model: 'coder:30b', ...more } }, models: { [protocol]: { url, key: null } } }),
  )
  const gateway = openGateway({
    upstreams: Object.fromEntries(PROVIDERS.map((name) => [name, { url, key: undefined, prices: name }])) as Record<
      Provider,
      { url: string; key: undefined; prices: string }
    >,
    book: BOOK,
    limits: NO_LIMITS,
    past: async () => [],
    clock: systemClock,
    ids: countingIds(),
    newKey: () => 'run-key-of-this-test',
  })
  const calls: ModelCall[] = []
  const models = await gateway.open(TAGS, async (call) => void calls.push(call))
  onTestFinished(() => gateway.close())
  const runtime = listRuntimes({ env: process.env, script: undefined, config }).find(({ id }) => id === 'mine')
  if (runtime === undefined) throw new Error('the configured model is no runtime')
  return { runtime, models, calls }
}
