import { join } from 'node:path'
import type { Backend, BackendName } from '../backend/backend.ts'
import { chooseBackend } from '../backend/choose.ts'
import { findTfjs } from '../backend/tfjs.ts'
import type { TrainConfig } from './config.ts'

export const BACKEND_WISHES = ['auto', 'wasm', 'js', 'tfjs'] as const
export type BackendWishName = (typeof BACKEND_WISHES)[number]

/** Opens the backends of a run: one a learner, all of one kind, chosen once and with a reason. */
export interface Backends {
  name: BackendName
  reason: string
  /** What enters the run hash: `exact`, or the library whose rounding the numbers carry. */
  arithmetic: string
  open(): Promise<Backend>
}

/** Returns where a clone keeps the accelerator that `accel install` fills. */
export function acceleratorFolder(stateDir: string): string {
  return join(stateDir, 'accelerator')
}

/** Chooses the backend for a configuration. @throws VT_BACKEND_UNSUPPORTED, VT_TFJS_MISSING, VT_TFJS_LOAD */
export async function chooseBackends(wish: BackendWishName, config: TrainConfig, places: readonly string[]): Promise<Backends> {
  const { hidden } = config.settings
  const widths = hidden.reduce((sum, width, index) => sum + width * (hidden[index - 1] ?? width), 0)
  const rows = config.algorithm === 'reinforce' ? 256 : config.settings.minibatch
  const asked = { backend: wish, places, macsPerUpdate: 6 * widths * rows }
  const first = await chooseBackend(asked)
  const name = first.backend.name
  const library = first.backend.exact ? undefined : findTfjs(places)
  let unused: Backend | undefined = first.backend
  return {
    name,
    reason: first.reason,
    arithmetic: first.backend.exact ? 'exact' : `${library?.binding} ${library?.version}`,
    async open() {
      const ready = unused
      unused = undefined
      return ready ?? (await chooseBackend({ ...asked, backend: name })).backend
    },
  }
}
