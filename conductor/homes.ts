import { rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Returns the folder of a runtime's own for a ticket: where an agent keeps its settings and its sessions between turns, in
 * the git directory and so outside every worktree. It is made by the runtime that wants one.
 *
 * @param stateDir our folder in the git directory
 */
export function homeOf(stateDir: string, ticket: string, runtime: string): string {
  return join(stateDir, 'agents', ticket, runtime)
}

/** Removes the folders of a ticket's runtimes; nothing in them is work. */
export async function removeHomes(stateDir: string, ticket: string): Promise<void> {
  await rm(join(stateDir, 'agents', ticket), { recursive: true, force: true, maxRetries: 3 })
}
