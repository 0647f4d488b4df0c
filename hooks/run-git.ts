import { spawnSync } from 'node:child_process'
import type { GitCall, GitEnd } from '../core/git.ts'

/**
 * Runs git and waits: a hook has nothing else to do, and streams and events would cost it as much time as git itself. It
 * runs in a process group of its own, so that what it started ends with it when its time is over.
 */
export async function runGitWaiting({ dir, args, env, input, timeoutMs }: GitCall): Promise<GitEnd> {
  const { pid, stdout, stderr, status, signal, error } = spawnSync('git', args, {
    cwd: dir,
    env: { ...env },
    input,
    timeout: Math.max(1, Math.ceil(timeoutMs)),
    killSignal: 'SIGKILL',
    maxBuffer: Number.POSITIVE_INFINITY,
    windowsHide: true,
    ...OWN_GROUP,
  })
  const timedOut = (error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT'
  if (timedOut) endRest(pid)
  // A git that has answered before reading all its input closes the pipe; its exit code tells what happened.
  else if (error !== undefined && (error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  return { stdout: stdout ?? EMPTY, stderr: stderr ?? EMPTY, code: status, signal, timedOut }
}

const EMPTY = Buffer.alloc(0)
/** Documented for `spawn` only, and understood by `spawnSync` since Node 0.12. */
const OWN_GROUP: object = { detached: true }

function endRest(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // Nothing was left.
  }
}
