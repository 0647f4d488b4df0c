import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { type Git, openGit } from '../../core/git.ts'

export interface TestRepository {
  /** Absolute path of the working tree. */
  dir: string
  /** Absolute path of the folder around it, which goes with the test. */
  outside: string
  /** Environment for children: empty home, no outside git configuration, fixed name, date and locale. */
  env: NodeJS.ProcessEnv
  git: Git
  /** Writes files, adds them and commits; returns the commit. */
  commit(files: Record<string, string>, message?: string): Promise<string>
  /** Writes files without committing. */
  write(files: Record<string, string>): Promise<void>
}

/** Returns an environment that reads nothing of the machine's own git configuration. */
export function testEnvironment(home: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    TMPDIR: tmpdir(),
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Ada Tester',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada Tester',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
    GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
    GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
    NO_COLOR: '1',
  }
}

/** Makes a real git repository in a folder of its own; both are removed when the test ends. */
export async function makeRepository(files: Record<string, string> = { 'README.md': '# Example\n' }): Promise<TestRepository> {
  const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-test-')))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  const dir = join(outside, 'repo')
  const home = join(outside, 'home')
  await mkdir(dir)
  await mkdir(home)
  const env = testEnvironment(home)
  const git = openGit(dir, env)
  let runsPrograms = false
  const repository: TestRepository = {
    dir,
    outside,
    env,
    git,
    async write(contents) {
      for (const [path, content] of Object.entries(contents)) {
        if (/(^|\/)\.git(attributes|modules)$/.test(path)) runsPrograms = true
        await mkdir(dirname(join(dir, path)), { recursive: true })
        await writeFile(join(dir, path), content)
      }
    },
    async commit(contents, message = 'Change files') {
      await repository.write(contents)
      if (!runsPrograms) return run(dir, env, COMMIT, message)
      await git.run(['add', '--all'])
      await git.run(['commit', '--quiet', '--allow-empty', '--message', message])
      return git.text(['rev-parse', 'HEAD'])
    },
  }
  await repository.write(files)
  if (Object.keys(files).length === 0) await run(dir, env, INIT)
  else if (runsPrograms) {
    await run(dir, env, INIT)
    await repository.commit({}, 'Begin')
  } else await run(dir, env, `${INIT} && ${COMMIT}`, 'Begin')
  return repository
}

/**
 * A process of git costs this one several milliseconds, more than git itself, and a shell next to nothing; so what always comes
 * together is one call. Files that would make git run programs are committed by our own git, which runs none.
 */
const PLAIN = 'git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 -c maintenance.auto=false'
const INIT = 'git init --quiet --initial-branch=main'
const COMMIT = `${PLAIN} add --all && ${PLAIN} commit --quiet --allow-empty --message "$1" && git rev-parse HEAD`

async function run(dir: string, env: NodeJS.ProcessEnv, script: string, ...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', script, 'sh', ...words], { cwd: dir, env, maxBuffer: 1e8 })
  return stdout.trim()
}
