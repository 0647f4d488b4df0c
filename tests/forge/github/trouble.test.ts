import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock } from '../../../core/clock.ts'
import { defaultConfig } from '../../../core/config.ts'
import type { Change } from '../../../core/contracts/forge.ts'
import type { ValuetrainError } from '../../../core/errors.ts'
import { openGit } from '../../../core/git.ts'
import { cloneStand } from '../../support/github/clone.ts'
import { openStand, type Stand } from '../../support/github/index.ts'

let stand: Stand

beforeAll(async () => {
  stand = await openStand({ app: true })
})
afterAll(async () => {
  await stand.close()
  expect(stand.violations()).toEqual([])
})

async function told(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string | undefined; kind: string }> {
  const error = (await promise.then(
    () => undefined,
    (error: unknown) => error,
  )) as ValuetrainError
  expect(error?.hint, String(error)).toBeTruthy()
  return {
    code: error.code,
    message: error.message.replace(stand.url.slice('http://'.length), '<host>'),
    hint: error.hint,
    kind: error.kind,
  }
}

async function place(name: string, options: Parameters<typeof cloneStand>[2] = {}) {
  const at = await stand.repository(name)
  const { number } = await stand.as('owner')('POST', `/repos/${at.fullName}/issues`, { title: 'Do it', labels: ['auto'] })
  const clone = await cloneStand(stand, at, { patienceMs: 0, checkout: false, config: { remote: null }, ...options })
  return { at, clone, forge: clone.forge, issue: number as number }
}

