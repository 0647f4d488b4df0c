import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { openTerminal } from '../bin/terminal.ts'
import type { TestRepository } from '../support/repository.ts'
import { git, KEY, makeHooked, type Said } from './hooked.ts'

const EVIDENCE = 'refs/valuetrain/evidence'

async function commit(
  repository: Pick<TestRepository, 'dir' | 'env'>,
  file: string,
  text: string,
  args: string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Said> {
  await writeFile(join(repository.dir, file), text)
  await git(repository, repository.dir, ['add', '--', file])
  return git(repository, repository.dir, ['commit', '-q', '-m', `Change ${file}`, ...args], env)
}

/** What `check` says of each commit of a branch, by the file it changed. */
async function standings(dir: string, env: NodeJS.ProcessEnv, base = 'main'): Promise<Record<string, string>> {
  const { stdout, stderr } = await openTerminal({ dir, env, clock: systemClock }).run('check', '--base', base, '--json')
  if (stdout === '') throw new Error(stderr)
  const { commits } = JSON.parse(stdout) as { commits: { commit: string; evidence: string }[] }
  const { stdout: log } = await git({ env }, dir, ['log', '--format=%H %s', 'HEAD'])
  const titles = new Map(log.split('\n').map((line) => [line.slice(0, 40), line.slice(41)]))
  return Object.fromEntries(commits.map(({ commit, evidence }) => [titles.get(commit)?.replace('Change ', ''), evidence]))
}

async function onBranch(name = 'work'): Promise<TestRepository> {
  const repository = await makeHooked()
  await git(repository, repository.dir, ['switch', '-q', '-c', name])
  return repository
}

async function withOrigin(repository: TestRepository): Promise<string> {
  const origin = join(repository.outside, 'origin.git')
  await git(repository, repository.outside, ['clone', '-q', '--bare', repository.dir, origin])
  await git(repository, repository.dir, ['remote', 'add', 'origin', origin])
  return origin
}

const refsOf = async (repository: TestRepository, dir: string) =>
  (await git(repository, dir, ['for-each-ref', '--format=%(refname) %(objectname)', EVIDENCE])).stdout.trim()

describe('a commit that went through its hooks', () => {
  it('reads as gated, whether the shell or the program let it through; one that went round them does not', async () => {
    const repository = await onBranch()
    await commit(repository, 'plain.txt', 'a plain line\n')
    await commit(repository, 'looked-at.txt', 'const keys = [1, 2]\n')
    await commit(repository, 'round.txt', 'round\n', ['--no-verify'])
    await commit(repository, 'amended.txt', 'first\n')
    await commit(repository, 'amended.txt', 'second\n', ['--amend'])
    expect(await standings(repository.dir, repository.env)).toEqual({
      'plain.txt': 'hook',
      'looked-at.txt': 'hook',
      'round.txt': 'missing',
      'amended.txt': 'hook',
    })
    expect(await readdir(join(repository.dir, '.git/valuetrain/inbox'))).toEqual([expect.stringMatching(/^hook-/)])
  })

  it('does so in a linked worktree and on a detached HEAD', async () => {
    const repository = await onBranch()
    const linked = { dir: join(repository.outside, 'linked'), env: repository.env }
    await git(repository, repository.dir, ['worktree', 'add', '-q', '--detach', linked.dir])
    await commit(linked, 'linked.txt', 'linked\n')
    expect(await standings(linked.dir, repository.env)).toEqual({ 'linked.txt': 'hook' })
  })

  it('with a check left out is judged by the rest, and the check shows who left what out, and why', async () => {
    const repository = await onBranch()
    const env = { VALUETRAIN_SKIP: 'secrets', VALUETRAIN_SKIP_REASON: 'an example' }
    expect((await commit(repository, 'key.txt', `token = ${KEY}\n`, [], env)).code).toBe(0)
    const { stdout } = await openTerminal({ dir: repository.dir, env: repository.env, clock: systemClock }).run(
      'check',
      '--base',
      'main',
      '--json',
    )
    const { commits, findings } = JSON.parse(stdout)
    expect(commits).toMatchObject([{ evidence: 'stale' }])
    expect(
      findings.map(({ rule, message }: { rule: string; message: string }) => `${rule}: ${message.replace(/ until .*?: /, ': ')}`),
    ).toContain('gate-skipped: secrets was left out by Ada Tester: an example')
  })

  it('as a conflicted merge on a ticket’s branch is not taken for one that was judged', async () => {
    const repository = await onBranch('phase/build_1')
    await commit(repository, 'README.md', 'ours\n')
    await git(repository, repository.dir, ['switch', '-q', '-c', 'side', 'main'])
    await commit(repository, 'README.md', 'theirs\n')
    await git(repository, repository.dir, ['switch', '-q', 'phase/build_1'])
    await git(repository, repository.dir, ['merge', '-q', 'side'])
    await commit(repository, 'README.md', 'both\n')
    const tip = (await git(repository, repository.dir, ['rev-parse', 'HEAD'])).stdout.trim()
    expect((await git(repository, repository.dir, ['log', '-1', '--format=%P'])).stdout.trim().split(' ')).toHaveLength(2)
    expect(await readdir(join(repository.dir, '.git/valuetrain/inbox'))).not.toContain(`gated-${tip}`)
  })
})

describe('evidence of people’s commits', () => {
  it('goes along with a pushed branch, once, and from the remote after gc, when what it is about is merged', async () => {
    const repository = await onBranch()
    const origin = await withOrigin(repository)
    await commit(repository, 'a.txt', 'a\n')
    const pushed = await git(repository, repository.dir, ['push', '-q', 'origin', 'work'])
    expect([pushed.code, pushed.stderr]).toEqual([0, ''])
    const there = await refsOf(repository, origin)
    expect(there).toMatch(/^refs\/valuetrain\/evidence\/people\/[0-9a-f]{32} [0-9a-f]{40}$/)
    const other = join(repository.outside, 'other')
    await git(repository, repository.outside, ['clone', '-q', '--branch', 'work', origin, other])
    expect(await standings(other, repository.env, 'origin/main')).toEqual({ 'a.txt': 'missing' })
    await git(repository, other, ['fetch', '-q', 'origin', `${EVIDENCE}/*:${EVIDENCE}/*`])
    expect(await standings(other, repository.env, 'origin/main')).toEqual({ 'a.txt': 'hook' })

    await git(repository, repository.dir, ['switch', '-q', 'main'])
    await git(repository, repository.dir, ['merge', '-q', 'work'])
    await openTerminal({ dir: repository.dir, env: repository.env, clock: systemClock }).run('gc')
    await git(repository, repository.dir, ['push', '-q', 'origin', 'main'])
    expect([await refsOf(repository, repository.dir), await refsOf(repository, origin)]).toEqual(['', ''])
    await commit(repository, 'b.txt', 'b\n')
    await git(repository, repository.dir, ['push', '-q', 'origin', 'main'])
    expect(await refsOf(repository, origin)).toBe(await refsOf(repository, repository.dir))
  })

  it('calls no hook again, stays here when told so, and refuses no push when the remote does not take it', async () => {
    const repository = await onBranch()
    const origin = await withOrigin(repository)
    const calls = join(repository.outside, 'calls')
    const chained = join(repository.dir, '.git/hooks/pre-push.chained')
    await writeFile(chained, `#!/bin/sh\necho called >>'${calls}'\n`, { mode: 0o755 })
    await writeFile(
      join(origin, 'hooks/update'),
      '#!/bin/sh\ncase $1 in refs/valuetrain/*) echo no such refs here >&2; exit 1 ;; esac\n',
      {
        mode: 0o755,
      },
    )
    await commit(repository, 'a.txt', 'a\n')
    const refused = await git(repository, repository.dir, ['push', '-q', 'origin', 'work'])
    expect([refused.code, refused.stderr]).toEqual([0, expect.stringContaining('the evidence of your commits stays here')])
    expect((await git(repository, origin, ['rev-parse', 'work'])).stdout).toBe(
      (await git(repository, repository.dir, ['rev-parse', 'work'])).stdout,
    )
    await git(repository, repository.dir, ['config', 'valuetrain.pushEvidence', 'false'])
    await commit(repository, 'b.txt', 'b\n')
    const silent = await git(repository, repository.dir, ['push', '-q', 'origin', 'work'])
    expect([silent.code, silent.stderr, await refsOf(repository, origin)]).toEqual([0, '', ''])
    const { stdout } = await git(repository, repository.dir, ['-c', `alias.calls=!cat '${calls}'`, 'calls'])
    expect(stdout).toBe('called\ncalled\n')
  })
})
