import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readerAt, readerOf } from '../../core/reader.ts'
import { changedPaths, commitTree, isAncestor, mergeTree, readBlobs, resolveCommit, subjectTree } from '../../core/tree.ts'
import { makeRepository } from '../support/repository.ts'

const STRANGE = 'a b/new\nline "quoted" ü.txt'

describe('the subject tree', () => {
  it('is the root tree where there are no tickets and issues, and does not change with them', async () => {
    const test = await makeRepository({ 'a.txt': 'a', '.valuetrain/config.yaml': 'version: 1\n' })
    const plain = await subjectTree(test.git, 'HEAD')
    expect(plain).toBe(await test.git.text(['rev-parse', 'HEAD^{tree}']))
    await test.commit({ '.valuetrain/tickets/build_1/ticket.md': 'x', '.valuetrain/issues/1-a.md': 'y' })
    expect(await subjectTree(test.git, 'HEAD')).toBe(plain)
    expect(await subjectTree(test.git, await test.git.text(['rev-parse', 'HEAD^{tree}']))).toBe(plain)
  })

  it('changes with everything else, also under .valuetrain and with folders of the same names elsewhere', async () => {
    const test = await makeRepository({ 'a.txt': 'a', '.valuetrain/tickets/x': 'x' })
    const seen = new Set([await subjectTree(test.git, 'HEAD')])
    for (const path of ['b.txt', 'tickets/x', 'sub/.valuetrain/tickets/x', '.valuetrain/config.yaml', '.valuetrain/tickets.md']) {
      await test.commit({ [path]: 'new' })
      seen.add(await subjectTree(test.git, 'HEAD'))
    }
    expect(seen.size).toBe(6)
  })

  it('has no .valuetrain where that held nothing but records', async () => {
    const test = await makeRepository({ 'a.txt': 'a' })
    const before = await subjectTree(test.git, 'HEAD')
    await test.commit({ '.valuetrain/tickets/x': 'x' })
    expect(await subjectTree(test.git, 'HEAD')).toBe(before)
  })
})

describe('merging trees', () => {
  it('gives the merged tree without touching anything, or the paths in conflict', async () => {
    const test = await makeRepository({ [STRANGE]: 'base\n', other: 'x\n' })
    await test.git.run(['checkout', '--quiet', '-b', 'work'])
    const work = await test.commit({ other: 'changed\n' })
    const clash = await test.commit({ [STRANGE]: 'mine\n' })
    await test.git.run(['checkout', '--quiet', 'main'])
    const main = await test.commit({ [STRANGE]: 'theirs\n' })
    const merged = await mergeTree(test.git, main, work)
    if (!('tree' in merged)) throw new Error('in conflict')
    expect(await test.git.text(['show', `${merged.tree}:other`])).toBe('changed')
    expect(await mergeTree(test.git, main, clash)).toEqual({ conflicts: [STRANGE] })
    expect(await test.git.text(['status', '--porcelain'])).toBe('')
  })

  it('makes a commit with the parents, message and date it was told', async () => {
    const test = await makeRepository()
    const head = await test.git.text(['rev-parse', 'HEAD'])
    const tree = await test.git.text(['rev-parse', 'HEAD^{tree}'])
    const message = 'Title\n\nValuetrain-Ticket: build_1\n'
    const commit = await commitTree(test.git, { tree, parents: [head], message, date: '2026-02-03T04:05:06Z' })
    expect(await test.git.text(['show', '--no-patch', '--format=%P %T %aI %cI%n%B', commit])).toBe(
      `${head} ${tree} 2026-02-03T04:05:06+00:00 2026-02-03T04:05:06+00:00\n${message}`,
    )
    expect([await isAncestor(test.git, head, commit), await isAncestor(test.git, commit, head)]).toEqual([true, false])
  })
})

describe('changed paths', () => {
  it('tell added, modified, deleted and retyped ones, whatever their names, and no renames', async () => {
    const test = await makeRepository({ keep: 'k', [STRANGE]: '1', gone: 'same', retyped: 'x' })
    const from = await test.git.text(['rev-parse', 'HEAD'])
    await test.git.run(['rm', '--quiet', 'gone', 'retyped'])
    await symlink('keep', join(test.dir, 'retyped'))
    await test.commit({ [STRANGE]: '2', moved: 'same' })
    const changes = await changedPaths(test.git, from, 'HEAD')
    expect(changes.map(({ status, path, oldMode, mode }) => [status, path, oldMode, mode])).toEqual([
      ['M', STRANGE, '100644', '100644'],
      ['D', 'gone', '100644', '000000'],
      ['A', 'moved', '000000', '100644'],
      ['T', 'retyped', '100644', '120000'],
    ])
    expect(changes[1]?.blob).toBe('0'.repeat(40))
    expect((await readBlobs(test.git, [changes[0]?.oldBlob ?? '', changes[0]?.blob ?? ''])).map(String)).toEqual(['1', '2'])
  })
})

