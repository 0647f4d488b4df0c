import { setTimeout as delay } from 'node:timers/promises'
import {
  client,
  methods,
  type NewSessionResponse,
  ndJsonStream,
  PROTOCOL_VERSION,
  type PromptResponse,
  RequestError,
  type Stream,
} from '@agentclientprotocol/sdk'
import type { Runtime, RuntimeEvent, TurnRequest, TurnResult } from '../../core/contracts/runtime.ts'
import { runJailed } from '../../core/jail-run.ts'
import type { ProcessOptions, ProcessResult } from '../../core/process.ts'
import type { AgentSpec } from '../agents.ts'
import { limitIn } from '../dialects/dialect.ts'
import type { FinalWord } from '../dialects/index.ts'
import { readForAgent, writeForAgent } from './acp-files.ts'
import { answerPermission, eventsOfUpdate, type Refusal } from './acp-words.ts'
import { watchTools } from './busy.ts'
import { type AgentSurroundings, agentFace } from './exec.ts'
import { launchOf } from './launch.ts'
import { outcomeOf, tailOf } from './outcome.ts'
import { openTraces } from './traces.ts'
import { type AgentEnd, judgeAgent } from './verdict.ts'

/** Milliseconds that an agent has to end by itself once its turn is over or cancelled. */
const GOODBYE_MS = 2_000
const MESSAGE_BYTES = 16 * 1024 * 1024

/**
 * Returns the runtime of an agent that speaks the Agent Client Protocol over standard input and output, version 1. One turn is one
 * process; its session is a new one, or that of the turn before, loaded again, where the agent can do that. In a jail the agent reads and writes files itself and is offered no file methods: what this process
 * wrote for it would be written outside the jail.
 *
 * @param kept repository paths, or globs ending in two stars, that are not written for an agent
 * @see https://agentclientprotocol.com
 */
export function acpRuntime(spec: AgentSpec, surroundings: AgentSurroundings, kept: readonly string[] = []): Runtime {
  const { env } = surroundings
  return { ...agentFace(spec, surroundings), turn: (request, onEvent) => converse(spec, env, kept, request, onEvent) }
}

async function converse(
  spec: AgentSpec,
  env: NodeJS.ProcessEnv,
  kept: readonly string[],
  request: TurnRequest,
  tell: (event: RuntimeEvent) => void,
): Promise<TurnResult> {
  const launch = await launchOf(spec, env, request)
  const busy = watchTools()
  const onEvent = (event: RuntimeEvent) => {
    busy.see(event)
    tell(event)
  }
  const traces = await openTraces(request, env)
  const refused: Refusal[] = []
  const stop = new AbortController()
  const heard = openStream()
  let talk: Promise<Ending> = Promise.resolve({ lost: 'it was never spoken with' })
  const options: ProcessOptions = {
    cwd: request.cwd,
    env: launch.env,
    limits: request.limits,
    signal: stop.signal,
    graceMs: spec.graceMs,
    isBusy: busy.isBusy,
    onStart: (pid) => onEvent({ type: 'started', pid }),
    onChunk: (stream, chunk) => {
      if (stream === 'stdout') heard.push(chunk)
    },
    onOutput: (stream, text) => {
      if (stream === 'stderr') onEvent({ type: 'output', stream, text })
    },
    onInput(input) {
      const output = new WritableStream<Uint8Array>({
        // A process that is gone takes no more; how it ended is told by its exit.
        write: (bytes) => new Promise((written) => input.write(bytes, () => written())),
      })
      const stream = ndJsonStream(output, heard.readable, { maxMessageBytes: MESSAGE_BYTES })
      talk = speak(stream, { request, kept, refused, onEvent, stop }).catch(endingOf)
      void talk.then(async () => {
        input.end()
        await delay(GOODBYE_MS, undefined, { signal: stop.signal }).catch(() => {})
        stop.abort()
      })
    },
  }
  const ran = await runJailed(request.jail, launch.argv, options, { writable: launch.writable })
  heard.end()
  const ending = await Promise.race([talk, delay(GOODBYE_MS, { lost: 'it ended in the middle' } as Ending)])
  stop.abort()
  const verdict = judgeAgent(
    {
      name: spec.id,
      stopped: whatStopped(ran, request, ending),
      final: 'word' in ending ? ending.word : undefined,
      hasFinalWord: true,
      ...(await traces.compare()),
      refused,
    },
    request,
  )
  const { exit, outputDigest, outputTail } = ran
  const session = 'word' in ending ? ending.session : undefined
  return {
    ...verdict,
    exit,
    ...(session === undefined ? {} : { session }),
    ...(spec.byLogin ? { quota: true } : {}),
    outputDigest,
    outputTail: tailOf(outputTail),
  }
}

