import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openJail } from '../../core/jail.ts'
import { probeJail } from '../../core/jail-probe.ts'
import { openBare, type Serve, startAimock, startOllama, startServer } from './models.ts'
import { openBench } from './turn.ts'

const { ready, program } = await probeJail(process.env)

/** Lets a model ask for these calls, one answer each, and then for `done`. */
async function scripted(calls: readonly (readonly [string, object | string])[]) {
  const mock = await startAimock()
  let at = 0
  mock.on({ predicate: () => true }, () => {
    const [name, args] = calls[at++] ?? ['done', { summary: 'The value is right.' }]
    const usage = { prompt_tokens: 100, completion_tokens: 10 }
    return { toolCalls: [{ name, arguments: typeof args === 'string' ? args : JSON.stringify(args) }], usage }
  })
  return mock
}

const EVENTS = ['tool', 'edit', 'permission']
const content = (dir: string, path = 'a.txt') => readFile(join(dir, path), 'utf8').catch(() => undefined)

describe('a bare model in our own loop', () => {
  test.each(['ollama', 'openai'] as const)('reads, writes, edits, runs and is done, over %s', async (protocol) => {
    const bench = await openBench()
    const mock = await scripted([
      ['read', { path: 'a.txt' }],
      ['write', { path: 'b/c.txt', content: 'one two\n' }],
      ['edit', { path: 'b/c.txt', old: 'two', new: '2' }],
      ['bash', { command: 'cat b/c.txt > a.txt; echo ran; exit 3' }],
    ])
    const { url, bodies } = protocol === 'ollama' ? await startOllama(mock, { loaded: 65_536 }) : { url: mock.url, bodies: [] }
    const { runtime, models, calls } = await openBare(protocol, url)
    const { result, events } = await bench.work(runtime, { models: models.access })
    expect(result).toMatchObject({
      outcome: 'completed',
      reason: 'mine says it is done and has changed files',
      handOff: 'The value is right.',
    })
    expect(await content(bench.repo.dir)).toBe('one 2\n')
    expect(
      events
        .filter(({ type }) => EVENTS.includes(type))
        .map((event) => ('state' in event ? `${event.name} ${event.state}` : event.type)),
    ).toEqual([
      'read started',
      'read done',
      'write started',
      'write done',
      'edit',
      'edit started',
      'edit done',
      'edit',
      'bash started',
      'bash failed',
      'done started',
      'done done',
    ])
    expect(calls.map(({ outcome, reported }) => [outcome, reported])).toEqual(Array(5).fill(['ok', 'all']))
    if (protocol === 'openai') expect(result.usage).toEqual({ tokensIn: 500, tokensOut: 50, costUsd: 0 })
    // The same context in every call: another number would make Ollama load the model anew.
    const chats = bodies.filter((body) => body.includes('"messages"')).map((body) => JSON.parse(body).options)
    if (protocol === 'ollama') expect(chats).toEqual(Array(5).fill({ num_ctx: 65_536, num_predict: 8_192 }))
  })

  test('cannot leave the worktree by its file tools, nor write into git or the configuration', async () => {
    const bench = await openBench()
    await mkdir(join(bench.repo.dir, '../outside'), { recursive: true })
    await symlink(join(bench.repo.dir, '../outside'), join(bench.repo.dir, 'link'))
    const paths = ['../outside/x', 'link/x', '.git/hooks/pre-commit', '.valuetrain/config.yaml', '/etc/x']
    const mock = await scripted([
      ...paths.map((path) => ['write', { path, content: 'planted' }] as const),
      ['write', { path: 'a.txt', content: 'b' }],
    ])
    const { runtime, models } = await openBare('openai', mock.url)
    const { result, events } = await bench.work(runtime, { models: models.access })
    const states = events.flatMap((event) => (event.type === 'tool' && event.state !== 'started' ? [event.state] : []))
    expect([result.outcome, states]).toEqual(['completed', [...paths.map(() => 'failed'), 'done', 'done']])
    expect(await content(bench.repo.dir, '.git/hooks/pre-commit')).toBeUndefined()
  })

  test('is not told of what its role may not use, and refused when it asks all the same', async () => {
    const bench = await openBench()
    const mock = await scripted([
      ['bash', { command: 'echo x > a.txt' }],
      ['fly', {}],
    ])
    const { runtime, models } = await openBare('openai', mock.url)
    const { result, events } = await bench.work(runtime, { models: models.access, tools: ['read', 'write'] })
    expect(result).toMatchObject({
      outcome: 'failed',
      reason: 'mine says it is done and has changed nothing; refused: run-code, fly',
    })
    expect(events.filter(({ type }) => type === 'permission')).toHaveLength(2)
    expect(JSON.stringify(mock.getRequests()[0]?.body)).not.toContain('"bash"')
  })

  test.skipIf(!ready)('has its tools in the jail of the turn', async () => {
    const bench = await openBench({ 'a.txt': 'a\n', '.husky/pre-commit': 'exit 0\n' })
    await writeFile(join(bench.repo.dir, '../secret.txt'), 'a secret')
    const mock = await scripted([
      ['bash', { command: `cat ../secret.txt > a.txt; echo $? >> a.txt` }],
      ['bash', { command: 'echo planted > .husky/pre-commit' }],
    ])
    const jail = await openJail({
      program: program ?? '',
      worktree: bench.repo.dir,
      artifacts: bench.artifacts,
      protected: ['.husky/**'],
    })
    onTestFinished(() => jail.close())
    const { runtime, models } = await openBare('openai', mock.url)
    const { result } = await bench.work(runtime, { models: models.access, jail })
    expect([result.outcome, await content(bench.repo.dir), await content(bench.repo.dir, '.husky/pre-commit')]).toEqual([
      'completed',
      '1\n',
      'exit 0\n',
    ])
  })
})

