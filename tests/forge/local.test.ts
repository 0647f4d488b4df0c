import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SimulatedClock } from '../../core/clock.ts'
import { countingIds } from '../../core/ids.ts'
import { openRepository } from '../../core/repository.ts'
import { type LocalForge, localForge } from '../../forge/index.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

async function forgeOf(
  { dir, env }: Pick<TestRepository, 'dir' | 'env'>,
  config = { branch: 'main', remote: null },
): Promise<LocalForge> {
  const repository = await openRepository(dir, env)
  return localForge({ repository, config, clock: new SimulatedClock(), ids: countingIds() })
}

const issueText = (title: string) => `---\ntitle: ${title}\n---\n\nBody of ${title}.\n`

describe('opening an issue', () => {
  test('writes one file, commits nothing, and gives numbers in order', async () => {
    const repo = await makeRepository()
    const forge = await forgeOf(repo)
    const before = await repo.git.text(['rev-parse', 'HEAD'])
    const issue = await forge.openIssue({ title: 'Fix "rounding"', body: 'It is off.', labels: ['auto', 'now', 'auto'] })
    expect(issue).toEqual({
      number: 1,
      title: 'Fix "rounding"',
      body: 'It is off.\n',
      labels: ['auto', 'now'],
      assignees: [],
      state: 'open',
      createdAt: '2026-01-01T00:00:00.000Z',
      blockedBy: [],
      location: '.valuetrain/issues/1-fix-rounding.md',
    })
    expect(await readFile(join(repo.dir, issue.location), 'utf8')).toMatchInlineSnapshot(`
      "---
      number: 1
      title: Fix "rounding"
      labels:
        - auto
        - now
      assignees: []
      state: open
      created: 2026-01-01T00:00:00.000Z
      ---

      It is off.
      "
    `)
    expect((await forge.openIssue({ title: 'Next', body: '', blockedBy: [1], parent: 1 })).number).toBe(2)
    expect(await forge.readIssue(2)).toMatchObject({ title: 'Next', body: '', blockedBy: [1], parent: 1 })
    expect(await repo.git.text(['rev-parse', 'HEAD'])).toBe(before)
    expect(await repo.git.text(['diff', '--cached', '--name-only'])).toBe('')
  })

  test.each([
    ['quotes', 'a " and \' and `'],
    ['emoji', 'lift off 🚀👩‍👩‍👧'],
    ['two lines', 'two\nlines'],
    ['a shell substitution', '$(touch owned) `id`'],
    ['a way out of the folder', '../../outside'],
    ['a leading dash', '--force'],
    ['YAML', '- list: {a: b} # not a comment'],
    ['hidden characters', 'hidden \u200Bzero\u202E width'],
    ['10,000 characters', `${'long '.repeat(2000)}!`],
  ])('keeps a title with %s whole and lands in the issue folder', async (_, title) => {
    const repo = await makeRepository()
    const forge = await forgeOf(repo)
    const { number, location } = await forge.openIssue({ title, body: 'Text' })
    expect(location).toMatch(/^\.valuetrain\/issues\/1-[a-z0-9-]{1,48}\.md$/)
    expect((await forge.readIssue(number)).title).toBe(title.replace('\n', ' '))
    expect(await repo.git.text(['status', '--porcelain', '--untracked-files=all'])).toBe(`?? ${location}`)
    expect(await readFile(join(repo.dir, location), 'utf8')).toMatch(/^---\nnumber: 1\ntitle: [^\n]*\nlabels:/)
  })

  test('never gives a number that a file, a branch or a ticket has', async () => {
    const repo = await makeRepository({
      '.valuetrain/issues/4-old.md': issueText('Old'),
      '.valuetrain/tickets/build_9/ticket.md': 'x\n',
    })
    const forge = await forgeOf(repo)
    expect((await forge.openIssue({ title: 'a', body: '' })).number).toBe(10)
    await repo.git.run(['branch', 'phase/build_20'])
    expect((await forge.openIssue({ title: 'b', body: '' })).number).toBe(21)
    await repo.write({ '.valuetrain/issues/33-by-hand.md': issueText('By hand') })
    expect((await forge.openIssue({ title: 'c', body: '' })).number).toBe(34)
  })

  test('does not follow an issue folder that leads out of the repository', async () => {
    const repo = await makeRepository()
    await mkdir(join(repo.dir, '.valuetrain'))
    await symlink(repo.outside, join(repo.dir, '.valuetrain/issues'))
    await expect((await forgeOf(repo)).openIssue({ title: 'a', body: '' })).rejects.toMatchObject({ code: 'VT_OUTSIDE' })
  })
})

