import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TestRepository } from '../support/repository.ts'
import { git, KEY, makeHooked, recordsIn } from './hooked.ts'

const TICKET = 'phase/build_1'

interface Row {
  operation: string
  /** What git does, from a repository whose hooks are installed. */
  act(repository: TestRepository): Promise<void>
  /** What is recorded in the worktree, in order. */
  records: string[]
}

let count = 0

async function stage(repository: TestRepository, file = 'a.txt', text = `change ${++count}\n`): Promise<void> {
  await writeFile(join(repository.dir, file), text)
  await git(repository, repository.dir, ['add', file])
}

/** Calls git in the repository and wants it to go well. */
async function run(repository: TestRepository, ...args: string[]): Promise<void> {
  const said = await git(repository, repository.dir, args)
  if (said.code !== 0) throw new Error(`git ${args.join(' ')}: ${said.stderr}${said.stdout}`)
}

async function commit(repository: TestRepository, file?: string): Promise<void> {
  await stage(repository, file)
  await run(repository, 'commit', '-qm', `Change ${count}`)
}

/** A side branch with one commit that the current branch has not, and a further one here. */
async function fork(repository: TestRepository, sideFile = 'side.txt'): Promise<void> {
  await run(repository, 'checkout', '-q', '-b', 'side', 'main')
  await commit(repository, sideFile)
  await run(repository, 'checkout', '-q', '-')
  await commit(repository, 'own.txt')
}

const sequence = (script: string) => ['-c', `sequence.editor=${script}`]

