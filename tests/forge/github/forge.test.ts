import { Octokit } from '@octokit/rest'
import { describe, expect, it } from 'vitest'
import { cloneStand } from '../../support/github/clone.ts'
import { ownStand, type Stand, type StandRepository } from '../../support/github/index.ts'
import { makeRepository } from '../../support/repository.ts'

let stand: Stand

ownStand((opened) => {
  stand = opened
})

/** Texts that were allowed stay in this clone, so that no push is needed to keep them. */
const ALONE = { checkout: false, config: { remote: null } }

async function openTicket(name: string, options: Parameters<typeof cloneStand>[2] = {}) {
  const at = await stand.repository(name)
  const issue = await stand.as('owner')('POST', `/repos/${at.fullName}/issues`, {
    title: 'Do it',
    body: 'Please',
    labels: ['auto'],
  })
  const clone = await cloneStand(stand, at, { ...ALONE, ...options })
  const ticket = `build_${issue.number}`
  const head = await at.push({ [`${ticket}.txt`]: 'done\n' }, { branch: `phase/${ticket}` })
  const draft = {
    ticket,
    issue: issue.number as number,
    title: 'Do it',
    body: `Closes #${issue.number}`,
    head: `phase/${ticket}`,
    base: 'main',
    draft: true,
  }
  return { at, forge: clone.forge, ticket, head, draft, issue: issue.number as number }
}

async function mergeOf(at: StandRepository, ticket: string, head: string) {
  const base = (await at.head()) as string
  const tree = await at.git.text(['merge-tree', '--write-tree', base, head])
  const merge = await at.git.text(['commit-tree', tree, '-p', base, '-p', head, '-m', 'Merge'])
  return { ticket, into: 'main', base, head, merge }
}

describe('a pull request', () => {
  it('is opened as a draft, brought up to date, merged at the judged head, and then found as merged', async () => {
    const { at, forge, ticket, head, draft, issue } = await openTicket('journey')
    const change = await forge.openChange(draft)
    expect(change).toMatchObject({ ticket, headCommit: head, base: 'main', draft: true, state: 'open' })
    const ready = await forge.updateChange(change, {
      title: 'Do it well',
      draft: false,
      labels: ['role: dev'],
      reviewers: ['rita'],
    })
    expect(ready).toMatchObject({ id: change.id, title: 'Do it well', draft: false })
    expect(await forge.observeChange(change)).toMatchObject({
      mergeable: 'clean',
      baseCommit: await at.head(),
      checks: [],
      reviews: [],
    })
    const outcome = await forge.merge(await mergeOf(at, ticket, head))
    expect(outcome).toEqual({ outcome: 'merged', commit: await at.head() })
    expect(await forge.findChange(`phase/${ticket}`)).toMatchObject({ id: change.id, state: 'merged' })
    expect((await forge.readIssue(issue)).state).toBe('closed')
  })

  it.each([
    { how: 'answers 502', fault: { status: 502 } },
    { how: 'cuts the connection', fault: { cut: true } },
  ])('is there once when the forge makes it and $how', async ({ fault, how }) => {
    const { at, forge, draft } = await openTicket(`once-${how.slice(0, 4).trim()}`)
    stand.fault({ on: `POST /repos/${at.fullName}/pulls`, when: 'after', ...fault })
    const change = await forge.openChange(draft)
    const again = await forge.openChange(draft)
    expect(again.id).toBe(change.id)
    expect(await stand.as('owner')('GET', `/repos/${at.fullName}/pulls?state=all`)).toHaveLength(1)
  })

  it('is adopted when the forge says that there is one already, which its list did not show yet', async () => {
    const { at, forge, draft } = await openTicket('late-list')
    const errors = [{ resource: 'PullRequest', code: 'custom', message: `A pull request already exists for ${draft.head}.` }]
    const body = { message: 'Validation Failed', errors }
    stand.fault({ on: `POST /repos/${at.fullName}/pulls`, when: 'after', status: 422, body })
    expect(await forge.openChange(draft)).toMatchObject({ head: draft.head, state: 'open' })
    expect(await stand.as('owner')('GET', `/repos/${at.fullName}/pulls?state=all`)).toHaveLength(1)
  })

  it('is not merged when the base has moved, the head is another, or the branch is protected', async () => {
    const { at, forge, ticket, head, draft } = await openTicket('moved')
    await forge.openChange({ ...draft, draft: false })
    const order = await mergeOf(at, ticket, head)
    expect(await forge.merge({ ...order, head: order.base })).toMatchObject({ outcome: 'waiting' })
    at.protect('main', { checks: ['valuetrain/tests'] })
    expect(await forge.merge(order)).toMatchObject({
      outcome: 'waiting',
      reason: 'forge-refused: Required status check "valuetrain/tests" is expected.',
    })
    const moved = await at.push({ 'other.txt': 'x\n' })
    expect(await forge.merge(order)).toEqual({ outcome: 'moved', base: moved })
  })

  it('tells reviews with the permission of their authors, and checks that are not ours', async () => {
    const { at, forge, head, draft } = await openTicket('reviews')
    const change = await forge.openChange({ ...draft, draft: false })
    await stand.as('rita')('POST', `/repos/${at.fullName}/pulls/${change.id}/reviews`, { event: 'APPROVE', body: 'good' })
    at.setStatus(head, 'ci/test', 'failure', '3 tests failed')
    await forge.reportGates(head, [{ gate: 'tests', standing: 'pass', description: 'all 12 passed' }], {
      title: '1 gate passes',
      text: '',
    })
    const standing = await forge.observeChange(change)
    expect(standing.reviews).toMatchObject([
      { login: 'rita', permission: 'write', state: 'approved', commit: head, body: 'good' },
    ])
    expect(standing.checks).toEqual([{ name: 'ci/test', state: 'failure', text: '3 tests failed', location: '' }])
  })
})