describe('what is in the way is named with its cause and a remedy', () => {
  it('a token that is wrong, revoked or torn', async () => {
    const { at, forge } = await place('tokens', { token: 'ghp_wrong' })
    expect(await told(forge.listIssues())).toEqual({
      code: 'VT_FORGE_TOKEN',
      message: '<host> does not take the token from VALUETRAIN_GITHUB_TOKEN: it is wrong, expired or revoked',
      hint: 'make a new token and set it again; docs/github.md says what it must be allowed',
      kind: 'environment',
    })
    const token = stand.addToken({ login: 'pilot', scopes: ['repo'] })
    const revoked = await cloneStand(stand, at, { token, checkout: false })
    await revoked.forge.listIssues()
    stand.revoke(token)
    expect(await told(revoked.forge.listIssues())).toMatchObject({ code: 'VT_FORGE_TOKEN' })
    expect(await told(cloneStand(stand, at, { token: 'ghp_a b' }))).toMatchObject({ code: 'VT_FORGE_TOKEN' })
    expect(await told(cloneStand(stand, at, { env: { PATH: '/nowhere' } }))).toMatchObject({ code: 'VT_FORGE_NO_TOKEN' })
    // A token for github.com is never shown to another host.
    expect(await told(cloneStand(stand, at, { env: { GH_TOKEN: 'ghp_x' } }))).toMatchObject({ code: 'VT_FORGE_NO_TOKEN' })
  })

  it('single sign-on that the token has not passed, with the address where it does', async () => {
    const { at, forge } = await place('sso')
    const url = 'https://github.example/orgs/owner/sso?authorization_request=A1B2'
    const refused = { status: 403, body: { message: 'Resource protected by organization SAML enforcement.' } }
    stand.fault({ on: `GET /repos/${at.fullName}/issues`, ...refused, headers: { 'x-github-sso': `required; url=${url}` } })
    expect(await told(forge.listIssues())).toMatchObject({
      code: 'VT_FORGE_SSO',
      message: 'owner wants the token from VALUETRAIN_GITHUB_TOKEN to be authorised for single sign-on',
      hint: `open ${url} and authorise the token there; the address is good for an hour`,
    })
  })

  it('nobody who is logged in by gh; somebody who is gives the token of this host', async () => {
    const at = await stand.repository('by-gh')
    const bin = await mkdtemp(join(tmpdir(), 'vt-gh-'))
    onTestFinished(() => rm(bin, { recursive: true, force: true }))
    // Says and does what the real one does, whose `auth token` of another host fails with 1 and these words.
    const knows = new URL(stand.url).host
    const gh = `#!/bin/sh
[ "$1 $2 $3" = 'auth token --hostname' ] || exit 2
[ "$4" = '${knows}' ] && { echo '${stand.token('pilot')}'; exit 0; }
echo 'no oauth token' >&2
exit 1
`
    await writeFile(join(bin, 'gh'), gh, { mode: 0o755 })
    const env = { PATH: `${bin}:${process.env.PATH}` }
    const { forge } = await cloneStand(stand, at, { env, checkout: false })
    expect([forge.credentials.source, await forge.login()]).toEqual(['gh auth token', 'pilot'])
    await writeFile(join(bin, 'gh'), gh.replace(knows, 'github.com'), { mode: 0o755 })
    expect(await told(cloneStand(stand, at, { env }))).toMatchObject({ code: 'VT_FORGE_NO_TOKEN' })
  })

  it('a scope or a permission that is missing, by its name', async () => {
    const bare = stand.addToken({ login: 'pilot', scopes: ['read:org'] })
    const { at, forge, issue } = await place('scopes', { token: bare })
    expect(await told(forge.comment(issue, 'k', 'x'))).toMatchObject({
      code: 'VT_FORGE_PERMISSION',
      message: `the token from VALUETRAIN_GITHUB_TOKEN lacks the scope repo in ${at.fullName}`,
    })
    const fine = stand.addToken({
      login: 'pilot',
      permissions: { issues: 'write', metadata: 'read', contents: 'write', pull_requests: 'write' },
    })
    const other = await cloneStand(stand, at, { token: fine, checkout: false })
    await other.forge.comment(issue, 'k', 'x')
    const head = (await at.head()) as string
    expect(await told(other.forge.reportGate(head, 'tests', 'pass', ''))).toMatchObject({
      code: 'VT_FORGE_PERMISSION',
      message: `the token from VALUETRAIN_GITHUB_TOKEN lacks the permission statuses: read in ${at.fullName}`,
    })
  })

  it('a repository that is unknown, moved, archived, empty, or without issues', async () => {
    const { at, clone, forge, issue } = await place('gone')
    const owner = stand.as('owner')
    await owner('PATCH', `/repos/${at.fullName}`, { archived: true })
    expect(await told(forge.comment(issue, 'k', 'x'))).toMatchObject({
      code: 'VT_FORGE_ARCHIVED',
      message: 'owner/gone is archived, so nothing can be written there',
    })
    await owner('PATCH', `/repos/${at.fullName}`, { archived: false, has_issues: false })
    expect(await told(forge.listIssues())).toMatchObject({
      code: 'VT_FORGE_NO_ISSUES',
      message: 'issues are switched off in owner/gone',
    })
    await owner('PATCH', `/repos/${at.fullName}`, { has_issues: true })
    await stand.move(at, 'gone-away')
    expect(await told(forge.listIssues())).toMatchObject({
      code: 'VT_FORGE_MOVED',
      message: 'owner/gone has moved to owner/gone-away',
      hint: `run \`git remote set-url origin ${stand.url}/owner/gone-away.git\``,
    })
    await clone.git.run(['remote', 'set-url', 'origin', `${stand.url}/owner/never.git`])
    const never = await cloneStand(stand, { ...at, cloneUrl: `${stand.url}/owner/never.git`, head: async () => undefined })
    expect(await told(never.forge.listIssues())).toMatchObject({ code: 'VT_FORGE_UNKNOWN' })
    const empty = await stand.repository('empty', {})
    const bare = await cloneStand(stand, empty)
    expect(await bare.forge.listIssues()).toEqual([])
    const draft = { ticket: 'build_1', issue: 1, title: 'x', body: '', head: 'phase/build_1', base: 'main', draft: true }
    expect(await told(bare.forge.openChange(draft))).toMatchObject({ code: 'VT_FORGE_REFUSED' })
    expect(await told(bare.forge.readIssue(7))).toMatchObject({ code: 'VT_ISSUE_UNKNOWN', kind: 'user' })
  })

  it('reviewers who have no access', async () => {
    const { at, forge } = await place('reviewers')
    const head = await at.push({ 'a.txt': 'a\n' }, { branch: 'phase/build_1' })
    const change = await forge.openChange({
      ticket: 'build_1',
      issue: 1,
      title: 'x'.repeat(400),
      body: 'y'.repeat(70_000),
      head: 'phase/build_1',
      base: 'main',
      draft: false,
    })
    expect(change).toMatchObject({ headCommit: head, title: `${'x'.repeat(255)}…` })
    expect(await told(forge.updateChange(change, { reviewers: ['nobody'] }))).toMatchObject({ code: 'VT_FORGE_REVIEWER' })
  })
})