describe('reading blobs', () => {
  it('gives bytes for blobs of any name and undefined for what is missing or no file', async () => {
    const test = await makeRepository({ [STRANGE]: 'strange', empty: '', 'sub/x': 'x' })
    const specs = [`HEAD:${STRANGE}`, 'HEAD:no\nsuch', 'HEAD:empty', 'HEAD:sub', 'HEAD', '0'.repeat(40), 'HEAD:sub/x']
    expect((await readBlobs(test.git, specs)).map((blob) => blob?.toString())).toEqual([
      'strange',
      undefined,
      '',
      undefined,
      undefined,
      undefined,
      'x',
    ])
  })

  it('gives back any bytes that were committed', async () => {
    const test = await makeRepository({})
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 6 }), async (contents) => {
        const ids: string[] = []
        for (const input of contents) ids.push(await test.git.text(['hash-object', '-w', '--stdin'], { input }))
        const read = await readBlobs(test.git, ids)
        expect(read.map((blob) => [...(blob ?? [])])).toEqual(contents.map((content) => [...content]))
      }),
      { numRuns: 15 },
    )
  })
})

describe('revisions', () => {
  it('that begin with a dash or break the line never reach git', async () => {
    const test = await makeRepository()
    for (const rev of ['--all', '-n1', 'HEAD\nmain', '']) {
      await expect(resolveCommit(test.git, rev), rev).rejects.toMatchObject({ code: 'VT_REVISION' })
    }
    expect([await resolveCommit(test.git, 'no-such'), await resolveCommit(test.git, 'HEAD:README.md')]).toEqual([
      undefined,
      undefined,
    ])
  })
})

describe('a reader of a commit', () => {
  it('reads files and lists folders as they were committed, not as they lie there', async () => {
    const test = await makeRepository({ 'a.txt': 'a', 'sub/b.txt': 'b', 'sub/deep/c.txt': 'c', [STRANGE]: 's' })
    const reader = readerAt(test.git, await test.git.text(['rev-parse', 'HEAD']))
    await test.write({ 'a.txt': 'dirty', 'sub/new': 'n' })
    expect(await Promise.all(['a.txt', './sub/b.txt', 'sub', 'none', STRANGE].map((path) => reader.read(path)))).toEqual([
      'a',
      'b',
      undefined,
      undefined,
      's',
    ])
    expect([await reader.list(''), await reader.list('sub/'), await reader.folders('sub'), await reader.list('none')]).toEqual([
      ['a.txt'],
      ['b.txt'],
      ['deep'],
      [],
    ])
    expect(await reader.folders('.')).toEqual(['a b', 'sub'])
  })

  it('follows a link within the tree and refuses one that leaves it or runs in a circle', async () => {
    const test = await makeRepository({ 'sub/real': 'real' })
    await mkdir(join(test.dir, 'links'))
    for (const [name, target] of [
      ['in', '../sub/real'],
      ['out', '../../secret'],
      ['abs', '/etc/passwd'],
      ['loop', 'loop'],
      ['dead', 'nothing'],
    ] as const) {
      await symlink(target, join(test.dir, 'links', name))
    }
    await test.commit({})
    const reader = readerAt(test.git, 'HEAD')
    expect([await reader.read('links/in'), await reader.read('links/dead')]).toEqual(['real', undefined])
    for (const name of ['out', 'abs', 'loop'])
      await expect(reader.read(`links/${name}`), name).rejects.toMatchObject({ code: 'VT_OUTSIDE' })
  })

  it('says when there is no such revision', async () => {
    const test = await makeRepository()
    await expect(readerAt(test.git, 'nowhere').read('a')).rejects.toMatchObject({ code: 'VT_REVISION' })
  })
})

describe('a reader of a folder', () => {
  it('reads what lies there and refuses to leave, by dots or by links', async () => {
    const test = await makeRepository({ 'sub/a': 'a' })
    await writeFile(join(test.outside, 'secret'), 'secret')
    await symlink(join(test.outside, 'secret'), join(test.dir, 'sub/out'))
    await symlink(test.outside, join(test.dir, 'folder-out'))
    await symlink('a', join(test.dir, 'sub/in'))
    const reader = readerOf(test.dir)
    expect([await reader.read('sub/a'), await reader.read('sub/in'), await reader.read('sub'), await reader.read('x/y')]).toEqual(
      ['a', 'a', undefined, undefined],
    )
    expect([await reader.list('sub'), await reader.folders(''), await reader.list('none')]).toEqual([
      ['a', 'in', 'out'],
      ['.git', 'sub'],
      [],
    ])
    for (const path of ['../secret', 'sub/out', 'folder-out/secret', '/etc/passwd']) {
      await expect(reader.read(path), path).rejects.toMatchObject({ code: 'VT_OUTSIDE' })
    }
    await expect(reader.list('folder-out')).rejects.toMatchObject({ code: 'VT_OUTSIDE' })
  })
})
