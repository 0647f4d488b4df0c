/**
 * The npm peer of the worktree benchmarks, `@ai-hero/sandcastle`, on the host without a container: installed by npm into a
 * folder of its own and asked through its library as its README shows, `run()` with `noSandbox()`, its own Claude Code agent
 * and a branch for each run. The `claude` it finds on the PATH is the agent of the benchmark.
 *
 * It prepares its sandbox by `git config --global`, and without a container that is the user's own file: name, address and
 * trusted folders would be written there. Worse with /dev/null for a file, as quiet environments have it: git writes a file
 * beside and renames it over, and for root that replaces the device. So it always gets a home and a file of its own.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const PEER = '@ai-hero/sandcastle@0.12'
const run = promisify(execFile)

/** What became of one run. */
export interface PeerRun {
  name: string
  /** Whether the run ended well and found the agent's one commit. */
  done: boolean
  /** What it said when it did not. */
  problem?: string
}

/** A process that has loaded the peer and waits for work. */
export interface Peer {
  pid: number
  /** Starts runs at the same time on branches `peer/<name>` of a repository; ends when all have ended. */
  start(dir: string, names: readonly string[]): Promise<PeerRun[]>
  close(): Promise<void>
}

/**
 * Returns a way to start processes of the peer; or why it cannot be had here.
 *
 * @param agent the script that it finds as `claude`
 * @param env what npm gets; it needs the user's own settings
 * @param quiet what the peer gets
 */
export async function installSandcastle(
  folder: string,
  agent: string,
  env: NodeJS.ProcessEnv,
  quiet: NodeJS.ProcessEnv,
): Promise<{ open(): Promise<Peer> } | { missing: string }> {
  for (const name of ['bin', 'home']) await mkdir(join(folder, name), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private": true}\n')
  try {
    await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, PEER], { cwd: folder, env })
  } catch (error) {
    return { missing: `${PEER} could not be installed: ${String((error as Error).message).split('\n')[0]}` }
  }
  await writeFile(join(folder, 'bin', 'claude'), agent, { mode: 0o755 })
  await cp(fileURLToPath(new URL('./sandcastle-starter.mjs', import.meta.url)), join(folder, 'starter.mjs'))
  return { open: () => openPeer(folder, quiet) }
}

async function openPeer(folder: string, env: NodeJS.ProcessEnv): Promise<Peer> {
  const child = spawn(process.execPath, [join(folder, 'starter.mjs')], {
    cwd: folder,
    env: {
      ...env,
      PATH: `${join(folder, 'bin')}:${env.PATH}`,
      HOME: join(folder, 'home'),
      XDG_CONFIG_HOME: join(folder, 'home', '.config'),
      GIT_CONFIG_GLOBAL: join(folder, 'home', '.gitconfig'),
    },
    // It tells of each worktree there; what goes wrong comes as an answer.
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const closed = once(child, 'close')
  // The peer prints, too; only our lines begin so.
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<PeerRun[]> => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done) throw new Error('the peer ended early')
      if (value.startsWith('::')) return JSON.parse(value.slice(2))
    }
  }
  await next()
  return {
    pid: child.pid ?? 0,
    start(dir, names) {
      child.stdin.write(`${JSON.stringify({ dir, names })}\n`)
      return next()
    },
    async close() {
      child.stdin.end()
      await closed
    },
  }
}
