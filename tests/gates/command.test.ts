import { readdir, readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { GateResult, GateSpec } from '../../core/contracts/gate.ts'
import { probeJail } from '../../core/jail-probe.ts'
import { judgeGate } from '../../gates/index.ts'
import { gateOf, openBench } from './context.ts'

const probe = await probeJail({ PATH: process.env.PATH ?? '' })

/** Judges a script as the test command; the script is committed as run.mjs. */
async function judge(script: string, more: { yaml?: string; spec?: Partial<GateSpec>; env?: Record<string, string> } = {}) {
  const bench = await openBench()
  await bench.work({ 'run.mjs': script })
  const context = await bench.context({ yaml: `commands:\n  test: [node, run.mjs]\n${more.yaml ?? ''}` })
  const result = await judgeGate(
    { ...gateOf(context, 'test'), ...more.spec },
    { ...context, env: { ...context.env, ...more.env } },
  )
  return { bench, context, result }
}

const said = ({ verdict, reasons }: GateResult) => ({ verdict, reasons })

describe('a command gate', () => {
  it('passes by the exit codes it names only', async () => {
    const { result } = await judge('process.exit(3)')
    expect(said(result)).toEqual({ verdict: 'fail', reasons: ['`node run.mjs` ended with 3'] })
    const kind = { type: 'command' as const, argv: ['node', 'run.mjs'], okExit: [0, 3] }
    expect((await judge('process.exit(3)', { spec: { kind } })).result.verdict).toBe('pass')
  })

  it('found nothing out when it takes too long, and leaves no process behind', async () => {
    const { result, bench } = await judge(
      `import { spawn } from 'node:child_process'
       spawn(process.execPath, ['-e', 'setTimeout(() => require("node:fs").writeFileSync(${JSON.stringify('late.txt')}, ""), 1500)'], { stdio: 'ignore', cwd: ${JSON.stringify('..')} })
       setInterval(() => {}, 1000)`,
      { spec: { timeoutMs: 700 } },
    )
    expect(said(result)).toEqual({ verdict: 'inconclusive', reasons: ['`node run.mjs` took longer than 0.7 s and was ended'] })
    await new Promise((resolve) => setTimeout(resolve, 1200))
    expect(await readdir(`${bench.repository.dir}.worktrees`)).not.toContain('late.txt')
  })

  it('found nothing out when its program is not there or is ended by a signal', async () => {
    const kind = { type: 'command' as const, argv: ['no-such-program-here'], okExit: [0, 127] }
    const absent = await judge('', { spec: { kind, versions: [] } })
    expect(said(absent.result)).toEqual({
      verdict: 'inconclusive',
      reasons: ['the program of `no-such-program-here` could not be found'],
    })
    const { result } = await judge('process.kill(process.pid, "SIGKILL")')
    expect(said(result)).toEqual({ verdict: 'inconclusive', reasons: ['`node run.mjs` was ended by SIGKILL'] })
  })

  it('sees an empty home and only the variables that the configuration names', async () => {
    const script = `
      import { readdirSync } from 'node:fs'
      console.log(JSON.stringify([Object.keys(process.env).filter((name) => !name.startsWith('VALUETRAIN')).sort(), readdirSync(process.env.HOME), process.env.LET_IN ?? null]))`
    const env = { SECRET_TOKEN: 'x', LET_IN: 'yes' }
    const { result } = await judge(script, { yaml: 'workspace:\n  env: [LET_IN]\n', env })
    const [names, home, letIn] = JSON.parse(result.evidence.outputTail ?? 'null')
    expect({ names: names.filter((name: string) => !name.startsWith('VT_')), home, letIn }).toEqual({
      names: ['HOME', 'LANG', 'LET_IN', 'PATH', 'TMPDIR'],
      home: [],
      letIn: 'yes',
    })
  })

  it('judges what is committed, not what lies in the working tree', async () => {
    const bench = await openBench()
    await bench.work({ 'run.mjs': 'process.exit(1)\n' })
    await bench.repository.write({ 'run.mjs': 'process.exit(0)\n' })
    const context = await bench.context({ yaml: 'commands:\n  test: [node, run.mjs]\n' })
    expect((await judgeGate(gateOf(context, 'test'), context)).verdict).toBe('fail')
  })

  it('keeps the end of the output, without places of this machine, secrets and colours', async () => {
    const token = ['gh', 'p_', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join('')
    const { result, bench } = await judge(
      `for (let n = 0; n < 50_000; n++) console.log('line ' + n)
       console.log('\\u001b[31mred\\u001b[0m in ' + process.cwd() + '/run.mjs')
       console.log('token ' + ['gh', 'p_', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join(''))
       process.exitCode = 1`,
    )
    const tail = result.evidence.outputTail ?? ''
    expect(tail.length).toBeLessThanOrEqual(2_000)
    expect(tail.split('\n').slice(-2)[0]).toBe('red in run.mjs')
    expect(tail).not.toContain(token)
    expect(JSON.stringify(result)).not.toContain(bench.repository.outside)
  })

  it('cannot leave the checkout by its folder', async () => {
    const kind = { type: 'command' as const, argv: ['node', '--version'], cwd: '../..', okExit: [0] }
    const { result } = await judge('', { spec: { kind } })
    expect(said(result)).toEqual({
      verdict: 'inconclusive',
      reasons: [expect.stringContaining('leaves its folder')],
    })
  })

  it('is stopped by its caller', async () => {
    const bench = await openBench()
    await bench.work({ 'run.mjs': 'setInterval(() => {}, 1000)\n' })
    const stop = new AbortController()
    const context = await bench.context({ yaml: 'commands:\n  test: [node, run.mjs]\n', signal: stop.signal })
    setTimeout(() => stop.abort(new Error('paused')), 300)
    await expect(judgeGate(gateOf(context, 'test'), context)).rejects.toThrow('paused')
  })
})

describe('what holds commands in', () => {
  // Where no jail can be built there is nothing to look at; the probe says why.
  const jailed = probe.ready ? it : it.skip

  it('is part of the key: a result of a jail says nothing about a run without one', async () => {
    const bench = await openBench()
    await bench.work({ 'run.mjs': '' })
    const yaml = 'commands:\n  test: [node, run.mjs]\n'
    const context = await bench.context({ yaml })
    const open = await bench.context({ yaml, isJailWaived: true })
    const [held, free] = [await judgeGate(gateOf(context, 'test'), context), await judgeGate(gateOf(open, 'test'), open)]
    expect([held.evidence.jailed, free.evidence.jailed]).toEqual([probe.ready, false])
    expect(held.key === free.key).toBe(!probe.ready)
  })

  jailed('holds set-up commands, too, which reach no network and nothing beside the checkout', async () => {
    const bench = await openBench({
      'setup.mjs': `import { connect } from 'node:net'; import { writeFileSync } from 'node:fs'
        writeFileSync('../beside.txt', '')
        connect(PORT, '127.0.0.1').on('connect', () => process.exit(0)).on('error', (error) => { console.log(error.code); process.exit(5) })`,
    })
    const server = createServer(() => {})
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    await bench.work({
      'setup.mjs': (await readFile(join(bench.repository.dir, 'setup.mjs'), 'utf8')).replace('PORT', String(port)),
    })
    const context = await bench.context({ yaml: 'workspace:\n  setup: [[node, setup.mjs]]\n' })
    const { openCheckout } = await import('../../gates/index.ts')
    await expect(openCheckout(context.repository, context.config, context.head, context.env)).rejects.toMatchObject({
      code: 'VT_SETUP',
      hint: expect.stringContaining('workspace.hosts'),
      details: { exit: 5, output: 'ECONNREFUSED' },
    })
    expect(await readdir(`${bench.repository.dir}.worktrees`)).toEqual([])
  })
})

describe('the checkout that commands judge in', () => {
  it('is as the commit left it for each gate, whatever the one before did', async () => {
    const bench = await openBench({ '.gitignore': 'ignored/\n' })
    await bench.work({
      'spoil.mjs': `import { mkdirSync, writeFileSync, rmSync } from 'node:fs'
        writeFileSync('check.mjs', 'process.exit(0)'); writeFileSync('left.txt', ''); rmSync('README.md')
        mkdirSync('ignored'); writeFileSync('ignored/cache', '')`,
      'check.mjs': `import { existsSync } from 'node:fs'
        process.exit(existsSync('left.txt') || !existsSync('README.md') ? 2 : existsSync('ignored/cache') ? 1 : 3)`,
    })
    const context = await bench.context({ yaml: 'commands:\n  lint: [node, spoil.mjs]\n  test: [node, check.mjs]\n' })
    const { openCheckout } = await import('../../gates/index.ts')
    const checkout = await openCheckout(context.repository, context.config, context.head, context.env)
    const shared = { ...context, checkout: () => checkout.fresh() }
    expect((await judgeGate(gateOf(context, 'lint'), shared)).verdict).toBe('pass')
    expect((await judgeGate(gateOf(context, 'test'), shared)).evidence.exit).toBe(1)
    await checkout.close()
    await expect(stat(checkout.dir)).rejects.toThrow('ENOENT')
  })

  const yaml = `
commands:
  test: [node, -e, "process.exit(require('node:fs').readFileSync('deps/made', 'utf8') === '1' ? 0 : 1)"]
workspace:
  setup: [[node, setup.mjs]]
  inputs: [lock.txt]
  cache: [deps]
`
  const files = {
    '.gitignore': 'deps/\n',
    'lock.txt': 'one\n',
    'setup.mjs': `import { appendFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
      mkdirSync('deps'); writeFileSync('deps/made', '1'); symlinkSync('made', 'deps/link')
      writeFileSync('ran.txt', 'set-up ran')`,
  }

  it('is prepared from the base where a change leaves the inputs alone, so that it leaves nothing there for others', async () => {
    const { openCheckout } = await import('../../gates/index.ts')
    const bench = await openBench(files)
    await bench.work({ 'setup.mjs': `${files['setup.mjs']}; writeFileSync('deps/made', 'poisoned')` })
    const context = await bench.context({ yaml })
    const madeOf = async (head: string, base: string) => {
      const checkout = await openCheckout(context.repository, context.config, head, context.env, { base })
      const made = await readFile(join(checkout.dir, 'deps/made'), 'utf8')
      await checkout.close()
      return made
    }
    expect(await madeOf(context.head, context.base)).toBe('1')
    expect(await madeOf(await bench.work({ 'lock.txt': 'other\n' }), context.base)).toBe('poisoned')
    // Another change to the same inputs prepares its own.
    const mended = await bench.work({ 'setup.mjs': files['setup.mjs'] })
    expect(await madeOf(mended, context.base)).toBe('1')
  })

  it('is prepared once for each state of its inputs, and copied from then on', async () => {
    const { openCheckout } = await import('../../gates/index.ts')
    const bench = await openBench(files)
    await bench.work({ 'src/main.mjs': 'export const answer = 42\n' })
    const context = await bench.context({ yaml })
    const open = async (head: string) => {
      const checkout = await openCheckout(context.repository, context.config, head, context.env)
      const names = await readdir(checkout.dir)
      return { checkout, ran: names.includes('ran.txt'), names }
    }
    const first = await open(context.head)
    expect(first.ran).toBe(true)
    expect((await judgeGate(gateOf(context, 'test'), { ...context, checkout: () => first.checkout.fresh() })).verdict).toBe(
      'pass',
    )

    // What happens in a checkout never reaches the store or another checkout.
    await bench.repository.write({})
    const { writeFile } = await import('node:fs/promises')
    await writeFile(join(first.checkout.dir, 'deps/made'), 'spoilt')
    const second = await open(context.head)
    expect({ ran: second.ran, deps: await readdir(join(second.checkout.dir, 'deps')) }).toEqual({
      ran: false,
      deps: ['link', 'made'],
    })
    expect((await judgeGate(gateOf(context, 'test'), { ...context, checkout: () => second.checkout.fresh() })).verdict).toBe(
      'pass',
    )

    const changed = await bench.work({ 'lock.txt': 'two\n' })
    expect((await open(changed)).ran).toBe(true)
  })

  it.each(['..', 'src'])(
    'does not copy through a link to %s that the tree puts in the place of a cached folder',
    async (target) => {
      const { openCheckout } = await import('../../gates/index.ts')
      const { symlink } = await import('node:fs/promises')
      const bench = await openBench({ ...files, '.gitignore': '' })
      await symlink(target, join(bench.repository.dir, 'deps'))
      const head = await bench.work({})
      const context = await bench.context({ yaml, head })
      await expect(openCheckout(context.repository, context.config, head, context.env)).rejects.toMatchObject({
        code: 'VT_OUTSIDE',
      })
      expect(await readdir(bench.repository.outside)).not.toContain('made')
    },
  )

  it('that cannot be prepared makes its gates inconclusive and says what failed', async () => {
    const bench = await openBench({ 'setup.mjs': 'process.exit(7)\n' })
    await bench.work({ 'a.txt': 'a\n' })
    const context = await bench.context({
      yaml: 'commands:\n  test: [node, --version]\nworkspace:\n  setup: [[node, setup.mjs]]\n',
    })
    expect(said(await judgeGate(gateOf(context, 'test'), context))).toEqual({
      verdict: 'inconclusive',
      reasons: ['could not be judged: set-up command `node setup.mjs` ended with 7'],
    })
    expect((await context.repository.git.text(['worktree', 'list', '--porcelain'])).match(/^worktree /gm)).toHaveLength(1)
  })
})
