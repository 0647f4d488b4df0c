import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../../core/config.ts'
import type { ModelAccess } from '../../core/contracts/model.ts'
import type { Runtime, RuntimeEvent, TurnRequest, TurnResult, Usage } from '../../core/contracts/runtime.ts'
import type { AgentSpec } from '../agents.ts'
import { limitIn } from '../dialects/dialect.ts'
import { checkOllama, checkOpenAi, loadedContext, type ModelPlace, tooSmall } from '../loop/check.ts'
import { type Answer, askModel, type Message, type NoAnswer, type ToolCall } from '../loop/model.ts'
import { LOOP_TOOLS, type LoopTool } from '../loop/tools.ts'
import { type TurnWatch, watchTurn } from '../loop/watch.ts'
import { judgeTool } from '../policy.ts'
import { openTraces } from './traces.ts'
import { judgeAgent } from './verdict.ts'

export interface LoopSurroundings {
  env: NodeJS.ProcessEnv
  /** Where the model is. */
  model: Config['models']['ollama']
  /** Repository paths, or globs ending in two stars, that are not written for an agent. */
  kept: readonly string[]
}

/** Calls of the model in one turn, unless the limits say another number. */
const CALLS = 400
/** Answers in a row that lead nowhere: no call of a tool, or none that could be read. */
const LOST_ANSWERS = 4
/** The same call with the same words this many times in a row is a loop. */
const SAME_CALLS = 5
/** Tries of one call of the model; a provider that goes on refusing is left alone. */
const TRIES = 5
/** Bytes of the conversation that are taken for one token; a token has rarely fewer. */
const TOKEN_BYTES = 3

/**
 * Returns the runtime of a bare model, on an Ollama or any OpenAI-compatible endpoint: a loop in which the model asks for tools
 * and is given their answers, until it says it is done. The tools run in the jail and under the limits of the turn; every
 * call goes by the metered way.
 */
export function loopRuntime(spec: AgentSpec, surroundings: LoopSurroundings): Runtime {
  const { model, env } = surroundings
  const place: ModelPlace = { url: model.url, key: model.key === null ? undefined : env[model.key] }
  return {
    id: spec.id,
    title: spec.title,
    usesJail: true,
    callsModels: true,
    probe: () => (spec.protocol === 'ollama' ? checkOllama(spec, place) : checkOpenAi(spec, place)),
    accepts: () => ({ accepted: true, why: 'a model with tools can take any issue' }),
    turn: (request, onEvent) => work(spec, place, surroundings, request, onEvent),
  }
}

async function work(
  spec: AgentSpec,
  place: ModelPlace,
  { env, kept }: LoopSurroundings,
  request: TurnRequest,
  onEvent: (event: RuntimeEvent) => void,
): Promise<TurnResult> {
  const { models } = request
  if (models === undefined) return { outcome: 'failed', reason: `${spec.id} has no metered way to its model` }
  const begins = openConversation(request)
  if (tokensOf(begins) + spec.answer > spec.context) {
    return {
      outcome: 'failed',
      reason: `the brief does not fit: ${tooSmall(spec.model, spec.context, tokensOf(begins) + spec.answer)}`,
    }
  }
  const traces = await openTraces(request, env)
  const limits = watchTurn(request)
  const talk: Talk = { spec, place, models, request, kept, onEvent, limits, messages: begins, refused: [], usage: undefined }
  onEvent({ type: 'started' })
  let end: End
  try {
    end = await converse(talk)
  } catch (error) {
    if (!limits.signal.aborted) throw error
    end = { said: '', ok: false }
  } finally {
    limits.stop()
  }
  const verdict = judgeAgent(
    {
      name: spec.id,
      stopped: limits.stopped(),
      final: { ok: end.ok, said: end.said, ...(end.ok ? {} : limitOf(end)) },
      hasFinalWord: true,
      ...(await traces.compare()),
      refused: talk.refused,
    },
    request,
  )
  return { ...verdict, ...(talk.usage ? { usage: talk.usage } : {}), ...(end.ok && end.said !== '' ? { handOff: end.said } : {}) }
}

