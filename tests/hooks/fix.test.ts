import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRepository } from '../../core/repository.ts'
import { fixStaged } from '../../hooks/fix.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { git } from './hooked.ts'

/** Makes every "teh" a "the" in all text files it can see, also in those nobody staged. */
const FIXER = ['sh', '-c', 'for f in *.txt; do sed "s/teh/the/g" "$f" > x.tmp && cat x.tmp > "$f"; done; rm -f x.tmp']

async function fix(repository: TestRepository, commands: readonly (readonly string[])[] = [FIXER], limitMs = 60_000) {
  const opened = await openRepository(repository.dir, repository.env)
  const env = { PATH: repository.env.PATH as string }
  return fixStaged(opened, { top: repository.dir, gitDir: join(repository.dir, '.git'), commands, env, limitMs })
}

async function partlyStaged(): Promise<TestRepository> {
  const lines = ['one', 'two', 'three', 'four', 'five']
  const text = (edit: (line: string) => string) => `${lines.map(edit).join('\n')}\n`
  const repository = await makeRepository({ 'a.txt': text((line) => line), 'b.txt': 'teh end\n', 'c.txt': 'c\n' })
  await repository.write({ 'a.txt': text((line) => (line === 'one' ? 'teh one' : line)), 'c.txt': 'teh\n' })
  await git(repository, repository.dir, ['add', '--all'])
  await repository.write({
    'a.txt': text((line) => (line === 'one' ? 'teh one' : line === 'five' ? 'five, teh unstaged' : line)),
    'c.txt': 'teh, but unstaged\n',
    'untracked.txt': 'teh untracked\n',
  })
  return repository
}

describe('fixing what is staged', () => {
  it('changes staged lines in index and files, merges beside unstaged ones, and leaves the rest', async () => {
    const repository = await partlyStaged()
    expect(await fix(repository)).toEqual({ fixed: ['a.txt'], left: ['c.txt'] })
    const read = (file: string) => readFile(join(repository.dir, file), 'utf8')
    const staged = async (file: string) => (await git(repository, repository.dir, ['show', `:${file}`])).stdout
    expect(await staged('a.txt')).toBe('the one\ntwo\nthree\nfour\nfive\n')
    expect(await read('a.txt')).toBe('the one\ntwo\nthree\nfour\nfive, teh unstaged\n')
    expect([await staged('b.txt'), await read('b.txt')]).toEqual(['teh end\n', 'teh end\n'])
    expect([await staged('c.txt'), await read('c.txt')]).toEqual(['teh\n', 'teh, but unstaged\n'])
    expect(await read('untracked.txt')).toBe('teh untracked\n')
    expect(await fix(repository)).toEqual({ fixed: [], left: ['c.txt'] })
  })

  it('changes nothing when a command fails or does not end, or when git holds the index', async () => {
    const repository = await partlyStaged()
    const state = async () => [
      (await git(repository, repository.dir, ['ls-files', '--stage'])).stdout,
      (await git(repository, repository.dir, ['diff'])).stdout,
      (await git(repository, repository.dir, ['worktree', 'list'])).stdout,
    ]
    const before = await state()
    await expect(fix(repository, [FIXER, ['sh', '-c', 'exit 3']])).rejects.toMatchObject({ code: 'VT_FIX_FAILED' })
    await expect(fix(repository, [['sleep', '60']], 200)).rejects.toMatchObject({ code: 'VT_FIX_FAILED' })
    await writeFile(join(repository.dir, '.git/index.lock'), '')
    await expect(fix(repository)).rejects.toMatchObject({ code: 'VT_INDEX_HELD' })
    expect(await state()).toEqual(before)
  })

  it('does nothing where nothing is staged', async () => {
    expect(await fix(await makeRepository())).toEqual({ fixed: [], left: [] })
  })
})
