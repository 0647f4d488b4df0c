import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { captureCheckout } from '../../core/capture.ts'
import type { Git } from '../../core/git.ts'
import { runProcess } from '../../core/process.ts'
import { putBack } from '../../core/putback.ts'
import { openRepository, type Repository } from '../../core/repository.ts'
import { listRescues, restoreCommitted, takeRescue } from '../../core/rescue.ts'
import { restoreRescue } from '../../core/unpack.ts'
import { closeWorktree, listWorktrees, openDisposable, openWorktree } from '../../core/worktree.ts'
import { programOf } from '../support/program.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

const starter = programOf(fileURLToPath(new URL('../../bench/worktree-starter.ts', import.meta.url)))
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

  it('adopts the worktree that is there, with the work in it', async () => {
    const { test, open } = await setUp()
    const first = await open('build_1')
    await writeFile(join(first.dir, 'README.md'), 'half done')
    await test.commit({ later: 'x' })
    expect(await open('build_1')).toEqual(first)
    expect(await readFile(join(first.dir, 'README.md'), 'utf8')).toBe('half done')
  })

  it('comes back when its folder is gone, on the branch as it was', async () => {
    const { test, open } = await setUp()
    const { dir } = await open('build_1')
    await writeFile(join(dir, 'work'), 'done')
    await test.git.at(dir).run(['add', '--all'])
    await test.git.at(dir).run(['commit', '--quiet', '--message', 'Work'])
    await rm(dir, { recursive: true })
    await open('build_1')
    expect(await readFile(join(dir, 'work'), 'utf8')).toBe('done')
  })

  it('finishes one whose files a killed process never wrote completely', async () => {
    const { test, repo, root, open } = await setUp()
    const dir = join(root, 'build_1')
    await mkdir(root)
    await test.git.run(['worktree', 'add', '--quiet', '--no-checkout', '-b', 'phase/build_1', dir])
    await writeFile(join(dir, 'README.md'), '# Ex')
    const owner = { pid: 1, started: '0', boot: 'another', space: '', machine: '' }
    const here = await import('../../core/identity.ts').then(({ processIdentity }) => processIdentity(process.pid))
    await writeFile(
      join(repo.commonDir, 'worktrees/build_1/valuetrain-opening'),
      JSON.stringify({ ...here, ...owner, machine: here?.machine }),
    )
    await open('build_1')
    expect(await test.git.at(dir).text(['status', '--porcelain'])).toBe('')
    expect(await readdir(join(repo.commonDir, 'worktrees/build_1'))).not.toContain('valuetrain-opening')
  })

  it('takes a branch that is merely behind along to the base, and refuses one with other work', async () => {
    const { test, repo, root, base, open } = await setUp()
    await test.git.run(['branch', 'phase/build_1'])
    const newer = await test.commit({ newer: 'x' })
    const { dir } = await open('build_1', newer)
    expect(await test.git.at(dir).text(['rev-parse', 'HEAD'])).toBe(newer)
    await test.git.run(['checkout', '--quiet', '-b', 'phase/build_2', base])
    const other = await test.commit({ other: 'x' })
    await test.git.run(['checkout', '--quiet', 'main'])
    const error = { code: 'VT_BRANCH_TAKEN', kind: 'environment' }
    await expect(openWorktree(repo, { root, name: 'build_2', branch: 'phase/build_2', base: newer })).rejects.toMatchObject(error)
    expect(await test.git.text(['rev-parse', 'phase/build_2'])).toBe(other)
  })

  it('refuses a folder of somebody else and leaves it, the branches and the records as they are', async () => {
    const { test, repo, root, open } = await setUp()
    await mkdir(join(root, 'build_1'), { recursive: true })
    await writeFile(join(root, 'build_1/mine'), 'mine')
    await expect(open('build_1')).rejects.toMatchObject({ code: 'VT_WORKTREE_IN_THE_WAY', kind: 'environment' })
    expect(await readdir(join(root, 'build_1'))).toEqual(['mine'])
    expect(await everythingIn(repo, test)).toEqual(NOTHING_LEFT)
    await test.git.run(['worktree', 'add', '--quiet', '-b', 'other', join(root, 'build_2')])
    await expect(open('build_2')).rejects.toMatchObject({
      code: 'VT_WORKTREE_IN_THE_WAY',
      message: expect.stringContaining('branch other'),
    })
  })

  it('refuses a branch that is checked out elsewhere or stands in the way of its name', async () => {
    const { test, open } = await setUp()
    await test.git.run(['checkout', '--quiet', '-b', 'phase/build_1'])
    await expect(open('build_1')).rejects.toMatchObject({ code: 'VT_BRANCH_TAKEN', message: expect.stringContaining(test.dir) })
    await test.git.run(['checkout', '--quiet', '-b', 'phase/build_2/deeper'])
    await expect(open('build_2')).rejects.toMatchObject({
      code: 'VT_BRANCH_TAKEN',
      message: expect.stringContaining('phase/build_2/deeper'),
    })
    await test.git.run(['branch', '--delete', '--force', 'phase/build_1'])
    await test.git.run(['checkout', '--quiet', '-b', 'x'])
    await test.git.run(['branch', '--delete', '--force', 'phase/build_2/deeper'])
    await test.git.run(['branch', 'phase'])
    await expect(open('build_3')).rejects.toMatchObject({
      code: 'VT_BRANCH_TAKEN',
      message: expect.stringContaining('beside branch phase'),
    })
  })

  it('leaves nothing behind when its files cannot be written', async () => {
    const { test, repo, root, base, open } = await setUp()
    // No file system takes a name of this length, and git may well know one.
    const blob = await test.git.text(['hash-object', '-w', '--stdin'], { input: 'x' })
    await test.git.run(['update-index', '--add', '--cacheinfo', `100644,${blob},${'x'.repeat(300)}`])
    const tree = await test.git.text(['write-tree'])
    await test.git.run(['read-tree', 'HEAD'])
    const broken = await test.git.text(['commit-tree', tree, '-p', base, '-m', 'Too long'])
    await expect(open('build_1', broken)).rejects.toMatchObject({ code: 'VT_GIT', kind: 'environment' })
    expect([await everythingIn(repo, test), await readdir(root)]).toEqual([NOTHING_LEFT, []])
    await writeFile(join(test.outside, 'file'), '')
    const below = { root: join(test.outside, 'file/below'), name: 'build_2', branch: 'phase/build_2', base }
    await expect(openWorktree(repo, below)).rejects.toMatchObject({ code: 'VT_READ_ONLY', kind: 'environment' })
    await expect(open('build_3', '1'.repeat(40))).rejects.toMatchObject({ code: 'VT_REVISION' })
    await expect(open('../build_4')).rejects.toMatchObject({ code: 'VT_REF_NAME' })
    expect(await everythingIn(repo, test)).toEqual(NOTHING_LEFT)
  })

  it('works for many processes at once, each with all its files, and leaves nothing but worktrees', async () => {
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`folder-${at % 10}/file ${at} ü.txt`, `${at}\n`]))
    const { test, repo, root, base } = await setUp(files)
    const names = Array.from({ length: 12 }, (_, at) => `build_${at + 1}`)
    const file = await starter()
    const ran = await Promise.all(
      names.map((name) =>
        runProcess([process.execPath, file, test.dir, root, name, base], {
          cwd: test.outside,
          env: test.env as Record<string, string>,
          input: 'go\n',
        }),
      ),
    )
    expect(ran.map(({ exit, outputTail }) => [exit, exit === 0 ? '' : outputTail])).toEqual(Array(12).fill([0, '']))
    for (const name of names) {
      const git = test.git.at(join(root, name))
      expect(await git.text(['log', '--format=%s', `${base}..HEAD`])).toBe(`Work on ${name}`)
      expect(await git.text(['status', '--porcelain', '--ignored'])).toBe('')
    }
    expect([await readdir(join(repo.stateDir, 'locks')), (await readdir(root)).sort()]).toEqual([[], [...names].sort()])
    for (const name of names) await closeWorktree(repo, { dir: join(root, name) }, { ticket: name, id: ID, keep: [] })
    expect(await everythingIn(repo, test)).toMatchObject({ worktrees: [['/repo', 'main']], admin: [] })
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

  it('removes a clean one without a rescue, ignored files and all', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    await writeFile(join(dir, 'debug.log'), 'log')
    expect(await closeWorktree(repo, { dir }, { ticket: 'build_1', id: ID, keep: [] })).toEqual({ ignored: ['debug.log'] })
    expect([await listRescues(repo), (await everythingIn(repo, test)) as object]).toEqual([
      [],
      { ...NOTHING_LEFT, branches: ['main', 'phase/build_1'] },
    ])
  })

  it('rescues the sides of a conflict, commits of a detached HEAD and a repository inside', async () => {
    const { test, repo, base, open } = await setUp()
    const { dir } = await open('build_1')
    const git = test.git.at(dir)
    await git.run(['checkout', '--quiet', '--detach'])
    await writeFile(join(dir, 'README.md'), 'mine\n')
    await git.run(['commit', '--quiet', '--all', '--message', 'Only here'])
    const loose = await git.text(['rev-parse', 'HEAD'])
    const theirs = await test.commit({ 'README.md': 'theirs\n' })
    await git.run(['merge', '--quiet', theirs], { okExit: [1] })
    const inner = test.git.at(join(dir, 'inner'))
    await mkdir(inner.dir)
    await inner.run(['init', '--quiet'])
    await writeFile(join(inner.dir, 'own.txt'), 'own')
    const { rescue } = await closeWorktree(repo, { dir }, { ticket: 'build_1', id: ID, keep: [] })
    expect(rescue).toMatchObject({ hasConflict: true })
    expect((await test.git.text(['rev-list', '--parents', '--max-count=1', rescue?.ref ?? ''])).split(' ')).toEqual(
      expect.arrayContaining([loose, theirs]),
    )
    const { dir: back, written } = await restoreRescue(repo, ID, { into: join(test.outside, 'back') })
    expect(written).toEqual(
      expect.arrayContaining([
        'conflict/1/README.md',
        'conflict/2/README.md',
        'conflict/3/README.md',
        'worktree/inner/own.txt',
        'worktree/inner/.git.rescued/HEAD',
      ]),
    )
    expect(await readFile(join(back, 'conflict/2/README.md'), 'utf8')).toBe('mine\n')
    expect(await test.git.succeeds(['merge-base', '--is-ancestor', base, rescue?.ref ?? ''])).toBe(true)
  })

  it('stops and leaves everything when a file changes in between', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    await writeFile(join(dir, 'new.txt'), 'first')
    const git = { ...repo.git, at: (at: string) => interfering(repo.git.at(at), () => writeFile(join(dir, 'new.txt'), 'second')) }
    const closing = closeWorktree({ ...repo, git }, { dir }, { ticket: 'build_1', id: ID, keep: [] })
    await expect(closing).rejects.toMatchObject({
      code: 'VT_CHANGED_MEANWHILE',
      kind: 'environment',
      details: { paths: ['new.txt'] },
    })
    expect(await readFile(join(dir, 'new.txt'), 'utf8')).toBe('second')
    const { dir: back } = await restoreRescue(repo, ID, { into: join(test.outside, 'back') })
    expect(await readFile(join(back, 'worktree/new.txt'), 'utf8')).toBe('first')
  })

  it('rescues the state of submodules, and removes by force only then', async () => {
    const { test, repo, open } = await setUp()
    const library = await makeRepository({ 'lib.txt': 'lib' })
    const allow = ['-c', 'protocol.file.allow=always']
    await test.git.run([...allow, 'submodule', '--quiet', 'add', library.dir, 'sub lib'])
    const base = await test.commit({})
    const { dir } = await open('build_1', base)
    await test.git.at(dir).run([...allow, 'submodule', '--quiet', 'update', '--init'])
    const sub = test.git.at(join(dir, 'sub lib'))
    await writeFile(join(sub.dir, 'committed'), 'c')
    await sub.run(['add', '--all'])
    await sub.run(['commit', '--quiet', '--message', 'Only in the submodule'])
    const only = await sub.text(['rev-parse', 'HEAD'])
    await writeFile(join(sub.dir, 'loose'), 'l')
    const { rescue } = await closeWorktree(repo, { dir }, { ticket: 'build_1', id: ID, keep: [] })
    expect(rescue?.submodules).toEqual([{ path: 'sub lib', ref: `refs/valuetrain/rescue/build_1/${ID}-sub1` }])
    const ref = rescue?.submodules[0]?.ref ?? ''
    expect(await test.git.succeeds(['merge-base', '--is-ancestor', only, ref])).toBe(true)
    expect(await test.git.text(['show', `${ref}:loose`])).toBe('l')
    expect(await everythingIn(repo, test)).toMatchObject({ worktrees: [['/repo', 'main']], admin: [] })
  })

  it('saves an edit that the index hides from git', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    await test.git.at(dir).run(['update-index', '--skip-worktree', 'src/a.txt'])
    await writeFile(join(dir, 'src/a.txt'), 'hidden edit')
    await closeWorktree(repo, { dir }, { ticket: 'build_1', id: ID, keep: [] })
    expect(await test.git.text(['show', `refs/valuetrain/rescue/build_1/${ID}:src/a.txt`])).toBe('hidden edit')
  })

  it('drops the record of one whose folder is gone', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    await rm(dir, { recursive: true })
    expect(await closeWorktree(repo, { dir }, { ticket: 'build_1', id: ID, keep: [] })).toEqual({ ignored: [] })
    expect(await everythingIn(repo, test)).toMatchObject({ admin: [] })
  })
})