const table: Row[] = [
  { operation: 'commit', act: (r) => commit(r), records: [] },
  {
    operation: 'commit -a',
    act: async (r) => {
      await writeFile(join(r.dir, 'README.md'), 'changed\n')
      await run(r, 'commit', '-qam', 'All')
    },
    records: [],
  },
  { operation: 'commit --allow-empty', act: (r) => run(r, 'commit', '-q', '--allow-empty', '-m', 'Empty'), records: [] },
  {
    operation: 'commit <path>, with something else staged',
    act: async (r) => {
      await stage(r, 'other.txt')
      await writeFile(join(r.dir, 'README.md'), 'changed\n')
      await run(r, 'commit', '-qm', 'One', 'README.md')
    },
    records: [],
  },
  {
    operation: 'commit --no-verify',
    act: async (r) => {
      await stage(r)
      await run(r, 'commit', '-qnm', 'Round them')
    },
    records: ['error ungated-commit'],
  },
  {
    operation: 'commit --no-verify after one that was given up',
    act: async (r) => {
      await stage(r)
      await git(r, r.dir, ['commit', '-m', ''])
      await stage(r)
      await run(r, 'commit', '-qnm', 'Round them')
    },
    records: ['error ungated-commit'],
  },
  {
    operation: 'commit --amend with new content',
    act: async (r) => {
      await commit(r)
      await stage(r)
      await run(r, 'commit', '-q', '--amend', '--no-edit')
    },
    records: [],
  },
  {
    operation: 'commit --amend -m',
    act: async (r) => {
      await commit(r)
      await run(r, 'commit', '-q', '--amend', '-m', 'In other words')
    },
    records: [],
  },
  {
    operation: 'commit --no-verify, then amended with hooks: the new commit is clean',
    act: async (r) => {
      await stage(r)
      await run(r, 'commit', '-qnm', 'Round them')
      await run(r, 'commit', '-q', '--amend', '--no-edit')
    },
    records: ['error ungated-commit'],
  },
  {
    operation: 'commit --no-verify of a key, then amended with hooks: the key is still there',
    act: async (r) => {
      await stage(r, 'key.txt', `token = ${KEY}\n`)
      await run(r, 'commit', '-qnm', 'Round them')
      await run(r, 'commit', '-q', '--amend', '-m', 'In other words')
    },
    records: ['error ungated-commit', 'error ungated-commit'],
  },
  {
    operation: 'merge --no-ff',
    act: async (r) => {
      await fork(r)
      await run(r, 'merge', '-q', '--no-ff', '-m', 'Merge', 'side')
    },
    records: ['notice needs-gates'],
  },
  {
    operation: 'merge --no-ff --no-verify',
    act: async (r) => {
      await fork(r)
      await run(r, 'merge', '-q', '--no-ff', '--no-verify', '-m', 'Merge', 'side')
    },
    records: ['error ungated-commit'],
  },
  {
    operation: 'merge, fast-forward',
    act: async (r) => {
      await run(r, 'checkout', '-q', '-b', 'side')
      await commit(r)
      await run(r, 'checkout', '-q', TICKET)
      await run(r, 'merge', '-q', 'side')
    },
    records: [],
  },
  {
    operation: 'merge, fast-forward onto a merge commit',
    act: async (r) => {
      await run(r, 'checkout', '-q', '-b', 'upstream')
      await run(r, 'checkout', '-q', '-b', 'side')
      await commit(r)
      await run(r, 'checkout', '-q', 'upstream')
      await run(r, 'merge', '-q', '--no-ff', '-m', 'Merge', 'side')
      await run(r, 'checkout', '-q', TICKET)
      await run(r, 'merge', '-q', 'upstream')
    },
    records: [],
  },
  {
    operation: 'merge --squash, then commit',
    act: async (r) => {
      await fork(r)
      await run(r, 'merge', '-q', '--squash', 'side')
      await run(r, 'commit', '-qm', 'Squash')
    },
    records: [],
  },
  {
    operation: 'conflicted merge, then commit',
    act: async (r) => {
      await fork(r, 'own.txt')
      await git(r, r.dir, ['merge', '-q', 'side'])
      await stage(r, 'own.txt')
      await run(r, 'commit', '-qm', 'Merge')
    },
    records: ['notice needs-gates'],
  },
  {
    operation: 'rebase, plain picks',
    act: async (r) => {
      await run(r, 'checkout', '-q', 'main')
      await commit(r, 'upstream.txt')
      await run(r, 'checkout', '-q', TICKET)
      await commit(r)
      await run(r, 'rebase', '-q', 'main')
    },
    records: ['warning needs-gates'],
  },
  {
    operation: 'rebase reword',
    act: async (r) => {
      await commit(r)
      await run(r, ...sequence('sed -i s/^pick/reword/'), 'rebase', '-q', '-i', 'HEAD~1')
    },
    records: [],
  },
  {
    operation: 'rebase fixup',
    act: async (r) => {
      await commit(r)
      await commit(r)
      await run(r, ...sequence('sed -i 2s/^pick/fixup/'), 'rebase', '-q', '-i', 'HEAD~2')
    },
    records: ['warning needs-gates'],
  },
  {
    operation: 'commit --no-verify in the middle of a rebase',
    act: async (r) => {
      await commit(r)
      await run(r, ...sequence('sed -i s/^pick/edit/'), 'rebase', '-q', '-i', 'HEAD~1')
      await run(r, 'commit', '-qn', '--allow-empty', '-m', 'Round them')
      await run(r, 'rebase', '--continue')
    },
    records: ['error ungated-commit', 'warning needs-gates'],
  },
  {
    operation: 'rebase with a conflict, then --continue',
    act: async (r) => {
      await fork(r, 'own.txt')
      await git(r, r.dir, ['rebase', '-q', 'side'])
      await stage(r, 'own.txt')
      await run(r, 'rebase', '--continue')
    },
    records: ['warning needs-gates'],
  },
  {
    operation: 'cherry-pick',
    act: async (r) => {
      await fork(r)
      await run(r, 'cherry-pick', 'side')
    },
    records: ['error ungated-commit'],
  },
  {
    operation: 'revert',
    act: async (r) => {
      await commit(r)
      await run(r, 'revert', '--no-edit', 'HEAD')
    },
    records: ['error ungated-commit'],
  },
  // git calls no hook of ours for these, so nothing can be noticed here; the check of the range tells them.
  {
    operation: 'commit with another core.hooksPath',
    act: async (r) => {
      await stage(r)
      await run(r, '-c', 'core.hooksPath=/dev/null', 'commit', '-qm', 'Round them')
    },
    records: [],
  },
  {
    operation: 'am',
    act: async (r) => {
      await fork(r)
      await run(r, 'format-patch', '-q', '-1', '-o', r.outside, 'side')
      await run(r, 'am', '-q', join(r.outside, (await readdir(r.outside)).find((name) => name.endsWith('.patch')) as string))
    },
    records: [],
  },
  {
    operation: 'update-ref',
    act: async (r) => {
      await fork(r)
      await run(r, 'update-ref', `refs/heads/${TICKET}`, 'side')
    },
    records: [],
  },
]

describe('what hooks record of each way to make a commit, on the branch of a ticket', () => {
  for (const { operation, act, records } of table) {
    it(`${operation}: ${records.length === 0 ? 'nothing' : records.join(', ')}`, async () => {
      const repository = await makeHooked()
      await run(repository, 'checkout', '-q', '-b', TICKET)
      await act(repository)
      expect(await recordsIn(repository)).toEqual(records)
    })
  }

  it('a pick elsewhere is a notice, since only tickets promise to be gated', async () => {
    const repository = await makeHooked()
    await fork(repository)
    await run(repository, 'cherry-pick', 'side')
    expect(await recordsIn(repository)).toEqual(['notice ungated-commit'])
  })

  it('a worktree keeps its own records', async () => {
    const repository = await makeHooked()
    const linked = join(repository.outside, 'linked')
    await run(repository, 'worktree', 'add', '-q', '-b', TICKET, linked)
    await git(repository, linked, ['commit', '-qn', '--allow-empty', '-m', 'Round them'])
    expect([await recordsIn(repository), await recordsIn(repository, linked)]).toEqual([[], ['error ungated-commit']])
  })
})
