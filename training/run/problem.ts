import { readFile } from 'node:fs/promises'
import { sha256 } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside } from '../../core/files.ts'
import { openProcessEnvironment } from '../env/process.ts'
import { openEnvironment } from '../env/registry.ts'
import { vectorise, vectoriseRemote } from '../env/vector.ts'
import { RouterEnv } from '../router/env.ts'
import { type Outcomes, openOutcomes } from '../router/outcomes.ts'
import type { Environment, EnvironmentSpec, RemoteEnvironment, VectorEnvironment } from '../types.ts'
import type { TrainConfig } from './config.ts'

/** Where a configuration's episodes come from, ready to be opened as often as needed. */
export interface Problem {
  spec: EnvironmentSpec
  /** What of it enters the run hash: the id, or the program and what it announced. */
  identity: unknown
  vector(count: number): Promise<VectorEnvironment>
  /** Opens one for measuring; what is not needed is never started. */
  open(index: number): Environment | RemoteEnvironment
}

/** Where programs run that bring an environment. */
export interface Surroundings {
  /** Absolute; the working tree. */
  root: string
  /** The whole environment of such a program. */
  env: Readonly<Record<string, string>>
  /** State folder of the clone, in which their process groups are noted. */
  stateDir?: string
}

/** Each episode of a program's environment is a process of its own while it is measured. */
const MOST_PROCESSES = 32

/**
 * Returns the problem a configuration names.
 *
 * @throws VT_ENV_UNKNOWN with the nearest name; VT_ENV_ACTIONS when actions are not numbered; VT_ENV_PROCESS and others
 *   of the process environment when its program does not answer
 */
export async function openProblem(config: TrainConfig, surroundings: Surroundings): Promise<Problem> {
  const problem =
    typeof config.environment === 'string'
      ? builtIn(config.environment)
      : 'outcomes' in config.environment
        ? await replayed(config.environment.outcomes, surroundings)
        : await attached(config, config.environment, surroundings)
  const { id, action } = problem.spec
  if (action.kind !== 'discrete') {
    throw new ValuetrainError(
      'VT_ENV_ACTIONS',
      `${id} takes real numbers as actions; ${config.algorithm} chooses numbered ones`,
      {
        kind: 'config',
        hint: `choose an environment with numbered actions, or divide the range into a few, as in ${id}/5`,
      },
    )
  }
  return problem
}

function builtIn(id: string): Problem {
  const { spec } = openEnvironment(id)
  return {
    spec,
    identity: spec.id,
    vector: async (count) => vectorise(() => openEnvironment(id), count),
    open: () => openEnvironment(id),
  }
}

/** Escalation over an outcome table, issue by issue. */
async function replayed(outcomes: Outcomes, { root }: Surroundings): Promise<Problem> {
  const { table, gate, identity } = await openOutcomes(root, outcomes)
  const open = () => new RouterEnv(table, { gate, price: outcomes.price, handOver: outcomes.handOver })
  const { spec } = open()
  return { spec, identity: { outcomes: identity, id: spec.id }, vector: async (count) => vectorise(open, count), open }
}

async function attached(
  { settings, evaluation }: TrainConfig,
  { process }: Extract<TrainConfig['environment'], { process: unknown }>,
  { root, env, stateDir }: Surroundings,
): Promise<Problem> {
  for (const [key, value] of [
    ['settings.environments', settings.environments],
    ['evaluation.episodes', evaluation.episodes],
  ] as const) {
    if (value <= MOST_PROCESSES) continue
    throw new ValuetrainError(
      'VT_CONFIG',
      `${key} is ${value}; a program's environment is a process each, ${MOST_PROCESSES} at most`,
      {
        kind: 'config',
        hint: `set ${key} to ${MOST_PROCESSES} or fewer`,
      },
    )
  }
  const launch = () =>
    openProcessEnvironment({
      argv: process.command,
      cwd: root,
      env,
      answerMs: process.timeoutMs,
      ...(stateDir === undefined ? {} : { record: stateDir }),
    })
  const probe = await launch()
  const { spec } = probe
  await probe.close()
  const identity = {
    command: process.command,
    id: spec.id,
    action: spec.action,
    observation: spec.observation.shape,
    maxSteps: Number.isFinite(spec.maxSteps) ? spec.maxSteps : null,
    solvedAt: spec.solvedAt ?? null,
  }
  return {
    spec,
    identity,
    vector: async (count) => vectoriseRemote(await Promise.all(Array.from({ length: count }, launch))),
    open: () => launchedLater(spec, launch),
  }
}

/** An environment whose program starts with its first episode. */
function launchedLater(spec: EnvironmentSpec, launch: () => Promise<RemoteEnvironment>): RemoteEnvironment {
  let running: Promise<RemoteEnvironment> | undefined
  const opened = () => {
    running ??= launch()
    return running
  }
  return {
    spec,
    reset: async (seed) => (await opened()).reset(seed),
    step: async (action) => (await opened()).step(action),
    state: () => null,
    restore: async (state) => (await opened()).restore(state),
    async close() {
      await (await running?.catch(() => undefined))?.close()
    },
  }
}

/** Returns the SHA-256 of every data file a configuration names, by path. @throws VT_DATA_MISSING, VT_OUTSIDE */
export async function dataDigests(root: string, paths: readonly string[]): Promise<Record<string, string>> {
  const digests: Record<string, string> = {}
  for (const path of [...new Set(paths)].sort()) {
    const content = await readFile(await resolveInside(root, path)).catch((cause: NodeJS.ErrnoException) => {
      throw new ValuetrainError('VT_DATA_MISSING', `the data file ${path} cannot be read (${cause.code})`, {
        kind: 'config',
        hint: 'mend the path under `data`; it is a repository path',
        cause,
      })
    })
    digests[path] = sha256(content)
  }
  return digests
}
