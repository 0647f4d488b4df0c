/** What goes wrong with machines, as errors of ours that the catalogue of training knows. */
import { ValuetrainError } from '../../core/errors.ts'
import { providerFault } from '../errors/trainer-log.ts'

type GpuCode = 'VT_GPU_AUTH' | 'VT_GPU_CAPACITY' | 'VT_GPU_QUOTA' | 'VT_GPU_LOST' | 'VT_GPU_UNREACHABLE'

const CODES: Readonly<Record<string, GpuCode>> = {
  T401: 'VT_GPU_AUTH',
  T402: 'VT_GPU_CAPACITY',
  T403: 'VT_GPU_QUOTA',
  T404: 'VT_GPU_LOST',
}

const HINTS: Readonly<Record<GpuCode, string>> = {
  VT_GPU_AUTH: 'log in once by hand with `ssh`, so that key and host key are known; nothing is ever asked for here',
  VT_GPU_CAPACITY:
    'look with `valuetrain gpu list`; end what nobody uses with `valuetrain gpu reap`, ask for fewer cards, or wait',
  VT_GPU_QUOTA: 'end machines that nobody uses with `valuetrain gpu reap`',
  VT_GPU_LOST: 'go on from the last checkpoint that the trainer wrote; `valuetrain gpu reap` ends what may be left',
  VT_GPU_UNREACHABLE: 'see whether `ssh` with that host answers; a lease that was taken ends by itself without a heartbeat',
}

/** Returns an error about a machine. */
export function gpuError(code: GpuCode, message: string, details: Record<string, unknown> = {}): ValuetrainError {
  return new ValuetrainError(code, message, { kind: 'environment', hint: HINTS[code], details })
}

/** How ssh says that it was not let in; its exit code is 255 whatever went wrong. */
const NOT_LET_IN =
  /permission denied|host key verification failed|too many authentication failures|no supported authentication|remote host identification has changed/i

/**
 * Returns the error for a connection that could not be had, or broke.
 *
 * @param said standard error of ssh
 */
export function connectionError(host: string, said: string): ValuetrainError {
  const lines = said.split(/\r?\n/).map((line) => line.trim())
  const notLetIn = lines.find((line) => NOT_LET_IN.test(line))
  const last = (notLetIn ?? lines.findLast((line) => line !== '') ?? 'it said nothing').slice(0, 200)
  const code = CODES[providerFault(notLetIn === undefined ? 0 : 401, said) ?? ''] ?? 'VT_GPU_UNREACHABLE'
  const what = code === 'VT_GPU_AUTH' ? 'does not let us in' : 'cannot be reached'
  return gpuError(code, `${host} ${what}: ${last}`, { host })
}