describe('a rescue', () => {
  it('touches neither index nor files, and is none where all is committed', async () => {
    const { test, repo, open } = await setUp()
    const { dir, gitDir } = await open('build_1')
    const request = { ticket: 'build_1', id: ID, why: 'a test', keep: [] }
    expect(await takeRescue(repo, dir, request)).toBeUndefined()
    await writeFile(join(dir, 'README.md'), 'edit')
    await writeFile(join(dir, 'new'), 'new')
    const before = [await readFile(join(gitDir, 'index')), await test.git.at(dir).text(['status', '--porcelain'])]
    expect(await takeRescue(repo, dir, request)).toMatchObject({ files: 2, why: 'a test', ticket: 'build_1', id: ID })
    expect([await readFile(join(gitDir, 'index')), await test.git.at(dir).text(['status', '--porcelain'])]).toEqual(before)
    expect(await readdir(join(repo.stateDir, 'tmp'))).toEqual([])
  })

  it('puts a checkout back to its commit, ignored files apart, or refuses when something changed', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    const git = test.git.at(dir)
    await writeFile(join(dir, 'README.md'), 'edit')
    await rm(join(dir, 'src/a.txt'))
    await mkdir(join(dir, 'deep/er'), { recursive: true })
    await writeFile(join(dir, 'deep/er/new'), 'new')
    await writeFile(join(dir, 'added'), 'added')
    await git.run(['add', 'added'])
    await git.run(['rm', '--quiet', '--cached', '.gitignore'])
    await writeFile(join(dir, 'debug.log'), 'log')
    const rescue = await takeRescue(repo, dir, { ticket: 'build_1', id: ID, why: 'a test', keep: [] })
    if (!rescue) throw new Error('nothing was rescued')
    await writeFile(join(dir, 'late'), 'late')
    await expect(restoreCommitted(repo, dir, rescue)).rejects.toMatchObject({
      code: 'VT_CHANGED_MEANWHILE',
      details: { paths: ['late'] },
    })
    expect(await readFile(join(dir, 'README.md'), 'utf8')).toBe('edit')
    await rm(join(dir, 'late'))
    expect(await restoreCommitted(repo, dir, rescue)).toEqual({
      restored: ['.gitignore', 'README.md', 'added', 'src/a.txt'],
      deleted: ['.gitignore', 'deep/er/new'],
    })
    expect(await git.text(['status', '--porcelain'])).toBe('')
    expect((await readdir(dir)).sort()).toEqual(['.git', '.gitignore', 'README.md', 'debug.log', 'src'])
  })

  it('is not trusted about a file that was written after the last look', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    await writeFile(join(dir, 'README.md'), 'edit')
    await writeFile(join(dir, 'new'), 'new')
    const git = test.git.at(dir)
    const look = () => captureCheckout(git, [], join(repo.stateDir, 'tmp'))
    const first = await look()
    await writeFile(join(dir, 'new'), 'NEW')
    const changed = { code: 'VT_CHANGED_MEANWHILE', kind: 'environment', details: { paths: ['new'] } }
    await expect(putBack(git, first, { alsoKept: false })).rejects.toMatchObject(changed)
    const second = await look()
    await writeFile(join(dir, 'README.md'), 'EDIT')
    await expect(putBack(git, second, { alsoKept: false })).rejects.toMatchObject({
      ...changed,
      details: { paths: ['README.md'] },
    })
    expect(await readFile(join(dir, 'README.md'), 'utf8')).toBe('EDIT')
  })

  it('is laid out only in a new folder, and found by its id', async () => {
    const { test, repo, open } = await setUp()
    const { dir } = await open('build_1')
    await writeFile(join(dir, 'new'), 'new')
    await takeRescue(repo, dir, { ticket: 'build_1', id: ID, why: 'a test', keep: [] })
    await expect(restoreRescue(repo, ID, { into: test.dir })).rejects.toMatchObject({
      code: 'VT_FOLDER_IN_THE_WAY',
      kind: 'user',
    })
    await expect(restoreRescue(repo, '01ZZ')).rejects.toMatchObject({ code: 'VT_RESCUE_UNKNOWN', kind: 'user' })
    await expect(restoreRescue(repo, '')).rejects.toMatchObject({ code: 'VT_RESCUE_UNKNOWN' })
    expect(await restoreRescue(repo, ID)).toMatchObject({ dir: `${test.dir}.rescued/build_1-${ID}`, written: ['worktree/new'] })
  })
})

