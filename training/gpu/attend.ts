/** Keeps a trainer company from lease to end: beats, reads its log, counts what it costs, and says how it went. */
import type { Clock } from '../../core/clock.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { readTrainerLog } from '../errors/trainer-log.ts'
import type { Anomaly } from '../errors/watch.ts'
import { gpuError } from './faults.ts'
import { type Beat, costOf, type GpuProvider, type Lease, type LeaseEnd, type LeaseRequest } from './provider.ts'

export interface Attendance {
  request: LeaseRequest
  trainer: { argv: readonly string[]; dir?: string }
  clock: Pick<Clock, 'monotonic' | 'sleep'>
  signal: AbortSignal
  onLease?(lease: Lease): void
  onLog?(text: string): void
  onBeat?(beat: Pick<Beat, 'state' | 'seconds'> & { usd: number }): void
  /** Told of heartbeats that did not get through. */
  onSilence?(error: ValuetrainError): void
}

export interface TrainerResult {
  lease: Lease
  why: LeaseEnd
  /** Undefined when it was ended with its lease. */
  exit: number | undefined
  seconds: number
  usd: number
  /** What its log tells, by the codes of the catalogue. */
  found: Anomaly[]
}

/** Characters at the end of a log that are read for faults. */
const LAST = 200_000

/**
 * Leases, starts the trainer and stays until the lease is over. Whatever is thrown, the lease is stopped first where that
 * is possible; where it is not, it ends by itself.
 *
 * @throws what the provider throws; VT_GPU_LOST when no heartbeat has got through for as long as the lease lives without
 */
export async function attend(provider: GpuProvider, attendance: Attendance): Promise<TrainerResult> {
  const lease = await provider.lease(attendance.request)
  attendance.onLease?.(lease)
  let isOver = false
  try {
    await provider.start(lease, attendance.trainer)
    const result = await stay(provider, lease, attendance)
    isOver = true
    return result
  } finally {
    if (!isOver) await provider.stop(lease).catch(() => {})
  }
}

async function stay(provider: GpuProvider, lease: Lease, attendance: Attendance): Promise<TrainerResult> {
  const { request, clock, signal } = attendance
  // Four heartbeats may be missed; a guard counts in whole seconds.
  const everyMs = Math.min(5_000, (1000 * request.ttlS) / 5)
  let [from, log, heardAt] = [0, '', clock.monotonic()]
  let isStopping = false
  for (;;) {
    if (signal.aborted && !isStopping) {
      await provider.stop(lease)
      isStopping = true
    }
    const beat = await provider.beat(lease, from).catch((error: unknown) => {
      if (!(error instanceof ValuetrainError) || error.code !== 'VT_GPU_UNREACHABLE') throw error
      attendance.onSilence?.(error)
      return undefined
    })
    if (beat === undefined) {
      if (clock.monotonic() - heardAt > 1000 * request.ttlS) {
        throw gpuError('VT_GPU_LOST', `no heartbeat reached lease ${lease.id} on ${provider.id} for ${request.ttlS} s`)
      }
    } else {
      heardAt = clock.monotonic()
      if (beat.log !== '') {
        attendance.onLog?.(beat.log)
        log = (log + beat.log).slice(-LAST)
      }
      const isLast = beat.next === from
      from = beat.next
      const usd = costOf(lease, beat.seconds)
      attendance.onBeat?.({ state: beat.state, seconds: beat.seconds, usd })
      if (beat.state === 'ended' && isLast) return { ...resultOf(lease, beat, log), usd }
      if (beat.state === 'ended') continue
    }
    await clock.sleep(everyMs, signal).catch(() => {})
  }
}

function resultOf(lease: Lease, { why = 'stopped', exit, seconds }: Beat, log: string): Omit<TrainerResult, 'usd'> {
  const found = exit === 0 ? [] : readTrainerLog(log, exit === undefined ? undefined : { exit, signal: null })
  return { lease, why, exit, seconds, found }
}
