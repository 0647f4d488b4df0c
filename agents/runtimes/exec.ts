import type { Runtime, RuntimeEvent, TurnRequest, TurnResult } from '../../core/contracts/runtime.ts'
import { runJailed } from '../../core/jail-run.ts'
import type { ProcessOptions } from '../../core/process.ts'
import { probeProgram } from '../../core/programs.ts'
import type { AgentSpec } from '../agents.ts'
import { DIALECTS } from '../dialects/index.ts'
import { watchTools } from './busy.ts'
import { launchOf } from './launch.ts'
import { loginFiles } from './login.ts'
import { outcomeOf, tailOf } from './outcome.ts'
import { openTraces } from './traces.ts'
import { readTranscript } from './transcript.ts'
import { judgeAgent } from './verdict.ts'

/** Linux takes 128 KiB for one argument, the ending zero included. */
const ARGUMENT_BYTES = 131_071

/**
 * Returns the runtime of an agent that is a command: it is given the brief, works by itself in the worktree and prints a
 * transcript. Its processes are a group that ends with the turn.
 */
export function execRuntime(spec: AgentSpec, surroundings: AgentSurroundings): Runtime {
  return {
    ...agentFace(spec, surroundings),
    turn: (request, onEvent) => runAgent(spec, surroundings.env, request, onEvent),
  }
}

/** Returns what every runtime of an agent says of itself. */
export function agentFace(spec: AgentSpec, { env, isLimited = false }: AgentSurroundings): Omit<Runtime, 'turn'> {
  return {
    id: spec.id,
    title: spec.title,
    usesJail: true,
    hosts: spec.hosts,
    callsModels: spec.callsModels,
    probe: () => probeAgent(spec, env, isLimited),
    accepts: () => ({ accepted: true, why: 'an agent can take any issue' }),
  }
}

/** What a runtime of an agent is told of where it works. */
export interface AgentSurroundings {
  /** Environment that git and the look-up of programs start from; the agent gets of it what its entry names. */
  env: NodeJS.ProcessEnv
  /** Whether a budget in money is set. */
  isLimited?: boolean
}

async function probeAgent(spec: AgentSpec, env: NodeJS.ProcessEnv, isLimited: boolean): Promise<{ ready: boolean; why: string }> {
  if (spec.byLogin) {
    if (isLimited) return { ready: false, why: 'it works by a login, whose use has no price, and a budget in money is set' }
    if ((await loginFiles(spec, env)).length === 0)
      return { ready: false, why: `nobody is logged in to it here (${spec.login?.files.join(', ') ?? 'it has no login'})` }
  }
  if (spec.program.includes('/')) return { ready: true, why: `${spec.program}, from the configuration` }
  const found = await probeProgram(spec.program, env)
  if (found === undefined) return { ready: false, why: `there is no \`${spec.program}\` on PATH` }
  const { least } = spec.versions
  if (least !== undefined && found.version !== null && isOlder(found.version, least)) {
    return { ready: false, why: `${found.version} is too old; ${least} is the oldest that is driven here` }
  }
  return { ready: true, why: found.version ?? 'it tells no version' }
}

/** Compares the first version in a text; one that has none is not older. */
function isOlder(text: string, least: string): boolean {
  const found = /\d+(?:\.\d+)+/.exec(text)?.[0].split('.').map(Number)
  if (found === undefined) return false
  for (const [index, want] of least.split('.').map(Number).entries()) {
    const have = found[index] ?? 0
    if (have !== want) return have < want
  }
  return false
}

async function runAgent(
  spec: AgentSpec,
  env: NodeJS.ProcessEnv,
  request: TurnRequest,
  onEvent: (event: RuntimeEvent) => void,
): Promise<TurnResult> {
  const launch = await launchOf(spec, env, request)
  if (launch.input === undefined && Buffer.byteLength(request.brief) > ARGUMENT_BYTES) {
    return { outcome: 'failed', reason: `the brief is too long to be an argument of ${spec.id}; let it read standard input` }
  }
  const traces = await openTraces(request, env)
  const dialect = DIALECTS[spec.dialect]
  const busy = watchTools()
  const reader = readTranscript(dialect, { usage: spec.usage }, (event) => {
    busy.see(event)
    onEvent(event)
  })
  const options: ProcessOptions = {
    cwd: request.cwd,
    env: launch.env,
    limits: request.limits,
    signal: request.signal,
    graceMs: spec.graceMs,
    isBusy: busy.isBusy,
    ...(launch.input === undefined ? {} : { input: launch.input }),
    onStart: (pid) => onEvent({ type: 'started', pid }),
    onOutput: (stream, text) => {
      if (stream === 'stderr' || !dialect.hasFinalWord) onEvent({ type: 'output', stream, text })
    },
    onChunk: (stream, chunk) => {
      if (stream === 'stdout') reader.add(chunk)
    },
  }
  const ran = await runJailed(request.jail, launch.argv, options, { writable: launch.writable })
  const said = reader.end()
  const verdict = judgeAgent(
    {
      name: spec.id,
      stopped: outcomeOf(ran, request),
      final: said.final,
      hasFinalWord: dialect.hasFinalWord,
      ...(await traces.compare()),
      refused: said.refused,
    },
    request,
  )
  return {
    ...verdict,
    exit: ran.exit,
    ...(ran.signal ? { signal: ran.signal } : {}),
    ...(said.usage ? { usage: spec.byLogin ? { ...said.usage, costUsd: 0 } : said.usage } : {}),
    ...(spec.byLogin ? { quota: true } : {}),
    ...(said.session ? { session: said.session } : {}),
    outputDigest: ran.outputDigest,
    outputTail: tailOf(ran.outputTail),
  }
}
