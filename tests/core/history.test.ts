import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openHistory } from '../../core/history.ts'
import { makeRepository } from '../support/repository.ts'

describe('the history of a checkout', () => {
  it('tells commits newest first, with whole messages', async () => {
    const test = await makeRepository()
    const base = await test.git.text(['rev-parse', 'HEAD'])
    const first = await test.commit({ a: '1' }, 'First: "quoted", ü\n\nWhy.\n\nValuetrain-Ticket: build_1')
    const second = await test.commit({ a: '2' }, 'Second')
    const history = openHistory(test.dir, { ...test.env, EDITOR: 'vi', PAGER: 'less' })
    const common = { date: expect.stringMatching(/^2026-01-01T00:00:00(Z|\+00:00)$/), author: 'Ada Tester' }
    expect(await history.commits(`${base}..HEAD`)).toEqual([
      { id: second, subject: 'Second', body: '', ...common },
      { id: first, subject: 'First: "quoted", ü', body: 'Why.\n\nValuetrain-Ticket: build_1', ...common },
    ])
    expect((await history.commits('HEAD', { limit: 1 })).map(({ id }) => id)).toEqual([second])
    await expect(history.commits('--all')).rejects.toMatchObject({ code: 'VT_REVISION' })
  })

  it('tells what is not committed', async () => {
    const test = await makeRepository({ 'a b.txt': 'a', gone: 'g', same: 's' })
    await writeFile(join(test.dir, 'a b.txt'), 'changed')
    await writeFile(join(test.dir, 'new ü'), 'new')
    await writeFile(join(test.dir, 'staged'), 'staged')
    await test.git.run(['add', 'staged'])
    await rm(join(test.dir, 'gone'))
    expect(await openHistory(test.dir, test.env).uncommitted()).toEqual({
      branch: 'main',
      staged: ['staged'],
      changed: ['a b.txt'],
      deleted: ['gone'],
      untracked: ['new ü'],
      conflicted: [],
    })
    await test.git.run(['checkout', '--quiet', '--detach'])
    expect((await openHistory(test.dir, test.env).uncommitted()).branch).toBeNull()
  })

  it('tells how large a change is', async () => {
    const test = await makeRepository({ a: '1\n2\n3\n', gone: 'x\n' })
    const from = await test.git.text(['rev-parse', 'HEAD'])
    await rm(join(test.dir, 'gone'))
    await test.commit({ a: '1\n3\n4\n5\n', 'binary.bin': '\0\u0001' })
    expect(await openHistory(test.dir, test.env).size(from, 'HEAD')).toEqual({
      files: 3,
      added: 2,
      removed: 2,
      paths: [
        { path: 'a', added: 2, removed: 1, isBinary: false },
        { path: 'binary.bin', added: 0, removed: 0, isBinary: true },
        { path: 'gone', added: 0, removed: 1, isBinary: false },
      ],
    })
  })
})
