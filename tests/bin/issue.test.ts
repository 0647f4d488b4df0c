import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeRepository } from '../support/repository.ts'
import { openTerminal, type Place } from './terminal.ts'

async function place(more: Partial<Place> = {}) {
  const repository = await makeRepository()
  const terminal = openTerminal({ dir: repository.dir, env: repository.env, ...more })
  return { repository, terminal }
}

describe('issue', () => {
  it('writes, lists, shows and closes, and commits nothing', async () => {
    const { repository, terminal } = await place({ stdin: 'The second line is lost.\n\nAlways.\n' })
    expect(
      await terminal.transcript(
        ['issue', 'list'],
        ['issue', 'new', '--title', 'Keep the second line', '--body', '-', '--label', 'auto', '--label', 'now'],
        ['issue', 'new', '--title', 'Then this', '--label', 'auto', '--blocked-by', '#1', '--json'],
        ['issue', 'new', '--title', 'Somebody’s own', '--label', 'auto', '--assignee', 'ada'],
        ['issue', 'list'],
        ['issue', 'show', '1'],
        ['issue', 'close', '1'],
        ['issue', 'close', '1'],
        ['issue', 'list', '--all'],
        ['issue', 'show', '9'],
      ),
    ).toMatchInlineSnapshot(`
      "$ valuetrain issue list
      no open issues
      next: valuetrain issue new --title "…" --label auto

      $ valuetrain issue new --title 'Keep the second line' --body - --label auto --label now
      1
      wrote .valuetrain/issues/1-keep-the-second-line.md
      next: valuetrain run 1

      $ valuetrain issue new --title 'Then this' --label auto --blocked-by #1 --json
      {"number":2,"title":"Then this","body":"","labels":["auto"],"assignees":[],"state":"open","createdAt":"<time>","blockedBy":[1],"location":".valuetrain/issues/2-then-this.md"}

      $ valuetrain issue new --title 'Somebody’s own' --label auto --assignee ada
      3
      wrote .valuetrain/issues/3-somebody-s-own.md
      next: valuetrain run 3

      $ valuetrain issue list
      #1  ready  Keep the second line  auto now
      #2  open   Then this             auto      waits for #1
      #3  open   Somebody’s own        auto      assigned to ada

      $ valuetrain issue show 1
      #1 Keep the second line
        state       open
        labels      auto, now
        written in  .valuetrain/issues/1-keep-the-second-line.md

        The second line is lost.
        
        Always.

      $ valuetrain issue close 1
      closed 1  Keep the second line
      wrote .valuetrain/issues/1-keep-the-second-line.md

      $ valuetrain issue close 1
      issue 1 is closed already; nothing written

      $ valuetrain issue list --all
      #1  closed  Keep the second line  auto now
      #2  ready   Then this             auto
      #3  open    Somebody’s own        auto      assigned to ada

      $ valuetrain issue show 9
      error: there is no issue 9 in .valuetrain/issues
      hint: there are 1, 2, 3; \`valuetrain issue list\` shows them
      [exit 2]
      "
    `)
    expect(await repository.git.text(['log', '--format=%s'])).toBe('Begin')
  })

  it.each([
    ['quotes', 'Say "hello" and \'goodbye\''],
    ['emoji', 'Ship it 🚂'],
    ['a leading dash', '-rf /'],
    ['a flag in it', '--force is not an answer'],
    ['a command substitution', '$(touch pwned) `touch pwned`'],
    ['dots and slashes', '../../etc/passwd'],
    ['ten thousand characters', 'x'.repeat(10_000)],
    ['a newline', 'First\nsecond'],
    ['an escape sequence', 'red \u001b[31mtext\u001b[0m'],
  ])('takes a title with %s as it is', async (_, title) => {
    const { repository, terminal } = await place()
    const { code, stdout } = await terminal.run('issue', 'new', '--title', title, '--json')
    expect(code).toBe(0)
    const issue = JSON.parse(stdout) as { number: number; title: string; location: string }
    expect(issue.title).toBe(title.includes('\n') ? 'First second' : issue.title)
    expect(issue.location).toMatch(/^\.valuetrain\/issues\/1(-[a-z0-9-]+)?\.md$/)
    expect(await readFile(join(repository.dir, issue.location), 'utf8')).toContain('number: 1')
    const listed = await terminal.run('issue', 'list')
    expect(listed.stdout).not.toContain('\u001b')
    expect(listed.stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(await repository.git.text(['status', '--porcelain', '--untracked-files=all'])).toBe(`?? ${issue.location}`)
  })

  it('names a body that cannot be read', async () => {
    const { terminal } = await place()
    const { code, stderr } = await terminal.run('issue', 'new', '--title', 'x', '--body', 'gone.md')
    expect({ code, line: stderr.split(':')[1] }).toEqual({ code: 2, line: ' --body gone.md cannot be read' })
  })

  it('lists the others when one file is malformed, and says what is wrong with it', async () => {
    const { repository, terminal } = await place()
    await terminal.run('issue', 'new', '--title', 'Good')
    await repository.write({
      '.valuetrain/issues/2-list.md': '---\n- not a mapping\n---\n',
      '.valuetrain/issues/3-code.md': '---js\nmodule.exports = process.exit(9)\n---\n',
    })
    expect(await terminal.transcript(['issue', 'list'], ['issue', 'show', '3'])).toMatchInlineSnapshot(`
      "$ valuetrain issue list
      #1  open  Good    not labelled auto
      note: .valuetrain/issues/2-list.md is not listed: .valuetrain/issues/2-list.md: front matter is not a mapping
      note: .valuetrain/issues/3-code.md is not listed: .valuetrain/issues/3-code.md: front matter in "js" is not read

      $ valuetrain issue show 3
      error: .valuetrain/issues/3-code.md: front matter in "js" is not read
      hint: write the front matter in YAML, between two lines of three dashes
      [exit 2]
      "
    `)
  })

  it('says what a forge on another machine needs', async () => {
    const { repository, terminal } = await place()
    const list = ['issue', 'list', '--forge', 'github']
    const nowhere = await terminal.transcript(list)
    await repository.git.run(['remote', 'add', 'origin', 'https://github.com/octo/demo.git'])
    expect(nowhere + (await terminal.transcript(list))).toMatchInlineSnapshot(`
      "$ valuetrain issue list --forge github
      error: there is no git remote "origin", so \`forge: github\` has nowhere to go
      hint: run \`git remote add origin https://github.com/OWNER/NAME.git\`, or set \`github.repository: OWNER/NAME\`
      [exit 2]
      $ valuetrain issue list --forge github
      error: there is no token for github.com
      hint: set VALUETRAIN_GITHUB_TOKEN, GH_TOKEN or GITHUB_TOKEN, or run \`gh auth login --hostname github.com\`; docs/github.md says what it must be allowed
      [exit 3]
      "
    `)
  })
})
