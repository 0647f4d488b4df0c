import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { verify } from '@octokit/webhooks-methods'
import { ValuetrainError } from '../../core/errors.ts'
import { digestOfText, type Intents } from './intents.ts'
import type { Place } from './place.ts'

/** What a delivery was about, as far as whoever waits needs to know. */
export interface Delivery {
  /** Unique for a delivery; a replay has the same. */
  id: string
  event: string
  action: string | undefined
  /** Issue or pull request it is about. */
  number: number | undefined
  login: string | undefined
}

export interface ReceiverOptions {
  /** What deliveries are signed with. */
  secret: string
  /** 0 lets the system choose. */
  port: number
  /** Address to listen at; this machine alone unless told. */
  host?: string
  place: Pick<Place, 'owner' | 'name'>
  intents: Intents
  /** Label that starts work. */
  auto: string
  /** Hears of each delivery that may change what is to be done; looking is up to whoever hears. */
  onWake(delivery: Delivery): void
  /** Hears of what went wrong with a delivery, in a sentence. */
  onProblem?(text: string): void
}

export interface Receiver {
  /** Where deliveries go, without the host's public name. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** GitHub sends at most 25 MB. */
const MOST_BYTES = 25 * 1024 * 1024
const REMEMBERED = 10_000
const BODY_MS = 30_000

/** Events after which there may be something to do. Everything else is taken and left alone. */
const WAKING = new Set([
  'issues',
  'issue_comment',
  'issue_dependencies',
  'sub_issues',
  'pull_request',
  'pull_request_review',
  'pull_request_review_comment',
  'merge_group',
  'check_run',
  'check_suite',
  'status',
  'push',
])

/**
 * Opens a receiver of webhooks. A delivery decides nothing: it wakes whoever looks at the forge, and from one that sets the
 * label that starts work the text is kept as it was at that moment. So a delivery that comes twice, late, out of order or
 * never changes no result, only how soon it is there.
 *
 * @throws VT_WEBHOOK_SECRET when there is no secret; VT_WEBHOOK_PORT when the port cannot be had
 */
export async function openReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { secret, port, host = '127.0.0.1' } = options
  if (secret.length < 8)
    throw new ValuetrainError('VT_WEBHOOK_SECRET', 'there is no secret of at least 8 characters to check deliveries with', {
      kind: 'config',
      hint: 'set VALUETRAIN_WEBHOOK_SECRET to the secret that stands in the webhook’s settings',
    })
  const seen = new Set<string>()
  const server = createServer({ requestTimeout: BODY_MS, headersTimeout: 10_000 }, (request, response) => {
    receive(options, seen, request)
      .catch((error): Reply => {
        options.onProblem?.(`a delivery failed: ${(error as Error).message}`)
        return [500, 'failed']
      })
      .then(([status, text]) => answer(response, status, text))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(port, host, cause as NodeJS.ErrnoException)))
    server.listen(port, host, resolve)
  })
  const at = (server.address() as AddressInfo).port
  return {
    port: at,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${at}/`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Reply = [status: number, text: string]

async function receive(options: ReceiverOptions, seen: Set<string>, request: IncomingMessage): Promise<Reply> {
  if (request.method !== 'POST') return [405, 'deliveries are posted']
  const body = await readBody(request)
  if (body === undefined) return [413, 'too large']
  const refused = await refusalOf(options, request, body)
  if (refused) return refused
  const id = String(request.headers['x-github-delivery'] ?? '')
  const event = String(request.headers['x-github-event'] ?? '')
  if (event === '') return [400, 'no event is named']
  if (id !== '' && seen.has(id)) return [202, 'seen before']
  const payload = parse(body)
  if (payload === undefined) return [400, 'not a JSON object']
  if (!isOurs(payload, options.place)) return [202, 'about another repository']
  await keepText(options, event, payload)
  if (id !== '') remember(seen, id)
  const { action, issue, pull_request, sender } = payload
  const number = issue?.number ?? pull_request?.number
  if (WAKING.has(event)) options.onWake({ id, event, action, number, login: sender?.login })
  return [202, 'taken']
}

/** A signature over the bytes as they came, by the one algorithm that is safe; anything else is nobody's delivery. */
async function refusalOf(
  { secret, onProblem }: ReceiverOptions,
  request: IncomingMessage,
  body: Buffer,
): Promise<Reply | undefined> {
  const signature = request.headers['x-hub-signature-256']
  if (typeof signature !== 'string' || !/^sha256=[0-9a-f]{64}$/.test(signature)) {
    onProblem?.('a delivery without a sha256 signature was refused')
    return [401, 'no sha256 signature']
  }
  // The bytes are compared as text, so what does not come back as the same bytes is refused before.
  const text = body.toString('utf8')
  if (Buffer.from(text, 'utf8').equals(body) && text !== '' && (await verify(secret, text, signature))) return undefined
  onProblem?.('a delivery with a wrong signature was refused')
  return [401, 'wrong signature']
}

interface Payload {
  action?: string
  issue?: { number: number; title?: string; body?: string | null; updated_at?: string; pull_request?: unknown }
  pull_request?: { number: number }
  label?: { name?: string }
  sender?: { login?: string }
  repository?: { full_name?: string }
}

function parse(body: Buffer): Payload | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Payload) : undefined
  } catch {
    return undefined
  }
}

/** Deliveries of an organisation or App may be about other repositories, or about none. */
function isOurs({ repository }: Payload, { owner, name }: Pick<Place, 'owner' | 'name'>): boolean {
  return repository?.full_name?.toLowerCase() === `${owner}/${name}`.toLowerCase()
}

/** The text as it was when the label was set. An older delivery that comes later changes nothing. */
async function keepText({ intents, auto }: ReceiverOptions, event: string, payload: Payload): Promise<void> {
  const { action, issue, label, sender } = payload
  if (event !== 'issues' || action !== 'labeled' || label?.name?.toLowerCase() !== auto.toLowerCase()) return
  if (!issue || issue.pull_request !== undefined || !issue.title || !issue.updated_at || !sender?.login) return
  const at = Date.parse(issue.updated_at)
  const known = await intents.read(issue.number)
  if (!Number.isFinite(at) || (known !== undefined && Date.parse(known.at) >= at)) return
  const body = issue.body ?? ''
  const digest = digestOfText(issue.title, body)
  const intent = {
    v: 1 as const,
    issue: issue.number,
    event: null,
    by: sender.login,
    at: issue.updated_at,
    title: issue.title,
    body,
    digest,
  }
  await intents.keep([intent])
}

function remember(seen: Set<string>, id: string): void {
  seen.add(id)
  if (seen.size > REMEMBERED) seen.delete(seen.values().next().value as string)
}

/** Undefined when it is larger than any delivery. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) return undefined
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > MOST_BYTES) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...(status === 413 ? { connection: 'close' } : {}) })
  response.end(`${text}\n`)
}

function cannotListen(port: number, host: string, cause: NodeJS.ErrnoException): ValuetrainError {
  return new ValuetrainError('VT_WEBHOOK_PORT', `port ${port} of ${host} cannot be listened at (${cause.code})`, {
    kind: 'environment',
    hint: 'choose another port, or end the program that has it',
    cause,
  })
}
