import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Contract } from './contract.ts'
import { answerGap } from './gaps.ts'
import { answerGit } from './git-http.ts'
import type { Fault, Holder, Journaled } from './types.ts'
import { type Answer, type Call, mayAtLeast, refusalOf, type World } from './world.ts'

/** The hourly limit as the stand keeps it, one for all tokens. */
export interface Budget {
  limit: number
  remaining: number
  /** Seconds since 1970. */
  reset: number
}

/** The stand's one address: git below `/<owner>/<name>.git`, the API below `/api/v3`, GraphQL at `/api/graphql`. */
export interface Front {
  server: Server
  origin: string
  journal: Journaled[]
  faults: (Fault & { left: number })[]
  budget: Budget
  /** Set once the emulator is up. */
  world: World | undefined
  /** While true every connection is cut, git's too: the network is gone. */
  isDown: boolean
  /** Carries out a call as somebody, outside journal, faults, limits and contract. */
  carryOut(call: Call): Promise<Answer>
}

/** Opens the address; it answers 503 until `world` is set. */
export async function openFront(contract: Contract, gitRoot: string, env: NodeJS.ProcessEnv): Promise<Front> {
  const front: Front = {
    server: createServer((request, response) => {
      answer(front, contract, { gitRoot, env }, request, response).catch((error) => {
        if (!response.headersSent) send(response, { status: 500, body: { message: String(error?.stack ?? error) } })
        else response.destroy()
      })
    }),
    origin: '',
    journal: [],
    faults: [],
    budget: { limit: 5000, remaining: 5000, reset: Math.floor(Date.now() / 1000) + 3600 },
    world: undefined,
    isDown: false,
    carryOut: async (call) => {
      const world = front.world as World
      const gap = await answerGap(world, call)
      if (gap) return gap
      const body = call.method === 'PUT' || call.method === 'POST' || call.method === 'PATCH' ? (call.body ?? {}) : call.body
      const query = call.query.toString()
      const found = await world.emulator(call.token, call.method, `${call.path}${query === '' ? '' : `?${query}`}`, body)
      return { status: found.status, body: found.body, ...(found.link === '' ? {} : { headers: { link: found.link } }) }
    },
  }
  await new Promise<void>((resolve) => front.server.listen(0, '127.0.0.1', resolve))
  front.origin = `http://127.0.0.1:${(front.server.address() as AddressInfo).port}`
  return front
}

interface GitPlace {
  gitRoot: string
  env: NodeJS.ProcessEnv
}

async function answer(front: Front, contract: Contract, place: GitPlace, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '/', front.origin)
  if (front.isDown) return void request.socket.destroy()
  if (!front.world) return send(response, { status: 503 })
  // Both ways of writing an address are taken, with `.git` and without.
  const [, repository, asked] = /^(\/[^/]+\/[^/]+?)(?:\.git)?\/(info\/refs|git-(?:upload|receive)-pack)$/.exec(url.pathname) ?? []
  if (asked) url.pathname = `${repository}.git/${asked}`
  if (asked) return overGit(front.world, place, url, request, response)
  const path = url.pathname === '/api/graphql' ? '/graphql' : url.pathname.replace(/^\/api\/v3(?=\/|$)/, '')
  const text = await readAll(request)
  const entry: Journaled = {
    method: request.method ?? 'GET',
    path,
    query: url.search.slice(1),
    body: text === '' ? undefined : JSON.parse(text),
    login: undefined,
    status: 0,
    counted: true,
    violations: [],
    userAgent: String(request.headers['user-agent'] ?? ''),
  }
  front.journal.push(entry)
  const given = await decide(front, contract, entry, request, url)
  if (given === 'cut') return void request.socket.destroy()
  const etag = entry.method === 'GET' && given.status === 200 ? etagOf(given.body) : undefined
  const isSame = etag !== undefined && request.headers['if-none-match'] === etag
  entry.status = isSame ? 304 : given.status
  entry.counted = !isSame
  if (!isSame && path !== '/rate_limit') front.budget.remaining = Math.max(0, front.budget.remaining - 1)
  send(response, {
    status: entry.status,
    ...(isSame ? {} : { body: given.body }),
    headers: { ...limitHeaders(front.budget), ...(etag === undefined ? {} : { etag }), ...given.headers },
  })
}