describe('limits and outages', () => {
  it('are waited for on the given clock: ten minutes without a network, and then one pull request', async () => {
    const clock = new SimulatedClock()
    const waits: string[] = []
    const { at, forge } = await place('outage', { clock, patienceMs: 15 * 60_000, onWait: (text) => waits.push(text) })
    await at.push({ 'a.txt': 'a\n' }, { branch: 'phase/build_1' })
    const start = clock.now()
    const sleep = clock.sleep.bind(clock)
    clock.sleep = async (ms, signal) => {
      await sleep(ms, signal)
      stand.setDown(clock.now() - start < 10 * 60_000)
    }
    stand.setDown(true)
    const change = await forge.openChange({
      ticket: 'build_1',
      issue: 1,
      title: 'x',
      body: '',
      head: 'phase/build_1',
      base: 'main',
      draft: false,
    })
    expect(clock.now() - start).toBeGreaterThanOrEqual(10 * 60_000)
    expect(waits[0]).toMatch(/does not answer .*; trying again in 1 s$/)
    expect(await stand.as('owner')('GET', `/repos/${at.fullName}/pulls?state=all`)).toMatchObject([{ number: Number(change.id) }])
    stand.setDown(true)
    clock.sleep = sleep
    expect(await told(forge.listIssues())).toMatchObject({ code: 'VT_FORGE_UNREACHABLE', kind: 'environment' })
    stand.setDown(false)
  })

  it('keep to what a secondary limit and the hourly limit ask for', async () => {
    const clock = new SimulatedClock()
    const { at, forge, issue } = await place('limits', { clock, patienceMs: 15 * 60_000 })
    await forge.login()
    let from = clock.now()
    const secondary = { message: 'You have exceeded a secondary rate limit. Please wait.' }
    stand.fault({ on: /POST .*comments$/, status: 403, headers: { 'retry-after': '90' }, body: secondary })
    await forge.comment(issue, 'once', 'x')
    expect(clock.now() - from).toBe(90_000)
    from = clock.now()
    const reset = String(Math.floor(Date.now() / 1000) + 300)
    stand.fault({
      on: /POST .*labels$/,
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
      body: { message: 'API rate limit exceeded' },
    })
    await forge.show(issue, { add: ['waiting'] })
    expect(clock.now() - from).toBeGreaterThan(290_000)
    expect(await stand.as('owner')('GET', `/repos/${at.fullName}/issues/${issue}/comments`)).toHaveLength(1)
    stand.fault({ on: /POST .*labels$/, status: 429, headers: { 'retry-after': '3600' }, body: secondary })
    expect(await told(forge.show(issue, { add: ['more'] }))).toMatchObject({ code: 'VT_FORGE_SECONDARY_LIMIT' })
  })

  it('are told apart where GraphQL says no with a 200: a right that is missing stops nothing, a limit is waited for', async () => {
    const clock = new SimulatedClock()
    const { forge, issue } = await place('graphql', { clock, patienceMs: 15 * 60_000 })
    const refuses = (type: string) => ({ status: 200, body: { data: null, errors: [{ type, message: 'planned by the test' }] } })
    stand.fault({ on: 'POST /graphql', ...refuses('FORBIDDEN') })
    expect(await forge.listIssues()).toMatchObject([{ number: issue }])
    const from = clock.now()
    stand.setBudget(5000, Math.floor(Date.now() / 1000) + 120)
    stand.fault({ on: 'POST /graphql', ...refuses('RATE_LIMITED') })
    const asked = await told(forge.client.graphql('query { viewer { login } }', {}))
    expect(asked).toMatchObject({ code: 'VT_FORGE_REFUSED', message: '<host> refuses: the stand does not know this query' })
    expect(clock.now() - from).toBeGreaterThan(60_000)
    stand.fault({ on: 'POST /graphql', ...refuses('FORBIDDEN') })
    expect(await told(forge.client.graphql('query { viewer { login } }', {}))).toMatchObject({ code: 'VT_FORGE_PERMISSION' })
  })

  it('leave a reserve for writing: looking gives what is known, or says when it goes on', async () => {
    const { forge, issue } = await place('reserve')
    await forge.listIssues()
    stand.setBudget(150)
    await forge.show(issue, { add: ['seen'] })
    const from = stand.journal.length
    expect(await forge.listIssues()).toHaveLength(1)
    expect(stand.journal.length).toBe(from)
    expect(await told(forge.listComments('2026-01-01T00:00:00Z'))).toMatchObject({
      code: 'VT_FORGE_BUDGET',
      message: "only the reserve of 200 requests is left of this hour's limit",
    })
    await forge.comment(issue, 'still', 'x')
    stand.setBudget(5000)
  })

  it('cost nothing while 50 issues in work stay as they are', async () => {
    const at = await stand.repository('idle')
    const { forge } = await cloneStand(stand, at, { checkout: false, config: { remote: null } })
    const some = process.env.VALUETRAIN_FULL === '1' ? 50 : 4
    const owner = stand.as('owner')
    const changes: Change[] = []
    for (let index = 1; index <= some; index++) {
      const { number } = await owner('POST', `/repos/${at.fullName}/issues`, { title: `Issue ${index}`, labels: ['auto'] })
      const head = `phase/build_${number}`
      await at.push({ [`${number}.txt`]: 'x\n' }, { branch: head })
      changes.push(
        await forge.openChange({
          ticket: `build_${number}`,
          issue: number,
          title: 'x',
          body: '',
          head,
          base: 'main',
          draft: true,
        }),
      )
    }
    const look = async () => {
      await forge.listIssues()
      await forge.listComments('2026-01-01T00:00:00Z')
      await Promise.all(changes.map((change) => forge.observeChange(change)))
    }
    await look()
    const from = stand.journal.length
    for (let round = 0; round < 3; round++) await look()
    const asked = stand.journal.length - from
    expect(asked).toBeGreaterThan(3 * some * 3)
    expect(stand.counted(from)).toBe(0)
  })
})