function limitOf({ said, status }: End): { limit?: { until?: string } } {
  const limit = limitIn(said) ?? (status === 429 ? {} : undefined)
  return limit === undefined ? {} : { limit }
}

interface End {
  ok: boolean
  said: string
  status?: number
}

interface Talk {
  spec: AgentSpec
  place: ModelPlace
  models: ModelAccess
  request: TurnRequest
  kept: readonly string[]
  onEvent(event: RuntimeEvent): void
  limits: TurnWatch
  messages: Message[]
  refused: { tool: string; reason: string }[]
  usage: Usage | undefined
}

const RULES = `You work in a git worktree by calling tools; there is nobody to ask. Look before you change, change as little as needed, and run what shows
that it works. When everything that was asked is in the files, call \`done\`. Text without a call of a tool does nothing.`

function openConversation({ brief }: TurnRequest): Message[] {
  return [
    { role: 'system', text: RULES },
    { role: 'user', text: brief },
  ]
}

async function converse(talk: Talk): Promise<End> {
  const { request, spec } = talk
  const { calls: allowed = CALLS } = request.limits
  let lost = 0
  let repeated = { words: '', times: 0 }
  for (let call = 1; call <= allowed; call += 1) {
    if (!makeRoom(talk)) return { ok: false, said: `the conversation no longer fits into ${spec.context} tokens of context` }
    const answer = await askPatiently(talk)
    if ('failure' in answer) return { ok: false, said: answer.failure, status: answer.status }
    const small = call === 1 ? await contextProblem(talk) : undefined
    if (small !== undefined) return { ok: false, said: small }
    tell(talk, answer)
    talk.messages.push({ role: 'assistant', text: answer.text, calls: answer.calls })
    const done = answer.calls.find(({ name }) => name === 'done')
    // What stands before `done` in the same answer is done first.
    const answered = await answerCalls(talk, answer.calls)
    if (done !== undefined) return { ok: true, said: textOf(done.args?.summary).slice(0, 2_000) || 'done' }
    lost = answered === 0 ? lost + 1 : 0
    if (lost >= LOST_ANSWERS) return { ok: false, said: `${lost} answers in a row called no tool that could be run` }
    if (answer.calls.length === 0) talk.messages.push({ role: 'user', text: nudge(answer) })
    const words = JSON.stringify(answer.calls.map(({ name, written }) => [name, written]))
    repeated = words === repeated.words && answer.calls.length > 0 ? { words, times: repeated.times + 1 } : { words, times: 1 }
    if (repeated.times >= SAME_CALLS) return { ok: false, said: `it made the same call ${SAME_CALLS} times in a row` }
    if (talk.limits.signal.aborted) return { ok: false, said: '' }
  }
  return { ok: false, said: `the ${allowed} calls of the model that one turn may make are used up` }
}

function nudge({ isCut }: Answer): string {
  return isCut
    ? 'Your answer was cut off at its greatest length. Go on in smaller steps, by calling tools.'
    : 'Go on by calling a tool, or call `done` when everything is in the files.'
}

/** Asks until there is an answer or no use in asking. */
async function askPatiently(talk: Talk): Promise<Answer | NoAnswer> {
  const { spec, models, messages, limits, request } = talk
  let last: NoAnswer = { failure: 'the model was not asked', status: 0 }
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const given = await askModel(messages, {
      protocol: spec.protocol === 'ollama' ? 'ollama' : 'openai',
      access: models,
      model: spec.model ?? '',
      context: spec.context,
      answer: spec.answer,
      tools: LOOP_TOOLS.filter(({ needs }) => mayUse(talk, needs)).map(({ spec: tool }) => tool),
      hasNewNames: new URL(talk.place.url).hostname === 'api.openai.com',
      signal: limits.signal,
      onPiece: limits.heard,
    })
    if (!('failure' in given)) return given
    last = given
    if (given.retryMs === undefined || request.signal.aborted || limits.signal.aborted || attempt === TRIES - 1) break
    await delay(given.retryMs * 2 ** attempt, undefined, { signal: limits.signal }).catch(() => {})
    limits.heard()
  }
  return last
}

