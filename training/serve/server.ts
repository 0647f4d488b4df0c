/**
 * A policy behind HTTP: `POST /decide`, `POST /outcome`, `GET /health`, `GET /metrics`. Which policy it is follows the
 * promotion records; a change takes effect between two requests.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Clock, timestamp } from '../../core/clock.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import { randomFrom } from '../random.ts'
import { openLimiter } from './limiter.ts'
import { openLineLog } from './log.ts'
import { type Breach, openMeters, type Thresholds } from './meters.ts'
import { isRefusal, refusal, type Served } from './served.ts'
import { type Arm, armOf } from './split.ts'

/** What is in use, as the promotion records say. */
export interface InUse {
  /** The commit they were read from. */
  commit: string
  champion: Served
  challenger?: Served
}

export interface ServeOptions {
  policy: string
  port: number
  /** Address to listen on; only this machine unless told. */
  host?: string
  /** Share of keys that the challenger answers while there is one, in [0, 1]. */
  share: number
  /** Draw actions by their probabilities instead of taking the best. */
  explore: boolean
  thresholds: Thresholds
  /** Decisions a second at most; unlimited unless told. What is more is answered with 429. */
  rate?: number
  /** Returns what is in use now; the same object while nothing has changed. */
  load: () => Promise<InUse>
  /** Milliseconds between two looks; 500 unless told. */
  pollMs?: number
  /** Absolute; decisions and outcomes are appended to it. */
  log: string
  clock: Clock
  ids: Ids
  /** Told once when a limit stops to hold, and again only after it held. */
  onBreach: (breach: Breach) => Promise<void>
  onNote: (text: string) => void
}

export interface PolicyServer {
  /** E.g. `http://127.0.0.1:8080`. */
  readonly url: string
  /** Looks at once whether something else is in use. */
  refresh(): Promise<void>
  /** Answers what has begun, writes the log and ends. */
  close(): Promise<void>
}

/** Bytes of a request that are read. */
const MOST_BYTES = 1_000_000

