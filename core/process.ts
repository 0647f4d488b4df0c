import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { MARK } from './census.ts'
import type { TurnLimits } from './contracts/runtime.ts'
import { ValuetrainError } from './errors.ts'
import { endGroup, type GroupRecord, recordGroup } from './group.ts'
import { collectOutput } from './output.ts'

export { reapLeftovers } from './group.ts'
export { isSameProcess, type ProcessIdentity, processIdentity } from './identity.ts'

export interface ProcessOptions {
  /** Absolute. */
  cwd: string
  /** The whole environment; nothing is inherited but our own mark. */
  env: Readonly<Record<string, string>>
  /** Milliseconds and bytes; a limit that is not given is not set (64 KiB of output are kept then). */
  limits?: Partial<TurnLimits>
  /** Ends the group when it aborts. */
  signal?: AbortSignal
  /** Sees the first `outputBytes` bytes of output as they come. */
  onOutput?: (stream: 'stdout' | 'stderr', text: string) => void
  /** Sees every byte of output, however much there is. */
  onChunk?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
  onStart?: (pid: number) => void
  /** Tells whether it is at work though it prints nothing; silence is not counted then. */
  isBusy?: () => boolean
  /** Fed to standard input; without it the input is empty. */
  input?: string
  /** Is given standard input, open, for as long as the program runs; for programs one converses with. */
  onInput?: (input: Writable) => void
  /** State folder of the clone in which the group is noted; where `reapLeftovers` looked unless told. */
  record?: string
  /** Milliseconds between asking a group to end and killing it; 2,000 unless told. */
  graceMs?: number
}

export type Limit = 'launch' | 'first-output' | 'silence' | 'total'

export interface ProcessResult {
  /** Null when it was ended by a signal; 127 when the program is not there, 126 when it cannot be run. */
  exit: number | null
  signal: string | undefined
  /** The limit that ended it. */
  timedOut: Limit | undefined
  /** Whether the caller's signal ended it. */
  aborted: boolean
  /** Whether there is no such program. */
  missing: boolean
  /** SHA-256 of everything printed, in the order it arrived. */
  outputDigest: string
  /** The last `outputBytes` bytes printed, as text. */
  outputTail: string
  outputBytes: number
  /** Whether more was printed than is in the tail. */
  truncated: boolean
  durationMs: number
  /** Processes that outlived it and were ended. */
  leftovers: number
}

/**
 * Runs a program in a process group of its own and returns when none of the group is left: it is ended as a whole by a
 * limit or the signal, and children that outlive it are ended, too. A child that leaves group and session is found by
 * the mark in its environment; one that also clears its environment is found only inside a jail. Never throws on how
 * the program ends.
 *
 * @param argv program and arguments, no shell
 * @throws VT_FOLDER_MISSING when `cwd` is not there; VT_PROCESS when the system cannot start processes at all, or a
 *   member of the group cannot be ended
 */
export async function runProcess(argv: readonly string[], options: ProcessOptions): Promise<ProcessResult> {
  const begun = performance.now()
  await requireFolder(options.cwd)
  const output = collectOutput(options.limits?.outputBytes ?? 65_536, options.onOutput)
  const result = {
    timedOut: undefined as Limit | undefined,
    aborted: options.signal?.aborted ?? false,
    missing: false,
    leftovers: 0,
  }
  const finish = (exit: number | null, signal?: string): ProcessResult => ({
    exit,
    signal,
    ...result,
    ...output.end(),
    durationMs: performance.now() - begun,
  })
  if (result.aborted) return finish(null)
  const mark = randomUUID()
  const record = await recordGroup(mark, options.record)
  // Not in a finally: when something of the group may be left, the note stays for the next `reapLeftovers`.
  const run = await runGroup(argv, options, { mark, output, result, record })
  await record.ended()
  return finish(run.exit, run.signal)
}

interface Run {
  mark: string
  output: ReturnType<typeof collectOutput>
  result: { timedOut: Limit | undefined; aborted: boolean; missing: boolean; leftovers: number }
  record: GroupRecord
}

async function runGroup(
  argv: readonly string[],
  options: ProcessOptions,
  run: Run,
): Promise<{ exit: number | null; signal?: string }> {
  const { mark, output, result } = run
  const stop = stopper()
  const limits = watchLimits(
    options.limits ?? {},
    (limit) => {
      result.timedOut = limit
      stop.now()
    },
    options.isBusy,
  )
  const abort = () => {
    result.aborted = true
    stop.now()
  }
  options.signal?.addEventListener('abort', abort, { once: true })
  let child: ChildProcess | undefined
  try {
    child = start(argv, options, mark)
    const ended = ending(child)
    child.once('spawn', limits.launched)
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.on('data', (chunk: Buffer) => {
        limits.heard()
        output.add(name, chunk)
        options.onChunk?.(name, chunk)
      })
    }
    if (child.pid !== undefined) {
      options.onStart?.(child.pid)
      await run.record.started(child.pid)
    }
    if (options.signal?.aborted) abort()
    const isOver = await Promise.race([ended.then(() => true), stop.asked.then(() => false)])
    if (!isOver) await endAll(child.pid, mark, options.graceMs ?? 2_000)
    const how = await ended
    if (how.failure) throw how.failure
    if (isOver) result.leftovers = await endAll(child.pid, mark, 500)
    const isClosed = await Promise.race([how.closed.then(() => true), delay(500).then(() => false)])
    // Somebody still has the output open.
    if (!isClosed) result.leftovers += await endAll(child.pid, mark, 500)
    await Promise.race([how.closed, delay(500)])
    return { exit: how.exit, ...(how.signal ? { signal: how.signal } : {}) }
  } catch (cause) {
    return { exit: exitOfFailure(cause, result) }
  } finally {
    limits.stop()
    options.signal?.removeEventListener('abort', abort)
    child?.stdin?.destroy()
    child?.stdout?.destroy()
    child?.stderr?.destroy()
  }
}