describe('reports of gates with a token', () => {
  it('are one status each and one summary, and are written again only when they change', async () => {
    const { at, forge, head } = await openTicket('statuses')
    const reports = [
      { gate: 'tests', standing: 'pass' as const, description: 'x'.repeat(300) },
      { gate: 'lint', standing: 'fail' as const, description: 'two findings\nin a.ts' },
    ]
    const summary = { title: '1 of 2 gates passes', text: 'lint fails' }
    await forge.reportGates(head, reports, summary)
    expect(at.statuses(head).sort((a, b) => a.context.localeCompare(b.context))).toEqual([
      { context: 'valuetrain', state: 'failure', description: '1 of 2 gates passes', login: 'pilot' },
      { context: 'valuetrain/lint', state: 'failure', description: 'two findings in a.ts', login: 'pilot' },
      { context: 'valuetrain/tests', state: 'success', description: `${'x'.repeat(139)}…`, login: 'pilot' },
    ])
    const from = stand.journal.length
    await forge.reportGates(head, reports, summary)
    expect(stand.journal.slice(from).filter(({ method }) => method === 'POST')).toEqual([])
  })
})

describe('issues', () => {
  it('are listed without pull requests, opened once, related, and closed', async () => {
    const { forge, draft, issue } = await openTicket('issues')
    await forge.openChange(draft)
    const child = await forge.openIssue({
      title: 'Then this',
      body: 'More',
      labels: ['auto'],
      blockedBy: [issue],
      parent: issue,
      key: 'k1',
    })
    const same = await forge.openIssue({
      title: 'Then this',
      body: 'More',
      labels: ['auto'],
      blockedBy: [issue],
      parent: issue,
      key: 'k1',
    })
    expect(same.number).toBe(child.number)
    const listed = await forge.listIssues()
    expect(listed.map(({ number, blockedBy, parent, hold }) => ({ number, blockedBy, parent, hold }))).toEqual([
      { number: issue, blockedBy: [], parent: undefined, hold: undefined },
      { number: child.number, blockedBy: [issue], parent: issue, hold: undefined },
    ])
    expect((await forge.closeIssue(issue)).state).toBe('closed')
    expect((await forge.listIssues()).map(({ number, blockedBy }) => [number, blockedBy])).toEqual([[child.number, []]])
  })

  it('are commented on once for a key, and labels and assignment show their standing', async () => {
    const { at, forge, issue } = await openTicket('talk')
    stand.fault({ on: /POST .*\/comments$/, when: 'after', cut: true })
    await forge.comment(issue, 'blocked:1', 'It is blocked')
    await forge.comment(issue, 'blocked:1', 'It is blocked')
    await forge.comment(issue, 'blocked:2', `Long ${'y'.repeat(70_000)}`)
    expect(await stand.as('owner')('GET', `/repos/${at.fullName}/issues/${issue}/comments`)).toHaveLength(2)
    const before = new Date(Date.now() - 60_000).toISOString()
    await stand.as('rita')('POST', `/repos/${at.fullName}/issues/${issue}/comments`, { body: '/pause' })
    expect(await forge.listComments(before)).toMatchObject([
      { number: issue, login: 'rita', permission: 'write', body: '/pause' },
    ])
    await forge.show(issue, { add: ['in work 🚂', 'a/b: c'], remove: ['nothing'], assign: true })
    await forge.show(issue, { remove: ['a/b: c'], assign: true })
    expect(await forge.readIssue(issue)).toMatchObject({ labels: ['auto', 'in work 🚂'], assignees: ['pilot'] })
    // Somebody else takes it off between our look and our request.
    stand.fault({ on: /DELETE .*labels/, status: 404, body: { message: 'Label does not exist' } })
    await forge.show(issue, { remove: ['auto'] })
    await forge.show(issue, { assign: false })
    expect((await forge.readIssue(issue)).assignees).toEqual([])
  })
})

