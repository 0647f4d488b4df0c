import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findTickets } from '../../conductor/sources.ts'
import { systemClock } from '../../core/clock.ts'
import { defaultConfig } from '../../core/config.ts'
import { systemIds } from '../../core/ids.ts'
import { openRepository } from '../../core/repository.ts'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

const CONFIG = `commands:
  test: [node, test.mjs]
recipes:
  good: [[node, -e, "require('fs').writeFileSync('value.txt', '2')"]]
  bad: [[node, -e, "require('fs').writeFileSync('value.txt', 'x')"]]
  idle: [[node, -e, ""]]
`
const TEST = `import { readFileSync } from 'node:fs'
if (!/^\\d+$/.test(readFileSync('value.txt', 'utf8'))) throw new Error('not a number')
`

async function place(files: Record<string, string> = {}) {
  const repository = await makeRepository({ 'value.txt': '1', 'test.mjs': TEST, '.valuetrain/config.yaml': CONFIG, ...files })
  // Times of commits must differ, as they do in life.
  const env = { ...repository.env, GIT_AUTHOR_DATE: undefined, GIT_COMMITTER_DATE: undefined }
  const terminal = openTerminal({ dir: repository.dir, env, clock: systemClock, ids: systemIds(systemClock) })
  const issue = (title: string, ...labels: string[]) =>
    terminal.run('issue', 'new', '--title', title, ...labels.flatMap((label) => ['--label', label]))
  return { repository, terminal, issue }
}

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; ticket?: string })

describe('one issue from the queue to a merge', () => {
  it('is planned without a change, run, and then told by every reading command', async () => {
    const { repository, terminal, issue } = await place()
    await issue('Two', 'auto', 'recipe:good')
    const refs = () => repository.git.text(['for-each-ref'])
    const before = await refs()
    const plan = JSON.parse((await terminal.run('run', '1', '--plan', '--json')).stdout)
    expect(plan).toMatchObject({
      issue: 1,
      ticket: 'build_1',
      status: 'queued',
      runtime: 'recipe',
      unjudged: ['lint', 'types', 'build'],
    })
    expect(await refs()).toBe(before)

    const ran = await terminal.run('run', '1', '--merge', 'auto', '--json')
    expect(ran.code).toBe(0)
    const events = lines(ran.stdout)
    expect(events.at(-1)).toEqual({ type: 'RUN_ENDED', outcome: 'done', issue: 1 })
    expect(await repository.git.text(['show', 'main:value.txt'])).toBe('2')

    // What was printed is what was written.
    const log = JSON.parse((await terminal.run('session', 'log', 'build_1', '--json')).stdout) as { entries: unknown[] }
    expect(log.entries).toEqual(events.slice(0, -1))

    const [found] = await findTickets(await openRepository(repository.dir, repository.env), defaultConfig())
    const status = JSON.parse((await terminal.run('status', '--json')).stdout)
    expect(status).toEqual({
      tickets: [
        {
          ticket: 'build_1',
          issue: 1,
          title: 'Two',
          pipeline: 'routine',
          phase: 'deliver',
          mode: 'deliver',
          status: 'done',
          attempts: found?.state.control.attempt,
          branch: 'phase/build_1',
          gates: found?.state.ledger.delivered?.verdicts.map(({ gate, verdict }) => ({ gate, verdict })),
          items: expect.objectContaining({ done: expect.any(Number), required: expect.any(Number) }),
        },
      ],
    })

    const again = await terminal.run('run', '1', '--json')
    expect({ code: again.code, events: lines(again.stdout) }).toEqual({
      code: 0,
      events: [{ type: 'RUN_ENDED', outcome: 'done', issue: 1 }],
    })
    const listed = JSON.parse((await terminal.run('issue', 'list', '--json')).stdout)
    expect(listed.issues).toMatchObject([
      { number: 1, state: 'closed', ticket: { ticket: 'build_1', status: 'done' }, ready: false },
    ])
    expect(JSON.parse((await terminal.run('session', 'verify', '--json', '--require-anchor')).stdout)).toEqual({
      tickets: [
        {
          ticket: 'build_1',
          integrity: 'intact',
          completeness: 'complete',
          anchoring: 'anchored',
          policy: 'gated',
          findings: [],
        },
      ],
    })
    expect(JSON.parse((await terminal.run('report', '--json')).stdout)).toMatchObject({
      tickets: { opened: 1, delivered: 1, blocked: 0, aborted: 0, open: 0 },
      reworkRate: 0,
      unattendedShare: 1,
    })
    expect((await terminal.run('session', 'show', 'build_1')).stdout).toContain('delivered: ')
    expect((await terminal.run('gc')).code).toBe(0)
  })

  it('blocks, says why, and takes an operator’s words', async () => {
    const { terminal, issue } = await place()
    await issue('Letters', 'auto', 'recipe:bad')
    await issue('Nothing', 'auto', 'recipe:idle')
    await issue('Nobody', 'auto')
    const ran = await terminal.run('run', '1')
    expect(ran.code).toBe(1)
    expect(ran.stdout).toContain('blocked (three-strikes): 3 failed attempts at build')
    const idle = await terminal.run('run', '2', '--json')
    expect({ code: idle.code, end: lines(idle.stdout).at(-1) }).toEqual({
      code: 1,
      end: { type: 'RUN_ENDED', outcome: 'blocked', issue: 2 },
    })
    expect(idle.stdout).toContain('nothing-changed')
    expect(lines((await terminal.run('run', '3', '--json')).stdout).at(-1)).toEqual({
      type: 'RUN_ENDED',
      outcome: 'waiting',
      issue: 3,
    })
    expect((await terminal.run('drive', '--once', '--plan', '--json')).stdout).toContain('blocked')

    const todo = JSON.parse((await terminal.run('ticket', 'show', '1', '--todo', '--json')).stdout)
    expect(todo).toMatchObject({
      ticket: 'build_1',
      status: 'blocked',
      gates: expect.arrayContaining([{ gate: 'test', verdict: 'fail' }]),
    })
    expect(await terminal.run('abort', '1')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'error: --reason is missing and there is no terminal to ask on\nhint: give --reason\n',
    })
    expect(await terminal.run('abort', '1', '--reason', 'not worth it')).toMatchObject({ code: 0 })
    expect(lines((await terminal.run('run', '1', '--json')).stdout).at(-1)).toEqual({
      type: 'RUN_ENDED',
      outcome: 'aborted',
      issue: 1,
    })
    expect(await terminal.run('pause', '7')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('issue 7 has no ticket yet'),
    })
    expect(await terminal.run('session', 'show', 'bild_1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('(did you mean "build_1"?)'),
    })
  })

  it('leaves the merge to a person unless told, and names definitions that are not committed', async () => {
    const { repository, terminal, issue } = await place()
    await issue('Two', 'auto', 'recipe:good')
    await repository.write({ '.valuetrain/config.yaml': 'commands: {}\n' })
    const ran = await terminal.run('run', '1')
    expect(ran.code).toBe(1)
    expect(ran.stderr).toBe('note: .valuetrain/config.yaml changed and not committed; what is committed is used\n')
    expect(ran.stdout).toContain('waiting  issue 1 (build_1)')
    expect(await repository.git.text(['show', 'main:value.txt'])).toBe('1')
    expect((await terminal.run('status')).stdout).toContain('delivered')
  })
})

