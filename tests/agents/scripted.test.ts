import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadScript, parseScript, type ScriptInput, scriptedRuntime } from '../../agents/index.ts'
import { readerAt } from '../../core/reader.ts'
import { openBench } from './turn.ts'

type Steps = ScriptInput['turns'][number]['steps']
const play = (...steps: Steps) => scriptedRuntime({ turns: [{ steps }] })

describe('the scripted runtime', () => {
  test('writes, appends and removes files, runs commands and tells what it does', async () => {
    const bench = await openBench({ 'a.txt': 'a\n', 'old.txt': 'old\n' })
    const { result, events } = await bench.work(
      play(
        { do: 'plan', steps: ['write', 'test'] },
        { do: 'thought', text: 'easy' },
        { do: 'message', text: 'on it, {ticket}' },
        { do: 'write', path: 'src/new.txt', content: 'issue {issue}, phase {phase}, attempt {attempt}, {other}\n' },
        { do: 'append', path: 'a.txt', content: 'more\n' },
        { do: 'append', path: 'b.txt', content: 'first\n' },
        { do: 'remove', path: 'old.txt' },
        { do: 'write', path: '{artifacts}/notes.md', content: 'Notes\n' },
        { do: 'run', argv: ['sh', '-c', 'echo done; exit 4'], okExit: [4] },
        { do: 'tool', name: 'read', summary: 'a.txt' },
        { do: 'usage', tokensIn: 100, tokensOut: 10, costUsd: 0.5 },
        { do: 'usage', tokensIn: 1, tokensOut: 2, costUsd: 0.25 },
      ),
    )
    expect(result).toMatchObject({
      outcome: 'completed',
      reason: '12 scripted steps were played',
      usage: { tokensIn: 101, tokensOut: 12, costUsd: 0.75 },
      outputTail: 'done\n',
    })
    expect(events).toEqual([
      { type: 'started' },
      { type: 'plan', steps: ['write', 'test'] },
      { type: 'thought', text: 'easy' },
      { type: 'message', text: 'on it, build_7' },
      { type: 'edit', path: 'src/new.txt' },
      { type: 'edit', path: 'a.txt' },
      { type: 'edit', path: 'b.txt' },
      { type: 'edit', path: 'old.txt' },
      { type: 'edit', path: '.valuetrain/tickets/build_7/artifacts/notes.md' },
      { type: 'tool', name: 'run-code', summary: 'sh -c echo done; exit 4', state: 'started' },
      { type: 'output', stream: 'stdout', text: 'done\n' },
      { type: 'tool', name: 'run-code', summary: 'sh -c echo done; exit 4', state: 'done' },
      { type: 'tool', name: 'read', summary: 'a.txt', state: 'done' },
      { type: 'usage', usage: { tokensIn: 100, tokensOut: 10, costUsd: 0.5 } },
      { type: 'usage', usage: { tokensIn: 1, tokensOut: 2, costUsd: 0.25 } },
    ])
    const read = (path: string) => readFile(join(bench.repo.dir, path), 'utf8')
    expect([await read('src/new.txt'), await read('a.txt'), await read('b.txt')]).toEqual([
      'issue 7, phase build, attempt 1, {other}\n',
      'a\nmore\n',
      'first\n',
    ])
    expect(await bench.repo.git.text(['status', '--porcelain', '--', 'old.txt'])).toBe(' D old.txt')
  })

  test('is refused every tool its role may not use, tells it, and goes on', async () => {
    const bench = await openBench()
    const script = play(
      { do: 'tool', name: 'web-fetch' },
      { do: 'run', argv: ['touch', 'ran.txt'] },
      { do: 'write', path: 'wrote.txt', content: 'x\n' },
      { do: 'tool', name: 'read', summary: 'still here' },
    )
    const { result, events } = await bench.work(script, { tools: ['read'], role: 'evaluator', mode: 'operate' })
    expect(result.outcome).toBe('completed')
    const refused = (tool: string) => {
      return {
        type: 'permission',
        tool,
        allowed: false,
        reason: `the role evaluator may not use ${tool} in operate (it may use read)`,
      }
    }
    expect(events.slice(1)).toEqual([
      refused('web-fetch'),
      refused('run-code'),
      refused('write'),
      { type: 'tool', name: 'read', summary: 'still here', state: 'done' },
    ])
    expect(await bench.repo.git.text(['status', '--porcelain', '--', '*.txt'])).toBe('')
  })

  test('may read and write and no more where the turn does not say', async () => {
    const bench = await openBench()
    const script = play({ do: 'run', argv: ['true'] }, { do: 'write', path: 'b.txt', content: 'b\n' })
    const { events } = await bench.work(script, { tools: undefined })
    expect(events.map(({ type }) => type)).toEqual(['started', 'permission', 'edit'])
  })

  test('cannot write outside the worktree, through a link neither', async () => {
    const bench = await openBench()
    await mkdir(join(bench.repo.outside, 'else'))
    await symlink(join(bench.repo.outside, 'else'), join(bench.repo.dir, 'link'))
    for (const path of ['../owned.txt', '/tmp/vt-owned.txt', 'link/owned.txt']) {
      await expect(bench.work(play({ do: 'write', path, content: 'x' }))).rejects.toMatchObject({ code: 'VT_OUTSIDE' })
    }
  })

  test.each<[string, Steps[number], object]>([
    [
      'hangs until a limit ends it',
      { do: 'hang' },
      { outcome: 'timed-out', reason: expect.stringContaining('printed nothing within 0.4 s') },
    ],
    [
      'crashes',
      { do: 'crash' },
      { outcome: 'failed', signal: 'SIGSEGV', reason: expect.stringContaining('was ended by SIGSEGV') },
    ],
    ['crashes by the signal it is told', { do: 'crash', signal: 'SIGKILL' }, { outcome: 'failed', signal: 'SIGKILL' }],
    ['fails with its command', { do: 'run', argv: ['sh', '-c', 'exit 3'] }, { outcome: 'failed', exit: 3 }],
    [
      'ends as it is told',
      {
        do: 'end',
        outcome: 'limited',
        reason: 'come back later',
        until: '2026-01-02T00:00:00.000Z',
        decisions: ['kept it small'],
        handOff: 'see notes',
      },
      {
        outcome: 'limited',
        reason: 'come back later',
        until: '2026-01-02T00:00:00.000Z',
        decisions: ['kept it small'],
        handOff: 'see notes',
      },
    ],
  ])('%s, and plays nothing after that', async (_, step, expected) => {
    const bench = await openBench()
    const limits = { launchMs: 20_000, firstOutputMs: 400, silenceMs: 20_000, totalMs: 40_000, outputBytes: 10_000 }
    const { result } = await bench.work(
      play(step, { do: 'write', path: 'never.txt', content: 'x' }),
      step.do === 'hang' ? { limits } : {},
    )
    expect(result).toMatchObject(expected)
    expect(await bench.repo.git.text(['status', '--porcelain', '--', 'never.txt'])).toBe('')
  })

  test('throws when it is told to, as a faulty runtime would', async () => {
    const bench = await openBench()
    await expect(bench.work(play({ do: 'throw', message: 'oops' }))).rejects.toThrow('oops')
  })

  test('plays the first turn that fits, and fails when none does', async () => {
    const end = (reason: string): Steps => [{ do: 'end', outcome: 'completed', reason }]
    const runtime = scriptedRuntime({
      turns: [
        { phase: 'build', attempt: 2, steps: end('second attempt') },
        { issue: 8, steps: end('issue 8') },
        { mode: 'build', phase: 'build', steps: end('build') },
      ],
    })
    const bench = await openBench()
    const reasonOf = async (more: object) => (await bench.work(runtime, more)).result.reason
    expect([
      await reasonOf({}),
      await reasonOf({ attempt: 2 }),
      await reasonOf({ issue: 8, phase: 'scope', mode: 'scope' }),
      await reasonOf({ phase: 'scope', mode: 'scope' }),
    ]).toEqual(['build', 'second attempt', 'issue 8', 'no turn is scripted for phase scope, attempt 1'])
  })

  test('reads its script from the committed base, not from the working tree', async () => {
    const text = 'turns:\n  - steps:\n      - { do: message, text: hello }\n'
    const { repo } = await openBench({ '.valuetrain/scripted.yaml': text })
    await repo.write({ '.valuetrain/scripted.yaml': 'turns: []\n' })
    expect(await loadScript(readerAt(repo.git, 'HEAD'))).toEqual({
      version: 1,
      turns: [{ steps: [{ do: 'message', text: 'hello' }] }],
    })
    expect(await loadScript(readerAt(repo.git, 'HEAD~0:.valuetrain'))).toBeUndefined()
    expect((await scriptedRuntime(undefined).probe()).ready).toBe(false)
  })

  test('refuses a script it does not understand, naming file and key', () => {
    expect(() => parseScript('turns:\n  - stepz: []\n')).toThrow(
      expect.objectContaining({
        code: 'VT_CONFIG',
        message: expect.stringMatching(/scripted\.yaml.*stepz.*did you mean "steps"/),
      }),
    )
    expect(() => parseScript('turns:\n  - steps: [{ do: writ }]\n')).toThrow(expect.objectContaining({ code: 'VT_CONFIG' }))
  })
})
