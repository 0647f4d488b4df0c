import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { git, KEY, makeHooked, recordsIn } from './hooked.ts'

describe('hooks at the same time', () => {
  it('judge 8 commits in 8 worktrees, during a gc, each by its own index', async () => {
    const repository = await makeHooked()
    const trees = Array.from({ length: 8 }, (_, at) => join(repository.outside, `tree-${at}`))
    for (const [at, tree] of trees.entries())
      await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', `b${at}`, tree])
    const isBad = (at: number) => at % 2 === 1
    const commits = trees.map(async (tree, at) => {
      await writeFile(join(tree, 'a.txt'), isBad(at) ? `token = ${KEY}\n` : `harmless ${at}\n`)
      await git(repository, tree, ['add', 'a.txt'])
      return git(repository, tree, ['commit', '-qm', `Change ${at}`])
    })
    const [said, gc] = await Promise.all([Promise.all(commits), git(repository, repository.dir, ['gc', '-q'])])
    expect([said.map(({ code }) => code), gc.code]).toEqual([[0, 1, 0, 1, 0, 1, 0, 1], 0])
    expect(await Promise.all(trees.map((tree) => recordsIn(repository, tree)))).toEqual(trees.map(() => []))
  })
})
