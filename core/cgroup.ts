import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What all processes of a jail may use together. */
export interface SharedLimits {
  memoryBytes: number
  processes: number
}

/** A control group made for one jail. */
export interface ControlGroup {
  /** Put before a command line; what it starts is in the group. */
  prefix: readonly string[]
  /** Which limits the system counts for the whole group here. */
  holds: { memory: boolean; processes: boolean }
  /** Ends what is left in it and removes it. */
  close(): Promise<void>
}

/** One place where groups can be made, and what can be limited there. */
interface Place {
  folder: string
  controllers: readonly Controller[]
}

type Controller = 'memory' | 'pids'

const NAME = 'valuetrain-'
const FILES: Record<Controller, { v1: string; v2: string }> = {
  memory: { v1: 'memory.limit_in_bytes', v2: 'memory.max' },
  pids: { v1: 'pids.max', v2: 'pids.max' },
}

/**
 * Makes a control group where this account may, so that a fork bomb or a leak costs its jail and not the machine. The limits
 * that every process has by itself count neither for root (processes) nor together (memory).
 *
 * @returns undefined where the system has none that we may use
 * @see cgroups(7)
 */
export async function openControlGroup(limits: SharedLimits): Promise<ControlGroup | undefined> {
  places ??= findPlaces()
  const made: string[] = []
  const held = new Set<Controller>()
  const name = `${NAME}${process.pid}-${randomBytes(4).toString('hex')}`
  for (const { folder, controllers } of await places) {
    const group = join(folder, name)
    try {
      await mkdir(group)
      made.push(group)
      for (const controller of controllers) {
        await limit(group, controller, controller === 'memory' ? limits.memoryBytes : limits.processes)
        held.add(controller)
      }
    } catch {
      // What cannot be made or set here is not held; the caller is told.
    }
  }
  if (made.length === 0) return undefined
  const files = made.map((group) => join(group, 'cgroup.procs'))
  return {
    prefix: ['/bin/sh', '-c', JOIN, 'sh', String(files.length), ...files],
    holds: { memory: held.has('memory'), processes: held.has('pids') },
    close: async () => {
      await Promise.all(made.map(removeGroup))
    },
  }
}

const JOIN = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 >"$1" || exit 125; shift; n=$((n-1)); done; exec "$@"'

let places: Promise<Place[]> | undefined

/** Looks once; what an account may do does not change while a command runs. */
async function findPlaces(): Promise<Place[]> {
  if (process.platform !== 'linux') return []
  const [mounts, own] = await Promise.all([textOf('/proc/self/mounts'), textOf('/proc/self/cgroup')])
  const paths = own.split('\n').map((line) => line.split(':'))
  const found: Place[] = []
  for (const line of mounts.split('\n')) {
    const [, mount = '', type, options = ''] = line.split(' ')
    if (type === 'cgroup') {
      const controllers = (['memory', 'pids'] as const).filter((name) => options.split(',').includes(name))
      const path = paths.find(([, names]) => controllers.some((name) => names?.split(',').includes(name)))?.[2]
      if (controllers.length > 0 && path !== undefined) found.push({ folder: join(mount, path), controllers })
    }
    if (type === 'cgroup2') {
      const path = paths.find(([number, names]) => number === '0' && names === '')?.[2]
      const place = path === undefined ? undefined : await unifiedPlace(mount, path)
      if (place) found.push(place)
    }
  }
  const usable = await Promise.all(found.map(async (place) => ((await canMake(place)) ? [place] : [])))
  return usable.flat()
}

/** Where processes are, no group below may be limited; so the nearest one above that hands its controllers on. */
async function unifiedPlace(mount: string, path: string): Promise<Place | undefined> {
  for (let folder = join(mount, path); folder.startsWith(mount); folder = dirname(folder)) {
    const given = (await textOf(join(folder, 'cgroup.subtree_control'))).trim().split(' ')
    const controllers = (['memory', 'pids'] as const).filter((name) => given.includes(name))
    if (controllers.length > 0 && (await canMake({ folder, controllers }))) return { folder, controllers }
    if (folder === mount) return undefined
  }
  return undefined
}

async function canMake({ folder }: Place): Promise<boolean> {
  const group = join(folder, `${NAME}${process.pid}-probe-${randomBytes(3).toString('hex')}`)
  try {
    for (const name of await readdir(folder)) await removeAbandoned(folder, name)
    await mkdir(group)
    // A group that nothing can be moved into is of no use; a process of ours tries it.
    const { runProcess } = await import('./process.ts')
    const argv = ['/bin/sh', '-c', JOIN, 'sh', '1', join(group, 'cgroup.procs'), 'true']
    const tried = await runProcess(argv, { cwd: '/', env: { PATH: '/usr/bin:/bin' }, limits: { totalMs: 10_000 } })
    return tried.exit === 0
  } catch {
    return false
  } finally {
    await rmdir(group).catch(() => {})
  }
}

/** Groups of programs of ours that are gone and could not take them away. */
async function removeAbandoned(folder: string, name: string): Promise<void> {
  const pid = /^valuetrain-(\d+)-/.exec(name)?.[1]
  if (pid === undefined || (await textOf(`/proc/${pid}/stat`)) !== '') return
  await rmdir(join(folder, name)).catch(() => {})
}

async function limit(group: string, controller: Controller, value: number): Promise<void> {
  const { v1, v2 } = FILES[controller]
  const names = await readdir(group)
  await writeFile(join(group, names.includes(v2) ? v2 : v1), String(value))
}

async function removeGroup(group: string): Promise<void> {
  await writeFile(join(group, 'cgroup.kill'), '1').catch(() => {})
  // The system lets go of a group some moments after its last process.
  for (let tries = 0; tries < 50; tries++) {
    const gone = await rmdir(group).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    )
    if (gone) return
    await delay(20)
  }
}

function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}
