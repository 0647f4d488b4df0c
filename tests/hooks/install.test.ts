import { chmod, lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../core/canonical.ts'
import { openRepository } from '../../core/repository.ts'
import { renderDispatcher } from '../../hooks/dispatcher.ts'
import { hookStatus, mendHooksPath } from '../../hooks/inspect.ts'
import { uninstallHooks } from '../../hooks/uninstall.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { git, install, makeHooked } from './hooked.ts'

/** Every file and link of a repository with its mode and content, objects aside. */
async function everything(dir: string): Promise<Record<string, string>> {
  const names = (await readdir(dir, { recursive: true })).filter(
    (name) => !/^\.git\/(?:objects|logs|index|worktrees)\b/.test(name),
  )
  const entries = await Promise.all(
    names.sort().map(async (name) => {
      const file = await lstat(join(dir, name))
      const content = file.isSymbolicLink()
        ? await readlink(join(dir, name))
        : file.isFile()
          ? sha256(await readFile(join(dir, name)))
          : ''
      return [name, `${(file.mode & 0o777).toString(8)} ${content}`]
    }),
  )
  return Object.fromEntries(entries)
}

async function uninstall(repository: TestRepository, env = repository.env) {
  return uninstallHooks(await openRepository(repository.dir, env))
}

describe('taking hooks away', () => {
  const before: Record<string, (repository: TestRepository) => Promise<void>> = {
    'where there were none': async () => {},
    'where there was no folder for them': async ({ dir }) => rm(join(dir, '.git/hooks'), { recursive: true }),
    'beside a script, a program and a link of others': async ({ dir, outside }) => {
      const hooks = join(dir, '.git/hooks')
      await writeFile(join(hooks, 'pre-commit'), '#!/bin/sh\r\nexit 0\r\n', { mode: 0o751 })
      await writeFile(join(hooks, 'pre-push'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 255]), { mode: 0o700 })
      await symlink(join(outside, 'nowhere'), join(hooks, 'commit-msg'))
      await writeFile(join(hooks, 'pre-rebase'), '#!/bin/sh\n', { mode: 0o755 })
    },
    'with a relative core.hooksPath': async (repository) => {
      await mkdir(join(repository.dir, 'tools'))
      await writeFile(join(repository.dir, 'tools/pre-commit'), '#!/bin/sh\n', { mode: 0o755 })
      await git(repository, repository.dir, ['config', 'core.hooksPath', 'tools'])
    },
    'with husky': async (repository) => {
      await mkdir(join(repository.dir, '.husky/_'), { recursive: true })
      await writeFile(join(repository.dir, '.husky/_/h'), '#!/bin/sh\n', { mode: 0o755 })
      await writeFile(join(repository.dir, '.husky/pre-commit'), 'npm test', { mode: 0o755 })
      await writeFile(join(repository.dir, '.husky/pre-push'), '', { mode: 0o644 })
      await git(repository, repository.dir, ['config', 'core.hooksPath', '.husky/_'])
    },
  }
  for (const [where, prepare] of Object.entries(before)) {
    it(`puts every byte back ${where}`, async () => {
      const repository = await makeRepository()
      await prepare(repository)
      const earlier = await everything(repository.dir)
      await install(repository)
      const once = await everything(repository.dir)
      expect(once).not.toEqual(earlier)
      await install(repository)
      expect(await everything(repository.dir)).toEqual(once)
      expect(await uninstall(repository)).toEqual({ found: true, left: [] })
      const { '.git/valuetrain': _folder, ...now } = await everything(repository.dir)
      expect(now).toEqual(earlier)
      expect(await uninstall(repository)).toEqual({ found: false, left: [] })
    })
  }

  it('leaves what somebody changed since, and says so', async () => {
    const repository = await makeHooked()
    const file = join(repository.dir, '.git/hooks/pre-commit')
    await writeFile(file, '#!/bin/sh\n# mine now\n')
    expect(await uninstall(repository)).toEqual({ found: true, left: [`${file} was changed since and stays`] })
    expect(await readFile(file, 'utf8')).toBe('#!/bin/sh\n# mine now\n')
  })

  it('refuses to install where a hook cannot be moved aside, and has touched nothing', async () => {
    const repository = await makeRepository()
    const hooks = join(repository.dir, '.git/hooks')
    await writeFile(join(hooks, 'pre-commit'), '#!/bin/sh\n', { mode: 0o755 })
    await writeFile(join(hooks, 'pre-commit.chained'), 'somebody’s\n')
    const earlier = await everything(hooks)
    await expect(install(repository)).rejects.toMatchObject({ code: 'VT_HOOK_IN_THE_WAY' })
    expect(await everything(hooks)).toEqual(earlier)
  })
})