async function requireFolder(cwd: string): Promise<void> {
  const found = await stat(cwd).catch(() => undefined)
  if (found?.isDirectory()) return
  throw new ValuetrainError('VT_FOLDER_MISSING', `there is no folder ${cwd} to run a command in`, {
    kind: 'environment',
    hint: 'see what removed it, then run the command again',
  })
}

function start(argv: readonly string[], options: ProcessOptions, mark: string): ChildProcess {
  const [program = '', ...args] = argv
  // A run inside a run carries both marks, so that ending the outer one also finds what the inner one started.
  const marks = [process.env[MARK], mark].filter((value) => value !== undefined).join('/')
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...options.env, [MARK]: marks },
    detached: true,
    stdio: [options.input === undefined && options.onInput === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    windowsHide: true,
  })
  // A program that does not read its input closes it; how it ends is told by its exit code.
  child.stdin?.on('error', () => {})
  if (child.stdin && options.onInput) options.onInput(child.stdin)
  else child.stdin?.end(options.input)
  return child
}

interface Ending {
  exit: number | null
  signal: string | undefined
  failure?: NodeJS.ErrnoException
  closed: Promise<unknown>
}

function ending(child: ChildProcess): Promise<Ending> {
  const closed = new Promise((resolve) => child.once('close', resolve))
  return new Promise((resolve) => {
    child.once('exit', (exit, signal) => resolve({ exit, signal: signal ?? undefined, closed }))
    child.once('error', (failure) => resolve({ exit: null, signal: undefined, failure, closed }))
  })
}

function stopper(): { asked: Promise<void>; now: () => void } {
  let now = () => {}
  const asked = new Promise<void>((resolve) => {
    now = resolve
  })
  return { asked, now }
}

async function endAll(pid: number | undefined, mark: string, graceMs: number): Promise<number> {
  const { found, left } = await endGroup(pid, mark, graceMs)
  if (left === 0) return found
  throw new ValuetrainError('VT_PROCESS', `${left} of ${found} processes that a command left could not be ended`, {
    kind: 'environment',
    hint: 'they hang in the system or belong to another user; look for them with `ps`',
    details: { pid },
  })
}

/** Returns the exit code a shell would give for a program that cannot be started; throws what is not about the program. */
function exitOfFailure(cause: unknown, result: { missing: boolean }): number {
  const code = (cause as NodeJS.ErrnoException)?.code ?? ''
  if (cause instanceof ValuetrainError) throw cause
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    result.missing = true
    return 127
  }
  if (['EACCES', 'ENOEXEC', 'E2BIG', 'EPERM', 'EISDIR', 'ERR_INVALID_ARG_VALUE'].includes(code)) return 126
  if (!['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'].includes(code)) throw cause
  throw new ValuetrainError('VT_PROCESS', `no process could be started (${code})`, {
    kind: 'environment',
    hint: 'the system is out of processes, files or memory; end something and try again',
    cause,
  })
}

/** Four limits that stand alone: until it runs, until it first says something, between two words, and in all. */
function watchLimits(limits: Partial<TurnLimits>, onLimit: (limit: Limit) => void, isBusy: () => boolean = () => false) {
  const timers = new Map<Limit, NodeJS.Timeout>()
  const reached = (limit: Limit, ms: number) => {
    if (limit === 'silence' && isBusy()) set(limit, ms)
    else onLimit(limit)
  }
  const set = (limit: Limit, ms: number | undefined) => {
    clearTimeout(timers.get(limit))
    // Timers take 31 bits of milliseconds; what is longer than 24 days is no limit.
    if (ms !== undefined && ms < 2 ** 31)
      timers.set(
        limit,
        setTimeout(() => reached(limit, ms), ms),
      )
  }
  set('launch', limits.launchMs)
  set('total', limits.totalMs)
  return {
    launched() {
      clearTimeout(timers.get('launch'))
      set('first-output', limits.firstOutputMs)
    },
    heard() {
      clearTimeout(timers.get('first-output'))
      set('silence', limits.silenceMs)
    },
    stop() {
      for (const timer of timers.values()) clearTimeout(timer)
    },
  }
}