const stream = (parts: readonly object[]) => parts.map((part) => `data: ${JSON.stringify(part)}\n\n`).join('')
const delta = (part: object, reason: string | null = null) => ({ choices: [{ index: 0, delta: part, finish_reason: reason }] })
const call = (name: string, args: string) =>
  delta({ tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name, arguments: args } }] })

describe('what a model can do wrong', () => {
  const answering = (...answers: Serve[]): Serve => {
    let at = 0
    return (request, response, body) => (answers[Math.min(at++, answers.length - 1)] as Serve)(request, response, body)
  }
  const sse =
    (text: string): Serve =>
    (_, response) =>
      void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text)
  const refusing =
    (status: number, headers: Record<string, string> = {}): Serve =>
    (_, response) =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end('{"error":{"message":"no"}}')
  const broken = sse(stream([call('write', '{"path": "a.txt", "con'), delta({}, 'tool_calls')]))
  const cut: Serve = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(stream([call('write', '{"path": "a.txt",')]))
    setTimeout(() => response.destroy(), 20)
  }
  const writes = sse(stream([call('write', '{"path":"a.txt","content":"b"}'), delta({}, 'tool_calls')]))
  const done = sse(stream([call('done', '{"summary":"ok"}'), delta({}, 'tool_calls')]))
  const talks = sse(stream([delta({ content: 'I would do it.' }), delta({}, 'stop')]))

  test.each([
    ['breaks the JSON of one call', answering(broken, writes, done), 'completed', 'says it is done'],
    ['breaks the JSON of every call', broken, 'failed', '4 answers in a row called no tool that could be run'],
    ['is cut off inside a call, once', answering(cut, writes, done), 'completed', 'says it is done'],
    ['only talks', talks, 'failed', '4 answers in a row called no tool that could be run'],
    ['makes the same call for ever', writes, 'failed', 'the same call 5 times in a row'],
    ['answers 500 once', answering(refusing(500, { 'retry-after': '0' }), writes, done), 'completed', 'says it is done'],
    ['takes no such request', refusing(400), 'failed', 'the model answered 400: no'],
  ] as const)('%s', async (_, serve, outcome, reason) => {
    const bench = await openBench()
    const { runtime, models } = await openBare('openai', (await startServer(serve)).url)
    const { result } = await bench.work(runtime, { models: models.access })
    expect(result).toMatchObject({ outcome, reason: expect.stringContaining(reason) })
  })

  test('it is not asked more often than a turn may ask', async () => {
    let at = 0
    const reads: Serve = (request, response, body) =>
      sse(stream([call('read', `{"path":"a.txt","from":${++at}}`), delta({}, 'tool_calls')]))(request, response, body)
    const bench = await openBench()
    const { runtime, models } = await openBare('openai', (await startServer(reads)).url)
    const limits = { launchMs: 20_000, firstOutputMs: 20_000, silenceMs: 20_000, totalMs: 40_000, outputBytes: 10_000, calls: 6 }
    const { result } = await bench.work(runtime, { models: models.access, limits })
    expect([result.outcome, at]).toEqual(['failed', 6])
    expect(result.reason).toContain('the 6 calls of the model that one turn may make are used up')
  })

  test('it never answers, and the turn ends by its limit', async () => {
    const bench = await openBench()
    const { runtime, models } = await openBare('openai', (await startServer(() => {})).url)
    const limits = { launchMs: 20_000, firstOutputMs: 700, silenceMs: 20_000, totalMs: 40_000, outputBytes: 10_000 }
    const { result } = await bench.work(runtime, { models: models.access, limits })
    expect(result).toMatchObject({ outcome: 'timed-out', reason: 'mine printed nothing within 0.7 s' })
  })
})

