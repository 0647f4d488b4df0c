import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, readFile, realpath, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { openRepository } from '../../core/repository.ts'
import { probeHooks } from '../../hooks/probe.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { ROOT } from '../support/sources.ts'
import { git, install, KEY, makeHooked } from './hooked.ts'

const run = promisify(execFile)

let written = 0

/** Commits a key in a worktree, which hooks must refuse, then something harmless, which they must not. */
async function showsGates(repository: TestRepository, cwd: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  await writeFile(join(cwd, 'config.txt'), `token = ${KEY}\n`)
  await git(repository, cwd, ['add', 'config.txt'], env)
  const refused = await git(repository, cwd, ['commit', '-m', 'Add a key'], env)
  await writeFile(join(cwd, 'config.txt'), `nothing to hide, ${++written}\n`)
  await git(repository, cwd, ['add', 'config.txt'], env)
  const taken = await git(repository, cwd, ['commit', '-m', 'Add nothing'], env)
  if (refused.code === 0) return 'a key was committed'
  if (!refused.stderr.includes('secret')) return `refused for another reason: ${refused.stderr}`
  return taken.code === 0 ? 'gated' : `harmless work was refused: ${taken.stderr}`
}

describe('hooks fire and judge', () => {
  it('in the main worktree', async () => {
    const repository = await makeHooked()
    expect(await showsGates(repository, repository.dir)).toBe('gated')
  })

  it('in a linked worktree made by hand, with nothing installed there', async () => {
    const repository = await makeHooked()
    const linked = join(repository.outside, 'linked')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    expect(await showsGates(repository, linked)).toBe('gated')
  })

  it('in a worktree nested inside the repository, and from a folder below its top', async () => {
    const repository = await makeHooked({ 'sub/deep/a.txt': 'a\n', '.gitignore': 'nested/\n' })
    const nested = join(repository.dir, 'nested', 'tree')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', nested])
    expect(await showsGates(repository, nested)).toBe('gated')
    expect(await showsGates(repository, join(nested, 'sub', 'deep'))).toBe('gated')
  })

  it('in the worktrees of a bare repository', async () => {
    const repository = await makeRepository()
    const bare = join(repository.outside, 'bare.git')
    await git(repository, repository.outside, ['clone', '-q', '--bare', repository.dir, bare])
    const one = join(repository.outside, 'one')
    await git(repository, bare, ['worktree', 'add', '-q', '-b', 'one', one])
    await install({ dir: one, env: repository.env })
    expect(await showsGates(repository, one)).toBe('gated')
  })

  it('in a submodule', async () => {
    const repository = await makeRepository()
    const inner = await makeRepository({ 'a.txt': 'a\n' })
    const env = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'protocol.file.allow', GIT_CONFIG_VALUE_0: 'always' }
    await git(repository, repository.dir, ['submodule', 'add', '-q', inner.dir, 'module'], env)
    const module = join(repository.dir, 'module')
    await install({ dir: module, env: repository.env })
    expect(await showsGates(repository, module)).toBe('gated')
  })

  it('with node_modules and the git directory behind symbolic links', async () => {
    const repository = await makeRepository({ '.gitignore': 'node_modules\n' })
    const elsewhere = join(repository.outside, 'git-directory')
    await rename(join(repository.dir, '.git'), elsewhere)
    await symlink(elsewhere, join(repository.dir, '.git'))
    await mkdir(join(repository.outside, 'modules'))
    await symlink(join(repository.outside, 'modules'), join(repository.dir, 'node_modules'))
    await install(repository)
    expect(await showsGates(repository, repository.dir)).toBe('gated')
  })

  it('where paths hold spaces, quotes and letters of other alphabets', async () => {
    const plain = await makeRepository()
    const dir = join(plain.outside, "it's a “Straße” 路 $HOME `x`")
    await rename(plain.dir, dir)
    await install({ dir, env: plain.env })
    const linked = join(plain.outside, 'ein Baum mit Ä')
    await git(plain, dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    expect([await showsGates(plain, dir), await showsGates(plain, linked)]).toEqual(['gated', 'gated'])
  })

  it('on a detached HEAD, and before the first commit', async () => {
    const repository = await makeHooked()
    await git(repository, repository.dir, ['checkout', '-q', '--detach'])
    expect(await showsGates(repository, repository.dir)).toBe('gated')
    const unborn = await makeRepository({})
    await install(unborn)
    expect(await showsGates(unborn, unborn.dir)).toBe('gated')
  })

  it('with GIT_DIR, GIT_WORK_TREE and GIT_INDEX_FILE inherited', async () => {
    const repository = await makeHooked()
    const env = { GIT_DIR: join(repository.dir, '.git'), GIT_WORK_TREE: repository.dir }
    expect(await showsGates(repository, repository.dir, env)).toBe('gated')
    const index = join(repository.outside, 'other-index')
    await cp(join(repository.dir, '.git', 'index'), index)
    expect(await showsGates(repository, repository.dir, { ...env, GIT_INDEX_FILE: index })).toBe('gated')
  })

  it('with a core.hooksPath of this clone, whose hooks are called first', async () => {
    const repository = await makeRepository({ '.githooks/pre-commit': '#!/bin/sh\necho called >> ../calls\n' })
    await chmod(join(repository.dir, '.githooks/pre-commit'), 0o755)
    await repository.commit({}, 'Executable')
    await git(repository, repository.dir, ['config', 'core.hooksPath', '.githooks'])
    await install(repository)
    const linked = join(repository.outside, 'linked')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    expect([await showsGates(repository, repository.dir), await showsGates(repository, linked)]).toEqual(['gated', 'gated'])
    expect(await readFile(join(repository.outside, 'calls'), 'utf8')).toBe('called\n'.repeat(4))
  })

  it('with a core.hooksPath of this user, in which nothing is written', async () => {
    const repository = await makeRepository()
    const folder = join(repository.outside, 'my-hooks')
    await mkdir(folder)
    await writeFile(join(folder, 'pre-commit'), '#!/bin/sh\necho called >> "$HOME/calls"\n', { mode: 0o755 })
    await writeFile(join(folder, 'pre-rebase'), '#!/bin/sh\necho rebase >> "$HOME/calls"\n', { mode: 0o755 })
    const settings = join(repository.outside, 'gitconfig')
    await writeFile(settings, `[core]\n\thooksPath = ${folder}\n`)
    const env: NodeJS.ProcessEnv = { ...repository.env, GIT_CONFIG_GLOBAL: settings }
    await install({ dir: repository.dir, env })
    expect(await showsGates(repository, repository.dir, env)).toBe('gated')
    await git(repository, repository.dir, ['rebase', '-q', '--no-ff', 'HEAD~1'], env)
    expect(await readFile(join(env.HOME as string, 'calls'), 'utf8')).toBe('called\ncalled\nrebase\n')
  })

  it('in a worktree with a core.hooksPath of its own, once installed from there', async () => {
    const repository = await makeRepository()
    await git(repository, repository.dir, ['config', 'extensions.worktreeConfig', 'true'])
    await git(repository, repository.dir, ['config', '--worktree', 'core.hooksPath', 'none-here'])
    await install(repository)
    expect(await showsGates(repository, repository.dir)).toBe('gated')
  })

  it('beside hooks that lefthook, pre-commit or a person wrote, and after them', async () => {
    const repository = await makeRepository()
    const file = join(repository.dir, '.git/hooks/pre-commit')
    await mkdir(dirname(file), { recursive: true })
    const foreign = '#!/bin/sh\n# File generated by another tool\n[ ! -e forbidden ] || exit 7\n'
    await writeFile(file, foreign, { mode: 0o755 })
    expect((await install(repository)).chained).toEqual(['pre-commit'])
    expect(await showsGates(repository, repository.dir)).toBe('gated')
    await writeFile(join(repository.dir, 'forbidden'), '')
    expect((await git(repository, repository.dir, ['commit', '--allow-empty', '-m', 'x'])).code).toBe(1)
    expect(await readFile(`${file}.chained`, 'utf8')).toBe(foreign)
  })

  it('with husky, also in worktrees made by hand', async () => {
    const repository = await makeHusky()
    await install(repository)
    const linked = join(repository.outside, 'linked')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    expect([await showsGates(repository, repository.dir), await showsGates(repository, linked)]).toEqual(['gated', 'gated'])
    expect(await readFile(join(repository.outside, 'calls'), 'utf8')).toBe('called\n'.repeat(4))
  })

  it('without Node on PATH, by the path noted; and refuse with one line when that is gone, too', async () => {
    const repository = await makeHooked()
    const tools = join(repository.outside, 'tools')
    await mkdir(tools)
    for (const tool of ['git', 'sh', 'grep', 'cat']) {
      const place = (await git(repository, repository.dir, ['-c', `alias.find=!command -v ${tool}`, 'find'])).stdout.trim()
      await symlink(await realpath(place), join(tools, tool))
    }
    const env = { PATH: tools }
    expect(await showsGates(repository, repository.dir, env)).toBe('gated')
    const hook = join(repository.dir, '.git/hooks/pre-commit')
    await writeFile(hook, (await readFile(hook, 'utf8')).replaceAll(process.execPath, '/no/such/node'))
    const refused = await git(repository, repository.dir, ['commit', '--allow-empty', '-m', 'x'], env)
    expect([refused.code, refused.stderr.trim().split('\n')]).toEqual([
      1,
      ['valuetrain: pre-commit cannot judge: Node or its program is missing; run `valuetrain hooks install`'],
    ])
  })
})

