import { chmod, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { execRuntime, KNOWN_AGENTS, launchOf, listRuntimes } from '../../agents/index.ts'
import { parseConfig } from '../../core/config.ts'
import type { Runtime, TurnRequest } from '../../core/contracts/runtime.ts'
import { type Bench, openBench } from './turn.ts'

/** Puts a program named like a real agent first on PATH: it prints the given lines, does what it is told, and exits. */
async function standIn(bench: Bench, name: string, lines: readonly (string | object)[], script = '', exit = 0) {
  const bin = join(await mkdtemp(join(tmpdir(), 'vt-agent-')), 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'lines'), lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''))
  await writeFile(join(bin, name), `#!/bin/sh\ncat > "${bin}/brief"\n${script}\ncat "${bin}/lines"\nexit ${exit}\n`)
  await chmod(join(bin, name), 0o755)
  const env = { ...bench.repo.env, PATH: `${bin}${delimiter}${bench.repo.env.PATH}` }
  const runtime = listRuntimes({ env, script: undefined }).find(({ id }) => id === name) as Runtime
  const given = { env: { PATH: env.PATH, HOME: bench.repo.env.HOME ?? '' } }
  return { runtime, given, brief: () => readFile(join(bin, 'brief'), 'utf8') }
}

async function worked(name: string, lines: readonly (string | object)[], script = 'echo more >> a.txt', exit = 0, more = {}) {
  const bench = await openBench()
  const { runtime, given, brief } = await standIn(bench, name, lines, script, exit)
  const { result, events } = await bench.work(runtime, { ...given, ...more })
  return { result, events: events.filter(({ type }) => type !== 'started'), brief: await brief().catch(() => '') }
}

const claude = {
  init: { type: 'system', subtype: 'init', session_id: 's', tools: ['Read'] },
  says: {
    type: 'assistant',
    message: {
      content: [
        { type: 'thinking', thinking: 'hm' },
        { type: 'text', text: 'on it' },
        { type: 'tool_use', name: 'Edit', input: { file_path: 'a.txt' } },
      ],
      usage: { input_tokens: 9, output_tokens: 9 },
    },
  },
  result: {
    type: 'result',
    subtype: 'success',
    is_error: false,
    result: 'Done.',
    total_cost_usd: 0.02,
    usage: { input_tokens: 10, cache_creation_input_tokens: 20, cache_read_input_tokens: 30, output_tokens: 4 },
    permission_denials: [],
  },
}