/** Starts serving. @throws VT_SERVE_ADDRESS when the address is taken; whatever `load` throws at the first look */
export async function servePolicy(options: ServeOptions): Promise<PolicyServer> {
  const { clock, ids, thresholds, onNote } = options
  let inUse = await options.load()
  const meters = openMeters()
  const log = openLineLog(options.log, (cause, lines) =>
    onNote(`${lines} lines could not be logged: ${(cause as Error).message}`),
  )
  const random = randomFrom(ids.ulid())
  const told = new Set<string>()
  const started = clock.monotonic()

  const refresh = async () => {
    try {
      const now = await options.load()
      if (now === inUse) return
      inUse = now
      const challenger = now.challenger === undefined ? '' : `, challenger run ${now.challenger.run}`
      onNote(`champion run ${now.champion.run}${challenger}, by ${now.commit.slice(0, 12)}`)
    } catch (cause) {
      // What is served stays served: a record that contradicts another one is a person's to settle.
      onNote(`what is in use cannot be read, nothing changes: ${(cause as Error).message}`)
    }
  }
  const watchLimits = async () => {
    const breaches = meters.breaches(thresholds)
    const names = new Set(breaches.map(({ what, arm }) => `${what} ${arm}`))
    for (const name of told) if (!names.has(name)) told.delete(name)
    for (const breach of breaches) {
      const name = `${breach.what} ${breach.arm}`
      if (told.has(name)) continue
      told.add(name)
      await options.onBreach(breach).catch((cause) => onNote(`the breach could not be reported: ${(cause as Error).message}`))
    }
  }

  const admit = options.rate === undefined ? () => 0 : openLimiter(options.rate, clock)
  const decide = (body: Record<string, unknown>, began: number): object => {
    const key = typeof body.key === 'string' ? body.key : undefined
    const id = ids.ulid()
    const share = inUse.challenger === undefined ? 0 : options.share
    const arm = armOf(options.policy, key ?? id, share)
    const one = (arm === 'challenger' ? inUse.challenger : undefined) ?? inUse.champion
    try {
      const choice = one.decide(body, random, !options.explore)
      const armPropensity = arm === 'challenger' ? share : 1 - share
      const answer = {
        decision: `${id}-${arm === 'challenger' ? 'b' : 'a'}`,
        action: choice.action,
        name: choice.name,
        candidates: choice.candidates,
        propensity: choice.propensity * armPropensity,
        arm,
        run: one.run,
        version: one.version,
      }
      log.write({ type: 'decision', at: timestamp(clock), ...answer, armPropensity, ...choice.seen, key: key || undefined })
      meters.answered(arm, clock.monotonic() - began)
      return answer
    } catch (cause) {
      if (!isRefusal(cause)) meters.failed(arm)
      throw cause
    }
  }
  const outcome = (body: Record<string, unknown>): object => {
    const match = typeof body.decision === 'string' ? /^[0-7][0-9A-HJKMNP-TV-Z]{25}-([ab])$/.exec(body.decision) : null
    if (match === null) throw refusal('`decision` is the text that /decide answered with')
    const [score, usd] = [numberIn(body, 'score'), numberIn(body, 'usd')]
    if (score === undefined && usd === undefined) throw refusal('an outcome has a `score`, `usd`, or both')
    if (usd !== undefined && usd < 0) throw refusal('`usd` is below 0')
    const arm: Arm = match[1] === 'b' ? 'challenger' : 'champion'
    // Several outcomes of one decision may come; readers of the log take the last one.
    log.write({
      type: 'outcome',
      at: timestamp(clock),
      decision: body.decision,
      ...(score === undefined ? {} : { score }),
      ...(usd === undefined ? {} : { usd }),
    })
    meters.outcome(arm, { score, usd })
    return { recorded: true }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const began = clock.monotonic()
    const route = `${request.method} ${(request.url ?? '').split('?')[0]}`
    if (route === 'GET /health') {
      const { champion, challenger } = inUse
      const uptimeMs = Math.round(clock.monotonic() - started)
      return send(response, 200, {
        status: meters.breaches(thresholds).length === 0 ? 'ok' : 'degraded',
        policy: options.policy,
        commit: inUse.commit,
        champion: { run: champion.run, version: champion.version },
        challenger: challenger === undefined ? null : { run: challenger.run, version: challenger.version, share: options.share },
        uptimeMs,
      })
    }
    if (route === 'GET /metrics') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
      return response.end(meters.render(options.policy))
    }
    const waitMs = route === 'POST /decide' ? admit() : 0
    if (waitMs > 0) {
      meters.refused()
      response.setHeader('retry-after', Math.ceil(waitMs / 1000))
      return send(response, 429, {
        error: { code: 'VT_SERVE_RATE', message: `more than ${options.rate} decisions a second; wait ${waitMs} ms` },
      })
    }
    if (route === 'POST /decide') return send(response, 200, decide(await readBody(request), began))
    if (route === 'POST /outcome') return send(response, 200, outcome(await readBody(request)))
    return send(response, 404, { error: { code: 'VT_SERVE_ROUTE', message: `there is no ${route.slice(0, 80)}` } })
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((cause) => {
      const isTheirs = isRefusal(cause)
      if (isTheirs) meters.refused()
      else onNote(`a request failed: ${(cause as Error).message}`)
      if (!response.headersSent) {
        const error = isTheirs
          ? { code: cause.code, message: cause.message }
          : { code: 'VT_SERVE_FAILED', message: 'the decision failed' }
        send(response, isTheirs ? 400 : 500, { error })
      }
    })
  })
  // Longer than clients and balancers keep a connection that is idle: a server that closes one first fails the request that is
  // on its way over it.
  server.keepAliveTimeout = 65_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new ValuetrainError('VT_SERVE_ADDRESS', `port ${options.port} cannot be listened on (${cause.code})`, {
          kind: 'environment',
          hint: 'choose another --port, or 0 for a free one',
          cause,
        }),
      )
    })
    server.listen(options.port, options.host ?? '127.0.0.1', resolve)
  })
  const poll = setInterval(() => {
    void refresh().then(watchLimits)
  }, options.pollMs ?? 500)
  poll.unref()
  const { address, port, family } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    refresh: () => refresh().then(watchLimits),
    async close() {
      clearInterval(poll)
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      })
      await log.close()
    },
  }
}

function numberIn(body: Record<string, unknown>, name: string): number | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw refusal(`\`${name}\` is a finite number`)
}

function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= MOST_BYTES) chunks.push(chunk)
      else reject(refusal(`a request has at most ${MOST_BYTES} bytes`))
    })
    request.on('error', reject)
    request.on('end', () => {
      try {
        resolve(objectIn(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
      } catch (cause) {
        reject(cause)
      }
    })
  })
}

function objectIn(bytes: Buffer): Record<string, unknown> {
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw refusal('the request is not JSON')
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>
  throw refusal('the request is no JSON object')
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