describe('a probe commit', () => {
  it('tells which hooks fired, and leaves nothing', async () => {
    const repository = await makeHooked()
    const before = await git(repository, repository.dir, ['for-each-ref'])
    const probe = await probeHooks(await openRepository(repository.dir, repository.env), '01J00000000000000000000001')
    expect(probe).toEqual({
      fired: ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit'],
      missing: [],
      why: null,
    })
    expect((await git(repository, repository.dir, ['worktree', 'list'])).stdout.trim().split('\n')).toHaveLength(1)
    expect(await git(repository, repository.dir, ['for-each-ref'])).toEqual(before)
  })

  it('sees that husky’s relative path is silent in worktrees', async () => {
    const repository = await makeHusky()
    await install(repository)
    await git(repository, repository.dir, ['config', 'core.hooksPath', '.husky/_'])
    const probe = await probeHooks(await openRepository(repository.dir, repository.env), '01J00000000000000000000001')
    expect([probe.fired, probe.why]).toEqual([
      [],
      'core.hooksPath is .husky/_, relative, and that folder is not in a new worktree',
    ])
  })
})

/** A repository in which the real husky was installed: a tracked hook, its generated folder that is ignored, a relative setting. */
async function makeHusky(): Promise<TestRepository> {
  const repository = await makeRepository({ '.husky/pre-commit': 'echo called >> ../calls\n' })
  await run(process.execPath, [join(ROOT, 'node_modules/husky/bin.js')], { cwd: repository.dir, env: repository.env })
  const path = await git(repository, repository.dir, ['config', 'core.hooksPath'])
  if (path.stdout !== '.husky/_\n') throw new Error(`husky set core.hooksPath to ${path.stdout}`)
  return repository
}
