/** The languages in which agents talk to models. */
export const DIALECTS = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini', 'ollama-chat'] as const
export type Dialect = (typeof DIALECTS)[number]

/** Whose addresses and prices a dialect's calls have. */
export const PROVIDERS = ['openai', 'anthropic', 'gemini', 'ollama'] as const
export type Provider = (typeof PROVIDERS)[number]

/** Where a request goes, by its path alone. */
export type Route =
  | { kind: 'call'; dialect: Dialect; provider: Provider; model?: string; streaming?: boolean }
  /** Costs nothing and is passed on: lists of models, counts of tokens. */
  | { kind: 'free'; provider: Provider }

/** Returns where a request goes; undefined for what the gateway does not pass on. */
export function routeOf(method: string, path: string): Route | undefined {
  if (method === 'POST') {
    const gemini = /^\/v1(?:beta)?\/models\/([^/:]+):(generateContent|streamGenerateContent|countTokens)$/.exec(path)
    if (gemini?.[2] === 'countTokens') return { kind: 'free', provider: 'gemini' }
    if (gemini) {
      const streaming = gemini[2] === 'streamGenerateContent'
      return { kind: 'call', dialect: 'gemini', provider: 'gemini', model: decodeURIComponent(gemini[1] as string), streaming }
    }
    return POSTS[path]
  }
  if (method !== 'GET') return undefined
  if (path === '/api/tags' || path === '/api/ps' || path === '/api/version') return { kind: 'free', provider: 'ollama' }
  if (/^\/v1beta\/models(\/[^/]+)?$/.test(path)) return { kind: 'free', provider: 'gemini' }
  return /^\/v1\/models(\/[^/]+)?$/.test(path) ? { kind: 'free', provider: 'openai' } : undefined
}

const POSTS: Readonly<Record<string, Route>> = {
  '/v1/chat/completions': { kind: 'call', dialect: 'openai-chat', provider: 'openai' },
  '/v1/responses': { kind: 'call', dialect: 'openai-responses', provider: 'openai' },
  '/v1/messages': { kind: 'call', dialect: 'anthropic-messages', provider: 'anthropic' },
  '/v1/messages/count_tokens': { kind: 'free', provider: 'anthropic' },
  '/api/chat': { kind: 'call', dialect: 'ollama-chat', provider: 'ollama' },
  '/api/show': { kind: 'free', provider: 'ollama' },
}

/** What a request asks for, as far as its price depends on it. */
export interface Asked {
  model: string
  streaming: boolean
  /** Greatest number of tokens the prompt can have; undefined when it draws on what the provider keeps. */
  inputTokens: number | undefined
  /** Greatest number of tokens of one answer; undefined when the request does not say. */
  outputTokens: number | undefined
  /** Answers asked for at once. */
  choices: number
  /** What it asks for that no price of tokens covers. */
  unpriced: string[]
  /** What is sent on: the request, changed only where the provider would not say the usage otherwise. */
  body: Buffer
  /** Whether the answer carries a last event that the agent did not ask for. */
  hidesUsage: boolean
}

/** Tokens that a provider adds to a prompt by itself, e.g. to explain tools. */
const ADDED_TOKENS = 2_000

/**
 * Returns what a request asks for; undefined when its body is not a JSON object that names a model.
 *
 * A token is at least one byte of the request, so the length of the body bounds the prompt. That is several times what
 * it will be; a reservation has to hold the worst case, and gives the rest back.
 */
export function readRequest(route: Extract<Route, { kind: 'call' }>, body: Buffer): Asked | undefined {
  const json = objectOf(body)
  if (json === undefined) return undefined
  const model = route.model ?? (typeof json.model === 'string' ? json.model : undefined)
  if (model === undefined || model === '') return undefined
  const ollamaStreams = route.dialect === 'ollama-chat' && json.stream !== false
  const streaming = route.streaming ?? (ollamaStreams || json.stream === true)
  const hidesUsage = route.dialect === 'openai-chat' && streaming && !asksForUsage(json)
  return {
    model,
    streaming,
    inputTokens: inputBound(json, body.length),
    outputTokens: outputBound(route.dialect, json),
    choices: numberOf(json.n) ?? numberOf(recordOf(json.generationConfig).candidateCount) ?? 1,
    unpriced: unpricedParts(json),
    body: hidesUsage
      ? Buffer.from(JSON.stringify({ ...json, stream_options: { ...recordOf(json.stream_options), include_usage: true } }))
      : body,
    hidesUsage,
  }
}

