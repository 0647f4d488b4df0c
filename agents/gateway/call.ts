import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ModelCall, ModelStop } from '../../core/contracts/model.ts'
import { usdOf } from '../../core/money.ts'
import type { Reservation } from './budget.ts'
import { type Asked, objectOf, type Route, readRequest, recordOf } from './dialects.ts'
import { type Message, splitterFor } from './messages.ts'
import { costOf, type ModelPrice, priceOf, worstCostOf } from './prices.ts'
import { readTrouble, refusalBody, type Trouble } from './refusals.ts'
import type { Kit, Run } from './run.ts'
import { send, wasNotSent } from './upstream.ts'
import { openMeter, type Reading } from './usage.ts'

type CallRoute = Extract<Route, { kind: 'call' }>

/** What a call came to, before it is counted. */
interface Ending {
  status: number
  outcome: ModelCall['outcome']
  reason?: string
  reading: Reading
  /** Whether the provider may have worked for it, and so may bill it. */
  reached: boolean
  stop?: ModelStop
}

/**
 * Serves one call: reserves its greatest cost, passes it on and its answer back as it comes, counts, settles, records.
 * The agent sees the end of the answer only when its line is written.
 */
export async function serveCall(
  run: Run,
  route: CallRoute,
  request: { method: string; path: string; headers: IncomingMessage['headers']; body: Buffer },
  response: ServerResponse,
  kit: Kit,
): Promise<void> {
  const asked = readRequest(route, request.body)
  if (asked === undefined) {
    refuse(response, route, 400, 'invalid_request_error', 'the request is not a JSON object that names a model')
    return
  }
  const id = kit.ids.ulid()
  const begun = { at: kit.clock.now(), monotonic: kit.clock.monotonic() }
  const price = asked.unpriced.length > 0 ? undefined : priceOf(kit.book, kit.upstreams[route.provider].prices, asked.model)
  const worst = price === undefined ? undefined : worstOf(price, asked)
  const write = (ending: Ending, pico: bigint | undefined, isEstimated: boolean) =>
    run.record({
      ...run.tags,
      call: id,
      provider: kit.upstreams[route.provider].prices,
      dialect: route.dialect,
      model: asked.model,
      status: ending.status,
      outcome: ending.outcome,
      ...(ending.reason === undefined ? {} : { reason: ending.reason }),
      streaming: asked.streaming,
      tokens: ending.reading.tokens,
      reported: ending.reading.reported,
      startedAt: new Date(begun.at).toISOString(),
      durationMs: Math.round(kit.clock.monotonic() - begun.monotonic),
      prices: kit.book.version,
      costUsd: pico === undefined ? null : usdOf(pico),
      estimated: isEstimated,
    })
  const payer = { run: run.tags.turn, ticket: run.tags.ticket, day: new Date(begun.at).toISOString().slice(0, 10) }
  const overrun = run.overrun(kit.most)
  if (overrun !== undefined) {
    const stop: ModelStop = { kind: 'run-limit', reason: overrun }
    run.stop(stop, true)
    await write(
      { status: 0, outcome: 'refused', reason: overrun, reading: openMeter(route.dialect).reading(), reached: false },
      0n,
      false,
    )
    refuse(response, route, 402, 'budget_exceeded', overrun)
    return
  }
  const refusal = kit.till.limited ? unpriceable(asked, price, worst) : undefined
  const reservation: Reservation | undefined = refusal ? undefined : await kit.till.reserve(id, payer, worst ?? 0n)
  if (reservation === undefined || !reservation.admitted) {
    const stop = refusal ?? overBudget(reservation as Refused, worst ?? 0n, begun.at)
    run.stop(stop, refusal === undefined)
    const reading = openMeter(route.dialect).reading()
    await write({ status: 0, outcome: 'refused', reason: stop.reason, reading, reached: false }, 0n, false)
    refuse(response, route, 402, 'budget_exceeded', stop.reason)
    return
  }
  const ending = await pass(run, route, { ...request, body: asked.body }, asked, response, kit)
  const cost = costOfEnding(ending, price, worst)
  await kit.till.settle(id, reservation.id, cost.pico)
  await write(ending, cost.pico, cost.isEstimated)
  if (ending.stop) run.stop(ending.stop, true)
  if (ending.outcome === 'cut') response.destroy()
  else response.end()
}

type Refused = Extract<Reservation, { admitted: false }>

/** Answers a request that is not passed on. */
export function refuse(response: ServerResponse, route: CallRoute | undefined, status: number, code: string, why: string): void {
  // `x-should-retry` is what the vendors' own libraries read; without it some would try again.
  response.writeHead(status, { 'content-type': 'application/json', 'x-should-retry': 'false' })
  response.end(refusalBody(route?.dialect, status, code, why))
}

