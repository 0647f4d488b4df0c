import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Environment variable that marks every process we start, and so all their descendants. */
export const MARK = 'VALUETRAIN_GROUP'

/** One living process. */
export interface ProcessLine {
  pid: number
  parent: number
  group: number
  session: number
  /** The command as the system shows it, for messages. */
  name: string
}

/**
 * Returns the living processes that belong to a group of ours: those in the leader's process group or session, and
 * those that carry the mark because they descend from it and left both.
 *
 * @param leader process that was made group leader; undefined looks for the mark alone
 */
export async function membersOf(leader: number | undefined, mark: string): Promise<ProcessLine[]> {
  const first = await look(leader, mark)
  if (first.length > 0) return first
  // In the moment of an exec a process has no environment, and one that forks and ends while the list is read can hide
  // its child, so that only the second look that finds nothing is believed.
  await delay(15)
  return look(leader, mark)
}

async function look(leader: number | undefined, mark: string): Promise<ProcessLine[]> {
  const [all, marked] = await Promise.all([census(), pidsWithMark(mark)])
  return all.filter(
    ({ pid, group, session }) => (leader !== undefined && (group === leader || session === leader)) || marked.has(pid),
  )
}

/** Returns every living process, from /proc on Linux and from ps elsewhere. Zombies are dead. */
export async function census(): Promise<ProcessLine[]> {
  const lines = process.platform === 'linux' ? await Promise.all((await procPids()).map(procLine)) : await psLines()
  return lines.filter((line) => line !== undefined)
}

async function procPids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
}

/** @see proc(5), /proc/[pid]/stat */
async function procLine(pid: number): Promise<ProcessLine | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  if (stat === undefined) return undefined
  // The name stands in brackets and may hold spaces and brackets itself.
  const [state, parent, group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (state === 'Z' || state === 'X') return undefined
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
  return { pid, parent: Number(parent), group: Number(group), session: Number(session), name }
}

const run = promisify(execFile)
const PLAIN = { env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' }, maxBuffer: 64 * 1024 * 1024 }

async function psLines(): Promise<(ProcessLine | undefined)[]> {
  const { stdout } = await run('ps', ['-axo', 'pid=,ppid=,pgid=,sess=,stat=,comm='], PLAIN)
  return stdout.split('\n').map((line) => {
    const [pid, parent, group, session, state = 'Z', ...name] = line.trim().split(/\s+/)
    if (!pid || state.startsWith('Z')) return undefined
    return { pid: Number(pid), parent: Number(parent), group: Number(group), session: Number(session) || 0, name: name.join(' ') }
  })
}

async function pidsWithMark(mark: string): Promise<Set<number>> {
  if (process.platform !== 'linux') return psWithMark(mark)
  const pids = await procPids()
  const marked = await Promise.all(
    pids.map(async (pid) => {
      // Other users' environments cannot be read, and theirs are no processes of ours.
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
      const ours = environment.split('\0').find((line) => line.startsWith(`${MARK}=`))
      return ours?.includes(mark) ? pid : undefined
    }),
  )
  return new Set(marked.filter((pid) => pid !== undefined))
}

async function psWithMark(mark: string): Promise<Set<number>> {
  const { stdout } = await run('ps', ['-axEww', '-o', 'pid=,command='], PLAIN).catch(() => ({ stdout: '' }))
  const lines = stdout.split('\n').filter((line) => line.includes(`${MARK}=`) && line.includes(mark))
  return new Set(lines.map((line) => Number(line.trim().split(/\s+/)[0])))
}
