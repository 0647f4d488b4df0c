import { readFile, rm } from 'node:fs/promises'
import type { Runtime, RuntimeEvent, TurnRequest, TurnResult, Usage } from '../../core/contracts/runtime.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside, writeAtomically } from '../../core/files.ts'
import { runProcess } from '../../core/process.ts'
import { judgeTool, type Tool } from '../policy.ts'
import { joinDigests, outcomeOf, tailOf } from './outcome.ts'
import { SCRIPT_FILE, Script, type ScriptedTurn, type ScriptInput, type Step } from './script.ts'

/**
 * Returns a runtime that plays a script: a stand-in for an agent that writes real files, runs real commands, hangs and crashes for
 * real, and is held to its role's tools. For tests and rehearsals of a pipeline.
 *
 * @param script undefined where the repository has none; the runtime is then not ready
 */
export function scriptedRuntime(script: ScriptInput | undefined): Runtime {
  const turns = script === undefined ? undefined : Script.parse(script).turns
  const answer = turns
    ? { ready: true, why: `${turns.length} turns are scripted` }
    : { ready: false, why: `it needs ${SCRIPT_FILE}, committed on the default branch` }
  return {
    id: 'scripted',
    title: 'a script that stands in for an agent',
    probe: async () => answer,
    accepts: () => ({ accepted: answer.ready, why: answer.why }),
    async turn(request, onEvent) {
      const turn = turns?.find((candidate) => fits(candidate, request))
      if (turn === undefined) {
        return { outcome: 'failed', reason: `no turn is scripted for phase ${request.phase}, attempt ${request.attempt}` }
      }
      return play(turn.steps, request, onEvent)
    },
  }
}

function fits({ phase, mode, issue, attempt }: ScriptedTurn, request: TurnRequest): boolean {
  return (
    (phase === undefined || phase === request.phase) &&
    (mode === undefined || mode === request.mode) &&
    (issue === undefined || issue === request.issue) &&
    (attempt === undefined || attempt === request.attempt)
  )
}

async function play(steps: readonly Step[], request: TurnRequest, onEvent: (event: RuntimeEvent) => void): Promise<TurnResult> {
  const stage = openStage(request, onEvent)
  onEvent({ type: 'started' })
  for (const step of steps) {
    if (request.signal.aborted) return stage.ended({ outcome: 'cancelled', reason: 'the turn was cancelled' })
    const end = await act(step, stage)
    if (end) return stage.ended(end)
  }
  return stage.ended({ outcome: 'completed', reason: `${steps.length} scripted steps were played` })
}

/** What a turn gathers while its steps are played. */
interface Stage {
  request: TurnRequest
  onEvent(event: RuntimeEvent): void
  /** Fills the placeholders in a text. */
  fill(text: string): string
  /** Asks the policy, tells the answer when it is no. */
  mayUse(tool: Tool | string): boolean
  /** What the commands printed: digests of it all, and the end of it. */
  digests: string[]
  tail: string
  usage: Usage | undefined
  ended(result: TurnResult): TurnResult
}

function openStage(request: TurnRequest, onEvent: (event: RuntimeEvent) => void): Stage {
  const { role, mode, tools = ['read', 'write'] } = request
  const words: Record<string, string> = {
    ticket: request.ticket,
    issue: String(request.issue),
    phase: request.phase,
    attempt: String(request.attempt),
    artifacts: request.artifacts,
  }
  const stage: Stage = {
    request,
    onEvent,
    fill: (text) => text.replace(/\{(ticket|issue|phase|attempt|artifacts)\}/g, (_, name: string) => words[name] as string),
    mayUse(tool) {
      const { allowed, why } = judgeTool({ role, mode, tools }, tool)
      if (!allowed) onEvent({ type: 'permission', tool, allowed, reason: why })
      return allowed
    },
    digests: [],
    tail: '',
    usage: undefined,
    ended: (result) => ({
      ...result,
      ...(stage.usage ? { usage: stage.usage } : {}),
      ...(stage.digests.length > 0 ? { outputDigest: joinDigests(stage.digests), outputTail: stage.tail } : {}),
    }),
  }
  return stage
}

