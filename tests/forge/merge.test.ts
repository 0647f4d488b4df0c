import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MergeOrder } from '../../core/contracts/forge.ts'
import { mergeInto } from '../../forge/index.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

interface Judged {
  repo: TestRepository
  order: MergeOrder
  /** Content of a file in the main working tree. */
  read(path: string): Promise<string>
}

/** Makes a repository in which a ticket's merge has been judged: it changes a.txt, adds dir/new.txt and removes old.txt. */
async function judge(setup: (repo: TestRepository) => Promise<void> = async () => {}): Promise<Judged> {
  const repo = await makeRepository({ 'a.txt': 'a\n', 'b.txt': 'b\n', 'old.txt': 'old\n', '.gitignore': '*.env\n' })
  await setup(repo)
  const base = await repo.git.text(['rev-parse', 'main'])
  const from = await repo.git.text(['symbolic-ref', '--short', 'HEAD'])
  await repo.git.run(['switch', '--quiet', '--create', 'phase/build_1', 'main'])
  await repo.git.run(['rm', '--quiet', 'old.txt'])
  const head = await repo.commit({ 'a.txt': 'changed\n', 'dir/new.txt': 'new\n' })
  const tree = await repo.git.text(['rev-parse', 'HEAD^{tree}'])
  const merge = await repo.git.text(['commit-tree', tree, '-p', base, '-p', head, '-m', 'Merge build_1'])
  await repo.git.run(['switch', '--quiet', from])
  return {
    repo,
    order: { ticket: 'build_1', into: 'main', base, head, merge },
    read: (path) => readFile(join(repo.dir, path), 'utf8'),
  }
}

/** Returns an order whose merge brings a file that the repository ignores. */
async function withIgnoredFile({ repo, order }: Judged): Promise<MergeOrder> {
  const blob = await repo.git.text(['hash-object', '-w', '--stdin'], { input: 'theirs\n' })
  const env = { GIT_INDEX_FILE: join(repo.outside, 'index') }
  await repo.git.run(['read-tree', order.merge], { env })
  await repo.git.run(['update-index', '--add', '--cacheinfo', `100644,${blob},key.env`], { env })
  const tree = await repo.git.text(['write-tree'], { env })
  return { ...order, merge: await repo.git.text(['commit-tree', tree, '-p', order.base, '-p', order.head, '-m', 'Merge']) }
}

const tip = ({ git }: TestRepository, ref = 'refs/heads/main') => git.text(['rev-parse', ref])
const status = ({ git }: TestRepository) => git.text(['status', '--porcelain', '--untracked-files=all'])

