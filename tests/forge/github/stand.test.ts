import { Octokit } from '@octokit/rest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStand, type Stand } from '../../support/github/index.ts'
import { makeRepository } from '../../support/repository.ts'

let stand: Stand

beforeAll(async () => {
  stand = await openStand()
})
afterAll(() => stand.close())

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

describe('the stand', () => {
  it('takes a branch by git, makes a pull request of it, merges it in git, and closes the issue it names', async () => {
    const repository = await stand.repository('journey')
    const issue = await stand.as('owner')('POST', '/repos/owner/journey/issues', { title: 'Do it', labels: ['auto'] })
    const git = await clone(repository.cloneUrl)
    await git.run(['checkout', '--quiet', '-b', 'phase/build_1'])
    await git.run(['commit', '--quiet', '--allow-empty', '-m', 'Do it'])
    await git.run(['push', '--quiet', 'origin', 'phase/build_1'])
    const head = await git.text(['rev-parse', 'HEAD'])
    const rest = asPilot().rest
    const at = { owner: 'owner', repo: 'journey' }
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
    expect(stand.journal.slice(from).map(({ violations }) => violations.length)).toEqual([1, 1])
  })
})
