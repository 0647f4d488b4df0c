import type { Runtime, RuntimeEvent, TurnRequest, TurnResult } from '../../core/contracts/runtime.ts'
import { runJailed } from '../../core/jail-run.ts'
import { findProgram, probeProgram } from '../../core/programs.ts'
import type { AgentSpec } from '../agents.ts'
import { DIALECTS } from '../dialects/index.ts'
import { outcomeOf } from './outcome.ts'
import { openTraces } from './traces.ts'
import { readTranscript } from './transcript.ts'
import { judgeAgent } from './verdict.ts'

const TAIL_CHARACTERS = 4_000
/** Linux takes 128 KiB for one argument, the ending zero included. */
const ARGUMENT_BYTES = 131_071

/**
 * Returns the runtime of an agent that is a command: it is given the brief, works by itself in the worktree and prints a
 * transcript. Its processes are a group that ends with the turn.
 *
 * @param env environment that git and the look-up of programs start from; the agent gets of it what its entry names
 */
export function execRuntime(spec: AgentSpec, env: NodeJS.ProcessEnv): Runtime {
  return {
    ...agentFace(spec, env),
    turn: (request, onEvent) => runAgent(spec, env, request, onEvent),
  }
}

/** Returns what every runtime of an agent says of itself. */
export function agentFace(spec: AgentSpec, env: NodeJS.ProcessEnv): Omit<Runtime, 'turn'> {
  return {
    id: spec.id,
    title: spec.title,
    usesJail: true,
    hosts: spec.hosts,
    callsModels: spec.callsModels,
    async probe() {
      if (spec.program.includes('/')) return { ready: true, why: `${spec.program}, from the configuration` }
      const found = await probeProgram(spec.program, env)
      if (found === undefined) return { ready: false, why: `there is no \`${spec.program}\` on PATH` }
      return { ready: true, why: found.version ?? 'it tells no version' }
    },
    accepts: () => ({ accepted: true, why: 'an agent can take any issue' }),
  }
}

/** Returns the command line and environment of an agent for one turn. */
export async function launchOf(
  spec: AgentSpec,
  env: NodeJS.ProcessEnv,
  request: TurnRequest,
): Promise<{ argv: string[]; env: Record<string, string>; input: string | undefined }> {
  const fill = (text: string) =>
    text
      .replaceAll('{cwd}', request.cwd)
      .replaceAll('{turn}', request.turn)
      .replaceAll('{sandbox}', request.jail ? 'danger-full-access' : 'workspace-write')
      .replaceAll('{url}', request.models?.url ?? '')
  // Options come after the first word, which is a sub-command where there are any.
  const ordered = [...spec.args.slice(0, 1), ...(request.models ? spec.modelArgs : []), ...spec.args.slice(1)]
  const hasBrief = spec.args.includes('{brief}')
  const passed = spec.env.flatMap((name): [string, string][] => (env[name] === undefined ? [] : [[name, env[name]]]))
  const program = (await findProgram(spec.program, request.env)) ?? spec.program
  return {
    argv: [program, ...ordered.map((arg) => (arg === '{brief}' ? request.brief : fill(arg)))],
    env: { ...request.env, ...Object.fromEntries(passed), ...spec.set, ...request.models?.env },
    input: hasBrief ? undefined : request.brief,
  }
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
  const reader = readTranscript(dialect, onEvent)
  const ran = await runJailed(request.jail, launch.argv, {
    cwd: request.cwd,
    env: launch.env,
    limits: request.limits,
    signal: request.signal,
    ...(launch.input === undefined ? {} : { input: launch.input }),
    onStart: (pid) => onEvent({ type: 'started', pid }),
    onOutput: (stream, text) => {
      if (stream === 'stderr' || !dialect.hasFinalWord) onEvent({ type: 'output', stream, text })
    },
    onChunk: (stream, chunk) => {
      if (stream === 'stdout') reader.add(chunk)
    },
  })
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
    ...(said.usage ? { usage: said.usage } : {}),
    outputDigest: ran.outputDigest,
    outputTail: ran.outputTail.slice(-TAIL_CHARACTERS),
  }
}
