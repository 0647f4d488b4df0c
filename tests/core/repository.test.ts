import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultConfig } from '../../core/config.ts'
import { openGit } from '../../core/git.ts'
import { defaultBase, openRepository, requireWorkable, worktreeRoot } from '../../core/repository.ts'
import { makeRepository } from '../support/repository.ts'

const config = defaultConfig()

describe('finding the repository', () => {
  it('leads to the main worktree from a folder, a linked worktree, a link and the git directory', async () => {
    const test = await makeRepository({ 'deep/er/file': 'x' })
    const linked = join(test.outside, 'linked tree ü')
    await test.git.run(['worktree', 'add', '--quiet', '--detach', linked])
    await symlink(join(test.dir, 'deep'), join(test.outside, 'shortcut'))
    const main = {
      root: test.dir,
      commonDir: join(test.dir, '.git'),
      bare: false,
      stateDir: join(test.dir, '.git', 'valuetrain'),
    }
    for (const from of [
      join(test.dir, 'deep/er'),
      join(linked, 'deep'),
      join(test.outside, 'shortcut'),
      join(test.dir, '.git', 'refs'),
    ]) {
      const repo = await openRepository(from, test.env)
      expect(repo, from).toMatchObject(main)
      expect(repo.git.dir).toBe(test.dir)
    }
  })

  it('does not follow a GIT_DIR that points elsewhere', async () => {
    const [here, elsewhere] = [await makeRepository(), await makeRepository()]
    const env = { ...here.env, GIT_DIR: join(elsewhere.dir, '.git'), GIT_INDEX_FILE: '/nowhere', GIT_WORK_TREE: elsewhere.dir }
    expect((await openRepository(here.dir, env)).root).toBe(here.dir)
  })

  it('knows a submodule from the repository around it', async () => {
    const [outer, inner] = [await makeRepository(), await makeRepository()]
    await outer.git.run(['-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner.dir, 'sub'])
    const repo = await openRepository(join(outer.dir, 'sub'), outer.env)
    expect([repo.root, repo.commonDir]).toEqual([join(outer.dir, 'sub'), join(outer.dir, '.git/modules/sub')])
    const linked = join(outer.outside, 'linked')
    await repo.git.run(['worktree', 'add', '--quiet', '--detach', linked])
    expect((await openRepository(linked, outer.env)).root).toBe(join(outer.dir, 'sub'))
  })

  it('says when there is none', async () => {
    const test = await makeRepository()
    for (const from of [test.outside, join(test.outside, 'nowhere'), join(test.dir, 'README.md')]) {
      await expect(openRepository(from, test.env)).rejects.toMatchObject({ code: 'VT_NO_REPOSITORY', kind: 'environment' })
    }
  })

  it('sees that a repository is bare, also from a worktree of it', async () => {
    const test = await makeRepository()
    const bare = join(test.outside, 'bare.git')
    await test.git.run(['clone', '--quiet', '--bare', '.', bare])
    await openGit(bare, test.env).run(['worktree', 'add', '--quiet', '--detach', join(test.outside, 'tree')])
    for (const from of [bare, join(test.outside, 'tree')]) {
      const repo = await openRepository(from, test.env)
      expect(repo).toMatchObject({ bare: true, root: null, commonDir: bare })
      await expect(requireWorkable(repo, config)).rejects.toMatchObject({ code: 'VT_BARE', kind: 'environment' })
    }
  })
})

describe('surroundings that work cannot be done in', () => {
  it('are none in an ordinary clone, nor with a detached HEAD', async () => {
    const test = await makeRepository()
    const repo = await openRepository(test.dir, test.env)
    await requireWorkable(repo, config)
    await test.git.run(['checkout', '--quiet', '--detach'])
    await requireWorkable(repo, config)
    expect(await readdir(repo.stateDir)).toEqual([])
  })

  it('include a repository without a commit', async () => {
    const test = await makeRepository({})
    const repo = await openRepository(test.dir, test.env)
    await expect(requireWorkable(repo, config)).rejects.toMatchObject({
      code: 'VT_UNBORN',
      kind: 'environment',
      hint: expect.any(String),
    })
  })

  it('include a shallow clone', async () => {
    const test = await makeRepository()
    await test.commit({ a: '1' })
    await test.git.run(['clone', '--quiet', '--depth=1', `file://${test.dir}`, join(test.outside, 'shallow')])
    const repo = await openRepository(join(test.outside, 'shallow'), test.env)
    await expect(requireWorkable(repo, config)).rejects.toMatchObject({ code: 'VT_SHALLOW', kind: 'environment' })
  })

  it('include a missing identity, even where git would make one up', async () => {
    const test = await makeRepository()
    const { GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL, GIT_COMMITTER_NAME, GIT_COMMITTER_EMAIL, ...nobody } = test.env
    const repo = await openRepository(test.dir, nobody)
    await expect(requireWorkable(repo, config)).rejects.toMatchObject({ code: 'VT_NO_IDENTITY', kind: 'environment' })
    const half = await openRepository(test.dir, { ...nobody, EMAIL: 'ada@example.com' })
    await expect(requireWorkable(half, config)).rejects.toMatchObject({ code: 'VT_NO_IDENTITY', kind: 'environment' })
    await test.git.run(['config', 'user.name', 'Ada'])
    await test.git.run(['config', 'user.email', 'ada@example.com'])
    await requireWorkable(repo, config)
    expect([GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL, GIT_COMMITTER_NAME, GIT_COMMITTER_EMAIL]).not.toContain(undefined)
  })

  it('include a git directory that cannot be written', async () => {
    const test = await makeRepository()
    const repo = await openRepository(test.dir, test.env)
    await writeFile(repo.stateDir, 'a file where the folder should be')
    await expect(requireWorkable(repo, config)).rejects.toMatchObject({ code: 'VT_READ_ONLY', kind: 'environment' })
  })

  it('include a git that is too old, or none', async () => {
    const test = await makeRepository()
    const bin = join(test.outside, 'bin')
    await mkdir(bin)
    await writeFile(
      join(bin, 'git'),
      '#!/bin/sh\nPATH=${PATH#*:}\ncase "$*" in *version) echo git version 2.30.2;; *) exec git "$@";; esac\n',
      {
        mode: 0o755,
      },
    )
    const old = await openRepository(test.dir, { ...test.env, PATH: `${bin}:${test.env.PATH}` })
    await expect(requireWorkable(old, config)).rejects.toMatchObject({ code: 'VT_GIT_OLD', kind: 'environment' })
    await expect(openRepository(test.dir, { ...test.env, PATH: '/nowhere' })).rejects.toMatchObject({ code: 'VT_GIT_MISSING' })
  })
})

describe('the commit that work starts from', () => {
  async function setUp() {
    const test = await makeRepository()
    const origin = join(test.outside, 'origin.git')
    await test.git.run(['clone', '--quiet', '--bare', '.', origin])
    await test.git.run(['remote', 'add', 'origin', origin])
    const other = join(test.outside, 'other')
    await test.git.run(['clone', '--quiet', origin, other])
    const git = openGit(other, test.env)
    const publish = async (name: string) => {
      await writeFile(join(other, name), name)
      await git.run(['add', '--all'])
      await git.run(['commit', '--quiet', '--message', name])
      await git.run(['push', '--quiet', 'origin', 'HEAD:main'])
      return git.text(['rev-parse', 'HEAD'])
    }
    const repo = await openRepository(test.dir, test.env)
    return { test, repo, publish, origin, base: () => defaultBase(repo, { branch: 'main', remote: 'origin' }) }
  }

  it('is the local branch where there is no remote, whatever is checked out', async () => {
    const test = await makeRepository()
    const first = await test.git.text(['rev-parse', 'main'])
    await test.git.run(['checkout', '--quiet', '--detach'])
    await test.commit({ other: 'work' })
    const repo = await openRepository(test.dir, test.env)
    expect(await defaultBase(repo, { branch: 'main', remote: null })).toEqual({ commit: first, source: 'local', fetched: false })
  })

  it('is the remote commit when the local branch is behind, and the local branch stays where it is', async () => {
    const { test, base, publish } = await setUp()
    const before = await test.git.text(['rev-parse', 'main'])
    const newer = await publish('newer')
    expect(await base()).toEqual({ commit: newer, source: 'remote', fetched: true })
    expect(await test.git.text(['rev-parse', 'main'])).toBe(before)
  })

  it('is the local commit when that is ahead, and an error when both went on', async () => {
    const { test, base, publish } = await setUp()
    const ahead = await test.commit({ local: 'x' })
    expect(await base()).toEqual({ commit: ahead, source: 'local', fetched: true })
    await publish('theirs')
    await expect(base()).rejects.toMatchObject({
      code: 'VT_BASE_DIVERGED',
      kind: 'environment',
      hint: expect.stringContaining('origin main'),
    })
  })

  it('is fetched by many at once without getting in one another’s way', async () => {
    const { base, publish } = await setUp()
    for (const name of ['one', 'two']) {
      const commit = await publish(name)
      const found = await Promise.all(Array.from({ length: 8 }, base))
      expect(found).toEqual(Array(8).fill({ commit, source: 'remote', fetched: true }))
    }
  })

  it('is not guessed when the branch is nowhere', async () => {
    const { repo } = await setUp()
    const nowhere = { code: 'VT_NO_BRANCH', kind: 'environment' }
    await expect(defaultBase(repo, { branch: 'mian', remote: 'origin' })).rejects.toMatchObject({
      ...nowhere,
      message: expect.stringContaining('did you mean "main"'),
    })
    await expect(defaultBase(repo, { branch: 'trunk', remote: null })).rejects.toMatchObject(nowhere)
    await expect(defaultBase(repo, { branch: '--all', remote: null })).rejects.toMatchObject({ code: 'VT_REF_NAME' })
  })

  it('is an error when the remote is gone or unknown, since the local branch may be stale', async () => {
    const { test, repo, base } = await setUp()
    await test.git.run(['remote', 'set-url', 'origin', join(test.outside, 'gone.git')])
    await expect(base()).rejects.toMatchObject({ code: 'VT_REMOTE', kind: 'environment' })
    await expect(defaultBase(repo, { branch: 'main', remote: 'upstream' })).rejects.toMatchObject({ code: 'VT_REMOTE' })
  })
})

describe('the folder for worktrees', () => {
  it('lies beside the repository unless the configuration names another', async () => {
    const test = await makeRepository()
    const repo = await openRepository(test.dir, test.env)
    expect(worktreeRoot(repo, config)).toBe(`${test.dir}.worktrees`)
    expect(worktreeRoot(repo, { workspace: { root: '../trees' } })).toBe(join(test.outside, 'trees'))
  })
})