const QUIET = { debug() {}, info() {}, warn() {}, error() {} }
const asPilot = (auth = stand.token('pilot')) => new Octokit({ baseUrl: stand.api, auth, log: QUIET })

/** A clone of a stand's repository whose git knows the pilot's token; only here, where it is the stand that is looked at. */
async function clone(url: string) {
  const { git } = await makeRepository({})
  const basic = Buffer.from(`x-access-token:${stand.token('pilot')}`).toString('base64')
  await git.run(['config', 'http.extraHeader', `Authorization: Basic ${basic}`])
  await git.run(['remote', 'add', 'origin', url])
  await git.run(['fetch', '--quiet', 'origin'])
  await git.run(['checkout', '--quiet', '-B', 'main', 'origin/main'])
  return git
}

/** What every other test here leans on; looked at by itself with the long suites only. */
describe.runIf(process.env.VALUETRAIN_FULL === '1')('the stand', () => {
  it('takes a branch by git, makes a pull request of it, merges it in git, and closes the issue it names', async () => {
    const repository = await stand.repository('real')
    const issue = await stand.as('owner')('POST', '/repos/owner/real/issues', { title: 'Do it', labels: ['auto'] })
    const git = await clone(repository.cloneUrl)
    await git.run(['checkout', '--quiet', '-b', 'phase/build_1'])
    await git.run(['commit', '--quiet', '--allow-empty', '-m', 'Do it'])
    await git.run(['push', '--quiet', 'origin', 'phase/build_1'])
    const head = await git.text(['rev-parse', 'HEAD'])
    const rest = asPilot().rest
    const at = { owner: 'owner', repo: 'real' }
    const draft = { ...at, title: 'Do it', head: 'phase/build_1', base: 'main', body: `Closes #${issue.number}` }
    const { data: pull } = await rest.pulls.create(draft)
    expect(pull.head.sha).toBe(head)
    await expect(rest.pulls.create(draft)).rejects.toMatchObject({ status: 422 })
    const listed = await rest.issues.listForRepo(at)
    expect(listed.data.map(({ number, pull_request }) => [number, pull_request !== undefined])).toEqual([
      [pull.number, true],
      [issue.number, false],
    ])
    const { data: merged } = await rest.pulls.merge({ ...at, pull_number: pull.number, sha: head })
    expect(await repository.head()).toBe(merged.sha)
    expect((await rest.issues.get({ ...at, issue_number: issue.number })).data.state).toBe('closed')
    expect((await rest.pulls.get({ ...at, pull_number: pull.number })).data).toMatchObject({
      merged: true,
      merge_commit_sha: merged.sha,
    })
    expect(stand.violations()).toEqual([])
  })

  it('refuses a push by a reader, without a token, past a protected branch, and one that is no fast-forward', async () => {
    const repository = await stand.repository('doors')
    const git = await clone(repository.cloneUrl)
    const push = (header: string, spec: string) =>
      git.run(['-c', 'http.extraHeader=', '-c', `http.extraHeader=${header}`, 'push', 'origin', spec], { okExit: [1, 128] })
    const as = (login: string) => `Authorization: Basic ${Buffer.from(`x:${stand.token(login)}`).toString('base64')}`
    await git.run(['commit', '--quiet', '--allow-empty', '-m', 'More'])
    expect((await push(as('reader'), 'HEAD:refs/heads/x')).stderr).toContain('403')
    expect((await push('X-Nothing: 1', 'HEAD:refs/heads/x')).code).toBe(128)
    repository.protect('main')
    expect((await push(as('pilot'), 'HEAD:refs/heads/main')).stderr).toContain('GH006')
    await repository.push({ 'a.txt': 'a\n' }, { branch: 'side' })
    await git.run(['push', '--quiet', 'origin', 'HEAD:refs/heads/other'])
    expect((await push(as('pilot'), 'HEAD:refs/heads/side')).stderr).toMatch(/non-fast-forward|fetch first/)
  })

  it('answers 304 when nothing changed and does not count it, 401 without a known token, and does what was planned', async () => {
    await stand.repository('odd')
    const octokit = asPilot()
    const ask = (headers: Record<string, string> = {}) =>
      octokit.request('GET /repos/{owner}/{repo}/issues', { owner: 'owner', repo: 'odd', headers })
    const { headers } = await ask()
    const from = stand.journal.length
    await expect(ask({ 'if-none-match': headers.etag ?? '' })).rejects.toMatchObject({ status: 304 })
    expect(stand.counted(from)).toBe(0)
    await expect(asPilot('wrong').rest.users.getAuthenticated()).rejects.toMatchObject({ status: 401 })
    stand.fault({ on: 'GET /repos/owner/odd/issues', status: 502 })
    await expect(ask()).rejects.toMatchObject({ status: 502 })
    stand.fault({ on: /issues$/, cut: true })
    await expect(ask()).rejects.toThrow()
    expect((await ask()).status).toBe(200)
  })

  it('finds what the contract forbids', async () => {
    await stand.repository('strict')
    const octokit = asPilot()
    const at = { owner: 'owner', repo: 'strict', sha: 'a'.repeat(40) }
    const from = stand.journal.length
    const long = octokit.request('POST /repos/{owner}/{repo}/statuses/{sha}', {
      ...at,
      state: 'success',
      description: 'x'.repeat(141),
    })
    await expect(long).rejects.toMatchObject({ status: 422 })
    const wrong = octokit.request('POST /repos/{owner}/{repo}/statuses/{sha}', { ...at, state: 'success', descripton: 'x' })
    await expect(wrong).rejects.toMatchObject({ status: 422 })
    expect(stand.journal.splice(from).map(({ violations }) => violations.length)).toEqual([1, 1])
  })
})
