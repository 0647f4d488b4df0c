import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runIssue } from '../../../conductor/run.ts'
import { systemClock } from '../../../core/clock.ts'
import { recordHookEvidence } from '../../../core/evidence-refs.ts'
import { type Git, openGit } from '../../../core/git.ts'
import { systemIds } from '../../../core/ids.ts'
import { openRepository } from '../../../core/repository.ts'
import { subjectTree } from '../../../core/tree.ts'
import { openTerminal } from '../../bin/terminal.ts'
import { makeRepository, type TestRepository } from '../../support/repository.ts'
import { CONFIG, issueFile, joinLine } from '../line.ts'

/** A fresh clone of a repository whose branch `work` was judged, with that branch checked out. */
interface Clone {
  git: Git
  /** Name of the judged branch, and its first commit, which carries the code. */
  work: string
  code: string
  run(...args: string[]): Promise<unknown>
  /** Runs `git rebase -i` with the list of commits edited by sed. */
  rebase(script: string): Promise<unknown>
  /** Moves the local default branch on by a file that nobody else touches. */
  moveMain(): Promise<void>
}

/**
 * The operations of history, each with what it leaves to look at: whether the tree of the tip is still the one that was
 * judged, and the base that `check` compares with.
 */
const OPERATIONS: Record<string, { same: boolean; base?: string; does: (clone: Clone) => Promise<unknown> }> = {
  'amend, same tree': { same: true, does: ({ run }) => run('commit', '--amend', '--no-edit', '--reset-author') },
  'amend with a new message': { same: true, does: ({ run }) => run('commit', '--amend', '-m', 'Say it again') },
  'rebase, reword': { same: true, does: ({ rebase }) => rebase('1s/^pick/reword/') },
  'rebase, fix up all into one': { same: true, does: ({ rebase }) => rebase('2,$s/^pick/fixup/') },
  'cherry-pick, same base': {
    same: true,
    does: async ({ run, code }) => [await run('switch', '-q', '-c', 'picked', 'main'), await run('cherry-pick', code)],
  },
  'merge --squash, up to date': {
    same: true,
    does: async ({ run, work }) => [
      await run('switch', '-q', '-c', 'squashed', 'main'),
      await run('merge', '--squash', work),
      await run('commit', '-m', 'Squash'),
    ],
  },
  'merge commit, same tree': {
    same: true,
    does: async ({ run, work }) => [
      await run('switch', '-q', '-c', 'merged', 'main'),
      await run('merge', '--no-ff', '--no-edit', work),
    ],
  },
  'amend with new content': {
    same: false,
    does: async ({ run, git }) => [
      await git.run([
        'update-index',
        '--add',
        '--cacheinfo',
        `100644,${await git.text(['hash-object', '-w', '--stdin'], { input: 'more' })},more.txt`,
      ]),
      await run('commit', '--amend', '--no-edit'),
    ],
  },
  'rebase onto a moved base': {
    same: false,
    does: async ({ run, moveMain }) => [await moveMain(), await run('rebase', 'main')],
  },
  'cherry-pick onto a moved base': {
    same: false,
    does: async ({ run, moveMain, code }) => [
      await moveMain(),
      await run('switch', '-q', '-c', 'picked', 'main'),
      await run('cherry-pick', code),
    ],
  },
  'merge --squash into a moved base': {
    same: false,
    does: async ({ run, moveMain, work }) => [
      await moveMain(),
      await run('switch', '-q', '-c', 'squashed', 'main'),
      await run('merge', '--squash', work),
      await run('commit', '-m', 'Squash'),
    ],
  },
  'merge commit into a moved base': {
    same: false,
    does: async ({ run, moveMain, work }) => [
      await moveMain(),
      await run('switch', '-q', '-c', 'merged', 'main'),
      await run('merge', '--no-ff', '--no-edit', work),
    ],
  },
  'fresh clone': { same: true, does: async () => undefined },
}

const PRESENT = Object.fromEntries(Object.entries(OPERATIONS).map(([name, { same }]) => [name, same ? 'present' : 'absent']))

