import type { TokenCounts } from '../../core/contracts/model.ts'
import { type Dialect, numberOf, objectOf, recordOf } from './dialects.ts'

/** What the provider has said of a call's tokens so far. */
export interface Reading {
  tokens: TokenCounts
  reported: 'all' | 'part' | 'nothing'
}

/** Reads the usage of one answer, message by message where it is streamed. */
export interface Meter {
  /** Takes one message of a stream, or the whole of an answer that is none. */
  take(message: string): void
  reading(): Reading
}

/** No tokens at all. */
export function noTokens(): TokenCounts {
  return { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0, reasoning: 0 }
}

/**
 * Opens the reader of a dialect's usage. Providers count differently: what is read from a cache is a part of the prompt
 * for some and stands beside it for others, thoughts are a part of the output or stand beside it. A reading counts
 * each token once.
 */
export function openMeter(dialect: Dialect): Meter {
  const state: Reading = { tokens: noTokens(), reported: 'nothing' }
  const read = READERS[dialect]
  return {
    take(message) {
      for (const json of objectsOf(message)) read(json, state)
    },
    reading: () => ({ tokens: { ...state.tokens }, reported: state.reported }),
  }
}

/** An answer may be a list: what a stream of events would have been, in one piece. */
function objectsOf(message: string): Record<string, unknown>[] {
  if (!message.trimStart().startsWith('[')) {
    const json = objectOf(message)
    return json === undefined ? [] : [json]
  }
  const wrapped = objectOf(`{"list":${message}}`)?.list
  return Array.isArray(wrapped) ? wrapped.map(recordOf) : []
}

type Read = (message: Record<string, unknown>, state: Reading) => void

const READERS: Record<Dialect, Read> = {
  /** The answer, or the last event of a stream, has `usage`; the events before have null or nothing. */
  'openai-chat': (message, state) => {
    const usage = recordOf(message.usage)
    if (numberOf(usage.prompt_tokens) === undefined) return
    const cacheRead = count(recordOf(usage.prompt_tokens_details).cached_tokens)
    const reasoning = count(recordOf(usage.completion_tokens_details).reasoning_tokens)
    const output = count(usage.completion_tokens)
    set(state, 'all', { input: less(count(usage.prompt_tokens), cacheRead), output, cacheRead, reasoning })
  },
  /** The answer itself, or in a stream the event that ends it. */
  'openai-responses': (message, state) => {
    const isEnd =
      message.type === 'response.completed' || message.type === 'response.incomplete' || message.type === 'response.failed'
    const usage = recordOf(isEnd ? recordOf(message.response).usage : message.object === 'response' ? message.usage : undefined)
    if (numberOf(usage.input_tokens) === undefined) return
    const cacheRead = count(recordOf(usage.input_tokens_details).cached_tokens)
    const reasoning = count(recordOf(usage.output_tokens_details).reasoning_tokens)
    const output = count(usage.output_tokens)
    set(state, 'all', { input: less(count(usage.input_tokens), cacheRead), output, cacheRead, reasoning })
  },
  /** `message_start` says the prompt, each `message_delta` the output so far; the stream is over at `message_stop`. */
  'anthropic-messages': (message, state) => {
    if (message.type === 'message') return readAnthropic(recordOf(message.usage), state, 'all')
    if (message.type === 'message_start') return readAnthropic(recordOf(recordOf(message.message).usage), state, 'part')
    if (message.type === 'message_delta') return readAnthropic(recordOf(message.usage), state, 'part')
    if (message.type === 'message_stop' && state.reported === 'part') state.reported = 'all'
  },
  /** Every event repeats the sums so far; the one with a reason to finish is the last that counts. */
  gemini: (message, state) => {
    const usage = recordOf(message.usageMetadata)
    if (numberOf(usage.promptTokenCount) === undefined) return
    const cacheRead = count(usage.cachedContentTokenCount)
    const reasoning = count(usage.thoughtsTokenCount)
    const candidates = Array.isArray(message.candidates) ? message.candidates.map(recordOf) : []
    const isEnd = candidates.some(({ finishReason }) => finishReason !== undefined) || message.promptFeedback !== undefined
    set(state, isEnd ? 'all' : state.reported === 'all' ? 'all' : 'part', {
      input: less(count(usage.promptTokenCount), cacheRead) + count(usage.toolUsePromptTokenCount),
      output: count(usage.candidatesTokenCount) + reasoning,
      cacheRead,
      reasoning,
    })
  },
  /** The one message that is done. A prompt that was still in memory has no count there; it is local and costs nothing. */
  'ollama-chat': (message, state) => {
    if (message.done !== true) return
    set(state, 'all', { input: count(message.prompt_eval_count), output: count(message.eval_count) })
  },
}

function readAnthropic(usage: Record<string, unknown>, state: Reading, reported: 'all' | 'part'): void {
  const { tokens } = state
  const written = numberOf(usage.cache_creation_input_tokens)
  const long = numberOf(recordOf(usage.cache_creation).ephemeral_1h_input_tokens)
  const cacheWriteLong = long ?? tokens.cacheWriteLong
  if (numberOf(usage.output_tokens) === undefined && numberOf(usage.input_tokens) === undefined) return
  set(state, reported, {
    input: numberOf(usage.input_tokens) ?? tokens.input,
    output: numberOf(usage.output_tokens) ?? tokens.output,
    cacheRead: numberOf(usage.cache_read_input_tokens) ?? tokens.cacheRead,
    cacheWrite: written === undefined ? tokens.cacheWrite : less(written, cacheWriteLong),
    cacheWriteLong,
  })
}

function set(state: Reading, reported: Reading['reported'], tokens: Partial<TokenCounts>): void {
  state.tokens = { ...noTokens(), ...tokens }
  state.reported = reported
}

const count = (value: unknown) => numberOf(value) ?? 0
const less = (total: number, part: number) => Math.max(0, total - part)