function worstOf(price: ModelPrice, asked: Asked): bigint | undefined {
  const input = asked.inputTokens ?? price.context
  const output = asked.outputTokens ?? price.maxOutput
  if (input === undefined || output === undefined) return undefined
  return worstCostOf(price, { input: Math.min(input, price.context ?? input), output: output * asked.choices })
}

/** Where money is limited, a call whose price or size nobody knows cannot be admitted. */
function unpriceable(asked: Asked, price: ModelPrice | undefined, worst: bigint | undefined): ModelStop | undefined {
  const because = (reason: string): ModelStop => ({ kind: 'budget', reason })
  if (asked.unpriced.length > 0) return because(`no price is known for ${asked.unpriced.join(', ')}, and a budget is set`)
  if (price === undefined) {
    return because(`no price is known for model ${asked.model}, and a budget is set; write it into .valuetrain/prices.yaml`)
  }
  if (worst === undefined) {
    return because(`nothing bounds what this call of ${asked.model} may cost: neither its request nor the price book`)
  }
  return undefined
}

function overBudget({ level, limitUsd, freeUsd, why }: Refused, worst: bigint, now: number): ModelStop {
  const needsUsd = usdOf(worst)
  const money = `the ${level} budget of $${limitUsd} has $${freeUsd} left`
  const reason =
    why === 'unknown-past'
      ? `the ${level} budget of $${limitUsd} cannot be kept: calls of unknown cost were made before it was set`
      : `${money}; this call may take $${needsUsd}`
  if (level === 'run') return { kind: 'run-budget', reason, needsUsd }
  return { kind: 'budget', reason, needsUsd, ...(level === 'day' ? { until: nextDay(now) } : {}) }
}

function nextDay(now: number): string {
  return new Date(Math.floor(now / 86_400_000) * 86_400_000 + 86_400_000).toISOString()
}

/** A call that the provider may have worked for and did not count is taken to have cost the most it can have. */
function costOfEnding(
  { reached, reading }: Ending,
  price: ModelPrice | undefined,
  worst: bigint | undefined,
): { pico: bigint | undefined; isEstimated: boolean } {
  if (!reached) return { pico: 0n, isEstimated: false }
  if (price === undefined) return { pico: undefined, isEstimated: false }
  if (reading.reported === 'all') return { pico: costOf(price, reading.tokens), isEstimated: false }
  return { pico: worst, isEstimated: worst !== undefined }
}

/** Passes a call on and its answer back; never throws, for what went wrong is how the call ended. */
async function pass(
  run: Run,
  route: CallRoute,
  request: { method: string; path: string; headers: IncomingMessage['headers']; body: Buffer },
  asked: Asked,
  response: ServerResponse,
  kit: Kit,
): Promise<Ending> {
  const meter = openMeter(route.dialect)
  const upstreamStop = new AbortController()
  const agent = watchAgent(response, upstreamStop, kit.drainMs)
  let status = 0
  try {
    const answer = await send(
      kit.upstreams[route.provider],
      route.provider,
      request,
      AbortSignal.any([upstreamStop.signal, run.ending]),
    )
    status = answer.statusCode ?? 0
    const isSuccess = status >= 200 && status < 300
    if (!agent.isGone) response.writeHead(status, headersFor(answer))
    const streamed = await relay(answer, response, agent, (message) => meter.take(message.text), asked.hidesUsage && isSuccess)
    if (!isSuccess) {
      const trouble = crowdedOut(run, readTrouble(status, flat(answer), streamed.text, kit.clock.now()), status, kit.clock.now())
      const stop: ModelStop | undefined =
        trouble.kind === 'limited'
          ? { kind: 'usage-limit', reason: trouble.reason, until: untilOf(trouble, kit.clock.now()) }
          : undefined
      const outcome = trouble.kind === 'limited' ? 'limited' : 'failed'
      return { status, outcome, reason: trouble.reason, reading: meter.reading(), reached: false, ...(stop ? { stop } : {}) }
    }
    run.crowded(false)
    const reading = meter.reading()
    if (agent.isGone) return { status, outcome: 'aborted', reason: 'the agent went away', reading, reached: true }
    if (!answer.complete) return { status, outcome: 'cut', reason: 'the answer was cut off', reading, reached: true }
    if (streamed.failure) return { status, outcome: 'failed', reason: streamed.failure, reading, reached: true }
    return { status, outcome: 'ok', reading, reached: true }
  } catch (error) {
    const reached = !wasNotSent(error)
    const reading = meter.reading()
    if (agent.isGone) return { status, outcome: 'aborted', reason: 'the agent went away', reading, reached }
    const code = (error as NodeJS.ErrnoException)?.code ?? 'no answer'
    if (status !== 0) return { status, outcome: 'cut', reason: `the answer was cut off (${code})`, reading, reached }
    refuseUnreachable(response, route, code)
    return { status, outcome: 'failed', reason: `the provider could not be reached (${code})`, reading, reached }
  } finally {
    agent.forget()
  }
}

