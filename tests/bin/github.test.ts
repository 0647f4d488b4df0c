import { describe, expect, it, onTestFinished } from 'vitest'
import { openStand } from '../support/github/index.ts'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

describe('with `forge: github`', () => {
  it('issues are opened, listed, shown and closed on GitHub, and doctor looks at what is needed there', async () => {
    const stand = await openStand()
    onTestFinished(() => stand.close())
    const config = 'forge: github\nremote: origin\ngithub: { writeEveryMs: 0 }\ncommands: { test: [git, --version] }\n'
    const at = await stand.repository('demo', { 'README.md': '# Demo\n', '.valuetrain/config.yaml': config })
    const repository = await makeRepository({})
    await repository.git.run(['remote', 'add', 'origin', at.cloneUrl])
    await repository.git.run(['fetch', '--quiet', at.git.dir, '+refs/heads/*:refs/remotes/origin/*'])
    await repository.git.run(['checkout', '--quiet', '-B', 'main', 'origin/main'])
    const env = { ...repository.env, VALUETRAIN_GITHUB_TOKEN: stand.token('pilot') }
    const terminal = openTerminal({ dir: repository.dir, env })
    const stranger = await stand.as('owner')('POST', '/repos/owner/demo/issues', { title: 'Not allowed' })
    await stand.as('triager')('POST', `/repos/owner/demo/issues/${stranger.number}/labels`, { labels: ['auto'] })
    const lines = await terminal.transcript(
      ['issue', 'new', '--title', 'Sort the imports', '--label', 'auto'],
      ['issue', 'list'],
      ['issue', 'close', '2'],
      ['issue', 'list'],
    )
    expect(lines.replaceAll(stand.url, '<github>')).toMatchInlineSnapshot(`
      "$ valuetrain issue new --title 'Sort the imports' --label auto
      2
      wrote <github>/owner/demo/issues/2
      next: valuetrain run 2

      $ valuetrain issue list
      #1  open   Not allowed       auto  auto was set by triager, who has no write access
      #2  ready  Sort the imports  auto

      $ valuetrain issue close 2
      closed 2  Sort the imports
      wrote <github>/owner/demo/issues/2

      $ valuetrain issue list
      #1  open  Not allowed  auto  auto was set by triager, who has no write access
      "
    `)
    const looked = JSON.parse((await terminal.run('doctor', '--json')).stdout).findings as {
      id: string
      level: string
      what: string
    }[]
    const said = (id: string) => looked.filter((finding) => finding.id === id).map(({ level, what }) => `${level} ${what}`)
    expect(
      said('forge').join('\n').replaceAll(stand.url.slice('http://'.length), '<github>').replace(/\d{4}/, '<n>'),
    ).toMatchInlineSnapshot(`
      "ok owner/demo, public
      ok pilot by VALUETRAIN_GITHUB_TOKEN
      warn the token reaches every repository of its account
      ok default branch main
      ok <github> has <n> requests left this hour, 200 of them kept for writing"
    `)
    expect(said('remote')).toEqual(['ok remote origin answers'])
    const wrong = openTerminal({ dir: repository.dir, env: { ...env, VALUETRAIN_GITHUB_TOKEN: 'ghp_wrong' } })
    expect((await wrong.run('doctor')).stdout).toContain('does not take the token from VALUETRAIN_GITHUB_TOKEN')
    expect(stand.violations()).toEqual([])
  })

  it.each([
    [
      'null',
      'http://127.0.0.1:9/owner/demo.git',
      '',
      '`remote` is null, so no branch would ever reach owner/demo',
      'set `remote: origin` in .valuetrain/config.yaml, and commit it',
    ],
    [
      'origin',
      '/srv/git/demo.git',
      ', repository: owner/demo',
      'the git remote "origin" is no repository on a GitHub host, and pull requests would be opened in owner/demo',
      'run `git remote set-url origin https://github.com/owner/demo.git`',
    ],
    [
      'origin',
      'http://127.0.0.1:9/fork/demo.git',
      ', repository: owner/demo',
      'the git remote "origin" is fork/demo, and pull requests would be opened in owner/demo',
      'let `remote` and `github.repository` mean the same repository in .valuetrain/config.yaml, and commit it',
    ],
    [
      'upstream',
      'http://127.0.0.1:9/owner/demo.git',
      ', repository: owner/demo',
      'there is no git remote "upstream" that branches could be pushed to',
      'run `git remote add upstream https://github.com/owner/demo.git`',
    ],
  ])('a run is refused before anything is asked with remote %s at %s', async (remote, url, more, message, hint) => {
    const config = `version: 1\nforge: github\nremote: ${remote}\njail: off\ngithub: { api: 'http://127.0.0.1:9/api/v3'${more} }\n`
    const { dir, env, git } = await makeRepository({ '.valuetrain/config.yaml': config })
    await git.run(['remote', 'add', 'origin', url])
    const terminal = openTerminal({ dir, env: { ...env, VALUETRAIN_GITHUB_TOKEN: 'ghp_nobody' } })
    const refused = await terminal.run('drive', '--once')
    expect([refused.code, refused.stderr]).toEqual([2, `error: ${message}\nhint: ${hint}\n`])
    expect((await git.text(['for-each-ref', '--format=%(refname)'])).split('\n')).toEqual(['refs/heads/main'])
  })
})