describe('what status sees', () => {
  const look = async ({ dir, env }: TestRepository) => hookStatus(await openRepository(dir, env), join(dir, '.git'))

  it('nothing installed, and nothing wrong with what is', async () => {
    const repository = await makeRepository()
    expect(await look(repository)).toEqual({ mode: 'none', chained: [], problems: [], noticed: [] })
    await install(repository)
    expect(await look(repository)).toEqual({ mode: 'native', chained: [], problems: [], noticed: [] })
  })

  it('a hook that another tool replaced, one that is gone, and a program that is gone', async () => {
    const repository = await makeHooked()
    const hooks = join(repository.dir, '.git/hooks')
    await writeFile(join(hooks, 'pre-commit'), '#!/bin/sh\n# other\n')
    await rm(join(hooks, 'pre-push'))
    await rm(join(repository.dir, '.git/valuetrain/hooks/hook.cjs'))
    expect((await look(repository)).problems.map(({ what }) => what)).toEqual([
      "the hooks' program is gone, so every commit is refused",
      'the hook pre-commit was replaced, maybe by another tool',
      'the hook pre-push is gone',
    ])
  })

  it('the relative path that husky puts back, which mending makes absolute again', async () => {
    const repository = await makeRepository()
    await mkdir(join(repository.dir, '.husky/_'), { recursive: true })
    await writeFile(join(repository.dir, '.husky/_/h'), '#!/bin/sh\n', { mode: 0o755 })
    await install(repository)
    await git(repository, repository.dir, ['config', 'core.hooksPath', '.husky/_'])
    expect((await look(repository)).problems.map(({ what }) => what)).toEqual([
      "core.hooksPath is the relative .husky/_ again here, as husky's prepare step sets it",
    ])
    const opened = await openRepository(repository.dir, repository.env)
    expect([await mendHooksPath(opened), await mendHooksPath(opened)]).toEqual([true, false])
    expect((await look(repository)).problems).toEqual([])
  })

  it('a worktree whose own setting leads elsewhere', async () => {
    const repository = await makeHooked()
    const linked = join(repository.outside, 'linked')
    await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
    await git(repository, repository.dir, ['config', 'extensions.worktreeConfig', 'true'])
    await git(repository, linked, ['config', '--worktree', 'core.hooksPath', '/elsewhere'])
    expect((await look(repository)).problems.map(({ what }) => what)).toEqual([
      'core.hooksPath is /elsewhere in the worktree of other, so git does not come to ours',
    ])
  })

  it('what hooks noticed here', async () => {
    const repository = await makeHooked()
    await git(repository, repository.dir, ['commit', '-qn', '--allow-empty', '-m', 'Round them'])
    const { noticed } = await look(repository)
    expect(noticed).toEqual([expect.stringMatching(/^commit [0-9a-f]{10} was made without its checks \(--no-verify\)$/)])
  })
})

describe('the dispatcher', () => {
  it('has 25 lines at most, line ends of Unix, and is read by every POSIX shell', async () => {
    const script = await renderDispatcher({ node: "/it's/node", program: '/p', chain: '', conventional: false })
    expect(script.trimEnd().split('\n').length).toBeLessThanOrEqual(25)
    expect(script).not.toContain('\r')
    expect(script).toContain(`node='/it'\\''s/node'`)
    expect(script).not.toMatch(/@[A-Z]+@/)
    const repository = await makeRepository({})
    const file = join(repository.dir, 'dispatch')
    await writeFile(file, script)
    await chmod(file, 0o755)
    const read = await git(repository, repository.dir, ['-c', 'alias.parse=!sh -n dispatch && bash --posix -n dispatch', 'parse'])
    expect(read).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})