describe('evidence after an operation of history', () => {
  it('of a ticket is there exactly when the tree is the judged one, in a plain clone that has only the sessions', {
    timeout: 300_000,
  }, async () => {
    const repository = await makeRepository({
      '.valuetrain/config.yaml': CONFIG,
      'value.txt': 'wrong',
      ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']),
    })
    const { ports } = await joinLine(repository)
    expect(await runIssue(ports, { issue: 1 })).toMatchObject({ outcome: 'waiting' })
    expect(await lookAfterEach(repository, 'phase/build_1', [])).toEqual(PRESENT)
  })

  it('of a person is there exactly when the tree is the judged one, in a clone that fetched the evidence refs', {
    timeout: 300_000,
  }, async () => {
    const repository = await makeRepository()
    await repository.git.run(['switch', '-q', '-c', 'work'])
    const { stateDir } = await openRepository(repository.dir, repository.env)
    for (const name of ['a.txt', 'b.txt']) {
      const tree = await subjectTree(repository.git, await repository.commit({ [name]: name }))
      const results = [{ gate: 'secrets', verdict: 'pass' as const }]
      await recordHookEvidence(repository.git, stateDir, { tree, stage: 'pre-commit', results, at: '2026-01-01T00:00:00.000Z' })
    }
    expect(await lookAfterEach(repository, 'work', ['refs/valuetrain/evidence/*:refs/valuetrain/evidence/*'])).toEqual(PRESENT)
    const unfetched = await lookAfter(repository, 'work', [], 'fresh clone')
    expect(unfetched).toBe('absent')
  })
})

async function lookAfterEach(repository: TestRepository, work: string, refspecs: string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of Object.keys(OPERATIONS)) found[name] = await lookAfter(repository, work, refspecs, name)
  return found
}

async function lookAfter(repository: TestRepository, work: string, refspecs: string[], name: string): Promise<string> {
  const clone = await cloneOf(repository, work, refspecs, `${name.replace(/[^a-z]+/g, '-')}-${refspecs.length}`)
  await OPERATIONS[name]?.does(clone)
  const terminal = openTerminal({ dir: clone.git.dir, env: repository.env, clock: systemClock, ids: systemIds(systemClock) })
  const { stdout, stderr } = await terminal.run('check', '--base', 'main', '--json')
  if (stdout === '') throw new Error(stderr)
  const { head, commits } = JSON.parse(stdout) as { head: string; commits: { commit: string; evidence: string }[] }
  const tip = commits.find(({ commit }) => commit === head)
  return tip?.evidence === 'missing' || tip?.evidence === 'stale' ? 'absent' : tip === undefined ? 'no tip' : 'present'
}

async function cloneOf(repository: TestRepository, work: string, refspecs: string[], name: string): Promise<Clone> {
  const dir = join(repository.outside, name)
  await repository.git.run(['clone', '-q', '--branch', 'main', repository.dir, dir])
  const git = openGit(dir, repository.env)
  if (refspecs.length > 0) await git.run(['fetch', '-q', 'origin', ...refspecs])
  await git.run(['switch', '-q', work])
  const code = (await git.text(['rev-list', '--reverse', `main..${work}`])).split('\n')[0] as string
  return {
    git,
    work,
    code,
    run: (...args) => git.run(args),
    rebase: (script) =>
      git.run(['rebase', '-q', '-i', 'main'], {
        env: { GIT_SEQUENCE_EDITOR: `sed -i '${script}'`, GIT_EDITOR: "sed -i '1s/^/Again: /'" },
      }),
    async moveMain() {
      const blob = await git.text(['hash-object', '-w', '--stdin'], { input: 'moved' })
      const tree = await git.text(['mktree'], {
        input: `${await git.text(['ls-tree', 'main'])}\n100644 blob ${blob}\tmoved.txt\n`,
      })
      const commit = await git.text(['commit-tree', '-p', 'main', '-m', 'Move on', tree])
      await git.run(['update-ref', 'refs/heads/main', commit])
    },
  }
}
