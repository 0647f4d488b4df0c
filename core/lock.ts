import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type Clock, timestamp } from './clock.ts'
import { ValuetrainError } from './errors.ts'
import { fileError } from './files.ts'
import { fateOf, type ProcessIdentity, processIdentity } from './identity.ts'

export interface LockOptions {
  /** Milliseconds to wait for another holder before giving up. */
  waitMs: number
  clock: Clock
}

interface Holder {
  token: string
  since: string
  process: ProcessIdentity
}

/**
 * Runs a function while this process alone, of all processes of this machine, holds the lock file. A lock whose holder
 * is certainly gone is moved to `<file>.dead-<token>` and taken.
 *
 * @param file absolute; its folder is made when missing
 * @throws VT_LOCK_HELD when somebody else still holds it after `waitMs`; whatever the function throws
 */
export async function withLock<T>(file: string, fn: () => Promise<T>, options: LockOptions): Promise<T> {
  const token = await takeLock(file, options)
  try {
    return await fn()
  } finally {
    await releaseLock(file, token)
  }
}

async function takeLock(file: string, { waitMs, clock }: LockOptions): Promise<string> {
  const holder: Holder = { token: randomUUID(), since: timestamp(clock), process: await ownIdentity() }
  const deadline = clock.monotonic() + waitMs
  // Most locks are held for milliseconds, and a waiter must not slow the holder down: one system call a try, and
  // only now and then a look at who holds it.
  let nextLook = clock.monotonic() + 250
  const draft = await writeHolder(file, holder)
  try {
    while (!(await placeHolder(draft, file))) {
      if (clock.monotonic() >= Math.min(nextLook, deadline)) {
        nextLook = clock.monotonic() + 1_000
        const other = await readHolder(file)
        if (other && (await fateOf(other.process)) === 'gone') await setAside(file, other.token, holder)
        else if (other && clock.monotonic() >= deadline) throw held(file, other, waitMs)
      }
      await clock.sleep(5 + Math.random() * 20)
    }
    return holder.token
  } finally {
    await rm(draft, { force: true })
  }
}

async function writeHolder(file: string, holder: Holder): Promise<string> {
  const draft = `${file}.${holder.token}`
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(draft, JSON.stringify(holder))
    return draft
  } catch (cause) {
    throw fileError(cause, 'locked', file)
  }
}

/** Links a finished file into place, so that a lock never exists without its holder in it. */
async function placeHolder(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw fileError(cause, 'locked', file)
  }
}

async function readHolder(file: string): Promise<Holder | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Holder
  } catch (cause) {
    throw new ValuetrainError('VT_LOCK_UNREADABLE', `the lock ${file} does not name its holder`, {
      kind: 'environment',
      hint: 'move that file away if nothing of valuetrain is running here',
      cause,
    })
  }
}

/**
 * Moves a dead holder's lock away. Two that find the same dead holder must not both do it, since the second would move
 * the lock of whoever took it in between: a marker named after the dead holder's token goes to one of them, and that
 * one looks again. A marker whose owner died is taken over the same way.
 */
async function setAside(file: string, token: string, mine: Holder): Promise<void> {
  const marker = `${file}.break-${token}`
  const draft = await writeHolder(marker, { ...mine, token: randomUUID() })
  const isMine = await placeHolder(draft, marker).finally(() => rm(draft, { force: true }))
  if (!isMine) {
    const breaker = await readHolder(marker)
    if (breaker !== undefined && (await fateOf(breaker.process)) === 'gone') await setAside(marker, breaker.token, mine)
    return
  }
  if ((await readHolder(file))?.token === token) await rename(file, `${file}.dead-${token}`)
  await rm(marker, { force: true })
}

async function releaseLock(file: string, token: string): Promise<void> {
  if ((await readHolder(file))?.token === token) await rm(file, { force: true })
}

let own: Promise<ProcessIdentity> | undefined

/** Returns the identity of this process. */
export function ownIdentity(): Promise<ProcessIdentity> {
  own ??= processIdentity(process.pid).then((identity) => {
    if (identity) return identity
    throw new ValuetrainError('VT_PROCESS', `this process (${process.pid}) is not in the system's own list`, { kind: 'internal' })
  })
  return own
}

function held(file: string, { process, since }: Holder, waitMs: number): ValuetrainError {
  const name = basename(file)
  return new ValuetrainError('VT_LOCK_HELD', `the lock ${name} is held by process ${process.pid} since ${since}`, {
    kind: 'environment',
    hint: `wait for that process, or move ${file} away if it is gone (waited ${Math.round(waitMs / 1000)} s)`,
    details: { pid: process.pid, since, waitMs },
  })
}
