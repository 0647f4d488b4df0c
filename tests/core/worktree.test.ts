import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRepository, type Repository } from '../../core/repository.ts'
import { listRescues } from '../../core/rescue.ts'
import { restoreRescue } from '../../core/unpack.ts'
import { closeWorktree, listWorktrees, openDisposable, openWorktree } from '../../core/worktree.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

const ID = '01J00000000000000000000001'

async function setUp(
  files: Record<string, string> = { 'README.md': '# Example\n', 'src/a.txt': 'a\n', '.gitignore': '*.log\ncache/\n' },
) {
  const test = await makeRepository(files)
  const repo = await openRepository(test.dir, test.env)
  const root = join(test.outside, 'repo.worktrees')
  const base = await test.git.text(['rev-parse', 'HEAD'])
  const open = (name: string, from = base) => openWorktree(repo, { root, name, branch: `phase/${name}`, base: from })
  return { test, repo, root, base, open }
}

async function everythingIn(repo: Repository, test: TestRepository): Promise<unknown> {
  return {
    worktrees: (await listWorktrees(repo)).map(({ dir, branch }) => [dir.slice(test.outside.length), branch]),
    branches: (await test.git.text(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads'])).split('\n'),
    admin: await readdir(join(repo.commonDir, 'worktrees')).catch(() => []),
  }
}

const NOTHING_LEFT = { worktrees: [['/repo', 'main']], branches: ['main'], admin: [] }

describe('opening a worktree', () => {
  it('makes a branch at the base with all its files and no upstream', async () => {
    const { test, repo, root, base, open } = await setUp()
    const worktree = await open('build_1')
    expect(worktree).toEqual({
      dir: join(root, 'build_1'),
      gitDir: join(repo.commonDir, 'worktrees', 'build_1'),
      branch: 'phase/build_1',
    })
    const git = test.git.at(worktree.dir)
    expect(await readFile(join(worktree.dir, 'src/a.txt'), 'utf8')).toBe('a\n')
    expect(await git.text(['status', '--porcelain', '--branch'])).toBe('## phase/build_1')
    expect(await git.text(['rev-parse', 'HEAD'])).toBe(base)
  })
})

describe('closing a worktree', () => {
  it('keeps what is uncommitted in a rescue and removes folder and registration, not the branch', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    await writeFile(join(dir, 'README.md'), 'staged\n')
    await test.git.at(dir).run(['add', 'README.md'])
    await writeFile(join(dir, 'README.md'), 'written later\n')
    await rm(join(dir, 'src/a.txt'))
    await writeFile(join(dir, 'new file\nwith a break "and quotes" ü.txt'), 'new\n')
    await writeFile(join(dir, 'debug.log'), 'log\n')
    await writeFile(join(dir, 'keep.log'), 'kept log\n')
    await mkdir(join(dir, 'cache'))
    await writeFile(join(dir, 'cache/x'), 'x')
    await symlink('/etc/passwd', join(dir, 'link'))
    const { rescue, ignored } = await closeWorktree(repo, { dir }, { ticket: 'build_1', id: ID, keep: ['keep.log'] })
    expect(rescue).toMatchObject({ ref: `refs/valuetrain/rescue/build_1/${ID}`, files: 5, ignored: ['cache/', 'debug.log'] })
    expect(ignored.sort()).toEqual(['cache/', 'debug.log', 'keep.log'])
    expect(await listRescues(repo)).toEqual([rescue])
    expect(await lstat(dir).catch((error) => error.code)).toBe('ENOENT')
    expect(await everythingIn(repo, test)).toEqual({ ...NOTHING_LEFT, branches: ['main', 'phase/build_1'] })
    const unpacked = await restoreRescue(repo, ID.slice(0, 8).toLowerCase(), { into: join(test.outside, 'back') })
    expect(unpacked.written).toEqual([
      'index/README.md',
      'worktree/README.md',
      'worktree/keep.log',
      'worktree/link',
      'worktree/new file\nwith a break "and quotes" ü.txt',
    ])
    expect(unpacked.deleted).toEqual(['src/a.txt'])
    expect(await readFile(join(unpacked.dir, 'worktree/README.md'), 'utf8')).toBe('written later\n')
    expect(await readFile(join(unpacked.dir, 'index/README.md'), 'utf8')).toBe('staged\n')
  })
})

describe('a disposable checkout', () => {
  it('holds one commit and goes with everything in it', async () => {
    const { test, repo, root, base } = await setUp()
    const checkout = await openDisposable(repo, { root, commit: base })
    expect((await readdir(checkout.dir)).sort()).toEqual(['.git', '.gitignore', 'README.md', 'src'])
    await writeFile(join(checkout.dir, 'built'), 'x')
    await checkout.close()
    await checkout.close()
    expect(await everythingIn(repo, test)).toEqual(NOTHING_LEFT)
    expect(await readdir(root)).toEqual([])
  })
})