function asksForUsage(json: Record<string, unknown>): boolean {
  return recordOf(json.stream_options).include_usage === true
}

/** Keys of a request that stand for text the provider keeps. */
const KEPT = ['previous_response_id', 'conversation', 'prompt', 'cachedContent', 'cached_content', 'container']
/** Parts of messages whose size in bytes says nothing of their tokens: files, pages, sound, pictures by address. */
const UNBOUND =
  /"(?:file_id|file_url|fileUri|file_uri|file_data)":|"type":"(?:url|document|input_file|file|input_audio|container_upload)"|"(?:mimeType|mime_type|media_type)":"(?!image\/)|"(?:image_url|url)":"(?!data:)/
const PICTURE = /"type":"(?:image|image_url|input_image)"|"(?:inlineData|inline_data)":|"images":\[/g
/** Tokens of the largest picture that a provider describes. */
const PICTURE_TOKENS = 6_000

function inputBound(json: Record<string, unknown>, bytes: number): number | undefined {
  if (KEPT.some((key) => json[key] !== undefined && json[key] !== null)) return undefined
  // Text within messages is escaped here, so that only their structure can match.
  const parts = JSON.stringify([json.messages, json.input, json.contents, json.system, json.systemInstruction])
  if (UNBOUND.test(parts)) return undefined
  return bytes + ADDED_TOKENS + (parts.match(PICTURE)?.length ?? 0) * PICTURE_TOKENS
}

function outputBound(dialect: Dialect, json: Record<string, unknown>): number | undefined {
  switch (dialect) {
    case 'openai-chat':
      return numberOf(json.max_completion_tokens) ?? numberOf(json.max_tokens)
    case 'openai-responses':
      return numberOf(json.max_output_tokens)
    case 'anthropic-messages':
      return numberOf(json.max_tokens)
    case 'gemini':
      return numberOf(recordOf(json.generationConfig).maxOutputTokens)
    case 'ollama-chat':
      return numberOf(recordOf(json.options).num_predict)
  }
}

/** Tools that run where the agent is cost nothing but their tokens. */
const OWN_TOOLS = /^(?:function|custom|local_shell|bash_|text_editor_|computer|memory_|apply_patch|shell$)/

function unpricedParts(json: Record<string, unknown>): string[] {
  const parts: string[] = []
  const tier = json.service_tier
  if (typeof tier === 'string' && !['auto', 'default', 'standard', 'standard_only'].includes(tier)) {
    parts.push(`service tier ${tier.slice(0, 40)}`)
  }
  if (typeof json.speed === 'string' && json.speed !== 'standard') parts.push(`speed ${json.speed.slice(0, 40)}`)
  if (typeof json.inference_geo === 'string' && json.inference_geo !== 'global') parts.push('a place of inference')
  if (Array.isArray(json.mcp_servers) && json.mcp_servers.length > 0) parts.push('servers of tools')
  for (const tool of toolsIn(json)) {
    if (typeof tool.type === 'string' && !OWN_TOOLS.test(tool.type)) parts.push(`tool ${tool.type.slice(0, 40)}`)
    for (const key of ['googleSearch', 'google_search', 'codeExecution', 'urlContext', 'googleMaps']) {
      if (tool[key] !== undefined) parts.push(`tool ${key}`)
    }
  }
  if (json.web_search_options !== undefined) parts.push('web search')
  return [...new Set(parts)]
}

/** All tools of a request: those in groups, and those that the newer form of Responses has among its messages, too. */
function toolsIn(json: Record<string, unknown>): Record<string, unknown>[] {
  const listed = (value: unknown) => (Array.isArray(value) ? value.map(recordOf) : [])
  const added = listed(json.input).filter(({ type }) => type === 'additional_tools')
  const groups = (tools: Record<string, unknown>[]): Record<string, unknown>[] =>
    tools.flatMap((tool) => (tool.type === 'namespace' ? groups(listed(tool.tools)) : [tool]))
  return groups([...listed(json.tools), ...added.flatMap(({ tools }) => listed(tools))])
}

/** Returns the JSON object a body holds. */
export function objectOf(body: Buffer | string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Returns a value as an object, an empty one when it is none. */
export function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** Returns a whole number that is not negative. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}