describe('a command-line agent', () => {
  test('claude is given the brief on its input, and its transcript becomes events', async () => {
    const { result, events, brief } = await worked('claude', [claude.init, claude.says, claude.result])
    const usage = { tokensIn: 60, tokensOut: 4, costUsd: 0.02 }
    expect(result).toMatchObject({ outcome: 'completed', reason: 'claude says it is done and has changed files', exit: 0, usage })
    expect(brief).toBe('# build_7: build\n')
    expect(events).toEqual([
      { type: 'thought', text: 'hm' },
      { type: 'message', text: 'on it' },
      { type: 'tool', name: 'Edit', summary: 'a.txt', state: 'started' },
      { type: 'usage', usage },
    ])
  })

  test('codex has items and a turn that completes', async () => {
    const { result, events } = await worked('codex', [
      { type: 'thread.started', thread_id: 't' },
      { type: 'turn.started' },
      { type: 'item.completed', item: { id: '0', type: 'reasoning', text: 'think' } },
      { type: 'item.started', item: { id: '1', type: 'command_execution', command: 'npm test', status: 'in_progress' } },
      {
        type: 'item.completed',
        item: { id: '1', type: 'command_execution', command: 'npm test', exit_code: 1, status: 'failed' },
      },
      {
        type: 'item.completed',
        item: { id: '2', type: 'file_change', changes: [{ path: 'a.txt', kind: 'update' }], status: 'completed' },
      },
      { type: 'turn.completed', usage: { input_tokens: 100, cached_input_tokens: 50, output_tokens: 7 } },
    ])
    expect([result.outcome, result.usage]).toEqual(['completed', { tokensIn: 100, tokensOut: 7, costUsd: 0 }])
    expect(events.slice(0, -1)).toEqual([
      { type: 'thought', text: 'think' },
      { type: 'tool', id: '1', name: 'run', summary: 'npm test', state: 'started' },
      { type: 'tool', id: '1', name: 'run', summary: 'npm test', state: 'failed' },
      { type: 'edit', path: 'a.txt' },
    ])
  })

  test('gemini ends with a result, opencode with its last step, whose figures are added up', async () => {
    const gemini = await worked('gemini', [
      { type: 'init', session_id: 's', model: 'm' },
      { type: 'message', role: 'user', content: 'the brief' },
      { type: 'message', role: 'assistant', content: 'ok', delta: true },
      { type: 'result', status: 'success', stats: { input_tokens: 5, output_tokens: 6 } },
    ])
    const step = (reason: string) => ({
      type: 'step_finish',
      part: { reason, cost: 0.5, tokens: { input: 1, output: 2, reasoning: 3, cache: { read: 4, write: 5 } } },
    })
    const opencode = await worked('opencode', [{ type: 'text', part: { text: 'ok' } }, step('tool-calls'), step('stop')])
    expect([gemini.result.outcome, gemini.result.usage]).toEqual(['completed', { tokensIn: 5, tokensOut: 6, costUsd: 0 }])
    expect([opencode.result.outcome, opencode.result.usage]).toEqual(['completed', { tokensIn: 20, tokensOut: 10, costUsd: 1 }])
  })

  test('pi ends with its last word, and one that it failed is taken back by a better one', async () => {
    const message = (more: object) => ({
      role: 'assistant',
      content: [{ type: 'text', text: 'ok' }],
      usage: { input: 7, output: 3, cacheRead: 1, cost: { total: 0.25 } },
      ...more,
    })
    const failed = { type: 'agent_end', messages: [message({ stopReason: 'error', errorMessage: 'overloaded' })] }
    const ended = { type: 'agent_end', messages: [message({ stopReason: 'stop' })] }
    const lines = [
      { type: 'session', id: 's-1' },
      { type: 'tool_execution_start', toolCallId: 't', toolName: 'bash', args: { command: 'ls' } },
      { type: 'tool_execution_end', toolCallId: 't', toolName: 'bash', isError: true },
      { type: 'message_end', message: message({}) },
      { type: 'message_end', message: { role: 'user' } },
    ]
    const good = await worked('pi', [...lines, failed, ended])
    expect(good.result).toMatchObject({
      outcome: 'completed',
      session: 's-1',
      usage: { tokensIn: 8, tokensOut: 3, costUsd: 0.25 },
    })
    expect(good.events.slice(0, 3)).toEqual([
      { type: 'tool', id: 't', name: 'bash', summary: 'ls', state: 'started' },
      { type: 'tool', id: 't', name: 'bash', summary: '', state: 'failed' },
      { type: 'message', text: 'ok' },
    ])
    expect((await worked('pi', [...lines, failed])).result).toMatchObject({
      outcome: 'failed',
      reason: 'pi says it failed: overloaded',
    })
  })

  test.each([
    [
      'exits with 0 after an error of the model',
      [claude.init, { ...claude.result, subtype: 'error_during_execution', is_error: true, result: 'overloaded' }],
      0,
      'failed',
      'claude says it failed: overloaded',
    ],
    [
      'says success after an error of the API',
      [{ ...claude.result, result: 'API Error: 500' }],
      0,
      'failed',
      'claude says it failed: API Error: 500',
    ],
    ['exits with 0 and no last word', [claude.init, claude.says], 0, 'failed', 'claude ended without saying how'],
    ['says success and exits with 1', [claude.result], 1, 'failed', 'claude ended with exit code 1'],
    [
      'prints garbage, a cut line and what nobody knows',
      ['{"type":"resu', '\u0000\ufffd', { type: 'new-kind' }, '[1,2', claude.result, '{"type":'],
      0,
      'completed',
      'claude says it is done and has changed files',
    ],
    [
      'has the wrong login',
      [{ ...claude.result, is_error: true, result: 'Invalid API key · Please run /login' }],
      1,
      'failed',
      'claude says it failed: Invalid API key · Please run /login',
    ],
    [
      'was told "too many" for ever',
      [{ ...claude.result, is_error: true, result: 'API Error: 429 {"type":"error","error":{"type":"rate_limit_error"}}' }],
      1,
      'limited',
      'claude has reached a usage limit: API Error: 429 {"type":"error","error":{"type":"rate_limit_error"}}',
    ],
    [
      'has reached a limit',
      [{ ...claude.result, is_error: true, result: 'Claude AI usage limit reached|1924992000' }],
      1,
      'limited',
      'claude has reached a usage limit: Claude AI usage limit reached|1924992000',
    ],
  ] as const)('that %s is judged by all of it', async (_, lines, exit, outcome, reason) => {
    const { result } = await worked('claude', lines, undefined, exit)
    expect(result).toMatchObject({ outcome, reason })
    expect(result.until).toBe(reason.includes('|1924992000') ? '2031-01-01T00:00:00.000Z' : undefined)
  })

  test.each([
    ['changes nothing since everything was refused', 'true', 'claude says it is done and has changed nothing; refused: Write'],
    [
      'commits by itself',
      'git -c user.name=a -c user.email=a@example.com commit -qm own --allow-empty',
      'claude is not to do this: it committed by itself',
    ],
    ['switches the branch', 'git checkout -q -b other', 'claude is not to do this: it switched the branch of its worktree'],
    ['takes its worktree away', 'rm -rf .git', 'claude is not to do this: its worktree is no longer one that git can read'],
  ])('that %s fails though it says success', async (_, script, reason) => {
    const denied = { ...claude.result, permission_denials: [{ tool_name: 'Write', tool_input: {} }] }
    const { result } = await worked('claude', [denied], script)
    expect(result).toMatchObject({ outcome: 'failed', reason, exit: 0 })
  })

  test('may leave everything as it is where its role does not write', async () => {
    const { result } = await worked('claude', [claude.result], 'true', 0, { tools: ['read'] })
    expect(result.outcome).toBe('completed')
  })

  test('may print a line of 5 MB and 20 MB in all, and its last word is still heard', async () => {
    const script = `echo more >> a.txt; head -c 5000000 /dev/zero | tr '\\0' x; echo; head -c 15000000 /dev/zero | tr '\\0' y; echo`
    const { result } = await worked('claude', [claude.result], script)
    expect([result.outcome, (result.outputTail ?? '').length]).toEqual(['completed', 4_000])
  })

  test('may print what is no UTF-8, and be silent while a tool of it runs', async () => {
    const begins = {
      type: 'assistant',
      message: { content: [{ type: 'tool_use', id: 't', name: 'Bash', input: { command: 'sleep' } }] },
    }
    const ends = { type: 'user', message: { content: [{ type: 'tool_result', tool_use_id: 't' }] } }
    const limits = { launchMs: 20_000, firstOutputMs: 20_000, silenceMs: 400, totalMs: 20_000, outputBytes: 10_000 }
    const script = `printf '\\377\\376{"type"\\n'; echo '${JSON.stringify(begins)}'; sleep 1.2; echo '${JSON.stringify(ends)}'; echo more >> a.txt`
    const busy = await worked('claude', [claude.result], script, 0, { limits })
    expect(busy.result).toMatchObject({ outcome: 'completed' })
    const quiet = await worked('claude', [claude.result], script.replace('"tool_use"', '"text"'), 0, { limits })
    expect(quiet.result).toMatchObject({ outcome: 'timed-out', reason: 'claude went silent for 0.4 s' })
  })

  test('that never says anything is ended by its first limit', async () => {
    const limits = { launchMs: 20_000, firstOutputMs: 400, silenceMs: 20_000, totalMs: 20_000, outputBytes: 10_000 }
    const { result } = await worked('claude', [claude.result], 'sleep 30', 0, { limits })
    expect(result).toMatchObject({ outcome: 'timed-out', reason: 'claude printed nothing within 0.4 s' })
  })

  test('may leave a lock of git, which is moved out of the way and stops nobody', async () => {
    const bench = await openBench()
    const { runtime, given } = await standIn(bench, 'claude', [claude.result], 'echo more >> a.txt; touch .git/index.lock')
    const { result } = await bench.work(runtime, given)
    expect(result.outcome).toBe('completed')
    await bench.repo.git.run(['add', '--all'])
    expect((await readdir(join(bench.repo.dir, '.git'))).filter((name) => name.startsWith('index.lock'))).toEqual([
      'index.lock.left-01J00000000000000000000001',
    ])
  })

  test('that is too old is not started, and one whose version nobody can read is', async () => {
    const spec = KNOWN_AGENTS.find(({ id }) => id === 'claude') as (typeof KNOWN_AGENTS)[number]
    const bin = await mkdtemp(join(tmpdir(), 'vt-old-'))
    for (const [said, expected] of [
      ['1.0.9 (Claude Code)', { ready: false, why: '1.0.9 (Claude Code) is too old; 2.0 is the oldest that is driven here' }],
      ['2.1.0', { ready: true, why: '2.1.0' }],
      ['unknown', { ready: true, why: 'unknown' }],
    ] as const) {
      await writeFile(join(bin, 'claude'), `#!/bin/sh\necho '${said}'\n`, { mode: 0o755 })
      expect(await execRuntime(spec, { env: { PATH: `${bin}${delimiter}/bin:/usr/bin` } }).probe()).toEqual(expected)
    }
  })

  test('works by a login only where no budget in money is set and somebody is logged in, and then as quota', async () => {
    const home = await mkdtemp(join(tmpdir(), 'vt-login-'))
    const config = (more: object) => parseConfig(JSON.stringify({ agents: { claude: { login: true } }, ...more }))
    const bench = await openBench()
    const { given } = await standIn(
      bench,
      'claude',
      [claude.result],
      'echo more >> a.txt; cp "$CLAUDE_CONFIG_DIR/.credentials.json" copy.txt',
    )
    const env = { ...given.env, HOME: home }
    const of = (more: object) =>
      listRuntimes({ env, script: undefined, config: config(more) }).find(({ id }) => id === 'claude') as Runtime
    expect(await of({}).probe()).toMatchObject({
      ready: false,
      why: 'nobody is logged in to it here (.claude/.credentials.json)',
    })
    await mkdir(join(home, '.claude'))
    await writeFile(join(home, '.claude/.credentials.json'), 'a login')
    expect(await of({ budgets: { day: 1 } }).probe()).toMatchObject({
      ready: false,
      why: expect.stringContaining('a budget in money is set'),
    })
    expect([of({}).callsModels, of({}).hosts]).toEqual([false, ['api.anthropic.com', 'console.anthropic.com', 'claude.ai']])
    const { result } = await bench.work(of({}), { ...given, home: join(home, 'own') })
    expect(result).toMatchObject({ outcome: 'completed', quota: true, usage: { tokensIn: 60, tokensOut: 4, costUsd: 0 } })
    expect(await readFile(join(bench.repo.dir, 'copy.txt'), 'utf8')).toBe('a login')
  })

  test('takes up its earlier session where its own folder still has it', async () => {
    const spec = KNOWN_AGENTS.find(({ id }) => id === 'codex') as (typeof KNOWN_AGENTS)[number]
    const home = await mkdtemp(join(tmpdir(), 'vt-home-'))
    const request = {
      cwd: '/w',
      turn: 't',
      brief: 'b',
      env: { PATH: '/nowhere' },
      home,
      resume: '01a1fe2f-b97e',
    } as unknown as TurnRequest
    expect((await launchOf(spec, {}, request)).argv).not.toContain('resume')
    await mkdir(join(home, 'sessions/2026'), { recursive: true })
    await writeFile(join(home, 'sessions/2026/rollout-01a1fe2f-b97e.jsonl'), '')
    const { argv, env, writable } = await launchOf(spec, {}, request)
    expect([argv.slice(-3), env.CODEX_HOME, writable]).toEqual([['resume', '01a1fe2f-b97e', '-'], home, [home]])
  })

  test('that nobody knows is wired, named and counted by its entry alone', async () => {
    const command = [
      'sh',
      '-c',
      'echo more >> a.txt; env > seen.txt; echo "$0" >> seen.txt; cat > /dev/null; echo \'{"type":"usage","tokensIn":5,"tokensOut":1}\'; echo \'{"type":"usage","tokensIn":9,"tokensOut":2}\'; echo \'{"type":"ended","ok":true}\'',
      '{model}',
    ]
    const entry = {
      command,
      dialect: 'events',
      usage: 'run',
      callsModels: true,
      model: 'm-1',
      set: { MY_URL: '{url}/v1', MY_KEY: '{key}' },
    }
    const bench = await openBench()
    const config = parseConfig(JSON.stringify({ agents: { own: entry } }))
    const runtime = listRuntimes({ env: bench.repo.env, script: undefined, config }).find(({ id }) => id === 'own') as Runtime
    const models = { url: 'http://127.0.0.1:5000', key: 'k', env: {} }
    const { result } = await bench.work(runtime, { models })
    expect(result).toMatchObject({ outcome: 'completed', usage: { tokensIn: 9, tokensOut: 2, costUsd: 0 } })
    const seen = await readFile(join(bench.repo.dir, 'seen.txt'), 'utf8')
    expect([seen.includes('MY_URL=http://127.0.0.1:5000/v1'), seen.includes('MY_KEY=k'), seen.trimEnd().endsWith('m-1')]).toEqual(
      [true, true, true],
    )
  })

  test('that edits and then hangs is ended by its limit, with no child left', async () => {
    const limits: TurnRequest['limits'] = {
      launchMs: 20_000,
      firstOutputMs: 20_000,
      silenceMs: 20_000,
      totalMs: 1_500,
      outputBytes: 10_000,
    }
    const script = 'echo more >> a.txt; (setsid sleep 876543 &); sleep 876543'
    const { result } = await worked('claude', [claude.result], script, 0, { limits })
    expect(result).toMatchObject({ outcome: 'timed-out', reason: "claude was not finished when the turn's 1.5 s were over" })
    const { census } = await import('../../core/census.ts')
    const lines = await Promise.all((await census()).map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
    expect(lines.filter((line) => line.includes('876543'))).toEqual([])
  })

  test('that is not installed is not ready, and says so', async () => {
    const spec = KNOWN_AGENTS.find(({ id }) => id === 'claude') as (typeof KNOWN_AGENTS)[number]
    expect(await execRuntime(spec, { env: { PATH: '/nowhere' } }).probe()).toEqual({
      ready: false,
      why: 'there is no `claude` on PATH',
    })
  })

  test('reaches models by the metered address where there is one, and only then', async () => {
    const spec = KNOWN_AGENTS.find(({ id }) => id === 'codex') as (typeof KNOWN_AGENTS)[number]
    const request = { cwd: '/w', turn: 't', brief: 'b', env: { PATH: '/nowhere' } } as unknown as TurnRequest
    const models = { url: 'http://127.0.0.1:5000', key: 'k', env: { OPENAI_API_KEY: 'k' } }
    const plain = await launchOf(spec, {}, request)
    const metered = await launchOf(spec, {}, { ...request, models })
    expect(plain.argv).toEqual(['codex', 'exec', '--json', '--skip-git-repo-check', '-C', '/w', '-s', 'workspace-write', '-'])
    expect(metered.argv.slice(0, 5)).toEqual(['codex', 'exec', '-c', 'model_provider="metered"', '-c'])
    expect(metered.argv[5]).toContain('base_url="http://127.0.0.1:5000/v1"')
    expect(metered.argv[7]).toBe('web_search="disabled"')
    expect([plain.env, metered.env]).toEqual([{ PATH: '/nowhere' }, { PATH: '/nowhere', OPENAI_API_KEY: 'k' }])
  })
})