async function decide(
  front: Front,
  contract: Contract,
  entry: Journaled,
  request: IncomingMessage,
  url: URL,
): Promise<Answer | 'cut'> {
  const world = front.world as World
  const token = tokenIn(String(request.headers.authorization ?? ''))
  const holder = holderOf(world, token)
  if (!holder)
    return { status: 401, body: { message: token === '' ? 'Requires authentication' : 'Bad credentials', status: '401' } }
  entry.login = holder.login
  const fault = takeFault(front, entry)
  if (fault?.delayMs) await delay(fault.delayMs)
  if (fault && fault.when !== 'after' && (fault.cut || fault.status)) return mishap(fault)
  if (front.budget.remaining <= 0)
    return { status: 403, body: { message: 'API rate limit exceeded for user ID 1.', status: '403' } }
  if (entry.path !== '/graphql')
    entry.violations = contract.check({ method: entry.method, path: entry.path, query: entry.query, body: entry.body })
  if (entry.violations.length > 0) return { status: 422, body: { message: 'Validation Failed', errors: entry.violations } }
  const known = world.holders.has(token) && !holder.app ? world.tokenOf(holder.login) : token
  const call: Call = { method: entry.method, path: entry.path, query: url.searchParams, body: entry.body, holder, token: known }
  const given = refusalOf(call) ?? (await front.carryOut(call))
  if (/\/access_tokens$/.test(entry.path) && given.status === 201) learnToken(world, given.body)
  if (fault?.when === 'after') return mishap(fault)
  const scopes: Record<string, string> = holder.scopes === undefined ? {} : { 'x-oauth-scopes': holder.scopes.join(', ') }
  return { ...given, headers: { ...scopes, ...given.headers } }
}

function tokenIn(header: string): string {
  const basic = /^Basic (.+)$/i.exec(header)?.[1]
  if (basic)
    return Buffer.from(basic, 'base64')
      .toString('utf8')
      .replace(/^[^:]*:/, '')
  return /^(?:token|bearer) (.+)$/i.exec(header)?.[1] ?? ''
}

/** A token with two dots is an App's own; whether it is signed rightly is the emulator's to say. */
function holderOf(world: World, token: string): Holder | undefined {
  if (token.split('.').length === 3 && world.app) return { login: `${world.app.slug}[bot]`, app: world.app }
  return world.holders.get(token)
}

function learnToken(world: World, body: unknown): void {
  const { token, permissions, repositories } = body as {
    token: string
    permissions: Record<string, string>
    repositories?: { full_name: string }[]
  }
  const app = world.app as { id: number; slug: string }
  world.holders.set(token, {
    login: `${app.slug}[bot]`,
    permissions: { metadata: 'read', ...permissions },
    app: { id: app.id, slug: app.slug },
    ...(repositories ? { repositories: repositories.map(({ full_name }) => full_name) } : {}),
  })
}

function takeFault(front: Front, { method, path }: Journaled): Fault | undefined {
  const line = `${method} ${path}`
  const fault = front.faults.find(({ on, left }) => left > 0 && (typeof on === 'string' ? on === line : on.test(line)))
  if (fault) fault.left--
  return fault
}

function mishap({ cut, status = 500, headers, body }: Fault): Answer | 'cut' {
  return cut ? 'cut' : { status, body: body ?? { message: 'planned by the test' }, ...(headers ? { headers } : {}) }
}

async function overGit(world: World, { gitRoot, env }: GitPlace, url: URL, request: IncomingMessage, response: ServerResponse) {
  const token = tokenIn(String(request.headers.authorization ?? ''))
  const holder = token === '' ? undefined : holderOf(world, token)
  const name = /^\/([^/]+\/[^/]+)\.git\//.exec(url.pathname)?.[1] ?? ''
  const state = world.repositories.get(name)
  const deny = (status: number, text: string) => {
    response.writeHead(status, {
      'content-type': 'text/plain',
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="GitHub"' } : {}),
    })
    response.end(text)
  }
  if (!state) return deny(404, 'Repository not found.')
  if (!holder) return deny(401, 'Invalid username or token.')
  const isPush = url.searchParams.get('service') === 'git-receive-pack' || url.pathname.endsWith('/git-receive-pack')
  const mayPush = holder.app ? holder.permissions?.contents === 'write' : mayAtLeast(state, holder, 'write')
  if (isPush && !mayPush) return deny(403, `Permission to ${name}.git denied to ${holder.login}.`)
  await answerGit(
    {
      root: gitRoot,
      path: url.pathname,
      query: url.search.slice(1),
      login: holder.login,
      protectedBranches: [...state.protections.keys()],
      env,
    },
    request,
    response,
  )
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function etagOf(body: unknown): string {
  return `W/"${createHash('sha256').update(JSON.stringify(body)).digest('hex')}"`
}

function limitHeaders({ limit, remaining, reset }: Budget): Record<string, string> {
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-used': String(limit - remaining),
    'x-ratelimit-reset': String(reset),
    'x-ratelimit-resource': 'core',
  }
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  const text = body === undefined || status === 204 || status === 304 ? undefined : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
  response.end(text)
}