/** git that does something once, right after the rescue's first look at the checkout. */
function interfering(git: Git, act: () => Promise<unknown>): Git {
  let looks = 0
  return {
    ...git,
    run: async (args, options) => {
      if (args.includes('--absolute-git-dir') && ++looks === 2) await act()
      return git.run(args, options)
    },
  }
}

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

  it('of a process that is gone is removed at the next opening, nothing else is', async () => {
    const { test, repo, root, base } = await setUp()
    const abandoned = await openDisposable(repo, { root, commit: base })
    const kept = await openDisposable(repo, { root, commit: base })
    const note = join(repo.stateDir, 'disposable', `${basename(abandoned.dir)}.json`)
    const content = JSON.parse(await readFile(note, 'utf8'))
    await writeFile(note, JSON.stringify({ ...content, owner: { ...content.owner, started: '1' } }))
    await mkdir(join(root, 'precious'))
    await writeFile(
      join(repo.stateDir, 'disposable/checkout-x.json'),
      JSON.stringify({ dir: join(root, 'precious'), owner: { ...content.owner, started: '1' } }),
    )
    const next = await openDisposable(repo, { root, commit: base })
    expect((await readdir(root)).sort()).toEqual([basename(kept.dir), basename(next.dir), 'precious'].sort())
    await kept.close()
    await next.close()
    expect(await everythingIn(repo, test)).toEqual(NOTHING_LEFT)
  })

  it('of a commit that is not there leaves nothing', async () => {
    const { test, repo, root } = await setUp()
    await expect(openDisposable(repo, { root, commit: '1'.repeat(40) })).rejects.toMatchObject({ code: 'VT_GIT' })
    expect([await everythingIn(repo, test), await readdir(root), await readdir(join(repo.stateDir, 'disposable'))]).toEqual([
      NOTHING_LEFT,
      [],
      [],
    ])
  })
})