describe('an Ollama', () => {
  test.each([
    ['has what is needed', {}, { ready: true, why: 'Ollama 0.15.2, coder:30b with 65536 of 131072 tokens of context' }],
    [
      'has a model of 4,096 tokens',
      { context: 4_096 },
      { ready: false, why: expect.stringContaining('has 4096 tokens of context, and 65536 are needed') },
    ],
    ['has a model without tools', { capabilities: ['completion'] }, { ready: false, why: 'coder:30b cannot call tools' }],
  ])('that %s is asked before anything is spent', async (_, facts, expected) => {
    const { runtime } = await openBare('ollama', (await startOllama(await scripted([]), facts)).url)
    expect(await runtime.probe()).toEqual(expected)
  })

  test('that is not there, or has no such model, is told apart', async () => {
    const gone = await openBare('ollama', 'http://127.0.0.1:9')
    expect(await gone.runtime.probe()).toMatchObject({
      ready: false,
      why: 'there is no Ollama at http://127.0.0.1:9 (ECONNREFUSED)',
    })
    const { url } = await startOllama(await scripted([]))
    const other = await openBare('ollama', url, { model: 'other' })
    expect(await other.runtime.probe()).toMatchObject({ ready: false, why: expect.stringContaining('`ollama pull other`') })
  })

  test('that loads the model with less than it was asked for is refused at the first answer', async () => {
    const bench = await openBench()
    const mock = await scripted([['write', { path: 'a.txt', content: 'b' }]])
    const { runtime, models } = await openBare('ollama', (await startOllama(mock, { loaded: 4_096 })).url)
    const { result } = await bench.work(runtime, { models: models.access })
    expect(result).toMatchObject({
      outcome: 'failed',
      reason: expect.stringContaining('has 4096 tokens of context, and 65536 are needed'),
    })
    expect(mock.getRequests()).toHaveLength(1)
  })

  test('is not given a brief that does not fit', async () => {
    const bench = await openBench()
    const { runtime, models, calls } = await openBare('ollama', (await startOllama(await scripted([]))).url, {
      context: 8_192,
      answer: 1_024,
    })
    const { result } = await bench.work(runtime, { models: models.access, brief: 'long '.repeat(6_000) })
    expect([result.outcome, calls.length]).toEqual(['failed', 0])
    expect(result.reason).toContain('the brief does not fit')
  })
})
