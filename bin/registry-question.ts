import { tmpdir } from 'node:os'
import { runProcess } from '../core/process.ts'
import type { AskTool } from '../templates/index.ts'
import type { Context } from './context.ts'

/** A manager that is a shim may want to download itself first; then the answer is not worth the wait. */
const PATIENCE_MS = 5_000

/**
 * Returns how package managers are asked about this machine's settings. It happens outside the repository, so that no
 * program that a repository's settings name is run; the repository's own settings are read as files.
 */
export function askerOf(context: Pick<Context, 'env'>): AskTool {
  return async (argv) => {
    const env = Object.fromEntries(
      Object.entries(context.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
    let said = ''
    const run = await runProcess(argv, {
      cwd: tmpdir(),
      env,
      limits: { totalMs: PATIENCE_MS, outputBytes: 4_096 },
      onOutput: (stream, text) => {
        if (stream === 'stdout') said += text
      },
    })
    return run.exit === 0 ? said : undefined
  }
}
