import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../core/canonical.ts'
import { census, membersOf } from '../../core/census.ts'
import { isBelowRun } from '../../core/group.ts'
import { isSameProcess, processIdentity, reapLeftovers, runProcess } from '../../core/process.ts'

const ENV = { PATH: process.env.PATH ?? '' }

async function folder(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'vt-process-')))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

const node = (script: string) => [process.execPath, '-e', script]
const sh = (script: string) => ['sh', '-c', script]

/** Returns the pids that a test's commands wrote into its folder and that still live. */
async function survivors(dir: string): Promise<number[]> {
  const alive = new Set((await census()).map(({ pid }) => pid))
  const names = (await readdir(dir)).filter((name) => name.endsWith('.pid'))
  const pids = await Promise.all(names.map(async (name) => Number((await readFile(join(dir, name), 'utf8')).trim())))
  expect(pids.every((pid) => pid > 1)).toBe(true)
  return pids.filter((pid) => alive.has(pid))
}

async function waitFor(dir: string, ...names: string[]): Promise<void> {
  while (
    !names.every(Boolean) ||
    !(await Promise.all(names.map((name) => readFile(join(dir, name), 'utf8').catch(() => '')))).every(Boolean)
  ) {
    await delay(10)
  }
}

describe('running a program', () => {
  it('tells exit code, output and digest', async () => {
    const dir = await folder()
    const seen: string[] = []
    const ran = await runProcess(sh('printf one; exit 3'), {
      cwd: dir,
      env: ENV,
      onOutput: (stream, text) => seen.push(`${stream}:${text}`),
    })
    expect(ran).toEqual({
      exit: 3,
      signal: undefined,
      timedOut: undefined,
      aborted: false,
      missing: false,
      outputDigest: sha256('one'),
      outputTail: 'one',
      outputBytes: 3,
      truncated: false,
      durationMs: expect.any(Number),
      leftovers: 0,
    })
    expect(seen).toEqual(['stdout:one'])
  })

  it('hands over nothing of our own environment and an empty standard input', async () => {
    const dir = await folder()
    const ran = await runProcess(sh('cat; env'), { cwd: dir, env: { PATH: ENV.PATH, ONLY: 'this' } })
    const names = ran.outputTail
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0])
    expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name ?? '')).sort()).toEqual([
      'ONLY',
      'PATH',
      'VALUETRAIN_GROUP',
    ])
  })

  it('feeds input, also to a program that does not read it', async () => {
    const dir = await folder()
    const input = 'x'.repeat(1_000_000)
    const [read, unread] = await Promise.all([
      runProcess(sh('wc -c'), { cwd: dir, env: ENV, input }),
      runProcess(sh('exit 0'), { cwd: dir, env: ENV, input }),
    ])
    expect([read.outputTail.trim(), unread.exit]).toEqual(['1000000', 0])
  })

  it('answers 127 for a program that is not there and 126 for one that cannot run', async () => {
    const dir = await folder()
    await writeFile(join(dir, 'plain'), 'no program')
    const [missing, plain, empty] = await Promise.all([
      runProcess(['valuetrain-has-no-such-program'], { cwd: dir, env: ENV }),
      runProcess([join(dir, 'plain')], { cwd: dir, env: ENV }),
      runProcess([''], { cwd: dir, env: ENV }),
    ])
    expect([missing.exit, missing.missing, plain.exit, plain.missing, empty.exit]).toEqual([127, true, 126, false, 126])
  })

  it('refuses to run in a folder that is not there', async () => {
    const dir = await folder()
    await expect(runProcess(sh('true'), { cwd: join(dir, 'gone'), env: ENV })).rejects.toMatchObject({
      code: 'VT_FOLDER_MISSING',
      kind: 'environment',
    })
  })

  it('tells the signal that ended it', async () => {
    const dir = await folder()
    const ran = await runProcess(sh('kill -SEGV $$'), { cwd: dir, env: ENV })
    expect([ran.exit, ran.signal, ran.timedOut]).toEqual([null, 'SIGSEGV', undefined])
  })

  it('keeps the end of a flood, counts all of it and passes on only its beginning', async () => {
    const dir = await folder()
    let passed = 0
    const script =
      "const line = 'é'.repeat(511) + '\\n'; for (let i = 0; i < 20000; i++) process.stdout.write(line); process.stdout.write('the end')"
    const ran = await runProcess(node(script), {
      cwd: dir,
      env: ENV,
      limits: { outputBytes: 1000 },
      onOutput: (_, text) => (passed += Buffer.byteLength(text)),
    })
    expect([ran.exit, ran.outputBytes, ran.truncated]).toEqual([0, 20_000 * 1023 + 7, true])
    expect(ran.outputTail.endsWith('éé\nthe end')).toBe(true)
    expect(Buffer.byteLength(ran.outputTail)).toBeLessThanOrEqual(1000)
    expect(ran.outputTail).not.toContain('\ufffd')
    expect(passed).toBeLessThanOrEqual(1000)
  })
})

