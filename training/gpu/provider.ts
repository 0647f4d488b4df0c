/** What lends a machine with graphics cards: one shape, whoever it is. */
import type { Card } from './nvidia-smi.ts'

/** What a provider has now. */
export interface Stock {
  cards: Card[]
  /** Leases of ours on that machine. */
  leases: HeldLease[]
  /** Why there are no cards; undefined where there are some. */
  why: string | undefined
}

/** A lease as the machine itself knows it. */
export interface HeldLease {
  id: string
  /** Identifiers of its cards. */
  cards: string[]
  /** Whether what ends it without a heartbeat is at work. Where it is not, the lease is stray. */
  guarded: boolean
}

export interface LeaseRequest {
  /** New, and noted by the caller before it asks: with it a lease is found again. */
  id: string
  /** How many cards; 0 takes the machine alone. */
  cards: number
  /** Seconds without a heartbeat after which it ends by itself. */
  ttlS: number
  /** Seconds after which it ends in any case. */
  mostS: number
}

export interface Lease {
  provider: string
  id: string
  /** Identifiers of its cards. */
  cards: string[]
  usdPerHour: number
}

export type LeaseState = 'leased' | 'running' | 'ended'

/** Why a lease is over: its trainer ended, it was stopped, nobody beat, its time was up, or `reap` found it unguarded. */
export type LeaseEnd = 'trainer-ended' | 'stopped' | 'no-heartbeat' | 'limit' | 'reaped'

/** What one heartbeat brings back. */
export interface Beat {
  state: LeaseState
  why: LeaseEnd | undefined
  /** Exit code of the trainer; 137 when it was killed. Undefined while it runs, and when it was ended with its lease. */
  exit: number | undefined
  /** Seconds it has been held, by the machine's own clock. */
  seconds: number
  /** What the trainer has printed since the byte that was asked for, at most 64 KiB. */
  log: string
  /** Where the next tail begins. */
  next: number
}

export interface Reaped {
  provider: string
  lease: string
  /** Processes that were left of it. */
  processes: number
  why: string
}

/**
 * One source of machines. A lease ends by itself when nobody beats for its time, and takes everything that it started
 * with it, also when the one who took it is gone.
 *
 * All throw VT_GPU_AUTH, VT_GPU_CAPACITY, VT_GPU_QUOTA, VT_GPU_LOST or VT_GPU_UNREACHABLE for what the machine or its
 * owner refuses.
 */
export interface GpuProvider {
  readonly id: string
  /** What it is, in a few words. */
  readonly title: string
  /** US dollars an hour of one lease costs; 0 where nobody pays. */
  readonly usdPerHour: number
  list(): Promise<Stock>
  /** Takes cards and sets the guard. @throws VT_GPU_CAPACITY, VT_GPU_STRAY */
  lease(request: LeaseRequest): Promise<Lease>
  /** Starts the trainer on a lease, once. `dir`: absolute, or below the home of the machine. */
  start(lease: Lease, trainer: { argv: readonly string[]; dir?: string }): Promise<void>
  /** Keeps a lease alive and reads the log. @param from byte of the log. @throws VT_GPU_LOST when there is no such lease */
  beat(lease: Lease, from: number): Promise<Beat>
  /** Ends a lease and returns when nothing of it runs. @throws VT_GPU_PROCESS when something cannot be ended */
  stop(lease: Pick<Lease, 'id'>): Promise<void>
  /** Ends leases that nothing guards, and those whose owner is known to be gone. */
  reap(ownerless: readonly string[]): Promise<Reaped[]>
}

/** Returns what a lease has cost by now. @param seconds held, as a beat tells */
export function costOf({ usdPerHour }: Pick<Lease, 'usdPerHour'>, seconds: number): number {
  return (usdPerHour * seconds) / 3600
}