describe('merging into a branch that is checked out', () => {
  test('moves branch, index and files together and leaves nothing staged', async () => {
    const { repo, order, read } = await judge()
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'merged', commit: order.merge })
    expect([await tip(repo), await tip(repo, 'HEAD')]).toEqual([order.merge, order.merge])
    expect(await status(repo)).toBe('')
    expect([await read('a.txt'), await read('dir/new.txt')]).toEqual(['changed\n', 'new\n'])
  })

  test('twice is the same as once', async () => {
    const { repo, order } = await judge()
    await mergeInto(repo.git, order, null)
    const later = await repo.commit({ 'b.txt': 'later\n' })
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'merged', commit: order.merge })
    expect(await tip(repo)).toBe(later)
  })

  test('leaves work that is not in the way exactly as it is: changed, staged, untracked and ignored', async () => {
    const { repo, order, read } = await judge()
    await repo.write({ 'b.txt': 'mine\n', 'staged.txt': 'staged\n', 'dir/other.txt': 'untracked\n', 'key.env': 'secret\n' })
    await repo.git.run(['add', 'staged.txt'])
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'merged', commit: order.merge })
    expect(await status(repo)).toBe(' M b.txt\nA  staged.txt\n?? dir/other.txt')
    expect([await read('b.txt'), await read('staged.txt'), await read('dir/other.txt'), await read('key.env')]).toEqual([
      'mine\n',
      'staged\n',
      'untracked\n',
      'secret\n',
    ])
  })

  test.each<[string, (judged: Judged) => Promise<void>, string[]]>([
    ['a changed file', ({ repo }) => repo.write({ 'a.txt': 'mine\n' }), ['a.txt']],
    [
      'a staged file',
      async ({ repo }) => {
        await repo.write({ 'a.txt': 'mine\n' })
        await repo.git.run(['add', 'a.txt'])
      },
      ['a.txt'],
    ],
    ['a change to a file that the merge removes', ({ repo }) => repo.write({ 'old.txt': 'mine\n' }), ['old.txt']],
    ['an untracked file', ({ repo }) => repo.write({ 'dir/new.txt': 'mine\n' }), ['dir/new.txt']],
    ['a file where the merge needs a folder', ({ repo }) => repo.write({ dir: 'mine\n' }), ['dir']],
    [
      'a folder where the merge needs a file',
      ({ repo }) => repo.write({ 'dir/new.txt/x y.txt': 'mine\n' }),
      ['dir/new.txt/x y.txt'],
    ],
    [
      'several files',
      ({ repo }) => repo.write({ 'a.txt': 'mine\n', 'dir/new.txt': 'mine\n', 'b.txt': 'b2\n' }),
      ['a.txt', 'dir/new.txt'],
    ],
  ])('waits and names %s in the way, and touches nothing', async (_, disturb, paths) => {
    const judged = await judge()
    const { repo, order } = judged
    await disturb(judged)
    const before = { status: await status(repo), diff: await repo.git.text(['diff', 'HEAD']) }
    expect(await mergeInto(repo.git, order, null)).toEqual({
      outcome: 'waiting',
      reason: 'default-branch-dirty: main is checked out and uncommitted changes are in the way of the merge',
      paths,
    })
    expect({ status: await status(repo), diff: await repo.git.text(['diff', 'HEAD']) }).toEqual(before)
    expect(await tip(repo)).toBe(order.base)
  })

  test('never overwrites an ignored file, which git by itself would', async () => {
    const judged = await judge()
    const { repo, read } = judged
    const order = await withIgnoredFile(judged)
    await repo.write({ 'key.env': 'mine\n' })
    expect(await mergeInto(repo.git, order, null)).toMatchObject({ outcome: 'waiting', paths: ['key.env'] })
    expect(await read('key.env')).toBe('mine\n')
  })

  test('does not put changes away with autostash, whatever the configuration says', async () => {
    const { repo, order, read } = await judge()
    await repo.git.run(['config', 'merge.autoStash', 'true'])
    await repo.git.run(['config', 'merge.ff', 'false'])
    await repo.write({ 'b.txt': 'staged\n' })
    await repo.git.run(['add', 'b.txt'])
    await repo.write({ 'b.txt': 'mine\n' })
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'merged', commit: order.merge })
    expect([await tip(repo), await read('b.txt'), await repo.git.text(['show', ':b.txt'])]).toEqual([
      order.merge,
      'mine\n',
      'staged',
    ])
  })

  test('moves the branch in the linked worktree that has it', async () => {
    const { repo, order } = await judge(async ({ git }) => {
      await git.run(['switch', '--quiet', '--create', 'elsewhere'])
      await git.run(['worktree', 'add', '--quiet', '../linked', 'main'])
    })
    const linked = repo.git.at(join(repo.outside, 'linked'))
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'merged', commit: order.merge })
    expect([await linked.text(['rev-parse', 'HEAD']), await linked.text(['status', '--porcelain'])]).toEqual([order.merge, ''])
  })

  test('waits while a merge or a rebase of the branch is unfinished', async () => {
    const { repo, order } = await judge()
    await repo.git.run(['update-ref', 'MERGE_HEAD', order.head])
    const reason = 'default-branch-dirty: main is in the middle of'
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'waiting', reason: `${reason} a merge`, paths: [] })
    await repo.git.run(['update-ref', '-d', 'MERGE_HEAD'])
    await repo.git.run(['switch', '--quiet', '--detach'])
    await mkdir(join(repo.dir, '.git/rebase-merge'))
    await writeFile(join(repo.dir, '.git/rebase-merge/head-name'), 'refs/heads/main\n')
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'waiting', reason: `${reason} a rebase`, paths: [] })
    expect(await tip(repo)).toBe(order.base)
  })

  test('runs no hook of the repository', async () => {
    const { repo, order } = await judge()
    for (const name of ['post-merge', 'post-checkout', 'reference-transaction', 'pre-merge-commit']) {
      await mkdir(join(repo.dir, '.git/hooks'), { recursive: true })
      await writeFile(join(repo.dir, '.git/hooks', name), '#!/bin/sh\ntouch "$GIT_DIR/../hook-ran" ../hook-ran\n')
      await chmod(join(repo.dir, '.git/hooks', name), 0o755)
    }
    await mergeInto(repo.git, order, null)
    await expect(readFile(join(repo.outside, 'hook-ran'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await status(repo)).toBe('')
  })
})

