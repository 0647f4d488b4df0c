import { describe, expect, it } from 'vitest'
import { openTerminal } from '../../bin/terminal.ts'
import { ownStand, type Stand } from '../../support/github/index.ts'
import { makeRepository } from '../../support/repository.ts'

let stand: Stand

ownStand((opened) => {
  stand = opened
})

describe('setting up for GitHub', () => {
  it('makes the labels it speaks of when it is told to, once, and keeps what is there', async () => {
    const at = await stand.repository('labels', { 'a.txt': 'a' })
    await stand.as('owner')('POST', `/repos/${at.fullName}/labels`, { name: 'AUTO', color: '000000', description: 'mine' })
    const made = await makeRepository({ 'a.txt': 'a' })
    await made.git.run(['remote', 'add', 'origin', at.cloneUrl])
    const env = { ...made.env, VALUETRAIN_GITHUB_TOKEN: stand.token('pilot') }
    const terminal = openTerminal({ dir: made.dir, env })
    const labels = async () =>
      (await stand.as('owner')('GET', `/repos/${at.fullName}/labels?per_page=100`)) as { name: string; description: string }[]
    const before = (await labels()).length
    const asked = await terminal.run('init', '--forge', 'github')
    expect(asked.stdout).toMatch(/labels not made: task, story, .*; `valuetrain init --forge github --yes` makes them/)
    expect(await labels()).toHaveLength(before)
    const told = await terminal.run('init', '--forge', 'github', '--yes', '--json')
    const { labels: given, files } = JSON.parse(told.stdout)
    const { missing } = given
    const roles = ['conductor', 'onboarder', 'lab', 'studio', 'ops', 'evaluator', 'improver'].map((role) => `role:${role}`)
    const others = ['task', 'story', 'requirement', 'now', 'next', 'future', 'blocked', 'risk', 'mitigation', 'meta']
    expect(missing.toSorted()).toEqual([...others, ...roles].sort())
    expect(files.map(({ path }: { path: string }) => path)).toEqual(
      expect.arrayContaining([
        ...['product-requirement', 'user-story', 'task', 'risk', 'mitigation'].map((name) => `.github/ISSUE_TEMPLATE/${name}.md`),
        '.github/pull_request_template.md',
      ]),
    )
    const names = (await labels()).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(missing))
    expect((await labels()).find(({ name }) => name === 'AUTO')).toMatchObject({ description: 'mine' })
    expect(names).not.toContain('auto')
    const again = await terminal.run('init', '--forge', 'github')
    expect(again.stdout).toContain('nothing written: everything is there\n')
    expect(again.stdout).toContain('labels: everything is there')
  })

  it('writes its files also where the forge cannot be asked, and says why', async () => {
    const { dir, env, git } = await makeRepository({ 'a.txt': 'a' })
    await git.run(['remote', 'add', 'origin', `${stand.url}/owner/nothing.git`])
    const terminal = openTerminal({ dir, env: { ...env, VALUETRAIN_GITHUB_TOKEN: 'wrong' } })
    const { code, stdout } = await terminal.run('init', '--forge', 'github', '--yes')
    expect([code, /labels were not looked at: .*token/.test(stdout)]).toEqual([0, true])
  })
})
