import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import type { Json } from '../../core/canonical.ts'
import { MARK } from '../../core/census.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { endGroup, type GroupRecord, recordGroup } from '../../core/group.ts'
import type { Action, EnvironmentSpec, RemoteEnvironment, Transition } from '../types.ts'
import { ended, noState } from './classic.ts'
import { requireAction, requireObservation, requireReward } from './space.ts'

export interface ProcessEnvironmentOptions {
  /** Program and arguments, no shell. */
  argv: readonly string[]
  /** Absolute. */
  cwd: string
  /** The whole environment of the child. */
  env: Readonly<Record<string, string>>
  /** Milliseconds for each answer; 30,000 unless told. */
  answerMs?: number
  /** Milliseconds for the first answer, in which the program starts; 120,000 unless told. */
  launchMs?: number
  /** State folder of the clone in which the process group is noted, so that a later command can end it. */
  record?: string
}

/** Longest answer that is read, bytes. */
const MAX_LINE = 16 * 1024 * 1024
const LAST_WORDS = 2_000

const bound = z.array(z.number().nullable())
const spaceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('discrete'), n: z.number().int().min(1), names: z.array(z.string()).optional() }),
  z.object({ kind: z.literal('box'), shape: z.array(z.number().int().min(1)), low: bound, high: bound }),
])
const helloSchema = z.object({
  version: z.literal(1),
  spec: z.object({
    id: z.string().min(1),
    observation: spaceSchema,
    action: spaceSchema,
    maxSteps: z.number().positive().nullish(),
    solvedAt: z.number().optional(),
  }),
})
/** Also what is not finite: which of them is wrong is told by what it is, not as a wrong shape. */
const real = z.custom<number>((value) => typeof value === 'number', 'is no number')
const observation = z.array(real)
const resetSchema = z.object({ observation })
/** A reward that is missing is a fault of its own, not one of form: it is never counted as 0. */
const stepSchema = z.object({ observation, reward: real.nullish(), terminated: z.boolean(), truncated: z.boolean() })

/** Returns the program that answers for a Gymnasium environment. @param python interpreter that has gymnasium */
export function gymnasiumArgv(python: string, id: string): string[] {
  return [python, fileURLToPath(new URL('gymnasium.py', import.meta.url)), id]
}

/**
 * Attaches an environment that runs in a program of its own and answers over JSON lines; gymnasium.py shows the
 * protocol and a Python end of it.
 *
 * Its state is the seed and the actions of the running episode, which `restore` plays again: exact where the program
 * answers the same to the same seed.
 *
 * @throws VT_ENV_PROCESS when the program cannot be started or ends; VT_ENV_TIMEOUT when it does not answer;
 *   VT_ENV_PROTOCOL when an answer is not what was asked for; VT_ENV_SHAPE when an observation changes its shape
 */
export async function openProcessEnvironment(options: ProcessEnvironmentOptions): Promise<RemoteEnvironment> {
  const line = await openLine(options)
  try {
    return await converse(line, options.answerMs ?? 30_000, options.launchMs ?? 120_000)
  } catch (error) {
    await line.close()
    throw error
  }
}

async function converse(line: Line, answerMs: number, launchMs: number): Promise<RemoteEnvironment> {
  const ask = async <T>(schema: z.ZodType<T>, question: object, waitMs = answerMs): Promise<T> => {
    const answer = schema.safeParse(await line.ask(question, waitMs))
    if (answer.success) return answer.data
    const [issue] = answer.error.issues
    throw protocolError(line.name, `${issue?.path.join('.') || 'the answer'}: ${issue?.message}`)
  }
  const { spec: said } = await ask(helloSchema, { op: 'hello', version: 1 }, launchMs)
  const spec = specOf(said, line.name)
  let episode: { seed: number; actions: Action[]; running: boolean } = { seed: 0, actions: [], running: false }
  const environment: RemoteEnvironment = {
    spec,
    async reset(seed) {
      const { observation: numbers } = await ask(resetSchema, { op: 'reset', seed })
      episode = { seed, actions: [], running: true }
      requireObservation(spec, numbers)
      return Float32Array.from(numbers)
    },
    async step(action): Promise<Transition> {
      if (!episode.running) throw ended(spec.id)
      requireAction(spec, action)
      const { observation: numbers, reward: told, ...rest } = await ask(stepSchema, { op: 'step', action })
      requireObservation(spec, numbers)
      const reward = requireReward(spec, told)
      episode.actions.push(action)
      const truncated = rest.truncated || (!rest.terminated && episode.actions.length >= spec.maxSteps)
      episode.running = !rest.terminated && !truncated
      return { ...rest, reward, truncated, observation: Float32Array.from(numbers) }
    },
    state: () => ({ ...episode, actions: [...episode.actions] }),
    async restore(state) {
      const { seed, actions } = parseEpisode(state, spec.id)
      await environment.reset(seed)
      for (const action of actions) await environment.step(action)
    },
    close: () => line.close(),
  }
  return environment
}

interface Line {
  /** The program, for messages. */
  name: string
  ask(question: object, waitMs: number): Promise<unknown>
  close(): Promise<void>
}

