import { type IncomingMessage, request as overHttp } from 'node:http'
import type { ModelAccess } from '../../core/contracts/model.ts'
import { splitterFor } from '../gateway/messages.ts'

/** A tool as a model is told of it. */
export interface ToolSpec {
  name: string
  description: string
  /** JSON Schema of its arguments. */
  parameters: Record<string, unknown>
}

/** One call of a tool that a model asks for. `args` is undefined where its arguments were no JSON object. */
export interface ToolCall {
  id: string
  name: string
  args: Record<string, unknown> | undefined
  /** The arguments as they came. */
  written: string
}

/** One message of the conversation, in our own words. */
export type Message =
  | { role: 'system' | 'user'; text: string }
  | { role: 'assistant'; text: string; calls: readonly ToolCall[] }
  | { role: 'tool'; id: string; name: string; text: string }

/** What a model answered. */
export interface Answer {
  text: string
  thought: string
  calls: ToolCall[]
  /** Whether it was cut off at its greatest length. */
  isCut: boolean
  tokensIn: number
  tokensOut: number
}

/** Why there is no answer. `retryMs` where it may be worth another try. */
export interface NoAnswer {
  failure: string
  status: number
  retryMs?: number
}

export interface Asking {
  protocol: 'ollama' | 'openai'
  access: ModelAccess
  model: string
  /** Tokens of context that are asked for, the same in every call: another number makes Ollama load the model anew. */
  context: number
  /** Tokens of the answer at most. */
  answer: number
  tools: readonly ToolSpec[]
  /** Whether the endpoint knows the greatest length of an answer by its newer name alone. */
  hasNewNames: boolean
  signal: AbortSignal
  /** Told of every piece that arrives; a model that is writing is not silent. */
  onPiece: () => void
}

/** Asks a model for its next message, by the metered way. A stream that breaks off is no answer, whatever came before. */
export async function askModel(messages: readonly Message[], asking: Asking): Promise<Answer | NoAnswer> {
  const speak = SPEAK[asking.protocol]
  const { url, key } = asking.access
  const path = asking.protocol === 'ollama' ? `${url}/k/${key}/api/chat` : `${url}/v1/chat/completions`
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  let response: IncomingMessage
  try {
    response = await post(path, headers, JSON.stringify(speak.body(messages, asking)), asking.signal)
  } catch (error) {
    return { failure: `the model could not be reached (${codeOf(error)})`, status: 0, retryMs: 2_000 }
  }
  const status = response.statusCode ?? 0
  if (status !== 200) return refusal(response, status)
  const state = {
    text: '',
    thought: '',
    parts: new Map<number, { id: string; name: string; written: string }>(),
    isOver: false,
    isCut: false,
    tokensIn: 0,
    tokensOut: 0,
    failure: '',
  }
  try {
    const splitter = splitterFor(response.headers['content-type'] ?? '')
    for await (const chunk of response as AsyncIterable<Buffer>) {
      asking.onPiece()
      for (const { text } of splitter.take(chunk)) speak.read(text, state)
    }
    for (const { text } of splitter.end()) speak.read(text, state)
  } catch (error) {
    return { failure: `the answer was cut off (${codeOf(error)})`, status, retryMs: 1_000 }
  }
  if (state.failure !== '') return { failure: state.failure, status, retryMs: 1_000 }
  if (!state.isOver) return { failure: 'the answer ended before it was over', status, retryMs: 1_000 }
  const { text, thought, isCut, tokensIn, tokensOut } = state
  const calls = [...state.parts].sort(([a], [b]) => a - b).map(([, part]) => ({ ...part, args: argumentsOf(part.written) }))
  return { text, thought, calls, isCut, tokensIn, tokensOut }
}

interface State {
  text: string
  thought: string
  /** Calls of tools by their place in the answer. */
  parts: Map<number, { id: string; name: string; written: string }>
  isOver: boolean
  isCut: boolean
  tokensIn: number
  tokensOut: number
  failure: string
}

interface Speak {
  body(messages: readonly Message[], asking: Asking): Record<string, unknown>
  read(message: string, state: State): void
}

