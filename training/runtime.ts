/**
 * The runtime that works the phases of training: it trains what the configuration names, measures it on fresh episodes,
 * writes the papers the phase asks for, and promotes what passed. The conductor commits, judges and goes on as for any
 * other turn.
 */
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { type Config, wantsApproval } from '../core/config.ts'
import type { ChildState, ModeId } from '../core/contracts/names.ts'
import type { PlanRequest, Runtime, RuntimeEvent, TurnRequest, TurnResult } from '../core/contracts/runtime.ts'
import { ValuetrainError } from '../core/errors.ts'
import { openGit } from '../core/git.ts'
import type { Ids } from '../core/ids.ts'
import { readerOf } from '../core/reader.ts'
import { openRepository } from '../core/repository.ts'
import type { PhaseResult, PhaseWork, PlanWork } from './phase/phase.ts'

export const TRAIN_RUNTIME = 'train'

export interface TrainRuntimeOptions {
  /** Of the committed configuration. */
  training: Config['training']
  /** Environment that git starts from. */
  env: NodeJS.ProcessEnv
  clock: Clock
  ids: Ids
  /** The decisions that the sessions hold; none unless told. */
  decisions?: PhaseWork['decisions']
}

/** The phases that follow from what was measured, by name, since the mode alone does not tell them from a person's. */
const IMPROVING = ['improvement', 'retraining']

/** Returns whether the runtime works a phase: one of training, of a model's evaluation, or of what follows from it. */
export function worksPhase(phase: { name: string; mode: ModeId; child: ChildState | undefined } | undefined): boolean {
  if (phase === undefined) return false
  return phase.child === 'train' || phase.child === 'model-eval' || (phase.mode === 'improve' && IMPROVING.includes(phase.name))
}

/** Returns the runtime. It is only ready where the configuration names what is trained. */
export function trainRuntime(options: TrainRuntimeOptions): Runtime {
  const { config } = options.training
  const why = config === null ? '`training.config` names no train.yaml' : `trains ${config}`
  return {
    id: TRAIN_RUNTIME,
    title: 'trains and measures what training.config names',
    probe: async () => ({ ready: config !== null, why }),
    plan: (request) => plan(options, request),
    accepts: () => ({ accepted: config !== null, why: config === null ? `set \`training.config\`: ${why}` : why }),
    turn: (request, onEvent) => turn(options, request, onEvent),
  }
}

async function turn(
  options: TrainRuntimeOptions,
  request: TurnRequest,
  onEvent: (event: RuntimeEvent) => void,
): Promise<TurnResult> {
  const { training } = options
  const { phase: name, mode, child } = request
  if (training.config === null || !worksPhase({ name, mode, child })) {
    return { outcome: 'handed-off', reason: `phase ${name} is none of training; give the issue another agent`, handOff: name }
  }
  const timeout = AbortSignal.timeout(request.limits.totalMs)
  const work: PhaseWork = {
    ...(await surroundings(options, training.config, request)),
    signal: AbortSignal.any([request.signal, timeout]),
    request,
    say: (text) => onEvent({ type: 'message', text }),
    artifact: (file) => join(request.artifacts, file),
  }
  onEvent({ type: 'started' })
  try {
    const result = await phaseOf(work)
    if (result !== 'stopped') return { outcome: 'completed', ...result }
    return timeout.aborted
      ? {
          outcome: 'timed-out',
          reason: `the run was not done after ${request.limits.totalMs} ms; the next turn goes on from its checkpoint`,
        }
      : { outcome: 'cancelled', reason: 'stopped at a checkpoint; the next turn goes on from there' }
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
    return { outcome: 'failed', reason: `${error.code}: ${error.message}${error.hint ? ` (${error.hint})` : ''}` }
  }
}

async function plan(options: TrainRuntimeOptions, request: PlanRequest): Promise<string | undefined> {
  const { training } = options
  if (training.config === null || request.child !== 'train' || !wantsApproval(training, 'plan')) return undefined
  const { planPhase } = await import('./phase/planning.ts')
  return planPhase({ ...(await surroundings(options, training.config, request)), request })
}

async function surroundings(
  { training, env, clock, ids, decisions = async () => [] }: TrainRuntimeOptions,
  file: string,
  request: PlanRequest,
): Promise<PlanWork> {
  const [{ stateDir }, { runsIn }] = await Promise.all([openRepository(request.cwd, env), import('./run/folder.ts')])
  const git = openGit(request.cwd, env)
  return {
    request,
    decisions,
    file,
    backend: training.backend,
    root: request.cwd,
    env: request.env,
    stateDir,
    git,
    reader: readerOf(request.cwd),
    runs: runsIn(request.cwd, git),
    clock,
    ids,
    signal: request.signal,
  }
}

/** The engine is loaded when a phase is worked: every run of an issue lists this runtime, few train. */
async function phaseOf(work: PhaseWork): Promise<PhaseResult> {
  if (work.request.child === 'train') return (await import('./phase/training.ts')).trainPhase(work)
  if (work.request.child === 'model-eval') return (await import('./phase/evaluating.ts')).evaluatePhase(work)
  return (await import('./phase/improving.ts')).improvePhase(work)
}
