import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sha256 } from '../../core/canonical.ts'
import type { Clock } from '../../core/clock.ts'
import { CallTags, type ModelAccess, type ModelGateway } from '../../core/contracts/model.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import type { Limits, Spent } from './budget.ts'
import { refuse, serveCall } from './call.ts'
import { type Provider, type Route, routeOf } from './dialects.ts'
import type { PriceBook } from './prices.ts'
import { type Kit, Run } from './run.ts'
import { ownTill, sharedTill, type Till } from './till.ts'
import { keyOf, send, type Upstream } from './upstream.ts'

export interface GatewayOptions {
  upstreams: Readonly<Record<Provider, Upstream>>
  book: PriceBook
  limits: Limits
  /** What the log says has been spent; asked once, before the first call. */
  past: () => Promise<readonly Spent[]>
  clock: Clock
  ids: Ids
  /** Makes a key that nobody can guess. */
  newKey: () => string
  /** File through which programs of one clone share the budgets; without it this program keeps them alone. */
  file?: string
  /** Calls and tokens of one run; undefined does not limit. */
  most?: { calls?: number; tokens?: number }
  /** How long an answer is read on after its agent has gone, so that it can be counted; 30 seconds unless told. */
  drainMs?: number
}

/** Bytes of a request that are taken. */
const LARGEST_REQUEST = 64 * 1024 * 1024

/**
 * Returns the gateway between agents and models. It listens on the loopback address from the first run on, lets only
 * keys of open runs through, puts the provider's key in their place, and counts every call.
 */
export function openGateway(options: GatewayOptions): ModelGateway {
  const runs = new Map<string, Run>()
  let started: Promise<{ server: Server; url: string; kit: Kit }> | undefined
  let opened: Promise<Kit> | undefined
  const kit = () => {
    opened ??= tillOf(options).then((till) => ({
      upstreams: options.upstreams,
      book: options.book,
      till,
      most: options.most ?? {},
      clock: options.clock,
      ids: options.ids,
      drainMs: options.drainMs ?? 30_000,
    }))
    return opened
  }
  const start = () => {
    started ??= kit().then((made) => listen(runs, made).then((listening) => ({ ...listening, kit: made })))
    return started
  }
  return {
    async open(tags, onCall) {
      const run = new Run(checkTags(tags), onCall)
      const { url, kit: made } = await start()
      const key = options.newKey()
      runs.set(sha256(key), run)
      return {
        access: accessOf(url, key),
        signal: run.signal,
        get stopped() {
          return run.stopped
        },
        get usage() {
          return run.usage
        },
        async close() {
          runs.delete(sha256(key))
          await run.close(made.drainMs)
        },
      }
    },
    async freeUsd(ticket) {
      const day = new Date(options.clock.now()).toISOString().slice(0, 10)
      return (await kit()).till.freeUsd({ run: '', ticket, day })
    },
    async close() {
      if (started === undefined) return
      const { server } = await started
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function tillOf({ limits, past, file, clock }: GatewayOptions): Promise<Till> {
  const isLimited = Object.values(limits).some((usd) => usd !== null)
  return file === undefined || !isLimited ? ownTill(limits, await past()) : sharedTill(limits, past, { file, clock })
}

function checkTags(tags: CallTags): CallTags {
  const checked = CallTags.safeParse(tags)
  if (checked.success) return checked.data
  const missing = [...new Set(checked.error.issues.map(({ path }) => path.join('.')))].join(', ')
  throw new ValuetrainError('VT_COST_UNTAGGED', `calls of models cannot be made for nobody: ${missing} is missing or wrong`, {
    kind: 'internal',
  })
}

/** Returns the variables under which agents look for addresses and keys. */
function accessOf(url: string, key: string): ModelAccess {
  const env = {
    OPENAI_BASE_URL: `${url}/v1`,
    OPENAI_API_KEY: key,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: key,
    GOOGLE_GEMINI_BASE_URL: url,
    GEMINI_API_KEY: key,
    // Clients of Ollama send no key of their own, so it stands in the address.
    OLLAMA_HOST: `${url}/k/${key}`,
  }
  return { url, key, env }
}

async function listen(runs: ReadonlyMap<string, Run>, kit: Kit): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    response.on('error', () => {})
    answer(runs, request, response, kit).catch((error: unknown) => {
      // What the agent sent is not repeated, nor what we failed at; the run's own record has the reason.
      if (!response.headersSent)
        refuse(response, undefined, 500, 'api_error', error instanceof ValuetrainError ? error.message : 'error')
      else response.destroy()
    })
  })
  // An answer may take as long as a model thinks; the turn's own limits end it.
  server.requestTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new ValuetrainError('VT_GATEWAY', 'the gateway cannot listen on the loopback address', { kind: 'environment', cause }),
      ),
    )
    server.listen(0, '127.0.0.1', resolve)
  })
  server.unref()
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function answer(
  runs: ReadonlyMap<string, Run>,
  request: IncomingMessage,
  response: ServerResponse,
  kit: Kit,
): Promise<void> {
  const { key, path } = target(request)
  const route = routeOf(request.method ?? '', path.split('?')[0] as string)
  const call = route?.kind === 'call' ? route : undefined
  // A page in a browser can send requests to this address, too; it always says where it comes from.
  if (!isLoopback(request.headers.host) || request.headers.origin !== undefined) {
    return refuse(response, call, 403, 'permission_error', 'only programs on this machine may call this gateway')
  }
  const run = key === undefined ? undefined : runs.get(sha256(key))
  if (run === undefined) return refuse(response, call, 401, 'authentication_error', 'the key is not that of a run under way')
  if (route === undefined)
    return refuse(response, undefined, 404, 'not_found_error', `the gateway does not pass on ${path.slice(0, 80)}`)
  if (run.isOver) return refuse(response, call, 402, 'budget_exceeded', run.stopped?.reason ?? 'the run is over')
  const body = await readBody(request)
  if (body === undefined)
    return refuse(response, call, 413, 'request_too_large', `a request has at most ${LARGEST_REQUEST} bytes`)
  const sent = { method: request.method ?? 'GET', path, headers: request.headers, body }
  await run.during(call ? serveCall(run, call, sent, response, kit) : passFree(route, sent, response, kit))
}