describe('the limits of a program', () => {
  it('ends one that never says anything', async () => {
    const dir = await folder()
    const ran = await runProcess(sh('sleep 60'), { cwd: dir, env: ENV, limits: { firstOutputMs: 150, silenceMs: 50_000 } })
    expect([ran.timedOut, ran.signal]).toEqual(['first-output', 'SIGTERM'])
  })

  it('ends one that falls silent, but not one that keeps talking', async () => {
    const dir = await folder()
    const silent = runProcess(sh('echo one; sleep 60'), { cwd: dir, env: ENV, limits: { firstOutputMs: 30_000, silenceMs: 150 } })
    const talking = runProcess(sh('for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done'), {
      cwd: dir,
      env: ENV,
      limits: { silenceMs: 2_000 },
    })
    expect([(await silent).timedOut, (await talking).exit]).toEqual(['silence', 0])
  })

  it('ends one that floods for ever, and one that does not listen to TERM', async () => {
    const dir = await folder()
    const flood = runProcess(['yes'], { cwd: dir, env: ENV, limits: { totalMs: 300, outputBytes: 100 } })
    const stubborn = runProcess(sh(`trap '' TERM; echo $$ > s.pid; while true; do sleep 0.1; done`), {
      cwd: dir,
      env: ENV,
      limits: { totalMs: 300 },
      graceMs: 200,
    })
    const [a, b] = await Promise.all([flood, stubborn])
    expect([a.timedOut, a.truncated, b.timedOut, b.signal]).toEqual(['total', true, 'total', 'SIGKILL'])
    expect(await survivors(dir)).toEqual([])
  })

  it('ends it when the caller says so, and does not begin when that was before', async () => {
    const dir = await folder()
    const stop = new AbortController()
    const running = runProcess(sh('echo $$ > a.pid; sleep 60'), { cwd: dir, env: ENV, signal: stop.signal })
    await waitFor(dir, 'a.pid')
    stop.abort()
    const ran = await running
    expect([ran.aborted, ran.signal]).toEqual([true, 'SIGTERM'])
    const never = await runProcess(sh('touch began'), { cwd: dir, env: ENV, signal: stop.signal })
    expect([never.aborted, never.exit, await readdir(dir)]).toEqual([true, null, ['a.pid']])
    expect(await survivors(dir)).toEqual([])
  })
})

describe('what a program leaves behind', () => {
  it('is ended: background children, a new session, a double fork and a stopped process', async () => {
    const dir = await folder()
    const script = [
      'sh -c "echo \\$\\$ > background.pid; exec sleep 300" &',
      'setsid sh -c "echo \\$\\$ > session.pid; exec sleep 300" &',
      '(setsid sh -c "(echo \\$\\$ > x; sh -c \'echo \\$\\$ > double.pid; exec sleep 300\' &)" &)',
      'sh -c "echo \\$\\$ > stopped.pid; kill -STOP \\$\\$; sleep 300" &',
      'while [ ! -s background.pid ] || [ ! -s session.pid ] || [ ! -s double.pid ] || [ ! -s stopped.pid ]; do sleep 0.02; done',
      'echo done',
    ].join('\n')
    const ran = await runProcess(sh(script), { cwd: dir, env: ENV })
    expect([ran.exit, ran.outputTail]).toEqual([0, 'done\n'])
    expect(ran.leftovers).toBeGreaterThanOrEqual(4)
    expect(await survivors(dir)).toEqual([])
  })

  it('is ended with it when a limit ends it', async () => {
    const dir = await folder()
    const script =
      'setsid sh -c "echo \\$\\$ > a.pid; exec sleep 300" & sh -c "trap \'\' TERM; echo \\$\\$ > b.pid; sleep 300; sleep 300" & sleep 300'
    const ran = await runProcess(sh(script), { cwd: dir, env: ENV, limits: { totalMs: 700 }, graceMs: 100 })
    expect(ran.timedOut).toBe('total')
    expect(await survivors(dir)).toEqual([])
  })

  it('does not hold the caller up when it has the output open', async () => {
    const dir = await folder()
    const ran = await runProcess(sh('setsid sleep 300 & echo out'), { cwd: dir, env: ENV })
    expect([ran.exit, ran.outputTail, ran.leftovers]).toEqual([0, 'out\n', 1])
  })
})