/** How a conversation ended: by the agent's word, or without one. */
type Ending = { word: FinalWord; session?: string } | { lost: string }

/** Says what ended the turn besides the agent. That we ended the process after its last word is nothing to tell. */
function whatStopped(ran: ProcessResult, request: TurnRequest, ending: Ending): AgentEnd['stopped'] {
  if (request.signal.aborted) return { outcome: 'cancelled', what: 'was cancelled' }
  if ('word' in ending) return ran.timedOut ? outcomeOf(ran, request) : undefined
  const stopped = ran.aborted ? undefined : outcomeOf(ran, request)
  return stopped ?? { outcome: 'failed', what: `broke off the conversation: ${ending.lost.slice(0, 200)}` }
}

function endingOf(error: unknown): Ending {
  if (!(error instanceof RequestError)) return { lost: (error as Error).message }
  const said = `${error.message} (${error.code})`
  const limit = limitIn(`${error.message} ${JSON.stringify(error.data ?? '')}`)
  return { word: { ok: false, said, ...(limit ? { limit } : {}) } }
}

interface Talk {
  request: TurnRequest
  kept: readonly string[]
  refused: Refusal[]
  onEvent(event: RuntimeEvent): void
  stop: AbortController
}

/** Holds one turn's conversation and returns the agent's last word. */
async function speak(stream: Stream, talk: Talk): Promise<Ending> {
  const { request, onEvent } = talk
  const hasFiles = request.jail === undefined
  /** An agent that loads a session tells all of it again; that is not this turn. */
  let isReplaying = false
  const app = client({ name: 'valuetrain' })
    .onNotification(methods.client.session.update, ({ params }) => {
      if (isReplaying) return
      for (const event of eventsOfUpdate(params.update, request.cwd)) onEvent(event)
    })
    .onRequest(methods.client.session.requestPermission, ({ params }) => {
      const { outcome, refusal } = answerPermission(params, request)
      if (refusal) {
        talk.refused.push(refusal)
        onEvent({ type: 'permission', allowed: false, ...refusal })
      }
      return { outcome }
    })
    .onRequest(methods.client.fs.readTextFile, ({ params }) => readForAgent(hasFiles, request, params))
    .onRequest(methods.client.fs.writeTextFile, async ({ params }) => {
      onEvent({ type: 'edit', path: await writeForAgent(hasFiles, request, talk.kept, params) })
      return {}
    })
  return app.connectWith(stream, async (agent) => {
    const { protocolVersion, agentCapabilities } = await agent.request(methods.agent.initialize, {
      protocolVersion: PROTOCOL_VERSION,
      clientCapabilities: { fs: { readTextFile: hasFiles, writeTextFile: hasFiles } },
      clientInfo: { name: 'valuetrain', version: '1' },
    })
    if (protocolVersion !== PROTOCOL_VERSION) {
      return {
        word: { ok: false, said: `it speaks version ${protocolVersion} of the protocol, and ${PROTOCOL_VERSION} is needed` },
      }
    }
    const place = { cwd: request.cwd, mcpServers: [] }
    const load = async (session: string): Promise<string | undefined> => {
      isReplaying = true
      const loaded = await agent.request(methods.agent.session.load, { ...place, sessionId: session }).then(
        () => session,
        // It may have forgotten the session; a new one does as well.
        () => undefined,
      )
      isReplaying = false
      return loaded
    }
    const earlier =
      agentCapabilities?.loadSession === true && request.resume !== undefined ? await load(request.resume) : undefined
    const sessionId = earlier ?? (await agent.request<NewSessionResponse>(methods.agent.session.new, place)).sessionId
    const cancel = () => {
      void agent.notify(methods.agent.session.cancel, { sessionId }).catch(() => {})
      setTimeout(() => talk.stop.abort(), GOODBYE_MS).unref()
    }
    request.signal.addEventListener('abort', cancel, { once: true })
    if (request.signal.aborted) cancel()
    try {
      const prompt = [{ type: 'text' as const, text: request.brief }]
      const { stopReason } = await agent.request<PromptResponse>(methods.agent.session.prompt, { sessionId, prompt })
      return { word: { ok: stopReason === 'end_turn', said: stopReason }, session: sessionId }
    } finally {
      request.signal.removeEventListener('abort', cancel)
    }
  })
}

/** A stream that is fed from outside; what comes after its end is dropped. */
function openStream() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let isOpen = true
  const readable = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given
    },
    cancel() {
      isOpen = false
    },
  })
  return {
    readable,
    push(chunk: Uint8Array) {
      if (isOpen) controller?.enqueue(new Uint8Array(chunk))
    },
    end() {
      if (isOpen) controller?.close()
      isOpen = false
    },
  }
}
