import { ValuetrainError } from '../core/errors.ts'
import { type Lease, renewLease } from '../core/lease.ts'
import type { Ports } from './ports.ts'

/**
 * Works while the claim is kept: it is renewed at a third of its time. When it is lost, or could not be renewed for its whole time, the signal
 * aborts and the work stops where it is; a remote that is away for a moment stops nothing.
 */
export async function keepingLease<T>(ports: Ports, lease: Lease, ttlMs: number, work: (ports: Ports) => Promise<T>): Promise<T> {
  const lost = new AbortController()
  let renewed = ports.clock.monotonic()
  const timer = setInterval(() => {
    renewLease(ports.repository, lease).then(
      () => {
        renewed = ports.clock.monotonic()
      },
      (error: unknown) => {
        const isLost = error instanceof ValuetrainError && error.code === 'VT_LEASE_LOST'
        ports.onProgress(`${lease.issue}`, `the claim was not renewed: ${error instanceof Error ? error.message : String(error)}`)
        if (isLost || ports.clock.monotonic() - renewed > ttlMs) lost.abort(error)
      },
    )
  }, ttlMs / 3)
  try {
    return await work({ ...ports, signal: AbortSignal.any([ports.signal, lost.signal]) })
  } finally {
    clearInterval(timer)
  }
}