describe('reading issues', () => {
  test('sees what lies in the main working tree, committed or not, also from a linked worktree', async () => {
    const repo = await makeRepository({ '.valuetrain/issues/1-a.md': issueText('Committed') })
    await repo.write({ '.valuetrain/issues/1-a.md': issueText('Changed'), '.valuetrain/issues/2-b.md': issueText('New') })
    await repo.git.run(['worktree', 'add', '--quiet', '--detach', '../linked'])
    for (const dir of [repo.dir, join(repo.outside, 'linked')]) {
      const issues = await (await forgeOf({ dir, env: repo.env })).listIssues()
      expect(issues.map(({ number, title }) => [number, title])).toEqual([
        [1, 'Changed'],
        [2, 'New'],
      ])
    }
  })

  test('tells every malformed file and hides none of the others', async () => {
    const repo = await makeRepository({
      'secret.md': issueText('Secret'),
      '.valuetrain/issues/README.md': 'How we write issues.\n',
      '.valuetrain/issues/1-good.md': issueText('Good'),
      '.valuetrain/issues/2-list.md': '---\n- a\n---\n',
      '.valuetrain/issues/3-one.md': issueText('One'),
      '.valuetrain/issues/3-two.md': issueText('Two'),
      '.valuetrain/issues/007-bond.md': issueText('Bond'),
    })
    await writeFile(join(repo.outside, 'elsewhere.md'), issueText('Elsewhere'))
    await symlink(join(repo.outside, 'elsewhere.md'), join(repo.dir, '.valuetrain/issues/5-link.md'))
    await symlink('../../secret.md', join(repo.dir, '.valuetrain/issues/6-inside.md'))
    const forge = await forgeOf(repo)
    const { issues, problems } = await forge.readIssues()
    expect(issues.map(({ number, title }) => [number, title])).toEqual([
      [1, 'Good'],
      [6, 'Secret'],
    ])
    expect(problems.map(({ file, number, error }) => [file, number, error.code, error.kind])).toEqual([
      ['.valuetrain/issues/007-bond.md', undefined, 'VT_ISSUE_NUMBER', 'config'],
      ['.valuetrain/issues/2-list.md', 2, 'VT_YAML', 'config'],
      ['.valuetrain/issues/3-one.md', 3, 'VT_ISSUE_DUPLICATE', 'config'],
      ['.valuetrain/issues/3-two.md', 3, 'VT_ISSUE_DUPLICATE', 'config'],
      ['.valuetrain/issues/5-link.md', 5, 'VT_OUTSIDE', 'user'],
    ])
    expect(await forge.listIssues()).toEqual(issues)
    await expect(forge.readIssue(2)).rejects.toMatchObject({ code: 'VT_YAML', message: expect.stringContaining('2-list.md') })
    await expect(forge.readIssue(3)).rejects.toMatchObject({
      message: 'issue 3 is in 2 files: .valuetrain/issues/3-one.md and .valuetrain/issues/3-two.md',
    })
  })

  test('says which issues there are when asked for another', async () => {
    const repo = await makeRepository({
      '.valuetrain/issues/1-a.md': issueText('A'),
      '.valuetrain/issues/5-b.md': issueText('B'),
    })
    await expect((await forgeOf(repo)).readIssue(2)).rejects.toMatchObject({
      code: 'VT_ISSUE_UNKNOWN',
      kind: 'user',
      hint: 'there are 1, 5; `valuetrain issue list` shows them',
    })
    await expect((await forgeOf(await makeRepository())).readIssue(2)).rejects.toMatchObject({
      hint: 'open one with `valuetrain issue new --title "…"`',
    })
  })

  test('in a bare repository reads the default branch, and writes nothing', async () => {
    const repo = await makeRepository({ '.valuetrain/issues/1-a.md': issueText('A') })
    await repo.git.run(['clone', '--quiet', '--bare', '.', '../bare.git'])
    const forge = await forgeOf({ dir: join(repo.outside, 'bare.git'), env: repo.env })
    expect((await forge.listIssues()).map(({ title }) => title)).toEqual(['A'])
    await expect(forge.openIssue({ title: 'b', body: '' })).rejects.toMatchObject({ code: 'VT_BARE', kind: 'environment' })
    await expect(forge.closeIssue(1)).rejects.toMatchObject({ code: 'VT_BARE' })
  })

  test('in a repository without a commit is empty, and opening works', async () => {
    const repo = await makeRepository({})
    const forge = await forgeOf(repo)
    expect(await forge.listIssues()).toEqual([])
    expect((await forge.openIssue({ title: 'First', body: '' })).number).toBe(1)
  })
})

