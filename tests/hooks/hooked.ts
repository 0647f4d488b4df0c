import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readHookRecords } from '../../core/hook-inbox.ts'
import { openRepository } from '../../core/repository.ts'
import { type InstallRequest, installHooks } from '../../hooks/install.ts'
import { bundleHook } from '../../scripts/hook-bundle.mjs'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { ROOT } from '../support/sources.ts'

let bundled: Promise<string> | undefined

/** Returns the hooks' program, bundled from the sources as they are, once a process. */
export function hookBundle(): Promise<string> {
  bundled ??= (async () => {
    const folder = join(ROOT, 'node_modules', '.cache', 'valuetrain', `hooks-${process.pid}`)
    await mkdir(folder, { recursive: true })
    const file = join(folder, 'hook.cjs')
    if (!existsSync(file) && (await bundleHook(ROOT, 'bin/hook.ts', file)) === undefined) throw new Error('no bundle')
    return file
  })()
  return bundled
}

/** Installs the hooks in a repository as the command does. */
export async function install(repository: Pick<TestRepository, 'dir' | 'env'>, mode?: InstallRequest['mode']) {
  const opened = await openRepository(repository.dir, repository.env)
  return installHooks(opened, { mode, node: process.execPath, program: await hookBundle() })
}

/** Makes a repository with hooks in it. */
export async function makeHooked(files?: Record<string, string>): Promise<TestRepository> {
  const repository = await makeRepository(files)
  await install(repository)
  return repository
}

/** What one call of git said. */
export interface Said {
  code: number
  stdout: string
  stderr: string
}

/** Calls git as a person does: hooks run, and nothing is added to the command line. Never throws on an exit code. */
export function git(
  repository: Pick<TestRepository, 'env'>,
  cwd: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Said> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...repository.env, GIT_EDITOR: ':', ...env }, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile('git', args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 255, stdout, stderr })
    })
    child.stdin?.end()
  })
}

/** Returns what hooks recorded in a worktree, without times: rule, severity and message with ids made short. */
export async function recordsIn(repository: TestRepository, cwd = repository.dir): Promise<string[]> {
  const { stdout } = await git(repository, cwd, ['rev-parse', '--absolute-git-dir'])
  const records = await readHookRecords(stdout.trim())
  return records.map(({ record }) => `${record?.finding.severity} ${record?.finding.rule}`)
}

/** A key of a known format; made here, so that no scanner finds it in the sources. */
export const KEY = `ghp_${'a1B2c3D4e5'.repeat(4)}`.slice(0, 40)
