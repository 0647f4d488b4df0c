import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { recipeRuntime } from '../../agents/index.ts'
import { sha256 } from '../../core/canonical.ts'
import type { TurnRequest } from '../../core/contracts/runtime.ts'
import { openBench } from './turn.ts'

const runtime = recipeRuntime()
const node = (program: string) => ['node', '--eval', program]
const recipe = (...commands: string[][]) => ({ recipe: { name: 'tidy', commands } })
const limits = (more: Partial<TurnRequest['limits']>) => ({
  limits: { launchMs: 20_000, firstOutputMs: 20_000, silenceMs: 20_000, totalMs: 40_000, outputBytes: 10_000, ...more },
})

/** Tells whether a process with this word on its command line still runs. */
async function isRunning(word: string): Promise<boolean> {
  const { readdir } = await import('node:fs/promises')
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines.some((line) => line.includes(word))
}

describe('a recipe', () => {
  test('runs its commands one after another in the worktree, and tells what they printed', async () => {
    const bench = await openBench()
    const commands = [
      node("require('fs').appendFileSync('a.txt', 'one\\n'); console.log('first')"),
      ['sh', '-c', 'echo two >> a.txt; echo second >&2'],
    ]
    const { result, events } = await bench.work(runtime, recipe(...commands))
    expect(result).toEqual({
      outcome: 'completed',
      reason: 'recipe tidy ran 2 commands',
      exit: 0,
      outputDigest: sha256(`${sha256('first\n')}\n${sha256('second\n')}`),
      outputTail: `$ ${commands[0]?.join(' ')}\nfirst\n$ sh -c echo two >> a.txt; echo second >&2\nsecond\n`,
    })
    expect(events.map((event) => ('state' in event ? `${event.type} ${event.state}` : event.type))).toEqual([
      'started',
      'tool started',
      'output',
      'tool done',
      'tool started',
      'output',
      'tool done',
    ])
    expect(await readFile(join(bench.repo.dir, 'a.txt'), 'utf8')).toBe('a\none\ntwo\n')
  })

  test('ends at the first command that fails and says which', async () => {
    const bench = await openBench()
    const { result } = await bench.work(runtime, recipe(['true'], ['sh', '-c', 'echo broken; exit 3'], ['touch', 'never.txt']))
    expect(result).toMatchObject({
      outcome: 'failed',
      reason: 'command 2 of 3 of recipe tidy (sh -c echo broken; exit 3) ended with exit code 3',
      exit: 3,
      outputTail: '$ true\n\n$ sh -c echo broken; exit 3\nbroken\n',
    })
    expect(await bench.repo.git.text(['status', '--porcelain', '--', '*.txt'])).toBe('')
  })

  test('never goes through a shell', async () => {
    const bench = await openBench()
    const { result } = await bench.work(runtime, recipe(['echo', '$(touch owned) && touch owned; `touch owned`']))
    expect(result.outputTail).toContain('\n$(touch owned) && touch owned; `touch owned`\n')
    expect(await bench.repo.git.text(['status', '--porcelain', '--', 'owned'])).toBe('')
  })

  test('sees only the environment it is given, and the mark of its process group', async () => {
    const bench = await openBench()
    const { result } = await bench.work(runtime, recipe(node('console.log(Object.keys(process.env).sort().join())')))
    expect(result.outputTail).toMatch(/\nHOME,PATH,VALUETRAIN_GROUP\n/)
  })

  test.each<[string, string[], Partial<TurnRequest>, object]>([
    [
      'a program there is not',
      ['no-such-program'],
      {},
      { outcome: 'failed', reason: expect.stringContaining('could not be found on PATH') },
    ],
    [
      'a signal',
      node("process.kill(process.pid, 'SIGSEGV')"),
      {},
      { outcome: 'failed', signal: 'SIGSEGV', reason: expect.stringContaining('was ended by SIGSEGV') },
    ],
    [
      'silence from the start',
      node('setTimeout(() => {}, 1e6)'),
      limits({ firstOutputMs: 400 }),
      { outcome: 'timed-out', reason: expect.stringContaining('printed nothing within 0.4 s') },
    ],
    [
      'silence after some output',
      node("console.log('on it'); setTimeout(() => {}, 1e6)"),
      limits({ silenceMs: 400 }),
      {
        outcome: 'timed-out',
        reason: expect.stringContaining('went silent for 0.4 s'),
        outputTail: expect.stringContaining('on it'),
      },
    ],
    [
      'more time than the turn has',
      node("setInterval(() => console.log('busy'), 50)"),
      limits({ totalMs: 700 }),
      { outcome: 'timed-out', reason: expect.stringContaining("was not finished when the turn's 0.7 s were over") },
    ],
  ])('survives %s and says so', async (_, argv, more, expected) => {
    const bench = await openBench()
    expect((await bench.work(runtime, { ...recipe(argv), ...more })).result).toMatchObject(expected)
  })

  test('that floods its output is finished, with the end of it kept', async () => {
    const bench = await openBench()
    const lines = Array.from({ length: 200_000 }, (_, at) => `line ${at}\n`).join('')
    const flood = node("for (let at = 0; at < 200000; at++) process.stdout.write('line ' + at + '\\n')")
    const { result } = await bench.work(runtime, recipe(flood))
    expect(result).toMatchObject({ outcome: 'completed', exit: 0, outputDigest: sha256(lines) })
    expect(result.outputTail?.length).toBeLessThanOrEqual(4_000)
    expect(result.outputTail).toContain('line 199999\n')
  })

  test.runIf(process.platform === 'linux')(
    'leaves no child behind: neither one it forked off nor one that ignores the request to end',
    async () => {
      const bench = await openBench()
      const word = `vt-orphan-${process.pid}`
      const orphan = `require('child_process').spawn('node', ['--eval', "process.on('SIGTERM', () => {}); setTimeout(() => {}, 60000)", '${word}'], { stdio: 'ignore' }).unref()`
      expect((await bench.work(runtime, recipe(node(orphan)))).result.outcome).toBe('completed')
      expect(await isRunning(word)).toBe(false)
      const deaf = [
        'node',
        '--eval',
        "process.on('SIGTERM', () => {}); console.log('deaf'); setTimeout(() => {}, 60000)",
        `${word}-deaf`,
      ]
      expect((await bench.work(runtime, { ...recipe(deaf), ...limits({ silenceMs: 300 }) })).result.outcome).toBe('timed-out')
      expect(await isRunning(word)).toBe(false)
    },
  )

  test('is ended by the operator at once', async () => {
    const bench = await openBench()
    const stop = new AbortController()
    const working = bench.work(runtime, {
      ...recipe(node("console.log('on it'); setTimeout(() => {}, 1e6)"), ['touch', 'never.txt']),
      signal: stop.signal,
    })
    setTimeout(() => stop.abort(), 300)
    expect((await working).result).toMatchObject({
      outcome: 'cancelled',
      reason: expect.stringMatching(/^command 1 of 2 .* was cancelled$/),
    })
  })

  test('that the labels do not name fails instead of doing nothing', async () => {
    const bench = await openBench()
    expect((await bench.work(runtime)).result).toEqual({ outcome: 'failed', reason: 'the issue names no recipe' })
  })
})