describe('closing an issue', () => {
  test('sets its state, keeps every other byte, and a second time changes nothing', async () => {
    const text = '---\n# by Ada\ntitle: A\nestimate: 3 # days\n---\n\nBody.\n'
    const repo = await makeRepository({ '.valuetrain/issues/1-a.md': text })
    const forge = await forgeOf(repo)
    expect((await forge.closeIssue(1)).state).toBe('closed')
    const closed = text.replace('# days\n', '# days\nstate: closed\n')
    expect(await readFile(join(repo.dir, '.valuetrain/issues/1-a.md'), 'utf8')).toBe(closed)
    expect((await forge.closeIssue(1)).state).toBe('closed')
    expect(await readFile(join(repo.dir, '.valuetrain/issues/1-a.md'), 'utf8')).toBe(closed)
  })
})

describe('a change', () => {
  const draft = { ticket: 'build_1', issue: 1, title: 'A', body: '', head: 'phase/build_1', base: 'main', draft: true }

  test('is the branch itself: open until the ticket folder on the default branch is its own, however it got there', async () => {
    const repo = await makeRepository()
    const forge = await forgeOf(repo)
    expect(await forge.findChange('phase/build_1')).toBeUndefined()
    await expect(forge.openChange(draft)).rejects.toMatchObject({ code: 'VT_NO_BRANCH' })
    await repo.git.run(['switch', '--quiet', '--create', 'phase/build_1'])
    const fresh = await forge.findChange('phase/build_1')
    expect(fresh?.state).toBe('open')
    const headCommit = await repo.commit({ '.valuetrain/tickets/build_1/ticket.md': '---\ntitle: Fix it\n---\n', 'a.txt': 'a\n' })
    const open = {
      id: 'phase/build_1',
      ticket: 'build_1',
      head: 'phase/build_1',
      headCommit,
      base: 'main',
      title: 'Fix it',
      location: 'phase/build_1',
      draft: false,
      state: 'open',
    }
    expect(await forge.openChange(draft)).toEqual({ ...open, title: 'A' })
    expect(await forge.findChange('phase/build_1')).toEqual(open)
    await repo.git.run(['switch', '--quiet', 'main'])
    await repo.git.run(['merge', '--quiet', '--squash', 'phase/build_1'])
    await repo.commit({ 'b.txt': 'b\n' }, 'Squashed')
    expect(await forge.findChange('phase/build_1')).toEqual({ ...open, state: 'merged' })
    expect(await forge.findChange('main')).toBeUndefined()
  })

  test('has the name of its branch for a title when the ticket tells none', async () => {
    const repo = await makeRepository()
    await repo.git.run(['switch', '--quiet', '--create', 'phase/build_1'])
    await repo.commit({ '.valuetrain/tickets/build_1/ticket.md': '---\ntitle: [\n---\n' })
    expect((await (await forgeOf(repo)).findChange('phase/build_1'))?.title).toBe('phase/build_1')
  })
})
