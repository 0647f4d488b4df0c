import { type IncomingMessage, request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import type { AgentSpec } from '../agents.ts'

/** Where a model is asked what it can do: at its own address, for nothing of this costs anything. */
export interface ModelPlace {
  url: string
  /** The provider's key, where it wants one. */
  key: string | undefined
}

export interface Checked {
  ready: boolean
  why: string
}

/**
 * Asks an Ollama whether it is there, has the model, and whether the model has the context and the tools that a task needs.
 *
 * @see https://docs.ollama.com/api: /api/version, /api/show
 */
export async function checkOllama({ model, context }: Pick<AgentSpec, 'model' | 'context'>, place: ModelPlace): Promise<Checked> {
  const version = await ask(place, 'GET', '/api/version')
  if (version.status !== 200) return no(`there is no Ollama at ${place.url} (${version.what})`)
  const shown = await ask(place, 'POST', '/api/show', { model })
  if (shown.status === 404)
    return no(`Ollama ${textOf(version.json.version)} has no model ${model}; \`ollama pull ${model}\` gets it`)
  if (shown.status !== 200) return no(`Ollama says nothing about ${model} (${shown.what})`)
  const { capabilities, model_info: info } = shown.json
  if (Array.isArray(capabilities) && !capabilities.includes('tools')) return no(`${model} cannot call tools`)
  const least = Object.entries(recordOf(info)).find(([name]) => name.endsWith('.context_length'))?.[1]
  if (typeof least !== 'number') return no(`Ollama does not say how much context ${model} has`)
  if (least < context) return no(tooSmall(model, least, context))
  const loaded = await loadedContext(model, place)
  if (loaded !== undefined && loaded < context) {
    return {
      ready: true,
      why: `Ollama ${textOf(version.json.version)}; ${model} is loaded with ${loaded} tokens of context and will be loaded anew with ${context}`,
    }
  }
  return { ready: true, why: `Ollama ${textOf(version.json.version)}, ${model} with ${context} of ${least} tokens of context` }
}

/** Returns the context with which Ollama holds a model just now; undefined where it does not, or does not say. */
export async function loadedContext(model: string | null, place: ModelPlace): Promise<number | undefined> {
  const { status, json } = await ask(place, 'GET', '/api/ps')
  if (status !== 200 || !Array.isArray(json.models)) return undefined
  const found = json.models
    .map(recordOf)
    .find(({ name, model: id }) => name === model || id === model || name === `${model}:latest`)
  return typeof found?.context_length === 'number' ? found.context_length : undefined
}

/** Says that a context does not hold a task. */
export function tooSmall(model: string | null, has: number, needs: number): string {
  return `${model} has ${has} tokens of context, and ${needs} are needed; what does not fit would be cut off without a word`
}

/**
 * Asks an OpenAI-compatible endpoint whether it is there and has the model, and how much context that has where it says.
 * Some say it as `max_model_len` (vLLM), `context_length` (OpenRouter) or `max_context_length` (LM Studio); many say nothing.
 */
export async function checkOpenAi({ model, context }: Pick<AgentSpec, 'model' | 'context'>, place: ModelPlace): Promise<Checked> {
  const listed = await ask(place, 'GET', '/v1/models')
  if (listed.status === 401 || listed.status === 403) return no(`${place.url} does not take the key (${listed.status})`)
  if (listed.status === 0) return no(`nothing answers at ${place.url} (${listed.what})`)
  if (listed.status !== 200 || !Array.isArray(listed.json.data)) return { ready: true, why: `${place.url} has no list of models` }
  const found = listed.json.data.map(recordOf).find(({ id }) => id === model)
  if (found === undefined) return no(`${place.url} has no model ${model}`)
  const said = [found.max_model_len, found.context_length, found.max_context_length].find((value) => typeof value === 'number')
  if (typeof said === 'number' && said < context) return no(tooSmall(model, said, context))
  return {
    ready: true,
    why: `${model} at ${place.url}, ${said === undefined ? 'context not told' : `${said} tokens of context`}`,
  }
}

const no = (why: string): Checked => ({ ready: false, why })

const TIMEOUT_MS = 5_000
const LARGEST = 8 * 1024 * 1024

async function ask(
  { url, key }: ModelPlace,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<{ status: number; what: string; json: Record<string, unknown> }> {
  const target = new URL(url.replace(/\/$/, '') + path)
  const open = target.protocol === 'https:' ? overHttps : overHttp
  const headers = {
    accept: 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = open(target, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) }, resolve)
      outgoing.on('error', reject)
      outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    })
    let text = ''
    for await (const chunk of response as AsyncIterable<Buffer>) if (text.length < LARGEST) text += chunk.toString('utf8')
    return { status: response.statusCode ?? 0, what: `status ${response.statusCode}`, json: recordOf(parsed(text)) }
  } catch (error) {
    return { status: 0, what: (error as NodeJS.ErrnoException).code ?? (error as Error).name, json: {} }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const recordOf = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {})
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
