import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { git, install, KEY } from '../hooks/hooked.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

const run = promisify(execFile)

/** Installs a package beside the repository. Its own scripts would put hooks into whatever repository the caller is in. */
async function installed({ outside }: TestRepository, spec: string): Promise<string> {
  const folder = join(outside, 'tools')
  await mkdir(folder, { recursive: true })
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts']
  await run('npm', ['install', '--prefix', folder, ...options, spec], { cwd: folder })
  return join(folder, 'node_modules/.bin')
}

/** Commits a key, which must be refused, and something harmless, which must not; tells what was said. */
async function showsGates(repository: TestRepository, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  await writeFile(join(cwd, 'config.txt'), `token = ${KEY}\n`)
  await git(repository, cwd, ['add', 'config.txt'], env)
  const refused = await git(repository, cwd, ['commit', '-m', 'Add a key'], env)
  await writeFile(join(cwd, 'config.txt'), `nothing to hide in ${cwd.length}\n`)
  await git(repository, cwd, ['add', 'config.txt'], env)
  const taken = await git(repository, cwd, ['commit', '-m', 'Add nothing'], env)
  return `${refused.code !== 0 && refused.stderr.includes('secret') ? 'refused' : `not refused: ${refused.stderr}`}, ${taken.code === 0 ? 'taken' : `not taken: ${taken.stderr}`}`
}

/** Each tool with the file that makes it say that it was called, and its own install step. */
const TOOLS: Record<string, { spec: string; files: Record<string, string>; install: string[] }> = {
  lefthook: {
    spec: 'lefthook@2.2.2',
    files: { 'lefthook.yml': 'pre-commit:\n  commands:\n    call:\n      run: echo called >> "$CALLS"\n' },
    install: ['lefthook', 'install'],
  },
  // Reads the configuration of pre-commit, in whose place it can stand.
  prek: {
    spec: '@j178/prek@0.5.3',
    files: {
      '.pre-commit-config.yaml':
        'repos:\n  - repo: local\n    hooks:\n      - id: call\n        name: call\n        language: system\n        entry: sh -c \'echo called >> "$CALLS"\'\n        always_run: true\n        pass_filenames: false\n',
    },
    install: ['prek', 'install'],
  },
}

describe('hooks beside those of a real tool', () => {
  it.each(Object.keys(TOOLS))('%s: both are called, in the main worktree and in a linked one', async (name) => {
    const tool = TOOLS[name] as (typeof TOOLS)[string]
    const repository = await makeRepository(tool.files)
    const bin = await installed(repository, tool.spec)
    const calls = join(repository.outside, 'calls')
    const env = { PATH: `${bin}:${repository.env.PATH}`, CALLS: calls }
    const [program = '', ...args] = tool.install
    await run(join(bin, program), args, { cwd: repository.dir, env: { ...repository.env, ...env } })
    expect((await install(repository)).chained).toContain('pre-commit')
    const linked = join(repository.outside, 'linked')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    for (const dir of [repository.dir, linked])
      expect([dir, await showsGates(repository, dir, env)]).toEqual([dir, 'refused, taken'])
    expect((await readFile(calls, 'utf8')).split('\n').length - 1).toBe(4)
  })
})