describe('merging into a branch that is not checked out', () => {
  const elsewhere = ({ git }: TestRepository) => git.run(['switch', '--quiet', '--create', 'elsewhere']).then(() => {})

  test('moves the ref alone, whatever lies in the working tree', async () => {
    const { repo, order, read } = await judge(elsewhere)
    await repo.write({ 'a.txt': 'mine\n' })
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'merged', commit: order.merge })
    expect([await tip(repo), await read('a.txt'), await status(repo)]).toEqual([order.merge, 'mine\n', ' M a.txt'])
  })

  test('does not move it when it is no longer where the merge was judged', async () => {
    const { repo, order } = await judge(elsewhere)
    const tree = await repo.git.text(['rev-parse', 'main^{tree}'])
    const moved = await repo.git.text(['commit-tree', tree, '-p', order.base, '-m', 'Somebody was faster'])
    await repo.git.run(['update-ref', 'refs/heads/main', moved])
    expect(await mergeInto(repo.git, order, null)).toEqual({ outcome: 'moved', base: moved })
    expect(await tip(repo)).toBe(moved)
  })

  test('two merges judged on one base: one wins, the other is told where the branch is now', async () => {
    const { repo, order } = await judge(elsewhere)
    const other = await repo.git.text(['commit-tree', `${order.base}^{tree}`, '-p', order.base, '-p', order.head, '-m', 'Other'])
    const outcomes = await Promise.all([
      mergeInto(repo.git, order, null),
      mergeInto(repo.git, { ...order, ticket: 'build_2', merge: other }, null),
    ])
    const winner = await tip(repo)
    expect([order.merge, other]).toContain(winner)
    expect(outcomes).toContainEqual({ outcome: 'merged', commit: winner })
    expect(outcomes).toContainEqual({ outcome: 'moved', base: winner })
  })

  test('refuses anything but the merge of that base and that head', async () => {
    const { repo, order } = await judge(elsewhere)
    for (const wrong of [
      { ...order, merge: order.head },
      { ...order, base: order.head },
      { ...order, head: order.base },
      { ...order, merge: '--help' },
    ]) {
      await expect(mergeInto(repo.git, wrong, null)).rejects.toMatchObject({ code: 'VT_MERGE_ORDER', kind: 'internal' })
    }
    await expect(mergeInto(repo.git, { ...order, into: 'gone' }, null)).rejects.toMatchObject({ code: 'VT_NO_BRANCH' })
    expect(await tip(repo)).toBe(order.base)
  })
})