/** Starts the program in a group of its own. One question is open at a time. */
async function openLine({ argv, cwd, env, record }: ProcessEnvironmentOptions): Promise<Line> {
  const [program = '', ...args] = argv
  const name = argv.join(' ')
  const mark = randomUUID()
  const note: GroupRecord = await recordGroup(mark, record)
  const child = spawn(program, args, { cwd, env: { ...env, [MARK]: mark }, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const state: { waiting?: (line: string | ValuetrainError) => void; rest: string; lastWords: string; over?: ValuetrainError } = {
    rest: '',
    lastWords: '',
  }
  const end = (error: ValuetrainError) => {
    state.over ??= error
    state.waiting?.(state.over)
  }
  listen(child, name, state, end)
  if (child.pid !== undefined) await note.started(child.pid)
  let closing: Promise<void> | undefined
  const close = async () => {
    end(processError(name, 'was closed', ''))
    child.stdin?.destroy()
    await endGroup(child.pid, mark, 1_000)
    await note.ended()
  }
  return {
    name,
    async ask(question, waitMs) {
      if (state.over) throw state.over
      const answer = await new Promise<string | ValuetrainError>((resolve) => {
        const timer = setTimeout(() => end(timeoutError(name, waitMs)), waitMs)
        state.waiting = (line) => {
          clearTimeout(timer)
          delete state.waiting
          resolve(line)
        }
        child.stdin?.write(`${JSON.stringify(question)}\n`)
      })
      if (answer instanceof ValuetrainError) {
        closing ??= close()
        await closing
        throw answer
      }
      return parseAnswer(answer, name)
    },
    async close() {
      closing ??= close()
      await closing
    },
  }
}

const NOT_FINITE = /(?<=[[,:\s])(?:NaN|-?Infinity)(?=[\s,\]}])/g
const WORDS: readonly unknown[] = ['NaN', 'Infinity', '-Infinity']

/** JSON has no NaN, but Python writes it: it is read, so that what is wrong can be named. */
function parseAnswer(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    try {
      return JSON.parse(text.replace(NOT_FINITE, '"$&"'), (_, value) => (WORDS.includes(value) ? Number(value) : value))
    } catch {
      throw protocolError(name, `"${text.slice(0, 80)}" is not JSON`)
    }
  }
}

function listen(
  child: ChildProcess,
  name: string,
  state: { waiting?: (line: string) => void; rest: string; lastWords: string },
  end: (error: ValuetrainError) => void,
): void {
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    state.rest += chunk
    if (state.rest.length > MAX_LINE) return end(protocolError(name, `an answer is longer than ${MAX_LINE} characters`))
    for (let at = state.rest.indexOf('\n'); at >= 0; at = state.rest.indexOf('\n')) {
      const line = state.rest.slice(0, at)
      state.rest = state.rest.slice(at + 1)
      if (state.waiting === undefined) return end(protocolError(name, 'it spoke without being asked'))
      state.waiting(line)
    }
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    state.lastWords = (state.lastWords + chunk).slice(-LAST_WORDS)
  })
  // A program that is gone does not read; its end says so, with more to say.
  child.stdin?.on('error', () => {})
  child.on('error', (cause) => end(processError(name, `could not be started: ${cause.message}`, '')))
  child.on('close', (code, signal) => end(processError(name, `ended with ${signal ?? code}`, state.lastWords, signal)))
}

function specOf(said: z.infer<typeof helloSchema>['spec'], name: string): EnvironmentSpec {
  const fill = (space: z.infer<typeof spaceSchema>): EnvironmentSpec['action'] => {
    if (space.kind === 'discrete')
      return space.names === undefined ? { kind: 'discrete', n: space.n } : { ...space, names: space.names }
    const size = space.shape.reduce((product, side) => product * side, 1)
    if (space.low.length !== size || space.high.length !== size) {
      throw protocolError(name, `a box of ${space.shape.join(' x ')} needs ${size} bounds each way`)
    }
    return {
      ...space,
      low: space.low.map((value) => value ?? Number.NEGATIVE_INFINITY),
      high: space.high.map((value) => value ?? Number.POSITIVE_INFINITY),
    }
  }
  const observed = fill(said.observation)
  if (observed.kind !== 'box') throw protocolError(name, 'observations must be a box; write numbered ones as one-hot')
  return {
    id: said.id,
    observation: observed,
    action: fill(said.action),
    maxSteps: said.maxSteps ?? Number.POSITIVE_INFINITY,
    ...(said.solvedAt === undefined ? {} : { solvedAt: said.solvedAt }),
  }
}

function parseEpisode(state: Json, id: string): { seed: number; actions: Action[] } {
  const schema = z.object({ seed: z.number().int(), actions: z.array(z.union([z.number(), z.array(z.number())])) })
  const parsed = schema.safeParse(state)
  if (!parsed.success) throw noState(id, 'it needs a seed and the actions since')
  return parsed.data
}

function processError(name: string, what: string, lastWords: string, signal: string | null = null): ValuetrainError {
  return new ValuetrainError('VT_ENV_PROCESS', `the environment \`${name}\` ${what}`, {
    kind: 'environment',
    hint:
      lastWords.trim() === ''
        ? 'Run it by hand and type {"op":"hello","version":1}.'
        : `It last said: ${lastWords.trim().split('\n').at(-1)}`,
    details: { signal },
  })
}

function timeoutError(name: string, waitMs: number): ValuetrainError {
  return new ValuetrainError('VT_ENV_TIMEOUT', `the environment \`${name}\` did not answer within ${waitMs} ms`, {
    kind: 'environment',
    hint: 'It hangs or is slow; if it only is slow, give it more time by environment.process.timeoutMs.',
    details: { waitMs },
  })
}

function protocolError(name: string, why: string): ValuetrainError {
  return new ValuetrainError('VT_ENV_PROTOCOL', `the environment \`${name}\` gave an answer that cannot be used: ${why}`, {
    kind: 'environment',
    hint: 'It must answer each line with one JSON object, as training/env/gymnasium.py does.',
  })
}