describe('a GitHub App', () => {
  const asApp = () => ({
    PATH: process.env.PATH,
    VALUETRAIN_GITHUB_APP_ID: String(stand.app?.id),
    VALUETRAIN_GITHUB_APP_KEY: stand.app?.privateKey,
  })

  it('speaks with a token for one repository and no more than it needs, and pushes with it', async () => {
    const { at, clone, forge } = await place('app', { env: asApp(), checkout: true })
    expect(await forge.login()).toBe('valuetrain-test[bot]')
    await clone.git.run(['checkout', '--quiet', '-b', 'phase/build_1'])
    await clone.commit({ 'a.txt': 'a\n' })
    await clone.remote.run(['push', '--quiet', 'origin', 'phase/build_1'])
    const { body } = stand.journal.find(({ path }) => path.endsWith('/access_tokens')) ?? {}
    expect(body).toEqual({
      repositories: ['app'],
      permissions: {
        contents: 'write',
        issues: 'write',
        pull_requests: 'write',
        checks: 'write',
        statuses: 'read',
        metadata: 'read',
      },
    })
    expect(await at.head('phase/build_1')).toBeTruthy()
  })

  it('reports by check runs, with all annotations, once', async () => {
    const { at, forge } = await place('runs', { env: asApp(), patienceMs: 60_000 })
    const head = (await at.head()) as string
    const annotations = Array.from({ length: 120 }, (_, line) => ({ path: 'a.ts', line, message: `finding ${line}` }))
    const reports = [
      { gate: 'lint', standing: 'fail' as const, description: '120 findings', annotations },
      { gate: 'people', standing: 'missing' as const, description: 'nobody was asked' },
    ]
    stand.fault({ on: /PATCH .*check-runs/, when: 'after', status: 502 })
    await forge.reportGates(head, reports, { title: 'not yet', text: 'lint fails' })
    await forge.reportGates(head, reports, { title: 'not yet', text: 'lint fails' })
    const runs = at
      .checkRuns(head)
      .map(({ name, status, conclusion, output }) => [name, status, conclusion, output.annotations.length])
    expect(runs).toEqual([
      ['valuetrain/lint', 'completed', 'failure', 120],
      ['valuetrain/people', 'queued', null, 0],
      ['valuetrain', 'completed', 'failure', 0],
    ])
  })

  it('says that its key cannot be read', async () => {
    const at = await stand.repository('keyless')
    expect(await told(cloneStand(stand, at, { env: { ...asApp(), VALUETRAIN_GITHUB_APP_KEY: 'not a key' } }))).toMatchObject({
      code: 'VT_FORGE_APP',
    })
  })
})