describe('an empty queue', () => {
  it('is the outcome empty and exit code 0', async () => {
    const { terminal } = await place()
    expect(
      await terminal.transcript(['drive', '--once'], ['drive', '--once', '--json'], ['status'], ['status', '--json']),
    ).toMatchInlineSnapshot(`
      "$ valuetrain drive --once
      empty  no issue is ready
        next: \`valuetrain issue list\` says why each one is passed over; \`valuetrain issue new --title "…" --label auto\` adds one

      $ valuetrain drive --once --json
      {"type":"RUN_ENDED","outcome":"empty","issue":null,"issues":[]}
      empty  no issue is ready
        next: \`valuetrain issue list\` says why each one is passed over; \`valuetrain issue new --title "…" --label auto\` adds one

      $ valuetrain status
      no tickets yet
      next: valuetrain issue new --title "…", then valuetrain run N

      $ valuetrain status --json
      {"tickets":[]}
      "
    `)
  })
})

describe('session verify', () => {
  it('finds a file that was edited, cut or removed, in the working tree and in history', async () => {
    const { repository, terminal, issue } = await place()
    await issue('Two', 'auto', 'recipe:good')
    await terminal.run('run', '1', '--merge', 'auto')
    const folder = join(repository.dir, '.valuetrain/tickets/build_1')
    const [name = ''] = (await readdir(folder)).filter((file) => file.startsWith('session-'))
    const file = join(folder, name)
    const text = await readFile(file, 'utf8')
    const verify = async () => {
      const { code, stdout } = await terminal.run('session', 'verify', '--json')
      const { integrity, completeness } = JSON.parse(stdout).tickets[0]
      return { code, integrity, completeness }
    }
    await writeFile(file, text.replace('"title":"Two"', '"title":"Six"'))
    expect(await verify()).toMatchObject({ code: 1, integrity: 'altered' })
    await appendFile(file, 'x')
    expect(await verify()).toMatchObject({ code: 1, integrity: 'altered' })
    await repository.git.run(['rm', '-r', '-q', '-f', '.valuetrain/tickets/build_1'])
    expect(await verify()).toMatchObject({ code: 1, completeness: 'truncated' })
    await repository.git.run(['commit', '-q', '-m', 'Hide it'])
    expect(await verify()).toMatchObject({ code: 1, completeness: 'truncated' })
  })
})

