import type { PlacedEntry } from '../core/contracts/event.ts'
import { MODES } from '../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { blankEntry } from './entry.ts'
import type { Segment } from './segment.ts'

/** What a ticket is taken back to: an entry's id, a mode, or a checkpoint's ref. */
export type RollbackGoal = { entry: string } | { mode: string } | { checkpoint: string }

export interface RollbackTarget {
  /** The entry whose state is restored. */
  entry: string
  /** The commit that held the work at that moment; a checkpoint's ref stands for itself. */
  commit: string
  /** Commits the session made after it, oldest first. */
  undone: string[]
}

/** A path that differs between the target's commit and the present head. */
export interface RollbackChange {
  /** As git tells it from target to head: added, modified, deleted, type changed. */
  status: 'A' | 'M' | 'D' | 'T'
  path: string
}

export interface RollbackInput {
  entries: readonly PlacedEntry[]
  goal: RollbackGoal
  changes: readonly RollbackChange[]
  /** Paths that commits of this session added. */
  created: ReadonlySet<string>
  /** Paths with changes that are not committed, untracked ones included. */
  uncommitted: ReadonlySet<string>
  /** Prefix of the ticket's own folder, whose log is never taken back. */
  ticketFolder: string
}

export interface RollbackPlan extends RollbackTarget {
  /** Paths that get back the content they had. */
  restore: string[]
  /** Paths that go; this session created every one of them. */
  delete: string[]
  /** Paths that stay although they differ, each with the reason. */
  keep: { path: string; why: string }[]
}

/**
 * Returns where a goal leads: the entry, and the commit that held the work then.
 *
 * @param entries in fold order
 * @throws VT_ROLLBACK_TARGET when there is no such entry, mode or checkpoint in the log, or its data was redacted
 */
export function rollbackTarget(entries: readonly PlacedEntry[], goal: RollbackGoal): RollbackTarget {
  const at = placeOfGoal(entries, goal)
  const entry = entries[at]
  if (entry === undefined) throw noTarget(entries, goal)
  const commit = 'checkpoint' in goal ? goal.checkpoint : commitAt(entries.slice(0, at + 1))
  if (commit === undefined) throw noTarget(entries, goal)
  const undone = entries
    .slice(at + 1)
    .flatMap((later) => (later.type === 'WORK_COMMITTED' && later.data ? [later.data.commit] : []))
  return { entry: entry.id, commit, undone }
}

/**
 * Returns what a rollback would do. Pure: it looks at nothing and changes nothing. Only files that this session created are
 * deleted, files with uncommitted changes stay as they are, and the ticket's own folder is left alone: history gets a
 * compensating event, it is not taken back.
 *
 * @throws VT_ROLLBACK_TARGET as `rollbackTarget`
 */
export function rollbackPlan(input: RollbackInput): RollbackPlan {
  const plan: RollbackPlan = { ...rollbackTarget(input.entries, input.goal), restore: [], delete: [], keep: [] }
  for (const { status, path } of input.changes.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    if (path === input.ticketFolder || path.startsWith(`${input.ticketFolder}/`)) continue
    if (input.uncommitted.has(path)) plan.keep.push({ path, why: 'has changes that are not committed' })
    else if (status !== 'A') plan.restore.push(path)
    else if (input.created.has(path)) plan.delete.push(path)
    else plan.keep.push({ path, why: 'was not created by this session' })
  }
  return plan
}

/**
 * Returns a segment in which one entry's data is blanked and its digest kept, so that the chain still verifies.
 * The reason is told by a REDACTED event in the segment that is then written.
 *
 * @throws VT_ENTRY_UNKNOWN when the segment has no such entry
 */
export function redactEntry(segment: Segment, entryId: string): Segment {
  if (!segment.entries.some(({ id }) => id === entryId)) {
    throw new ValuetrainError('VT_ENTRY_UNKNOWN', `${segment.file} has no entry ${JSON.stringify(entryId.slice(0, 40))}`, {
      hint: '`valuetrain session log` prints the ids',
    })
  }
  return { ...segment, entries: segment.entries.map((entry) => (entry.id === entryId ? blankEntry(entry) : entry)) }
}

function placeOfGoal(entries: readonly PlacedEntry[], goal: RollbackGoal): number {
  if ('entry' in goal) return entries.findIndex(({ id }) => id === goal.entry)
  if ('mode' in goal) return entries.findLastIndex((entry) => entry.type === 'PHASE_ENTERED' && entry.data?.mode === goal.mode)
  return entries.findLastIndex(
    (entry) =>
      (entry.type === 'ROLLED_BACK' && entry.data?.checkpoint === goal.checkpoint) ||
      (entry.type === 'RESCUED' && entry.data?.ref === goal.checkpoint),
  )
}

/** The last commit of work, or what an earlier rollback went back to, or the base it all began from. */
function commitAt(entries: readonly PlacedEntry[]): string | undefined {
  for (let at = entries.length - 1; at >= 0; at--) {
    const entry = entries[at]
    if (entry?.type === 'WORK_COMMITTED') return entry.data?.commit
    if (entry?.type === 'TICKET_OPENED') return entry.data?.base
    if (entry?.type === 'ROLLED_BACK' && entry.data) {
      const { to } = entry.data
      const earlier = entries.findIndex(({ id }) => id === to)
      return earlier >= 0 && earlier < at ? commitAt(entries.slice(0, earlier + 1)) : undefined
    }
  }
  return undefined
}

function noTarget(entries: readonly PlacedEntry[], goal: RollbackGoal): ValuetrainError {
  const [kind, value] = Object.entries(goal)[0] as [string, string]
  const near = kind === 'mode' ? didYouMean(value, MODES) : ''
  return new ValuetrainError('VT_ROLLBACK_TARGET', `the log has no ${kind} "${value.slice(0, 80)}" to go back to${near}`, {
    hint: '`valuetrain session log` prints what there is',
    details: { entries: entries.length },
  })
}
