/** The states a run goes through, as a pure table: state and event in, state out. */
import { ValuetrainError } from '../../core/errors.ts'

export const RUN_STATES = [
  'planned',
  'waiting-approval',
  'provisioning',
  'running',
  'evaluating',
  'gating',
  'committing',
  'done',
  'paused',
  'cancelled',
  'budget-exceeded',
  'failed',
] as const
export type RunState = (typeof RUN_STATES)[number]

const TABLE: Readonly<Record<RunState, readonly RunState[]>> = {
  planned: ['waiting-approval', 'provisioning', 'cancelled', 'failed'],
  'waiting-approval': ['provisioning', 'cancelled'],
  provisioning: ['running', 'paused', 'cancelled', 'failed'],
  running: ['evaluating', 'paused', 'cancelled', 'budget-exceeded', 'failed'],
  evaluating: ['gating', 'paused', 'cancelled', 'budget-exceeded', 'failed'],
  gating: ['committing', 'paused', 'cancelled', 'failed'],
  committing: ['done', 'paused', 'cancelled', 'failed'],
  done: [],
  // What stopped goes on from its checkpoint; provisioning is done anew, since nothing of it outlives a process.
  paused: ['provisioning', 'cancelled'],
  cancelled: ['provisioning'],
  'budget-exceeded': ['provisioning', 'cancelled'],
  failed: ['provisioning', 'cancelled'],
}

/** Returns whether one state may follow another. */
export function mayFollow(from: RunState, to: RunState): boolean {
  return TABLE[from].includes(to)
}

/** @throws VT_RUN_STATE when one state may not follow another */
export function requireFollows(from: RunState, to: RunState): void {
  if (mayFollow(from, to)) return
  throw new ValuetrainError('VT_RUN_STATE', `a run that is ${from} cannot become ${to}`, { kind: 'internal' })
}

/**
 * Returns the states on the way from where a killed process left a run to where it has to begin again. A process that
 * died wrote no `paused`; the next one does.
 */
export function wayBack(state: RunState): RunState[] {
  if (state === 'done') return []
  return mayFollow(state, 'provisioning') ? ['provisioning'] : ['paused', 'provisioning']
}
