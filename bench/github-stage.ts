/**
 * A forge and a clone to drive: the GitHub of the tests (issues and pull requests of an emulator, git over HTTP, on the
 * loopback address), a repository there, a clone of it, and `valuetrain drive` as a process of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { type Git, openGit } from '../core/git.ts'
import type { Stand, StandRepository } from '../tests/support/github/index.ts'

/** What the receiver of deliveries and their sender share. */
export const SECRET = 'the secret of the benchmark'

/** A clone of a repository of the stand. */
export interface Stage {
  at: StandRepository
  dir: string
  git: Git
  env: NodeJS.ProcessEnv
  /** Opens an issue as somebody who may write; returns its number. */
  issue(title: string, labels: readonly string[]): Promise<number>
}

/** A `valuetrain drive` that runs. */
export interface Driving {
  child: ChildProcess
  /** Lines of standard output so far, one JSON object each. */
  lines: string[]
  /** Standard error so far, for whoever wants to know why. */
  said(): string
  /** Waits until it says this on either stream. */
  until(text: string | RegExp, ms?: number): Promise<void>
  /** Waits for its end. */
  ended(): Promise<number | null>
  /** Asks it to end and waits for that. */
  stop(): Promise<void>
}

/** Returns the environment of everything that a benchmark starts: an empty home, no git configuration but ours. */
export function quietEnvironment(env: NodeJS.ProcessEnv, home: string): NodeJS.ProcessEnv {
  return {
    ...env,
    HOME: home,
    NO_COLOR: '1',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Bench',
    GIT_AUTHOR_EMAIL: 'bench@example.com',
    GIT_COMMITTER_NAME: 'Bench',
    GIT_COMMITTER_EMAIL: 'bench@example.com',
  }
}

/** Clones a repository of the stand into a folder, for somebody who may write. */
export async function cloneStage(stand: Stand, at: StandRepository, dir: string, env: NodeJS.ProcessEnv): Promise<Stage> {
  await mkdir(dir)
  const git = openGit(dir, env)
  await git.run(['init', '--quiet', '--initial-branch=main'])
  await appendFile(
    join(dir, '.git', 'config'),
    `[remote "origin"]\n\turl = ${at.cloneUrl}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[gc]\n\tauto = 0\n`,
  )
  // From its folder: what is fetched is the same, and no token is asked for.
  await git.run(['fetch', '--quiet', at.git.dir, '+refs/heads/*:refs/remotes/origin/*'])
  await git.run(['checkout', '--quiet', '-B', 'main', 'origin/main'])
  return {
    at,
    dir,
    git,
    env: { ...env, VALUETRAIN_GITHUB_TOKEN: stand.token('pilot'), VALUETRAIN_WEBHOOK_SECRET: SECRET },
    issue: async (title, labels) =>
      (await stand.as('owner')('POST', `/repos/${at.fullName}/issues`, { title, body: 'Please do it.', labels })).number,
  }
}

/** Returns the files of a repository of a thousand, 50 to a folder. */
export function thousandFiles(): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: 1_000 }, (_, at) => {
      const [folder, file] = [Math.floor(at / 50), at % 50]
      return [`folder-${folder}/file-${file}.txt`, `${folder} ${file}\n`.repeat(40)]
    }),
  )
}

/** Starts `valuetrain drive --json` with these arguments in a clone, as a user does. */
export function startDrive(root: string, stage: Stage, args: readonly string[]): Driving {
  const child = spawn(process.execPath, [join(root, 'bin', 'valuetrain.js'), 'drive', '--json', ...args], {
    cwd: stage.dir,
    env: stage.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  let rest = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk
  })
  const closed = once(child, 'close').then(([code]) => code as number | null)
  const saw = (text: string | RegExp) => {
    const all = `${lines.join('\n')}\n${errors}`
    return typeof text === 'string' ? all.includes(text) : text.test(all)
  }
  return {
    child,
    lines,
    said: () => errors,
    async until(text, ms = 120_000) {
      for (const end = performance.now() + ms; !saw(text); await delay(10)) {
        if (child.exitCode !== null || performance.now() > end)
          throw new Error(`the drive did not say ${text}: ${errors.slice(-2000)} ${lines.slice(-3).join('\n')}`)
      }
    },
    ended: () => closed,
    async stop() {
      if (child.exitCode === null) child.kill('SIGTERM')
      await closed
    },
  }
}
