import { unlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { HookRecord } from '../core/contracts/hook.ts'
import { readHookRecords } from '../core/hook-inbox.ts'
import type { Desk } from './desk.ts'

/**
 * Writes what git hooks noticed in the ticket's worktree into its session, oldest first. A record is removed only when it
 * is on disk there; one that cannot be read is left and told.
 */
export async function foldHookRecords(desk: Desk): Promise<void> {
  for (const { file, record } of await readHookRecords(desk.worktree.gitDir)) {
    const parsed = HookRecord.safeParse(record)
    if (!parsed.success) {
      desk.ports.onProgress(desk.ticket, `a record of a git hook cannot be read and is left there: ${basename(file)}`)
      continue
    }
    const { finding, name } = parsed.data
    const actor = name === undefined ? {} : { actor: { kind: 'human' as const, role: 'conductor' as const, name } }
    await desk.record('FOUND', { finding, ...actor })
    await unlink(file)
  }
}
