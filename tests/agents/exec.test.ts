import { chmod, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { execRuntime, KNOWN_AGENTS, launchOf, listRuntimes } from '../../agents/index.ts'
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
      'has reached a limit',
      [{ ...claude.result, is_error: true, result: 'Claude AI usage limit reached|1924992000' }],
      1,
      'limited',
      'claude has reached a usage limit: Claude AI usage limit reached|1924992000',
    ],
  ] as const)('that %s is judged by all of it', async (_, lines, exit, outcome, reason) => {
    const { result } = await worked('claude', lines, undefined, exit)
    expect(result).toMatchObject({ outcome, reason })
    expect(result.until).toBe(outcome === 'limited' ? '2031-01-01T00:00:00.000Z' : undefined)
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
