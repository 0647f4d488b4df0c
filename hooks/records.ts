import type { HookRecord } from '../core/contracts/hook.ts'
import { dropHookRecord } from '../core/hook-inbox.ts'
import type { Ambient } from './ambient.ts'

/** Writes one record about what a hook noticed into this worktree's git directory: all that a hook ever writes. */
export async function dropRecord(
  ambient: Ambient,
  hook: string,
  finding: HookRecord['finding'],
  more: Pick<HookRecord, 'name' | 'rewritten'> = {},
): Promise<void> {
  const at = new Date(ambient.now()).toISOString()
  await dropHookRecord(ambient.gitDir, ambient.ids.ulid(), { v: 1, hook, at, finding, ...more })
}
