import { execFile } from 'node:child_process'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { openRepository } from '../../core/repository.ts'
import { HOOK_NAMES } from '../../hooks/dispatcher.ts'
import { huskyLine } from '../../hooks/husky.ts'
import { mendHooksPath } from '../../hooks/inspect.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { ROOT } from '../support/sources.ts'
import { git, install, KEY, recordsIn, type Said } from './hooked.ts'

const run = promisify(execFile)

/** A repository in which husky's own program has done what its prepare step does. */
async function withHusky(files?: Record<string, string>): Promise<TestRepository> {
  const repository = await makeRepository({ 'package.json': '{"devDependencies":{"husky":"9"}}\n', ...files })
  await prepare(repository)
  return repository
}

async function prepare({ dir, env }: TestRepository): Promise<void> {
  await run(process.execPath, [join(ROOT, 'node_modules/husky/bin.js')], { cwd: dir, env })
}

async function commit(repository: TestRepository, cwd: string, text: string, args: string[] = []): Promise<Said> {
  await writeFile(join(cwd, 'a.txt'), text)
  await git(repository, cwd, ['add', 'a.txt'])
  return git(repository, cwd, ['commit', '-qm', 'Change', ...args])
}

describe('beside the real husky', () => {
  it('a worktree made by hand is gated, and silent again once husky’s prepare step ran, until doctor mends the path', async () => {
    const repository = await withHusky()
    await install(repository)
    const linked = join(repository.outside, 'linked')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    expect((await commit(repository, linked, `token = ${KEY}\n`)).code).toBe(1)
    await prepare(repository)
    expect((await git(repository, repository.dir, ['config', 'core.hooksPath'])).stdout).toBe('.husky/_\n')
    expect((await commit(repository, linked, `token = ${KEY}\n`)).code).toBe(0)
    expect(await mendHooksPath(await openRepository(repository.dir, repository.env))).toBe(true)
    expect((await commit(repository, linked, `other = ${KEY.replace('a1', 'b2')}\n`)).code).toBe(1)
  })

  it('lines after ours still run, what is refused stays refused, and a bypass is recorded', async () => {
    const repository = await withHusky()
    await install(repository)
    const file = join(repository.dir, '.husky/pre-commit')
    await writeFile(file, `${await readFile(file, 'utf8')}echo after >>../calls\n`)
    expect((await commit(repository, repository.dir, 'plain\n')).code).toBe(0)
    expect((await commit(repository, repository.dir, `token = ${KEY}\n`)).code).toBe(1)
    expect(await readFile(join(repository.outside, 'calls'), 'utf8')).toBe('after\n')
    expect((await commit(repository, repository.dir, 'round\n', ['--no-verify'])).code).toBe(0)
    expect(await recordsIn(repository)).toEqual(['notice ungated-commit'])
  })

  it('what is installed from a linked worktree is the main one’s folder, which does not go with it', async () => {
    const repository = await withHusky()
    const linked = join(repository.outside, 'linked')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    await prepare({ ...repository, dir: linked })
    expect((await install({ dir: linked, env: repository.env })).folder).toBe(join(repository.dir, '.husky/_'))
    expect((await commit(repository, linked, `token = ${KEY}\n`)).code).toBe(1)
  })

  it('a clone with our lines and no dispatcher refuses with one line that says what to do', async () => {
    const repository = await withHusky({
      '.husky/pre-commit': `${huskyLine('pre-commit')}\n`,
      '.husky/post-commit': `${huskyLine('post-commit')}\n`,
    })
    expect(await commit(repository, repository.dir, 'plain\n')).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^valuetrain: no hooks are installed in this clone; run `npx valuetrain hooks install`\n/),
    })
  })
})

describe('this repository', () => {
  it('has the lines that its installer writes, and no prepare step', async () => {
    const lines = await Promise.all(HOOK_NAMES.map((name) => readFile(join(ROOT, '.husky', name), 'utf8')))
    expect(lines).toEqual(HOOK_NAMES.map((name) => `${huskyLine(name)}\n`))
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
    expect(scripts.prepare ?? scripts.postinstall ?? scripts.install).toBeUndefined()
    await access(join(ROOT, scripts.setup?.split(' ').at(-1) as string))
  })
})
