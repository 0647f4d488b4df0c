import { mkdir, mkdtemp, readFile, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listRuntimes } from '../../agents/index.ts'
import { parseConfig } from '../../core/config.ts'
import type { Runtime, TurnRequest } from '../../core/contracts/runtime.ts'
import { openJail } from '../../core/jail.ts'
import { probeJail } from '../../core/jail-probe.ts'
import { type Bench, openBench } from './turn.ts'

const AGENT = fileURLToPath(new URL('acp-agent.mjs', import.meta.url))
const probe = await probeJail(process.env)

/** A runtime that only a configuration names: nothing of it is known to the code. */
function runtimeOf(bench: Bench, ...args: string[]): Runtime {
  const config = parseConfig(JSON.stringify({ agents: { mine: { protocol: 'acp', command: [execPath, AGENT, ...args] } } }))
  const found = listRuntimes({ env: bench.repo.env, script: undefined, config }).find(({ id }) => id === 'mine')
  if (found === undefined) throw new Error('the configured agent is no runtime')
  return found
}

const limits = (more: Partial<TurnRequest['limits']>) => ({
  limits: { launchMs: 20_000, firstOutputMs: 20_000, silenceMs: 20_000, totalMs: 40_000, outputBytes: 10_000, ...more },
})
const content = (bench: Bench, path = 'a.txt') => readFile(join(bench.repo.dir, path), 'utf8').catch(() => undefined)

describe('an agent over ACP, named by the configuration alone', () => {
  test('edits after it was allowed to, by the kind of the option and not its label', async () => {
    const bench = await openBench()
    const { result, events } = await bench.work(runtimeOf(bench, 'edit'))
    expect(result).toMatchObject({ outcome: 'completed', reason: 'mine says it is done and has changed files' })
    expect(await content(bench)).toBe('edited\n')
    expect(events.filter(({ type }) => type !== 'started')).toEqual([
      { type: 'message', text: 'working' },
      { type: 'plan', steps: ['edit a.txt'] },
      { type: 'tool', id: 't1', name: 'edit', summary: 'a.txt', state: 'done' },
      { type: 'edit', path: 'a.txt' },
    ])
  })

  test('is refused what its role may not use, and fails when it then changed nothing', async () => {
    const bench = await openBench()
    const { result, events } = await bench.work(runtimeOf(bench, 'ask'), { tools: ['read', 'write'] })
    expect(result).toMatchObject({
      outcome: 'failed',
      reason: 'mine says it is done and has changed nothing; refused: run-code',
    })
    expect(events.filter(({ type }) => type === 'permission' || type === 'message')).toEqual([
      {
        type: 'permission',
        tool: 'run-code',
        allowed: false,
        reason: 'the role studio may not use run-code in build (it may use read, write)',
      },
      { type: 'message', text: 'answer x' },
    ])
  })

  test('cannot have files written outside the worktree, through a link, into git or into the configuration', async () => {
    const bench = await openBench({ 'a.txt': 'a\n', '.valuetrain/config.yaml': 'version: 1\n', '.husky/pre-commit': 'exit 0\n' })
    const outside = await mkdtemp(join(tmpdir(), 'vt-outside-'))
    await symlink(outside, join(bench.repo.dir, 'link'))
    const inside = (path: string) => join(bench.repo.dir, path)
    const paths = [
      join(outside, 'x'),
      inside('link/x'),
      inside('../x'),
      inside('.git/hooks/pre-commit'),
      inside('.valuetrain/config.yaml'),
      inside('.husky/pre-commit'),
      inside('b.txt'),
      join(bench.artifacts, 'notes.md'),
    ]
    const { result, events } = await bench.work(runtimeOf(bench, 'files', ...paths))
    const said = events.flatMap((event) => (event.type === 'message' ? [event.text] : []))
    const no = 'no: -32602'
    expect(JSON.parse(said[0] ?? '')).toEqual({ tried: [no, no, no, no, no, no, 'written', 'written'], content: 'a\n' })
    expect(result.outcome).toBe('completed')
    expect([await content(bench, 'b.txt'), await content(bench, '.husky/pre-commit')]).toEqual(['planted\n', 'exit 0\n'])
  })

  test.each([
    ['refuse', { outcome: 'failed', reason: 'mine says it failed: refusal' }],
    ['login', { outcome: 'failed', reason: 'mine says it failed: Authentication required (-32000)' }],
    ['old', { outcome: 'failed', reason: 'mine says it failed: it speaks version 0 of the protocol, and 1 is needed' }],
    ['die', { outcome: 'failed', reason: 'mine ended with exit code 3' }],
    ['crash', { outcome: 'failed', reason: 'mine was ended by SIGKILL' }],
    ['limit', { outcome: 'limited', until: '2031-01-02T03:04:05Z' }],
    ['huge', { outcome: 'completed' }],
  ] as const)('that has the way "%s" ends as it should', async (way, expected) => {
    const bench = await openBench()
    expect((await bench.work(runtimeOf(bench, way))).result).toMatchObject(expected)
  })

  test('takes up its session of the turn before, which is told again and not heard again', async () => {
    const bench = await openBench()
    const said = (turn: Awaited<ReturnType<Bench['work']>>) =>
      turn.events.flatMap((event) => (event.type === 'message' ? [event.text] : []))
    const first = await bench.work(runtimeOf(bench, 'load'))
    expect([first.result.session, said(first)]).toEqual(['s1', ['begins']])
    const second = await bench.work(runtimeOf(bench, 'load'), { resume: 's1' })
    expect([second.result.outcome, second.result.session, said(second)]).toEqual(['completed', 's1', ['goes on']])
    // One that the agent has forgotten is begun anew, and one that cannot load is not asked.
    expect(said(await bench.work(runtimeOf(bench, 'load'), { resume: 'another' }))).toEqual(['begins'])
    expect((await bench.work(runtimeOf(bench, 'edit'), { resume: 's1' })).result.outcome).toBe('completed')
  })

  test('that hangs is ended by its limit, and one that answers no request as well', async () => {
    for (const way of ['hang', 'garbage']) {
      const bench = await openBench()
      const { result } = await bench.work(runtimeOf(bench, way), limits({ totalMs: 2_500 }))
      expect({ way, outcome: result.outcome }).toEqual({ way, outcome: 'timed-out' })
    }
  })

  test('is cancelled by the protocol', async () => {
    const bench = await openBench()
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 1_500)
    const { result } = await bench.work(runtimeOf(bench, 'hang'), { signal: stop.signal })
    expect([result.outcome, await content(bench, 'told.txt')]).toEqual(['cancelled', 'cancelled\n'])
  })

  test.skipIf(!probe.ready)(`works in a jail, where it is offered no files (${probe.why})`, async () => {
    const bench = await openBench()
    await mkdir(bench.artifacts, { recursive: true })
    const jail = await openJail({ program: probe.program ?? '', worktree: bench.repo.dir, artifacts: bench.artifacts })
    onTestFinished(() => jail.close())
    const within = { wrap: jail.wrap.bind(jail) }
    const readable = {
      wrap: (argv: readonly string[], env: Readonly<Record<string, string>>) =>
        within.wrap(argv, env, { readOnly: [join(AGENT, '../../..')] }),
    }
    const { result } = await bench.work(runtimeOf(bench, 'edit'), { jail: readable })
    expect([result.outcome, await content(bench)]).toEqual(['completed', 'edited\n'])
    const second = await bench.work(runtimeOf(bench, 'files', join(bench.repo.dir, 'b.txt')), { jail: readable })
    expect([second.result.outcome, await content(bench, 'b.txt')]).toEqual(['failed', undefined])
  })
})