/** An Ollama may load a model with less than it was asked for, and would cut the conversation without a word. */
async function contextProblem({ spec, place }: Talk): Promise<string | undefined> {
  if (spec.protocol !== 'ollama') return undefined
  const loaded = await loadedContext(spec.model, place)
  return loaded !== undefined && loaded < spec.context ? tooSmall(spec.model, loaded, spec.context) : undefined
}

function tell(talk: Talk, { text, thought, tokensIn, tokensOut }: Answer): void {
  const { onEvent } = talk
  if (thought !== '') onEvent({ type: 'thought', text: thought.slice(0, 2_000).toWellFormed() })
  if (text !== '') onEvent({ type: 'message', text: text.slice(0, 2_000).toWellFormed() })
  onEvent({ type: 'usage', usage: { tokensIn, tokensOut, costUsd: 0 } })
  const { usage } = talk
  talk.usage = { tokensIn: (usage?.tokensIn ?? 0) + tokensIn, tokensOut: (usage?.tokensOut ?? 0) + tokensOut, costUsd: 0 }
}

/** Runs the calls of an answer, in order, and returns how many were run. */
async function answerCalls(talk: Talk, calls: readonly ToolCall[]): Promise<number> {
  let ran = 0
  for (const call of calls) {
    const tool = LOOP_TOOLS.find(({ spec }) => spec.name === call.name)
    const problem = problemOf(talk, call, tool)
    const answer =
      problem === undefined && tool !== undefined ? await runTool(talk, call, tool) : { text: problem as string, failed: true }
    if (problem === undefined) ran += 1
    talk.messages.push({ role: 'tool', id: call.id, name: call.name, text: answer.text })
    if (talk.limits.signal.aborted) break
  }
  return ran
}

function problemOf(talk: Talk, { name, args, written }: ToolCall, tool: LoopTool | undefined): string | undefined {
  if (tool === undefined) return refuse(talk, name, `there is no tool "${name.slice(0, 80)}"`)
  if (!mayUse(talk, tool.needs)) {
    const { role, mode, tools = ['read', 'write'] } = talk.request
    return refuse(talk, tool.needs ?? name, judgeTool({ role, mode, tools }, tool.needs ?? name).why)
  }
  if (args === undefined) return `the arguments of ${name} are no JSON object: ${written.slice(0, 200)}`
  return undefined
}

function refuse({ refused, onEvent }: Talk, tool: string, reason: string): string {
  refused.push({ tool, reason })
  onEvent({ type: 'permission', tool, allowed: false, reason })
  return reason
}

function mayUse({ request: { role, mode, tools = ['read', 'write'] } }: Talk, needs: LoopTool['needs']): boolean {
  return needs === undefined || judgeTool({ role, mode, tools }, needs).allowed
}

async function runTool(talk: Talk, { id, name, args = {} }: ToolCall, tool: LoopTool) {
  const { onEvent, limits, request, kept } = talk
  const summary = textOf(args.command ?? args.path ?? args.summary).slice(0, 200)
  onEvent({ type: 'tool', id, name, summary, state: 'started' })
  limits.rest()
  const answer = await tool.run(args, { request, kept, signal: limits.signal })
  limits.heard()
  onEvent({ type: 'tool', id, name, summary, state: answer.failed ? 'failed' : 'done' })
  if (answer.edited !== undefined) onEvent({ type: 'edit', path: answer.edited })
  return answer
}

/** Takes the oldest answers of tools out until the conversation and the next answer fit. Tells whether they do. */
function makeRoom({ messages, spec }: Talk): boolean {
  const fits = () => tokensOf(messages) + spec.answer <= spec.context
  for (let at = 0; at < messages.length - 4 && !fits(); at += 1) {
    const message = messages[at]
    if (message?.role === 'tool' && message.text.length > LEFT_OUT.length) messages[at] = { ...message, text: LEFT_OUT }
  }
  return fits()
}

const LEFT_OUT = '[left out to save room; call the tool again if you need it]'

function tokensOf(messages: readonly Message[]): number {
  return Math.ceil(Buffer.byteLength(JSON.stringify(messages)) / TOKEN_BYTES)
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
