import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openTerminal } from '../../bin/terminal.ts'
import { git, makeHooked, recordsIn } from '../../hooks/hooked.ts'
import type { TestRepository } from '../../support/repository.ts'

const TICKET = 'phase/build_1'
let count = 0

/** Calls git and wants it to go well; returns what it printed. */
async function run(repository: TestRepository, ...args: string[]): Promise<string> {
  const said = await git(repository, repository.dir, args)
  if (said.code !== 0) throw new Error(`git ${args.join(' ')}: ${said.stderr}${said.stdout}`)
  return said.stdout.trim()
}

async function stage(repository: TestRepository, file = `file-${++count}.txt`): Promise<void> {
  await writeFile(join(repository.dir, file), `content ${++count}\n`)
  await run(repository, 'add', file)
}

/** Makes a commit on a branch beside, without hooks, and comes back. */
async function beside(repository: TestRepository): Promise<string> {
  await run(repository, 'switch', '-q', '-C', 'side', 'main')
  await stage(repository)
  await run(repository, '-c', 'core.hooksPath=/dev/null', 'commit', '-qm', 'Beside')
  const id = await run(repository, 'rev-parse', 'HEAD')
  await run(repository, 'switch', '-q', TICKET)
  return id
}

/** Every way there is to put a commit on a branch that no hook has judged: the tip, unless another one is returned. */
const ROUND: Record<string, (repository: TestRepository) => Promise<unknown>> = {
  'commit --no-verify': async (r) => [await stage(r), await run(r, 'commit', '-qnm', 'Round them')],
  'commit with another core.hooksPath': async (r) => [
    await stage(r),
    await run(r, '-c', 'core.hooksPath=/dev/null', 'commit', '-qm', 'Round them'),
  ],
  'commit --amend --no-verify': async (r) => [
    await stage(r),
    await run(r, 'commit', '-qm', 'Through them'),
    await stage(r),
    await run(r, 'commit', '-qn', '--amend', '--no-edit'),
  ],
  'cherry-pick': async (r) => run(r, 'cherry-pick', await beside(r)),
  revert: async (r) => run(r, 'revert', '--no-edit', 'HEAD'),
  am: async (r) => {
    const patch = join(r.outside, 'patch')
    await writeFile(patch, `${await run(r, 'format-patch', '-1', '--stdout', await beside(r))}\n`)
    await run(r, 'am', '-q', patch)
  },
  'rebase, two commits in another order': async (r) => {
    for (const title of ['One', 'Two']) {
      await stage(r)
      await run(r, 'commit', '-qm', title)
    }
    await run(r, '-c', 'sequence.editor=sed -i "1{h;d;};2G"', 'rebase', '-q', '-i', 'HEAD~2')
    // The second one has the tree that was judged; the first one's is new.
    return run(r, 'rev-parse', 'HEAD~1')
  },
  'merge --no-verify': async (r) => run(r, 'merge', '-q', '--no-ff', '--no-verify', '-m', 'Merge', await beside(r)),
  'merge, clean': async (r) => run(r, 'merge', '-q', '--no-ff', '-m', 'Merge', await beside(r)),
  'commit-tree and update-ref': async (r) => {
    await stage(r)
    const tree = await run(r, 'write-tree')
    await run(r, 'update-ref', `refs/heads/${TICKET}`, await run(r, 'commit-tree', '-p', 'HEAD', '-m', 'By hand', tree))
  },
}

/** Ways to make a commit that hooks do judge, in whatever shape. */
const THROUGH: Record<string, (repository: TestRepository) => Promise<unknown>> = {
  commit: async (r) => [await stage(r), await run(r, 'commit', '-qm', 'Through them')],
  'commit --all': async (r) => {
    await writeFile(join(r.dir, 'README.md'), `content ${++count}\n`)
    await run(r, 'commit', '-qam', 'All')
  },
  'commit of one path, with something else staged': async (r) => {
    await stage(r, 'other.txt')
    await writeFile(join(r.dir, 'README.md'), `content ${++count}\n`)
    await run(r, 'commit', '-qm', 'One', 'README.md')
    await run(r, 'commit', '-qm', 'The other')
  },
  'commit --allow-empty': async (r) => run(r, 'commit', '-q', '--allow-empty', '-m', 'Empty'),
  'commit --amend with new content': async (r) => [
    await stage(r),
    await run(r, 'commit', '-qm', 'Through them'),
    await stage(r),
    await run(r, 'commit', '-q', '--amend', '--no-edit'),
  ],
  'commit --amend -m': async (r) => run(r, 'commit', '-q', '--amend', '-m', 'In other words'),
  'rebase, reword': async (r) => run(r, '-c', 'sequence.editor=sed -i s/^pick/reword/', 'rebase', '-q', '-i', 'HEAD~1'),
  'rebase, fixup': async (r) => [
    await stage(r),
    await run(r, 'commit', '-qm', 'Through them'),
    await run(r, '-c', 'sequence.editor=sed -i 2s/^pick/fixup/', 'rebase', '-q', '-i', 'HEAD~2'),
  ],
  'merge --squash, then commit': async (r) => {
    await beside(r)
    await run(r, 'merge', '-q', '--squash', 'side')
    await run(r, 'commit', '-qm', 'Squash')
  },
}

async function ungatedIn(repository: TestRepository): Promise<{ ok: boolean; errors: Set<string> }> {
  const { stdout, stderr } = await openTerminal({ dir: repository.dir, env: repository.env }).run(
    'check',
    '--base',
    'main',
    '--json',
  )
  if (stdout === '') throw new Error(stderr)
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { rule: string; severity: string; commit: string }[] }
  const errors = findings.filter(({ rule, severity }) => /^(?:ungated|evidence)/.test(rule) && severity === 'error')
  return { ok, errors: new Set(errors.map(({ commit }) => commit)) }
}

it('tells each commit of a ticket’s branch that went round the hooks, also where no hook could see it', {
  timeout: 300_000,
}, async () => {
  const repository = await makeHooked()
  await run(repository, 'switch', '-q', '-c', TICKET)
  const made: Record<string, string> = {}
  for (const [how, make] of Object.entries(ROUND)) {
    const before = await run(repository, 'rev-parse', 'HEAD')
    const said = await make(repository)
    const head = await run(repository, 'rev-parse', 'HEAD')
    expect([how, head]).not.toEqual([how, before])
    made[how] = typeof said === 'string' && /^[0-9a-f]{40}$/.test(said) ? said : head
  }
  const { ok, errors } = await ungatedIn(repository)
  const untold = Object.entries(made).filter(([, commit]) => !errors.has(commit))
  expect({ ok, untold }).toEqual({ ok: false, untold: [] })
  // What leaves no hook to run leaves no record here; the check above does not need one.
  expect((await recordsIn(repository)).length).toBeLessThan(Object.keys(ROUND).length)
})

it('accuses nothing that went through the hooks, in whatever shape it was made', { timeout: 300_000 }, async () => {
  const repository = await makeHooked({ 'README.md': '# Example\n' })
  await run(repository, 'switch', '-q', '-c', TICKET)
  for (const make of Object.values(THROUGH)) await make(repository)
  const commits = (await run(repository, 'rev-list', 'main..HEAD')).split('\n')
  const { errors } = await ungatedIn(repository)
  expect({ accused: [...errors].filter((commit) => commits.includes(commit)) }).toEqual({ accused: [] })
  expect(commits.length).toBeGreaterThan(6)
})
