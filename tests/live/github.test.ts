import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { defaultConfig } from '../../core/config.ts'
import { openGit } from '../../core/git.ts'
import { systemIds } from '../../core/ids.ts'
import { openRepository } from '../../core/repository.ts'
import { githubForge, withoutCredentials } from '../../forge/github/index.ts'
import { testEnvironment } from '../support/repository.ts'

/**
 * A repository that may be written to: `https://github.com/OWNER/NAME.git`, with a `main` that has a commit. An issue and a pull
 * request are left behind, closed. The token is found as docs/github.md says.
 */
const url = process.env.VALUETRAIN_LIVE_GITHUB

describe.skipIf(url === undefined)('GitHub itself', () => {
  it('takes an issue, a branch, one draft pull request, statuses and a comment, and nothing of them twice', async () => {
    const home = await mkdtemp(join(tmpdir(), 'vt-live-'))
    onTestFinished(() => rm(home, { recursive: true, force: true }))
    const env = testEnvironment(home)
    const dir = join(home, 'repo')
    await openGit(home, env).run(['init', '--quiet', dir])
    await openGit(dir, env).run(['remote', 'add', 'origin', url as string])
    const ids = systemIds(systemClock)
    const forge = await githubForge({
      repository: await openRepository(dir, withoutCredentials(env)),
      config: { ...defaultConfig(), remote: 'origin' },
      clock: systemClock,
      ids,
      env: process.env,
    })
    onTestFinished(() => forge.close())
    const access = await forge.gitAccess()
    onTestFinished(() => access.close())
    const git = openGit(dir, { ...env, ...access.env })
    const draft = { title: 'A trial of valuetrain', body: 'Made by a test; may be deleted.', labels: ['auto'], key: ids.ulid() }
    const issue = await forge.openIssue(draft)
    onTestFinished(async () => void (await forge.closeIssue(issue.number)))
    expect((await forge.openIssue(draft)).number).toBe(issue.number)
    expect(await forge.readIssue(issue.number)).toMatchObject({ labels: ['auto'], hold: undefined })

    const ticket = `build_${issue.number}`
    await git.run(['fetch', '--quiet', 'origin', 'main'])
    await git.run(['checkout', '--quiet', '-b', `phase/${ticket}`, 'FETCH_HEAD'])
    await git.run(['commit', '--quiet', '--allow-empty', '-m', `Try ${ticket}`])
    await git.run(['commit', '--quiet', '--allow-empty', '-m', 'Once more'])
    await git.run(['push', '--quiet', 'origin', `phase/${ticket}`])
    onTestFinished(async () => void (await git.run(['push', '--quiet', 'origin', `:phase/${ticket}`], { okExit: [0, 1, 128] })))
    const head = await git.text(['rev-parse', 'HEAD'])
    const change = {
      ticket,
      issue: issue.number,
      title: draft.title,
      body: draft.body,
      head: `phase/${ticket}`,
      base: 'main',
      draft: true,
    }
    const opened = await forge.openChange(change)
    expect((await forge.openChange(change)).id).toBe(opened.id)
    expect((await forge.updateChange(opened, { draft: false, title: 'Ready' })).draft).toBe(false)
    await forge.reportGates(head, [{ gate: 'trial', standing: 'pass', description: 'tried' }], {
      title: 'one gate passes',
      text: '',
    })
    await forge.comment(issue.number, 'trial', 'Said once.')
    await forge.comment(issue.number, 'trial', 'Said once.')
    expect(await forge.observeChange(opened)).toMatchObject({ change: { state: 'open', headCommit: head } })
    await forge.listIssues()
    await forge.dropIntent(issue.number)
  }, 180_000)
})
