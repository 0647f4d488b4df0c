import { execFile } from 'node:child_process'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { sha256 } from './canonical.ts'

/**
 * Tells one process from any other, also after its number was given away again. It names this machine, so it is
 * written only below the git directory, never into a commit or a ref.
 */
export interface ProcessIdentity {
  pid: number
  /** When it started, in the system's own words; only compared, never read. */
  started: string
  /** Which start of the machine it runs under. */
  boot: string
  /** Which process numbering it lives in; containers each have their own. */
  space: string
  /** Digest of the machine's name. */
  machine: string
}

/** What can be said about a process from here. `unknown`: it ran on another machine or in another container. */
export type Fate = 'running' | 'gone' | 'unknown'

const run = promisify(execFile)

/** Returns the identity of a running process of ours, or undefined when there is none; a zombie counts as none. */
export async function processIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const started = await startOf(pid)
  return started === undefined ? undefined : { pid, started, ...(await place()) }
}

/** Tells whether exactly this process still runs. */
export async function isSameProcess(identity: ProcessIdentity): Promise<boolean> {
  return (await fateOf(identity)) === 'running'
}

/** Returns what became of a process. Only what is certain is said to be gone. */
export async function fateOf(identity: ProcessIdentity): Promise<Fate> {
  const here = await place()
  if (identity.machine !== here.machine) return 'unknown'
  if (identity.boot !== here.boot) return 'gone'
  if (identity.space !== here.space) return 'unknown'
  return (await startOf(identity.pid)) === identity.started ? 'running' : 'gone'
}

interface Place {
  boot: string
  space: string
  machine: string
}

let known: Promise<Place> | undefined

/** Constant while this process lives, so it is looked up once. */
function place(): Promise<Place> {
  known ??= findPlace()
  return known
}

async function findPlace(): Promise<Place> {
  const linux = process.platform === 'linux'
  const id = await readFile('/etc/machine-id', 'utf8').catch(() => '')
  return {
    boot: linux
      ? (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
      : (await run('sysctl', ['-n', 'kern.boottime'])).stdout.trim(),
    space: linux ? await readlink('/proc/self/ns/pid').catch(() => '') : '',
    machine: sha256(`${id.trim()} ${hostname()}`),
  }
}

/** Returns the numbers of a process's parents, nearest first; empty where the system tells none. */
export async function ancestorsOf(pid: number): Promise<number[]> {
  const ancestors: number[] = []
  for (let at = await parentOf(pid); at !== undefined && at > 1 && ancestors.length < 100; at = await parentOf(at))
    ancestors.push(at)
  return ancestors
}

async function parentOf(pid: number): Promise<number | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
    return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  }
  const listed = await run('ps', ['-o', 'ppid=', '-p', String(pid)], { env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' } }).catch(
    () => undefined,
  )
  const parent = Number(listed?.stdout.trim())
  return Number.isSafeInteger(parent) && parent > 0 ? parent : undefined
}

async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
    // The second field is the program's name in brackets, which may hold spaces and brackets itself.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  }
  const listed = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
  }).catch(() => undefined)
  const [state, ...start] = listed?.stdout.trim().split(/\s+/) ?? []
  return state === undefined || state === '' || state.startsWith('Z') ? undefined : start.join(' ')
}
