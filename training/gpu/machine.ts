/** The two ways to a machine: this one, and one that ssh reaches. Both are spoken to in the same shell scripts. */
import { randomUUID } from 'node:crypto'
import { ValuetrainError } from '../../core/errors.ts'
import { type ProcessResult, runProcess } from '../../core/process.ts'
import { connectionError, gpuError } from './faults.ts'

export interface Machine {
  /** What the machine is called in messages. */
  readonly name: string
  /** Folder of all leases on it, as a word of a shell script. */
  readonly base: string
  /** Runs a script and returns what it printed. @throws VT_GPU_AUTH, VT_GPU_UNREACHABLE, VT_GPU_PROCESS */
  tell(script: string): Promise<string>
  /** Starts a guard that outlives this call. @param command words of a shell script */
  guard(command: string): Promise<void>
}

export interface MachineOptions {
  /** Absolute; where programs are started. */
  cwd: string
  env: Readonly<Record<string, string>>
  /** State folder of the clone, in which groups of processes are noted. */
  stateDir: string
}

/** What a script may take: it only reads and writes small files, or waits for processes to end. */
const TOTAL_MS = 45_000

/** Returns this machine. A guard is a child of this process, noted like every group of ours. */
export function localMachine({ cwd, env, stateDir }: MachineOptions): Machine {
  return {
    name: 'this machine',
    base: '"$HOME/.cache/valuetrain/gpu"',
    tell: (script) =>
      framed(script, 'this machine', (input) => runProcess(['sh'], { cwd, env, input, limits: LIMITS, record: stateDir })),
    async guard(command) {
      // Not awaited: it ends with its lease. How, the files of the lease tell.
      runProcess(['sh', '-c', `exec ${command}`], { cwd, env, record: stateDir, limits: { outputBytes: 4_096 } }).catch(() => {})
    },
  }
}

/**
 * Returns a machine that the system's ssh reaches as it is configured for the user. It never asks, forwards no agent and
 * nothing else, and never takes an unknown host key.
 */
export function sshMachine(host: string, { cwd, env, stateDir }: MachineOptions): Machine {
  const tell = (script: string) =>
    framed(script, host, async (input) => {
      const result = await runProcess(['ssh', ...SSH_OPTIONS, '--', host, 'sh'], {
        cwd,
        env,
        input,
        limits: LIMITS,
        record: stateDir,
      })
      if (result.missing) throw gpuError('VT_GPU_UNREACHABLE', `${host} cannot be reached: there is no ssh on the PATH`)
      if (result.exit === 255 || result.timedOut !== undefined) {
        throw connectionError(host, result.timedOut === undefined ? result.outputTail : `no answer in ${TOTAL_MS / 1000} s`)
      }
      return result
    })
  return {
    name: host,
    base: '"$HOME/.cache/valuetrain/gpu"',
    tell,
    async guard(command) {
      // A session of its own, so that it outlives the connection; its process group is then its own, too.
      await tell(`setsid ${command} </dev/null >/dev/null 2>&1 &`)
    },
  }
}

const LIMITS = { totalMs: TOTAL_MS, outputBytes: 1_000_000 }
const SSH_OPTIONS = [
  '-T',
  ...['BatchMode=yes', 'ForwardAgent=no', 'ForwardX11=no', 'ClearAllForwardings=yes', 'PermitLocalCommand=no'].flatMap(
    (option) => ['-o', option],
  ),
  ...['ConnectTimeout=10', 'ServerAliveInterval=5', 'ServerAliveCountMax=3'].flatMap((option) => ['-o', option]),
]

/** Runs a script between two marks, since a login shell may greet before and after. */
async function framed(script: string, name: string, run: (input: string) => Promise<ProcessResult>): Promise<string> {
  const mark = `valuetrain-${randomUUID()}`
  const result = await run(`umask 077\necho ${mark}\nexec 2>/dev/null\n${script}\necho\necho ${mark} done\n`)
  const from = result.outputTail.indexOf(`${mark}\n`)
  const to = result.outputTail.lastIndexOf(`\n${mark} done`)
  if (from >= 0 && to > from) return result.outputTail.slice(from + mark.length + 1, to)
  throw new ValuetrainError('VT_GPU_PROCESS', `a script on ${name} ended with ${result.exit ?? result.signal} in its middle`, {
    kind: 'environment',
    hint: 'see whether `sh` works there and its home can be written',
    details: { said: result.outputTail.slice(-300) },
  })
}

/** Returns a text as one word of a shell script. */
export function word(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