const SPEAK: Record<Asking['protocol'], Speak> = {
  ollama: {
    body: (messages, { model, context, answer, tools }) => ({
      model,
      stream: true,
      options: { num_ctx: context, num_predict: answer },
      tools: tools.map((tool) => ({ type: 'function', function: tool })),
      messages: messages.map((message) => {
        if (message.role === 'tool') return { role: 'tool', tool_name: message.name, content: message.text }
        if (message.role !== 'assistant') return { role: message.role, content: message.text }
        const calls = message.calls.map(({ name, args }) => ({ function: { name, arguments: args ?? {} } }))
        return { role: 'assistant', content: message.text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
      }),
    }),
    read(message, state) {
      const json = recordOf(parsed(message))
      const said = recordOf(json.message)
      if (typeof json.error === 'string') state.failure = `the model says: ${json.error.slice(0, 200)}`
      state.text += textOf(said.content)
      state.thought += textOf(said.thinking)
      for (const call of listOf(said.tool_calls)) {
        const { name, arguments: args } = recordOf(call.function)
        const at = state.parts.size
        const written = typeof args === 'string' ? args : JSON.stringify(args ?? {})
        state.parts.set(at, { id: textOf(call.id) || `call-${at}`, name: textOf(name), written })
      }
      if (json.done !== true) return
      state.isOver = true
      state.isCut = json.done_reason === 'length'
      state.tokensIn = countOf(json.prompt_eval_count)
      state.tokensOut = countOf(json.eval_count)
    },
  },
  openai: {
    body: (messages, { model, answer, tools, hasNewNames }) => ({
      model,
      stream: true,
      stream_options: { include_usage: true },
      ...(hasNewNames ? { max_completion_tokens: answer } : { max_tokens: answer }),
      tools: tools.map((tool) => ({ type: 'function', function: tool })),
      messages: messages.map((message) => {
        if (message.role === 'tool') return { role: 'tool', tool_call_id: message.id, content: message.text }
        if (message.role !== 'assistant') return { role: message.role, content: message.text }
        const calls = message.calls.map(({ id, name, args, written }) => ({
          id,
          type: 'function',
          // What was no JSON would be refused by many servers when it is sent back to them.
          function: { name, arguments: args === undefined ? '{}' : written },
        }))
        return { role: 'assistant', content: message.text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
      }),
    }),
    read(message, state) {
      if (message.trim() === '[DONE]') return
      const json = recordOf(parsed(message))
      const { error, usage } = json
      if (error !== undefined) state.failure = `the model says: ${textOf(recordOf(error).message).slice(0, 200) || 'error'}`
      const [choice] = listOf(json.choices)
      const { delta, message: whole, finish_reason: reason } = choice ?? {}
      const said = recordOf(delta ?? whole)
      state.text += textOf(said.content)
      state.thought += textOf(said.reasoning_content ?? said.reasoning)
      for (const call of listOf(said.tool_calls)) {
        const at = typeof call.index === 'number' ? call.index : state.parts.size
        const part = state.parts.get(at) ?? { id: '', name: '', written: '' }
        const { name, arguments: args } = recordOf(call.function)
        state.parts.set(at, {
          id: part.id || textOf(call.id) || `call-${at}`,
          name: part.name || textOf(name),
          written: part.written + textOf(args),
        })
      }
      if (typeof reason === 'string') {
        state.isOver = true
        state.isCut = reason === 'length'
      }
      const counted = recordOf(usage)
      state.tokensIn = countOf(counted.prompt_tokens) || state.tokensIn
      state.tokensOut = countOf(counted.completion_tokens) || state.tokensOut
    },
  },
}

function argumentsOf(written: string): Record<string, unknown> | undefined {
  const value = parsed(written.trim() === '' ? '{}' : written)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
}

/** Waits that a provider asks for are kept up to this; beyond it the gateway knows a limit. */
const LONGEST_WAIT_MS = 120_000

async function refusal(response: IncomingMessage, status: number): Promise<NoAnswer> {
  let text = ''
  for await (const chunk of response as AsyncIterable<Buffer>) if (text.length < 4_000) text += chunk.toString('utf8')
  const error = recordOf(parsed(text)).error
  const said = (typeof error === 'string' ? error : textOf(recordOf(error).message)).slice(0, 300)
  const failure = `the model answered ${status}${said === '' ? '' : `: ${said}`}`
  const isTransient = status === 429 || status === 408 || status >= 500
  if (!isTransient || response.headers['x-should-retry'] === 'false') return { failure, status }
  const after = Number(response.headers['retry-after'] ?? 2) * 1_000
  return { failure, status, retryMs: Number.isFinite(after) ? Math.min(Math.max(after, 500), LONGEST_WAIT_MS) : 2_000 }
}

/** Without the time limits of `fetch`: a large model may think longer than five minutes before its first word. */
function post(url: string, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = overHttp(
      url,
      { method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) }, signal },
      resolve,
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException)?.code ?? 'no answer'
const recordOf = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {})
const listOf = (value: unknown) => (Array.isArray(value) ? value.map(recordOf) : [])
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
const countOf = (value: unknown) => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0)