describe('leftovers of a process that was killed', () => {
  it('are found by their note and ended at the next start, and those of a living one are not', async () => {
    const dir = await folder()
    const owner = join(dir, 'owner.mts')
    const module = new URL('../../core/process.ts', import.meta.url).href
    await writeFile(
      owner,
      `import { runProcess } from ${JSON.stringify(module)}
       await runProcess(['sh', '-c', 'setsid sh -c "echo \\\\$\\\\$ > away.pid; exec sleep 300" & echo $$ > leader.pid; sleep 300'],
         { cwd: ${JSON.stringify(dir)}, env: { PATH: process.env.PATH }, record: ${JSON.stringify(join(dir, 'state'))} })`,
    )
    const child = spawn(process.execPath, ['--import', 'tsx', owner], { stdio: 'ignore', cwd: new URL('../..', import.meta.url) })
    const gone = new Promise((resolve) => child.once('exit', resolve))
    await waitFor(dir, 'away.pid', 'leader.pid')
    expect(await reapLeftovers(join(dir, 'state'))).toBe(0)
    expect(await survivors(dir)).toHaveLength(2)
    child.kill('SIGKILL')
    await gone
    expect(await survivors(dir)).toHaveLength(2)
    expect(await reapLeftovers(join(dir, 'state'))).toBeGreaterThanOrEqual(2)
    expect(await survivors(dir)).toEqual([])
    expect(await readdir(join(dir, 'state', 'groups'))).toEqual([])
  })

  it('is known with whatever it starts, so that none of them passes for a person', async () => {
    const state = await folder()
    const dir = await folder()
    const stop = new AbortController()
    const script = `env -i PATH="$PATH" sh -c 'echo $$ > ${dir}/child.pid; sleep 60' & echo $$ > ${dir}/leader.pid; wait`
    const running = runProcess(sh(script), { cwd: dir, env: ENV, record: state, signal: stop.signal })
    await waitFor(dir, 'leader.pid', 'child.pid')
    for (const name of ['leader.pid', 'child.pid'])
      expect(await isBelowRun(state, Number(await readFile(join(dir, name), 'utf8')))).toBe(true)
    expect(await isBelowRun(state, process.pid)).toBe(false)
    stop.abort()
    await running
    expect(await isBelowRun(state, process.pid)).toBe(false)
  })

  it('notes are gone after a normal end', async () => {
    const dir = await folder()
    await runProcess(sh('ls state/groups | wc -l > seen'), { cwd: dir, env: ENV, record: join(dir, 'state') })
    expect([(await readFile(join(dir, 'seen'), 'utf8')).trim(), await readdir(join(dir, 'state', 'groups'))]).toEqual(['1', []])
  })
})

describe('the identity of a process', () => {
  it('is lost with the process, also when a zombie is left of it', async () => {
    const child = spawn('sleep', ['300'])
    const pid = child.pid as number
    const identity = await processIdentity(pid)
    if (!identity) throw new Error('the child has no identity')
    expect([await isSameProcess(identity), await isSameProcess({ ...identity, started: '1' })]).toEqual([true, false])
    expect(await membersOf(undefined, 'nobody carries this')).toEqual([])
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    expect([await isSameProcess(identity), await processIdentity(pid)]).toEqual([false, undefined])
  })
})