/** So many refusals for crowding in a row are a limit, for which the ticket waits this long. */
const CROWDED = 10
const CROWDED_WAIT_MS = 15 * 60_000

/** A provider that says "too many, try soon" again and again does not mean soon. */
function crowdedOut(run: Run, trouble: Trouble, status: number, now: number): Trouble {
  const times = run.crowded(status === 429)
  if (trouble.kind !== 'transient' || times < CROWDED) return trouble
  const until = new Date(now + CROWDED_WAIT_MS).toISOString()
  return { kind: 'limited', reason: `${trouble.reason}, ${times} times in a row`, until }
}

function refuseUnreachable(response: ServerResponse, route: CallRoute, code: string): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(502, { 'content-type': 'application/json' })
  response.write(refusalBody(route.dialect, 502, 'api_error', `the provider could not be reached (${code})`))
}

interface Agent {
  readonly isGone: boolean
  forget(): void
}

/**
 * Notices when the agent hangs up. The answer is then read to its end all the same, since most providers say the usage
 * only there and bill it anyway; when that takes too long it is cut.
 */
function watchAgent(response: ServerResponse, upstreamStop: AbortController, drainMs: number): Agent {
  let isGone = response.destroyed
  let timer: NodeJS.Timeout | undefined
  const leave = () => {
    isGone = true
    timer = setTimeout(() => upstreamStop.abort(), drainMs)
  }
  if (isGone) leave()
  else response.once('close', leave)
  return {
    get isGone() {
      return isGone
    },
    forget() {
      clearTimeout(timer)
      response.off('close', leave)
    },
  }
}

/** Text of an answer that is no success, as far as its reasons are read from it. */
const ERROR_TEXT = 64 * 1024

async function relay(
  answer: IncomingMessage,
  response: ServerResponse,
  agent: Agent,
  onMessage: (message: Message) => void,
  hidesUsage: boolean,
): Promise<{ text: string; failure: string | undefined }> {
  const splitter = splitterFor(answer.headers['content-type'] ?? '')
  let text = ''
  let failure: string | undefined
  const look = (message: Message) => {
    onMessage(message)
    failure = failureIn(message.text) ?? failure
    return message
  }
  const write = async (bytes: Buffer) => {
    if (agent.isGone || bytes.length === 0 || response.write(bytes)) return
    const waiting = new AbortController()
    const { signal } = waiting
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]).catch(() => {})
    waiting.abort()
  }
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (text.length < ERROR_TEXT) text += chunk.toString('utf8')
    const messages = splitter.take(chunk).map(look)
    if (!hidesUsage) await write(chunk)
    else for (const message of messages) if (!isUsageAlone(message.text)) await write(message.raw)
  }
  for (const message of splitter.end().map(look)) if (hidesUsage) await write(message.raw)
  return { text, failure }
}

/** The event that only carries usage, which the agent did not ask for and might stumble over. */
function isUsageAlone(text: string): boolean {
  if (!text.includes('"usage"')) return false
  const { choices, usage } = recordOf(objectOf(text))
  return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object' && usage !== null
}

/** A stream that has begun well can still say that it failed. */
function failureIn(text: string): string | undefined {
  if (!text.includes('"error"') && !text.includes('"response.failed"')) return undefined
  const message = recordOf(objectOf(text))
  if (message.type !== 'error' && message.type !== 'response.failed') return undefined
  const { type, code } = recordOf(message.error ?? recordOf(message.response).error)
  const word = typeof type === 'string' ? type : typeof code === 'string' ? code : 'error'
  return `the provider broke off (${word.slice(0, 80)})`
}

const KEPT_HERE = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'set-cookie', 'upgrade', 'trailer'])

function headersFor(answer: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(flat(answer)).filter(([name]) => !KEPT_HERE.has(name)))
}

function flat(answer: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(answer.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  )
}

/** Where the provider says no time, the ticket is tried again after this one. */
const LOOK_AGAIN_MS = 3_600_000

function untilOf({ until }: { until?: string }, now: number): string {
  return until ?? new Date(now + LOOK_AGAIN_MS).toISOString()
}
