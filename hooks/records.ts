import type { HookRecord } from '../core/contracts/hook.ts'
import type { Ambient } from './ambient.ts'

/** Writes one record about what a hook noticed into this worktree's git directory: all that a hook ever writes. */
export async function dropRecord(
  ambient: Ambient,
  hook: string,
  finding: HookRecord['finding'],
  more: Pick<HookRecord, 'name' | 'rewritten'> = {},
): Promise<void> {
  // Most commits leave no record, and need not load what writes one.
  const [{ dropHookRecord }, { systemIds }] = await Promise.all([import('../core/hook-inbox.ts'), import('../core/ids.ts')])
  const at = new Date(ambient.now()).toISOString()
  await dropHookRecord(ambient.gitDir, systemIds(ambient).ulid(), { v: 1, hook, at, finding, ...more })
}