describe('check', () => {
  it('judges the branch against the default branch as the base defines it', async () => {
    const { repository, terminal } = await place()
    await repository.git.run(['switch', '-q', '-c', 'feature'])
    await repository.commit({ 'value.txt': '7' })
    const good = await terminal.run('check', '--json')
    const head = await repository.git.text(['rev-parse', 'HEAD'])
    const base = await repository.git.text(['rev-parse', 'main'])
    expect({ code: good.code, ...JSON.parse(good.stdout) }).toMatchObject({
      code: 0,
      ok: true,
      base,
      head,
      findings: [{ rule: 'ungated-commit', severity: 'notice', commit: head, path: null }],
    })
    expect(JSON.parse(good.stdout).gates).toContainEqual({ gate: 'test', verdict: 'pass' })

    await repository.commit({ 'value.txt': 'seven', '.valuetrain/config.yaml': 'commands: {}\n' })
    const bad = await terminal.run('check', '--json')
    const { ok, gates, findings } = JSON.parse(bad.stdout)
    expect({ code: bad.code, ok }).toEqual({ code: 1, ok: false })
    expect(gates).toContainEqual({ gate: 'test', verdict: 'fail' })
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'test', severity: 'error', commit: null, path: null }))
    expect((await terminal.run('gate', 'run', 'test')).code).toBe(1)
    expect((await terminal.run('gate', 'run', 'tset')).stderr).toContain('(did you mean "test"?)')
    expect((await terminal.run('check', '--base', 'gone')).code).toBe(2)
  })

  it('judges the tip of the default branch against its parent, and a first commit against nothing, and says so', async () => {
    const { repository, terminal } = await place()
    const first = await terminal.run('check')
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('judged against the empty tree') })
    await repository.commit({ 'value.txt': '3' })
    const second = await terminal.run('check')
    expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining('judged against its first parent') })
    await repository.git.run(['switch', '-q', '--detach'])
    expect((await terminal.run('check')).code).toBe(0)
  })
})

describe('surroundings that do not fit', () => {
  it('are named before anything is done', async () => {
    const unborn = await makeRepository({})
    const terminal = openTerminal({ dir: unborn.dir, env: unborn.env })
    await terminal.run('issue', 'new', '--title', 'x', '--label', 'auto')
    for (const argv of [['run', '1'], ['drive', '--once'], ['check'], ['status']]) {
      expect({ argv, ...(await terminal.run(...argv)) }).toMatchObject({
        argv,
        code: 3,
        stderr: expect.stringContaining('no commit yet'),
      })
    }
    const { repository, issue } = await place()
    await issue('Two', 'auto', 'recipe:good')
    const nameless = {
      ...repository.env,
      GIT_AUTHOR_NAME: undefined,
      GIT_AUTHOR_EMAIL: undefined,
      GIT_COMMITTER_NAME: undefined,
      GIT_COMMITTER_EMAIL: undefined,
    }
    const anonymous = await openTerminal({ dir: repository.dir, env: nameless }).run('run', '1')
    expect(anonymous).toMatchObject({ code: 3, stderr: expect.stringContaining('git config user.name') })
    const bare = join(repository.outside, 'bare.git')
    await repository.git.run(['clone', '-q', '--bare', repository.dir, bare])
    expect((await openTerminal({ dir: bare, env: repository.env }).run('config', 'set', 'merge', 'auto')).code).toBe(3)
    const shallow = join(repository.outside, 'shallow')
    await repository.commit({ 'value.txt': '5' })
    await repository.git.run(['clone', '-q', '--depth=1', `file://${repository.dir}`, shallow])
    const { code, stderr } = await openTerminal({ dir: shallow, env: repository.env }).run('run', '1')
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/shallow/) })
  })
})