/** Takes a key out of the path, where a client can send none otherwise. */
function target(request: IncomingMessage): { key: string | undefined; path: string } {
  const path = request.url ?? '/'
  const inPath = /^\/k\/([^/]+)(\/.*)$/.exec(path)
  if (inPath) return { key: inPath[1], path: inPath[2] as string }
  return { key: keyOf(request.headers, path), path }
}

function isLoopback(host: string | undefined): boolean {
  return /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i.test(host ?? '')
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= LARGEST_REQUEST) chunks.push(chunk)
  }
  return size <= LARGEST_REQUEST ? Buffer.concat(chunks) : undefined
}

/** The list of models has one path for two providers; who asks says which one is meant. */
function providerOf(route: Extract<Route, { kind: 'free' }>, headers: IncomingMessage['headers']): Provider {
  return route.provider === 'openai' && headers['anthropic-version'] !== undefined ? 'anthropic' : route.provider
}

async function passFree(
  route: Route,
  request: { method: string; path: string; headers: IncomingMessage['headers']; body: Buffer },
  response: ServerResponse,
  kit: Kit,
): Promise<void> {
  const provider = route.kind === 'free' ? providerOf(route, request.headers) : route.provider
  const stop = new AbortController()
  response.once('close', () => stop.abort())
  try {
    const answered = await send(kit.upstreams[provider], provider, request, stop.signal)
    response.writeHead(answered.statusCode ?? 502, { 'content-type': answered.headers['content-type'] ?? 'application/json' })
    for await (const chunk of answered as AsyncIterable<Buffer>) response.write(chunk)
    response.end()
  } catch (error) {
    if (response.destroyed) return
    if (response.headersSent) response.destroy()
    else refuse(response, undefined, 502, 'api_error', `the provider could not be reached (${(error as { code?: string }).code})`)
  }
}
