import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import type { Provider } from './dialects.ts'

/** Where a provider is, and the key that only the gateway knows. */
export interface Upstream {
  /** Origin, with a path before the dialect's own where there is one. */
  url: string
  key: string | undefined
  /** Name under which the price book has its models. */
  prices: string
}

/** Headers of an agent's request that say something about its content; all others stay here. */
const PASSED =
  /^(?:content-type|accept|user-agent|anthropic-version|anthropic-beta|openai-beta|x-stainless-.*|x-goog-api-client)$/

/**
 * Sends a request to a provider with the provider's key in the place of the run's.
 *
 * @param path with the query, from which a key is taken out
 */
export function send(
  { url, key }: Upstream,
  provider: Provider,
  request: { method: string; path: string; headers: IncomingMessage['headers']; body: Buffer },
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const base = new URL(url)
  const target = new URL(base.pathname.replace(/\/$/, '') + withoutKey(request.path), base)
  const passed = Object.entries(request.headers).filter(([name, value]) => PASSED.test(name) && value !== undefined)
  const headers = {
    ...(Object.fromEntries(passed) as Record<string, string>),
    ...(key === undefined ? {} : keyHeader(provider, key)),
    // What is compressed could not be counted as it passes.
    'accept-encoding': 'identity',
    ...(request.method === 'POST' ? { 'content-length': String(request.body.length) } : {}),
  }
  const open = target.protocol === 'https:' ? overHttps : overHttp
  return new Promise((resolve, reject) => {
    const outgoing = open(target, { method: request.method, headers, signal }, resolve)
    outgoing.on('error', reject)
    outgoing.end(request.method === 'POST' ? request.body : undefined)
  })
}

/** Returns the key that an agent sent, wherever its dialect puts one. */
export function keyOf(headers: IncomingMessage['headers'], path: string): string | undefined {
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  const named = headers['x-api-key'] ?? headers['x-goog-api-key']
  const query = new URL(path, 'http://localhost').searchParams.get('key')
  return bearer ?? (typeof named === 'string' ? named : undefined) ?? query ?? undefined
}

/** Tells whether a failure happened before the provider can have seen the request. */
export function wasNotSent(error: unknown): boolean {
  const codes = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'CERT_HAS_EXPIRED']
  return codes.includes((error as NodeJS.ErrnoException)?.code ?? '')
}

function withoutKey(path: string): string {
  const target = new URL(path, 'http://localhost')
  target.searchParams.delete('key')
  return target.pathname + target.search
}

function keyHeader(provider: Provider, key: string): Record<string, string> {
  if (provider === 'anthropic') return { 'x-api-key': key }
  if (provider === 'gemini') return { 'x-goog-api-key': key }
  return { authorization: `Bearer ${key}` }
}