describe('the token', () => {
  it('is in no file, argument, setting, log, environment of a child, or text of ours, and is told to our host only', async () => {
    const token = stand.token('pilot')
    const at = await stand.repository('canary')
    const { number } = await stand.as('owner')('POST', `/repos/${at.fullName}/issues`, { title: 'Do it', labels: ['auto'] })
    const clone = await cloneStand(stand, at)
    const { forge, git, env, dir, outside } = clone
    // A helper that would write down what it is given, as many people have one.
    const store = join(outside, 'passwords')
    await git.run(['config', 'credential.helper', `store --file=${store}`])
    const access = await forge.gitAccess()
    const trace = join(outside, 'trace')
    const hook = `#!/bin/sh\nenv > ${join(outside, 'hook-env')}\nps axeww -o args > ${join(outside, 'ps')} 2>/dev/null\nexit 0\n`
    await clone.write({ '.git/hooks/pre-push': hook, '.git/hooks/pre-commit': hook.replace('hook-env', 'commit-env') })
    for (const name of ['pre-push', 'pre-commit']) await chmod(join(dir, '.git/hooks', name), 0o755)
    await git.run(['checkout', '--quiet', '-b', 'phase/build_1'])
    await clone.commit({ 'a.txt': 'a\n' })
    const traces = {
      GIT_TRACE: trace,
      GIT_TRACE_CURL: `${trace}-curl`,
      GIT_TRACE_SETUP: `${trace}-setup`,
      GIT_TERMINAL_PROMPT: '0',
    }
    // By a git that runs hooks as it would for a person; ours hands them nothing to ask.
    const push = ['push', '--quiet', 'origin', 'phase/build_1']
    await promisify(execFile)('git', push, { cwd: dir, env: { ...env, ...access.env, ...traces } })
    const commit = ['commit', '--quiet', '--allow-empty', '-m', 'More']
    await openGit(dir, { ...env, ...access.env }).run(commit, { hooks: true })
    const change = await forge.openChange({
      ticket: 'build_1',
      issue: number,
      title: `T ${token}`,
      body: `B ${token}`,
      head: 'phase/build_1',
      base: 'main',
      draft: true,
    })
    await forge.comment(number, 'k', `C ${token}`)
    await forge.listIssues()
    expect((await stat(access.folder)).mode & 0o777).toBe(0o700)
    const holding: string[] = []
    for (const folder of [outside, access.folder, dirname(dir)]) {
      for (const name of await readdir(folder, { recursive: true })) {
        const text = await readFile(join(folder, name), 'latin1').catch(() => '')
        const basic = Buffer.from(`x-access-token:${token}`).toString('base64')
        if (text.includes(token) || text.includes(basic)) holding.push(name)
      }
    }
    expect(holding).toEqual([])
    expect(await readFile(`${trace}-curl`, 'utf8')).toMatch(/authorization: (?:Basic )?<redacted>/i)
    expect(await readFile(join(outside, 'hook-env'), 'utf8')).toContain('GIT_ASKPASS')
    expect(await readFile(join(outside, 'commit-env'), 'utf8')).not.toContain('GIT_ASKPASS')
    const shown = JSON.stringify([
      await stand.as('owner')('GET', `/repos/${at.fullName}/pulls/${change.id}`),
      await stand.as('owner')('GET', `/repos/${at.fullName}/issues/${number}/comments`),
      stand.journal.map(({ path, query, body }) => [path, query, body]),
      await git.text(['reflog', '--all']),
      await git.text(['config', '--list', '--show-origin']),
    ])
    expect(shown).not.toContain(token)
    const ask = (question: string) =>
      promisify(execFile)(access.env.GIT_ASKPASS as string, [question]).then(({ stdout }) => stdout)
    expect(await ask(`Password for '${stand.url.replace('//', '//x-access-token@')}': `)).toBe(token)
    expect(await ask("Password for 'https://x-access-token@evil.example': ")).toBe('')
    await access.close()
    await expect(stat(access.folder)).rejects.toThrow()
  })

  it('is not sent over an open line to another machine', async () => {
    const at = await stand.repository('open-line')
    const github = { ...defaultConfig().github, api: 'http://ghe.example/api/v3' }
    expect(await told(cloneStand(stand, at, { config: { github } }))).toMatchObject({ code: 'VT_FORGE_INSECURE', kind: 'config' })
  })
})
