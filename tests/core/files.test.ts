import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { appendDurably, fileError, resolveInside, writeAtomically } from '../../core/files.ts'
import { isRefName, requireRefName } from '../../core/refs.ts'

async function folder(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'vt-files-')))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

describe('writing files', () => {
  it('replaces whole contents, makes folders and leaves no drafts', async () => {
    const dir = await folder()
    const file = join(dir, 'new/deep/file.txt')
    await writeAtomically(file, 'long first content')
    await Promise.all(Array.from({ length: 20 }, (_, at) => writeAtomically(file, `${at}`.repeat(1000))))
    expect(new Set(await readFile(file, 'utf8')).size).toBeLessThanOrEqual(2)
    expect(await readdir(join(dir, 'new/deep'))).toEqual(['file.txt'])
  })

  it('replaces a link instead of writing through it', async () => {
    const dir = await folder()
    await writeFile(join(dir, 'target'), 'target')
    await symlink('target', join(dir, 'link'))
    await writeAtomically(join(dir, 'link'), 'new')
    expect([await readFile(join(dir, 'target'), 'utf8'), await readFile(join(dir, 'link'), 'utf8')]).toEqual(['target', 'new'])
  })

  it('appends what is given, in order', async () => {
    const file = join(await folder(), 'sub/log')
    for (const line of ['one\n', Buffer.from('two\n'), 'three\n']) await appendDurably(file, line)
    expect(await readFile(file, 'utf8')).toBe('one\ntwo\nthree\n')
  })

  it('tells a place that cannot be written, and a full disk, from our own mistakes', async () => {
    const dir = await folder()
    await writeFile(join(dir, 'file'), '')
    for (const write of [writeAtomically, appendDurably]) {
      await expect(write(join(dir, 'file/below'), 'x')).rejects.toMatchObject({ code: 'VT_READ_ONLY', kind: 'environment' })
    }
    await expect(appendDurably('/dev/full', 'x')).rejects.toMatchObject({ code: 'VT_DISK_FULL', kind: 'environment' })
    const bug = new TypeError('ours')
    expect(fileError(bug, 'written', 'x')).toBe(bug)
  })
})

describe('resolving a path inside a folder', () => {
  it('gives real paths of what exists and what does not yet', async () => {
    const dir = await folder()
    await mkdir(join(dir, 'real'))
    await symlink('real', join(dir, 'alias'))
    const paths = ['', 'real/new', 'alias/new/deeper', 'a/../b', './..foo', join(dir, 'real')]
    expect(await Promise.all(paths.map((path) => resolveInside(dir, path)))).toEqual(
      ['', 'real/new', 'real/new/deeper', 'b', '..foo', 'real'].map((path) => join(dir, path)),
    )
  })

  it('refuses dots, absolute paths, links and dangling links that lead out', async () => {
    const [dir, outside] = [await folder(), await folder()]
    await symlink(outside, join(dir, 'link'))
    await symlink(join(outside, 'not-yet'), join(dir, 'dangling'))
    await symlink('dangling', join(dir, 'chain'))
    for (const path of ['..', '../x', 'a/../../x', '/etc', 'link', 'link/x', 'dangling', 'chain', 'dangling/below']) {
      await expect(resolveInside(dir, path), path).rejects.toMatchObject({ code: 'VT_OUTSIDE' })
    }
  })
})

describe('names of refs', () => {
  it('are what git takes, and nothing that looks like an option', () => {
    const good = ['main', 'phase/build_42', 'feature/ü-1', 'a.b', 'refs/heads/x']
    const bad = [
      '',
      '-x',
      '--all',
      'a b',
      'a..b',
      'a/',
      '/a',
      'a//b',
      '.a',
      'a/.b',
      'a.lock',
      'a.lock/b',
      'a.',
      'a@{1}',
      '@',
      'a~1',
      'a^',
      'a:b',
      'a?',
      'a*',
      'a[',
      'a\\b',
      'a\nb',
      'a\u007f',
    ]
    expect([good.filter((name) => !isRefName(name)), bad.filter(isRefName)]).toEqual([[], []])
    expect(() => requireRefName('--force')).toThrow(expect.objectContaining({ code: 'VT_REF_NAME' }))
  })
})
