import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A program that was looked for on PATH. */
export interface FoundProgram {
  name: string
  /** First line that `--version` prints; null when it prints nothing in time. */
  version: string | null
}

/** Returns the absolute path of a program on PATH, or undefined. A name with a slash is not looked for. */
export async function findProgram(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    // An empty or relative entry means the present folder, which must not decide what is run.
    if (!folder.startsWith('/')) continue
    const file = join(folder, name)
    const isProgram = await access(file, constants.X_OK).then(
      async () => (await stat(file)).isFile(),
      () => false,
    )
    if (isProgram) return file
  }
  return undefined
}

/** Returns a program on PATH with the version it tells, or undefined when it is not there. */
export async function probeProgram(name: string, env: NodeJS.ProcessEnv, timeoutMs = 5_000): Promise<FoundProgram | undefined> {
  const file = await findProgram(name, env)
  if (file === undefined) return undefined
  try {
    const asked = run(file, ['--version'], { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 })
    asked.child.stdin?.end()
    const line = (await asked).stdout.split('\n')[0]?.trim() ?? ''
    return { name, version: line === '' ? null : line.slice(0, 80) }
  } catch {
    // It is there but does not answer; that alone says nothing about whether it works.
    return { name, version: null }
  }
}
