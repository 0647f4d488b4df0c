import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { knownViews } from '../../bin/status-cache.ts'
import { systemClock } from '../../core/clock.ts'
import { makeRepository } from '../support/repository.ts'

describe('the views that status remembers', () => {
  it('are folded anew when a branch, a worktree or a session file in one has changed, and only then', async () => {
    const repository = await makeRepository()
    let folds = 0
    const fold = async () => {
      folds += 1
      return []
    }
    const context = { cwd: repository.dir, env: repository.env, version: '9.9.9', clock: systemClock } as Parameters<
      typeof knownViews
    >[0]
    /** Tells whether a look folded, and whether the look after it did. */
    const look = async () => {
      const before = folds
      await knownViews(context, fold)
      const first = folds - before
      await knownViews(context, fold)
      return { first, second: folds - before - first }
    }
    const onceOnly = { first: 1, second: 0 }
    expect(await look()).toEqual(onceOnly)
    expect(await look()).toEqual({ first: 0, second: 0 })

    await repository.commit({ a: '1' })
    expect(await look()).toEqual(onceOnly)

    const worktree = join(repository.outside, 'build_1')
    await repository.git.run(['worktree', 'add', '-q', '-b', 'phase/build_1', worktree])
    expect(await look()).toEqual(onceOnly)

    const session = '.valuetrain/tickets/build_1/session-x.md'
    await repository.write({ [join('..', 'build_1', session)]: 'one' })
    await delay(150)
    expect(await look()).toEqual(onceOnly)

    // The same size, and so young that one more change would not show: folded each time, remembered when it is older.
    await writeFile(join(worktree, session), 'two')
    expect((await look()).first).toBe(1)
    await delay(150)
    await look()
    expect(await look()).toEqual({ first: 0, second: 0 })

    await writeFile(join(repository.dir, '.git/valuetrain/cache/status.json'), '{torn')
    expect(await look()).toEqual(onceOnly)
    expect(await readFile(join(repository.dir, '.git/valuetrain/cache/status.json'), 'utf8')).toContain('"views":[]')
  })
})
