import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { membersOf } from './census.ts'
import { writeNote } from './files.ts'
import { ancestorsOf, fateOf, isSameProcess, type ProcessIdentity, processIdentity } from './identity.ts'
import { ownIdentity } from './lock.ts'

/**
 * Ends all members of a process group, asked first (TERM), then not (KILL), until none is left.
 *
 * @param leader the group's number, or undefined to go by the mark alone
 * @param graceMs milliseconds between asking and killing
 * @returns how many members there were, and how many could not be ended
 */
export async function endGroup(
  leader: number | undefined,
  mark: string,
  graceMs: number,
): Promise<{ found: number; left: number }> {
  const first = await membersOf(leader, mark)
  if (first.length === 0) return { found: 0, left: 0 }
  const killAt = performance.now() + graceMs
  const giveUp = killAt + 5_000
  let members = first
  signalAll(leader, members, 'SIGTERM')
  // A stopped process acts on TERM only when it goes on.
  signalAll(leader, members, 'SIGCONT')
  while (members.length > 0 && performance.now() < giveUp) {
    await delay(10)
    if (performance.now() >= killAt) signalAll(leader, members, 'SIGKILL')
    members = await membersOf(leader, mark)
  }
  return { found: first.length, left: members.length }
}

/** A group as it is noted in the clone's state while it runs. */
interface GroupNote {
  owner: ProcessIdentity
  leader?: ProcessIdentity
}

/** Where groups are noted when a call does not say; see `reapLeftovers`. */
let usual: string | undefined

/** A note that a group is about to run, so that a later process can end what a killed one left. */
export interface GroupRecord {
  started(pid: number): Promise<void>
  ended(): Promise<void>
}

/** Notes a group before its process exists. */
export async function recordGroup(mark: string, stateDir: string | undefined = usual): Promise<GroupRecord> {
  if (stateDir === undefined) return { started: async () => {}, ended: async () => {} }
  const file = join(stateDir, 'groups', `${mark}.json`)
  const owner = await ownIdentity()
  const note = (content: GroupNote) => writeNote(file, JSON.stringify(content))
  await note({ owner })
  return {
    async started(pid) {
      const leader = await processIdentity(pid)
      if (leader) await note({ owner, leader })
    },
    ended: () => rm(file, { force: true }),
  }
}

/**
 * Ends what is left of process groups whose owner is gone, and from then on notes this process's own groups in the same
 * place. Called before anything else is done in a clone.
 *
 * @returns how many processes were ended
 */
export async function reapLeftovers(stateDir: string): Promise<number> {
  usual = stateDir
  const folder = join(stateDir, 'groups')
  let ended = 0
  for (const name of await readdir(folder).catch(() => [])) {
    const mark = /^([0-9a-f-]{36})\.json$/.exec(name)?.[1]
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    if (mark === undefined || text === undefined) continue
    const { owner, leader } = JSON.parse(text) as GroupNote
    if ((await fateOf(owner)) !== 'gone') continue
    // The number of a leader that is gone may be somebody else's by now; then only the mark counts.
    const number = leader && (await isSameProcess(leader)) ? leader.pid : undefined
    const { found, left } = await endGroup(number, mark, 1_000)
    ended += found - left
    if (left === 0) await rm(join(folder, name), { force: true })
  }
  return ended
}

/**
 * Tells whether a process is, or was started by, a member of a group that runs now: what an agent or a gate command starts is
 * no person. Whoever cuts every tie to its parents is not found; the jail holds those.
 */
export async function isBelowRun(stateDir: string, pid: number): Promise<boolean> {
  const line = new Set([pid, ...(await ancestorsOf(pid))])
  for (const name of await readdir(join(stateDir, 'groups')).catch(() => [])) {
    const mark = /^([0-9a-f-]{36})\.json$/.exec(name)?.[1]
    const text = await readFile(join(stateDir, 'groups', name), 'utf8').catch(() => undefined)
    if (mark === undefined || text === undefined) continue
    const { leader } = JSON.parse(text) as GroupNote
    if ((await membersOf(leader?.pid, mark)).some((member) => line.has(member.pid))) return true
  }
  return false
}

function signalAll(leader: number | undefined, members: readonly { pid: number; group: number }[], signal: NodeJS.Signals): void {
  const isWhole = leader !== undefined && members.some(({ group }) => group === leader)
  const targets = [...(isWhole ? [-leader] : []), ...members.filter(({ group }) => group !== leader).map(({ pid }) => pid)]
  for (const target of targets) {
    try {
      process.kill(target, signal)
    } catch {
      // It ended by itself, or belongs to another user; the next census tells which.
    }
  }
}