/** Plays one step. Returns how the turn ends when it ends here. */
async function act(step: Step, stage: Stage): Promise<TurnResult | undefined> {
  switch (step.do) {
    case 'write':
    case 'append':
    case 'remove':
      return changeFile(step, stage)
    case 'run':
      return stage.mayUse('run-code') ? runStep(step.argv.map(stage.fill), step.okExit, stage) : undefined
    case 'hang':
      return runStep(['node', '--eval', 'setTimeout(() => {}, 2 ** 31 - 1)'], [0], stage)
    case 'crash':
      return runStep(['node', '--eval', 'process.kill(process.pid, process.argv[1])', step.signal], [0], stage)
    case 'throw':
      throw new ValuetrainError('VT_SCRIPTED', stage.fill(step.message), { kind: 'internal', hint: 'the script says to throw' })
    case 'message':
    case 'thought':
      stage.onEvent({ type: step.do, text: stage.fill(step.text) })
      return undefined
    case 'plan':
      stage.onEvent({ type: 'plan', steps: step.steps.map(stage.fill) })
      return undefined
    case 'tool':
      if (stage.mayUse(step.name))
        stage.onEvent({ type: 'tool', name: step.name, summary: stage.fill(step.summary), state: 'done' })
      return undefined
    case 'usage':
      stage.usage = addUsage(stage.usage, step)
      stage.onEvent({ type: 'usage', usage: { tokensIn: step.tokensIn, tokensOut: step.tokensOut, costUsd: step.costUsd } })
      return undefined
    case 'end': {
      const { do: _, until, decisions, handOff, ...rest } = step
      return { ...rest, ...(until ? { until } : {}), ...(decisions ? { decisions } : {}), ...(handOff ? { handOff } : {}) }
    }
  }
}

async function changeFile(step: Extract<Step, { do: 'write' | 'append' | 'remove' }>, stage: Stage): Promise<undefined> {
  if (!stage.mayUse('write')) return
  const path = stage.fill(step.path)
  const file = await resolveInside(stage.request.cwd, path)
  if (step.do === 'remove') await rm(file)
  else if (step.do === 'write') await writeAtomically(file, stage.fill(step.content))
  else await writeAtomically(file, (await readFile(file, 'utf8').catch(() => '')) + stage.fill(step.content))
  stage.onEvent({ type: 'edit', path: path.startsWith(stage.request.cwd) ? path.slice(stage.request.cwd.length + 1) : path })
}

async function runStep(argv: readonly string[], okExit: readonly number[], stage: Stage): Promise<TurnResult | undefined> {
  const { request } = stage
  const summary = argv.join(' ')
  stage.onEvent({ type: 'tool', name: 'run-code', summary, state: 'started' })
  const ran = await runProcess(argv, {
    cwd: request.cwd,
    env: request.env,
    limits: request.limits,
    signal: request.signal,
    onOutput: (stream, text) => stage.onEvent({ type: 'output', stream, text }),
  })
  stage.digests.push(ran.outputDigest)
  stage.tail = tailOf(stage.tail + ran.outputTail)
  const end = outcomeOf(ran, request, okExit)
  stage.onEvent({ type: 'tool', name: 'run-code', summary, state: end === undefined ? 'done' : 'failed' })
  if (end === undefined) return undefined
  return {
    outcome: end.outcome,
    reason: `the command ${summary.slice(0, 200)} ${end.what}`,
    exit: ran.exit,
    ...(ran.signal ? { signal: ran.signal } : {}),
  }
}

function addUsage(sum: Usage | undefined, more: Usage): Usage {
  return {
    tokensIn: (sum?.tokensIn ?? 0) + more.tokensIn,
    tokensOut: (sum?.tokensOut ?? 0) + more.tokensOut,
    costUsd: (sum?.costUsd ?? 0) + more.costUsd,
  }
}