describe('merging with a remote', () => {
  async function withRemote(): Promise<Judged & { origin: TestRepository['git'] }> {
    const judged = await judge()
    const { repo } = judged
    await repo.git.run(['clone', '--quiet', '--bare', '.', '../origin.git'])
    await repo.git.run(['remote', 'add', 'origin', '../origin.git'])
    return { ...judged, origin: repo.git.at(join(repo.outside, 'origin.git')) }
  }
  const hook = async ({ repo }: Judged, text: string) => {
    const file = join(repo.outside, 'origin.git/hooks/pre-receive')
    await mkdir(join(repo.outside, 'origin.git/hooks'), { recursive: true })
    await writeFile(file, `#!/bin/sh\n${text}\n`)
    await chmod(file, 0o755)
  }

  test('moves the branch there and here', async () => {
    const { repo, order, origin } = await withRemote()
    expect(await mergeInto(repo.git, order, 'origin')).toEqual({ outcome: 'merged', commit: order.merge })
    expect([await origin.text(['rev-parse', 'main']), await tip(repo), await status(repo)]).toEqual([
      order.merge,
      order.merge,
      '',
    ])
    expect(await mergeInto(repo.git, order, 'origin')).toEqual({ outcome: 'merged', commit: order.merge })
  })

  test('waits with what the remote says when it refuses, and moves nothing', async () => {
    const judged = await withRemote()
    const { repo, order, origin } = judged
    await hook(judged, 'echo "main is frozen, see https://ada:pw@git.example/rules or /srv/git/rules" >&2; exit 1')
    const outcome = await mergeInto(repo.git, order, 'origin')
    expect(outcome).toEqual({
      outcome: 'waiting',
      reason: 'remote-refused: [remote rejected] (pre-receive hook declined) · main is frozen, see <address> or <address>',
      paths: [],
    })
    expect([await origin.text(['rev-parse', 'main']), await tip(repo)]).toEqual([order.base, order.base])
  })

  test('is told where the branch is when somebody was faster there, and when that happens during the push', async () => {
    const judged = await withRemote()
    const { repo, order, origin } = judged
    const faster = await origin.text(['commit-tree', 'main^{tree}', '-p', order.base, '-m', 'Faster'])
    await origin.run(['update-ref', 'refs/heads/main', faster])
    expect(await mergeInto(repo.git, order, 'origin')).toEqual({ outcome: 'moved', base: faster })
    await origin.run(['update-ref', 'refs/heads/main', order.base])
    await hook(judged, `env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main ${faster}`)
    expect(await mergeInto(repo.git, order, 'origin')).toEqual({ outcome: 'moved', base: faster })
    expect(await tip(repo)).toBe(order.base)
  })

  test('pushes nothing while files here are in the way, ignored ones among them', async () => {
    const judged = await withRemote()
    const { repo, order, origin } = judged
    await repo.write({ 'a.txt': 'mine\n', 'key.env': 'mine\n' })
    const paths = ['a.txt', 'key.env']
    expect(await mergeInto(repo.git, await withIgnoredFile(judged), 'origin')).toMatchObject({ outcome: 'waiting', paths })
    expect(await origin.text(['rev-parse', 'main'])).toBe(order.base)
  })

  test('does not publish commits that a person has not pushed', async () => {
    const judged = await withRemote()
    const { repo, order, origin } = judged
    const pushed = await origin.text(['rev-parse', 'main'])
    const mine = await repo.commit({ 'b.txt': 'mine\n' })
    const merge = await repo.git.text(['commit-tree', 'HEAD^{tree}', '-p', mine, '-p', order.head, '-m', 'Merge'])
    expect(await mergeInto(repo.git, { ...order, base: mine, merge }, 'origin')).toEqual({
      outcome: 'waiting',
      reason: 'remote-refused: main has commits here that origin does not have; push them first',
      paths: [],
    })
    expect(await origin.text(['rev-parse', 'main'])).toBe(pushed)
  })

  test('brings a local branch that is behind along', async () => {
    const { repo, order, origin } = await withRemote()
    const behind = await repo.git.text(['commit-tree', `${order.base}^{tree}`, '-p', order.base, '-m', 'Newer base'])
    await repo.git.run(['push', '--quiet', 'origin', `${behind}:refs/heads/main`])
    const merge = await repo.git.text(['commit-tree', `${order.merge}^{tree}`, '-p', behind, '-p', order.head, '-m', 'Merge'])
    expect(await mergeInto(repo.git, { ...order, base: behind, merge }, 'origin')).toEqual({ outcome: 'merged', commit: merge })
    expect([await origin.text(['rev-parse', 'main']), await tip(repo), await status(repo)]).toEqual([merge, merge, ''])
  })

  test('that is gone or has no such branch waits, without its address in the reason', async () => {
    const { repo, order } = await withRemote()
    await repo.git.run(['remote', 'set-url', 'origin', join(repo.outside, 'gone.git')])
    expect(await mergeInto(repo.git, order, 'origin')).toEqual({
      outcome: 'waiting',
      reason: 'remote-refused: origin did not answer or has no branch main',
      paths: [],
    })
    expect(await tip(repo)).toBe(order.base)
  })
})
