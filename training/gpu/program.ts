/**
 * A provider that a program of the repository's own speaks for: any cloud, queue or cluster. Each call starts it once,
 * gives it one line of JSON and reads one back, so nothing of it stays between calls; the machines and the leases are
 * its own, and so is what ends a lease that nobody beats for.
 */
import * as z from 'zod'
import { ValuetrainError } from '../../core/errors.ts'
import { runProcess } from '../../core/process.ts'
import type { MachineOptions } from './machine.ts'
import type { GpuProvider } from './provider.ts'

export interface ProgramOptions extends MachineOptions {
  id: string
  /** Program and arguments, no shell. */
  argv: readonly string[]
  usdPerHour: number
  /** Is asked before each call, and throws where the program is not to be started. */
  vouch: () => Promise<void>
}

const CALL_MS = 60_000
/** A machine that is rented takes minutes to come up. */
const LAUNCH_MS = 600_000
const MOST_ANSWERED = 1_000_000

const count = z.int().min(0)
const name = z.string().min(1).max(200)
const Done = z.object({})
const Listed = z.object({
  cards: z.array(
    z.object({
      index: count,
      id: name,
      name,
      driver: z.string().default('unknown'),
      memoryMiB: count.nullable().default(null),
      usedMiB: count.nullable().default(null),
      busyPercent: count.nullable().default(null),
    }),
  ),
  leases: z.array(z.object({ id: name, cards: z.array(name), guarded: z.boolean() })),
  why: z.string().optional(),
})
const Leased = z.object({ cards: z.array(name) })
const Beaten = z
  .object({
    state: z.enum(['leased', 'running', 'ended']),
    why: z.enum(['trainer-ended', 'stopped', 'no-heartbeat', 'limit', 'reaped']).optional(),
    exit: z.int().min(0).max(255).optional(),
    seconds: z.number().min(0),
    log: z.string(),
    next: count,
  })
  .refine(({ state, why }) => (state === 'ended') === (why !== undefined), {
    path: ['why'],
    message: 'is said of an ended lease, and only of one',
  })
const Reaped = z.object({ reaped: z.array(z.object({ lease: name, processes: count, why: z.string() })) })
const Refused = z.object({
  error: z.object({ code: z.enum(['auth', 'capacity', 'quota', 'lost', 'stray', 'unreachable']), message: z.string().min(1) }),
})

/** Returns the provider that a program speaks for. */
export function programProvider(options: ProgramOptions): GpuProvider {
  const { id, argv, usdPerHour } = options
  const ask = <T>(schema: z.ZodType<T>, op: string, data: object, waitMs = CALL_MS) =>
    call(options, schema, { version: 1, op, ...data }, waitMs)
  return {
    id,
    title: `by ${argv.join(' ')}`,
    usdPerHour,
    async list() {
      const { cards, leases, why } = await ask(Listed, 'list', {})
      return { cards, leases, why: why ?? (cards.length === 0 ? 'it lists no card' : undefined) }
    },
    async lease(request) {
      const { cards } = await ask(Leased, 'lease', { lease: request }, LAUNCH_MS)
      if (cards.length === request.cards) return { provider: id, id: request.id, cards, usdPerHour }
      await ask(Done, 'stop', { lease: request.id }).catch(() => {})
      throw protocolError(options, `it leased ${cards.length} cards where ${request.cards} were asked for`)
    },
    async start(lease, trainer) {
      await ask(Done, 'start', { lease: lease.id, ...trainer }, LAUNCH_MS)
    },
    async beat(lease, from) {
      const { why, exit, ...beat } = await ask(Beaten, 'beat', { lease: lease.id, from })
      // Who reads a log to its end would never come to it otherwise.
      if (beat.next < from || (beat.next === from) !== (beat.log === '')) {
        throw protocolError(options, `next: ${beat.next} after ${from} does not go with ${beat.log.length} characters of log`)
      }
      return { ...beat, why, exit }
    },
    async stop(lease) {
      await ask(Done, 'stop', { lease: lease.id })
    },
    async reap(ownerless) {
      const { reaped } = await ask(Reaped, 'reap', { ownerless })
      return reaped.map((one) => ({ provider: id, ...one }))
    },
  }
}

async function call<T>(options: ProgramOptions, schema: z.ZodType<T>, question: object, totalMs: number): Promise<T> {
  const { argv, cwd, env, stateDir, vouch } = options
  await vouch()
  const said = { stdout: '', stderr: '' }
  const result = await runProcess(argv, {
    cwd,
    env,
    input: `${JSON.stringify(question)}\n`,
    limits: { totalMs, outputBytes: MOST_ANSWERED },
    record: stateDir,
    onOutput: (stream, text) => {
      said[stream] += text
    },
  })
  if (result.timedOut !== undefined)
    throw programError(options, 'VT_GPU_UNREACHABLE', `did not answer within ${totalMs / 1000} s`, said.stderr)
  if (result.missing || result.exit !== 0) {
    const how = result.missing ? 'is not there' : `ended with ${result.exit ?? result.signal}`
    throw programError(options, 'VT_GPU_PROVIDER', how, said.stderr)
  }
  const answer = answerOf(options, said.stdout)
  const refused = Refused.safeParse(answer)
  if (refused.success) {
    const { code, message } = refused.data.error
    throw programError(options, `VT_GPU_${code.toUpperCase()}`, `says: ${message.slice(0, 300)}`, said.stderr)
  }
  const read = schema.safeParse(answer)
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw protocolError(options, `${issue?.path.join('.') || 'the answer'}: ${issue?.message}`)
}

function answerOf(options: ProgramOptions, text: string): unknown {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length !== 1) throw protocolError(options, `it printed ${lines.length} lines where one is due`)
  try {
    return JSON.parse(lines[0] as string)
  } catch {
    throw protocolError(options, `"${(lines[0] as string).slice(0, 80)}" is not JSON`)
  }
}

function programError({ id, argv }: ProgramOptions, code: `VT_${string}`, what: string, lastWords: string): ValuetrainError {
  const last = lastWords.trim().split('\n').at(-1)?.slice(0, 200)
  return new ValuetrainError(code, `the provider ${id} ${what}`, {
    kind: 'environment',
    hint: last ? `it last said: ${last}` : `run \`${argv.join(' ')}\` by hand and type {"version":1,"op":"list"}`,
  })
}

function protocolError({ id }: ProgramOptions, why: string): ValuetrainError {
  return new ValuetrainError('VT_GPU_PROVIDER', `the provider ${id} gave an answer that cannot be used: ${why}`, {
    kind: 'environment',
    hint: 'it has to answer each call with one line of JSON on its standard output, as docs/training/README.md says',
  })
}
