/** A run's desk in the git directory, taken by one process at a time and left so that the next one can go on. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { writeAtomically } from '../../core/files.ts'
import { withLock } from '../../core/lock.ts'
import { flatten } from './compare.ts'
import { wasDirty } from './events.ts'
import type { RunInputs } from './identity.ts'
import { type Journal, type Listener, openJournal, workFolder } from './journal.ts'
import type { Provenance } from './order.ts'
import { type RunState, wayBack } from './state.ts'

const LOCK = 'lock'

export interface DeskOrder {
  config: { name: string; about?: string | undefined }
  stateDir: string
  clock: Clock
  provenance: Provenance
  onEvent?: Listener
  /** The run that is to go on, where one was named: no other is begun in its stead. */
  resumes?: string | undefined
}

/**
 * Works on a run at its desk, whose journal is `done` where a process before has finished it, and else `provisioning`.
 *
 * A run that is done and was trained from a dirty tree is trained anew once the tree is clean: by its numbers it may be the
 * same, and only then somebody has seen them come from what is committed.
 *
 * @param prepared the run, as its inputs are now
 * @param facts what stands in the journal beside the provenance
 * @throws VT_RUN_BUSY when another process works on the same run; VT_RUN_INPUTS when it is not the one that is to go on;
 *   whatever `work` throws
 */
export async function atDesk<T>(
  { config, stateDir, clock, provenance, onEvent, resumes }: DeskOrder,
  { id: run, inputs }: { id: string; inputs: RunInputs },
  facts: Record<string, unknown>,
  work: (journal: Journal) => Promise<T>,
): Promise<T> {
  if (resumes !== undefined && resumes !== run) throw await othersByNow(stateDir, resumes, run, inputs)
  const folder = workFolder(stateDir, run)
  const open = async () => {
    const before = await openJournal(folder, clock, onEvent)
    const isAnew = before.state === 'done' && wasDirty(before) !== false && !provenance.dirty
    if (isAnew) await clear(folder)
    const journal = isAnew ? await openJournal(folder, clock, onEvent) : before
    await writeAtomically(join(folder, 'order.json'), `${JSON.stringify({ config, source: provenance.source, inputs })}\n`)
    const { about } = config
    const beside = { run, ...provenance, ...facts, ...(about === undefined ? {} : { about }) }
    if (journal.state === undefined) await journal.enter('planned', beside)
    for (const state of wayBack(journal.state as RunState)) await journal.enter(state, state === 'provisioning' ? beside : {})
    return work(journal)
  }
  return withLock(join(folder, LOCK), open, { waitMs: 0, clock }).catch((cause) => {
    if (!(cause instanceof ValuetrainError) || cause.code !== 'VT_LOCK_HELD') throw cause
    throw new ValuetrainError('VT_RUN_BUSY', `run ${run} is at work in process ${String(cause.details.pid)} already`, {
      kind: 'environment',
      hint: 'wait for it; the same configuration is the same run',
      details: { run, pid: cause.details.pid },
      cause,
    })
  })
}

/** Everything but the lock, which this process holds. */
async function clear(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name !== LOCK) await rm(join(folder, name), { recursive: true, force: true })
}

/** Names what of a run's inputs is another by now than when it was begun. */
async function othersByNow(stateDir: string, resumed: string, run: string, inputs: RunInputs): Promise<ValuetrainError> {
  const order = await readFile(join(workFolder(stateDir, resumed), 'order.json'), 'utf8').catch(() => '{}')
  const begun = flatten((JSON.parse(order) as { inputs?: unknown }).inputs ?? inputs)
  const now = flatten(inputs)
  const keys = [...new Set([...begun.keys(), ...now.keys()])]
  const changed = keys.filter((key) => JSON.stringify(begun.get(key)) !== JSON.stringify(now.get(key))).sort()
  const what = changed.length === 0 ? 'something it is made from' : changed.join(', ')
  return new ValuetrainError('VT_RUN_INPUTS', `run ${resumed} cannot go on: ${what} changed since, and it would be run ${run}`, {
    kind: 'config',
    hint: 'bring back what it was begun with, or train the configuration without --resume; what it has done so far stays',
    details: { run, changed },
  })
}
