import { access, mkdir, mkdtemp, readFile, realpath, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openEgress } from '../../core/egress.ts'
import { JAIL_LIMITS, type Jail, type JailPlace, jailArgv, openJail } from '../../core/jail.ts'
import { chooseJail, probeJail, tryEscapes } from '../../core/jail-probe.ts'
import { runJailed } from '../../core/jail-run.ts'
import { makeRepository } from '../support/repository.ts'

const env = { PATH: process.env.PATH ?? '' }
const probe = await probeJail(env)
const program = probe.program ?? ''
/** Without bubblewrap, or where namespaces are forbidden, there is nothing to try; the name says why. */
const jailed = probe.ready ? describe : describe.skip
const here = probe.ready ? '' : ` (skipped: ${probe.why})`

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

async function open(place: Omit<JailPlace, 'program'>): Promise<Jail> {
  const jail = await openJail({ program, ...place })
  onTestFinished(() => jail.close())
  return jail
}

async function ran(jail: Jail, cwd: string, argv: readonly string[], more: Record<string, string> = {}) {
  const run = await runJailed(jail, argv, { cwd, env: { ...env, ...more }, limits: { totalMs: 60_000 } })
  return { exit: run.exit, signal: run.signal, missing: run.missing, said: run.outputTail.trim() }
}

const ended = (said: string, exit: number | null = 0) => ({ exit, signal: undefined, missing: false, said })

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.end('hello\n'))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return { server, port: (server.address() as { port: number }).port }
}

/** A linked worktree of a repository, with a ticket in it. */
async function ticketWorktree() {
  const repo = await makeRepository({
    'a.txt': 'a\n',
    '.valuetrain/config.yaml': 'version: 1\n',
    '.husky/pre-commit': 'exit 0\n',
  })
  const dir = join(await realpath(await mkdtemp(join(tmpdir(), 'vt-jailed-'))), 'build_7')
  await repo.git.run(['worktree', 'add', '--quiet', '-b', 'phase/build_7', dir])
  const artifacts = join(dir, '.valuetrain/tickets/build_7/artifacts')
  await mkdir(artifacts, { recursive: true })
  return { repo, dir, artifacts }
}

describe('the command line of a jail', () => {
  const parts = {
    program: '/usr/bin/bwrap',
    system: ['--ro-bind', '/usr', '/usr'],
    programs: ['/tools/bin'],
    worktree: '/w',
    kept: { readOnly: ['/w/.valuetrain'], writable: ['/w/.valuetrain/tickets/t/artifacts'] },
    scratch: '/s',
    git: { over: 'file' as const, objects: ['/r/.git/objects'] },
    doors: [] as [string, number][],
    cwd: '/w',
    writable: [],
    readOnly: [],
    limits: JAIL_LIMITS,
    prefix: [],
    argv: ['npm', 'test'],
  }

  test('unshares everything, and the network always', () => {
    for (const doors of [[], [['/run/x', 8118] as const]]) {
      const line = jailArgv({ ...parts, doors })
      expect(line.filter((word) => word.startsWith('--unshare') || word.startsWith('--share'))).toEqual([
        '--unshare-user',
        '--unshare-ipc',
        '--unshare-pid',
        '--unshare-net',
        '--unshare-uts',
        '--unshare-cgroup-try',
      ])
    }
  })

  test('lays what is read-only over the worktree and the artifacts over that', () => {
    const line = jailArgv(parts)
    const at = (flag: string, path: string) => line.findIndex((word, index) => word === flag && line[index + 2] === path)
    const order = [
      at('--bind', '/w'),
      at('--ro-bind', '/w/.valuetrain'),
      at('--bind', '/w/.valuetrain/tickets/t/artifacts'),
      at('--ro-bind', '/w/.git'),
    ]
    expect(order.every((place) => place > 0)).toBe(true)
    expect([...order].sort((a, b) => a - b)).toEqual(order)
  })

  test('ends with the command as it was given, after a separator', () => {
    expect(jailArgv(parts).slice(-2)).toEqual(['npm', 'test'])
    expect(jailArgv(parts)).toContain('--')
  })
})

jailed(`a jail${here}`, () => {
  test('holds back every escape that the doctor tries', async () => {
    const attempts = await tryEscapes(program, env)
    expect(attempts.filter(({ escaped }) => escaped)).toEqual([])
    expect(attempts.length).toBeGreaterThanOrEqual(18)
  }, 60_000)

  test('lets a worktree be changed, and of .valuetrain only the artifacts', async () => {
    const { dir, artifacts } = await ticketWorktree()
    const jail = await open({ worktree: dir, artifacts, protected: ['.husky/**', '.github/workflows/**'] })
    const tried = ['b.txt', '.valuetrain/config.yaml', '.valuetrain/new', '.husky/pre-commit', join(artifacts, 'notes.md')]
    const script = 'for file in "$@"; do (echo changed > "$file") 2>/dev/null && echo yes || echo no; done'
    expect(await ran(jail, dir, ['sh', '-c', script, 'sh', ...tried])).toEqual(ended('yes\nno\nno\nno\nyes'))
    expect(await readFile(join(dir, 'b.txt'), 'utf8')).toBe('changed\n')
    expect(await readFile(join(dir, '.valuetrain/config.yaml'), 'utf8')).toBe('version: 1\n')
  })

  test('gives git its history, and keeps what it commits to itself', async () => {
    const { repo, dir, artifacts } = await ticketWorktree()
    const before = await repo.git.text(['for-each-ref'])
    const jail = await open({ worktree: dir, artifacts })
    const script =
      'git log --format=%s && echo more >> a.txt && git add a.txt && git commit -q -m inside && git log --format=%s | head -1 && git config core.fsmonitor /bin/true'
    expect(await ran(jail, dir, ['sh', '-c', script])).toEqual(ended(`${await repo.git.text(['log', '--format=%s'])}\ninside`))
    expect({
      refs: await repo.git.text(['for-each-ref']),
      status: await repo.git.at(dir).text(['status', '--porcelain', '--untracked-files=no']),
      fsmonitor: await repo.git.succeeds(['config', '--local', '--get', 'core.fsmonitor']),
    }).toEqual({ refs: before, status: ' M a.txt', fsmonitor: false })
  })

  test('tells a missing program, an exit code and an end by a signal as they are told outside', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vt-jailed-'))
    const jail = await open({ worktree: dir })
    expect(await ran(jail, dir, ['no-such-program'])).toMatchObject({ exit: 127, missing: true })
    expect(await ran(jail, dir, ['sh', '-c', 'exit 3'])).toEqual(ended('', 3))
    expect(await ran(jail, dir, ['sh', '-c', 'kill -9 $$'])).toMatchObject({ exit: null, signal: 'SIGKILL' })
  })

  test('finds programs that PATH reaches through node_modules/.bin', async () => {
    const place = await realpath(await mkdtemp(join(tmpdir(), 'vt-jailed-')))
    const bin = join(place, 'tools/node_modules/.bin')
    for (const folder of [bin, join(place, 'work'), join(place, 'tools/node_modules/pack')])
      await mkdir(folder, { recursive: true })
    await writeFile(join(place, 'tools/node_modules/pack/tool.sh'), '#!/bin/sh\necho found\n', { mode: 0o755 })
    await symlink('../pack/tool.sh', join(bin, 'tool'))
    const jail = await open({ worktree: join(place, 'work') })
    const path = { PATH: `${bin}:${env.PATH}` }
    expect(await ran(jail, join(place, 'work'), ['sh', '-c', 'tool'], path)).toEqual(ended('found'))
  })

  test('refuses a worktree whose .valuetrain was made a link', async () => {
    const dir = await realpath(await mkdtemp(join(tmpdir(), 'vt-jailed-')))
    await mkdir(join(dir, 'elsewhere'))
    await symlink(join(dir, 'elsewhere'), join(dir, '.valuetrain'))
    await expect(openJail({ program, worktree: dir, artifacts: null })).rejects.toMatchObject({ code: 'VT_JAIL' })
  })

  test('reaches a host through its only way out, and no other', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vt-jailed-'))
    const jail = await open({ worktree: dir, hosts: ['allowed.invalid'] })
    const ask = (target: string) =>
      `const s = require('net').connect(new URL(process.env.HTTPS_PROXY).port, '127.0.0.1', () => s.write('CONNECT ${target} HTTP/1.1\\r\\n\\r\\n')); s.on('data', (d) => { console.log(String(d).split('\\r\\n').at(-1).trim()); process.exit(7) })`
    expect(await ran(jail, dir, [execPath, '--eval', ask('other.invalid:443')])).toEqual(
      ended('other.invalid:443 is not an allowed host', 7),
    )
    expect(await ran(jail, dir, [execPath, '--eval', ask('allowed.invalid:443')])).toEqual(
      ended('allowed.invalid cannot be resolved', 7),
    )
  })

  test('reaches a port of this machine where it was opened for it, and no other', async () => {
    const { port } = await listening()
    const other = await listening()
    const dir = await mkdtemp(join(tmpdir(), 'vt-jailed-'))
    const jail = await open({ worktree: dir, ports: [port] })
    const script = (to: number) =>
      `const s = require('net').connect(${to}, '127.0.0.1'); s.on('data', (d) => console.log(String(d).trim())); s.on('error', (e) => console.log(e.code))`
    expect(await ran(jail, dir, [execPath, '--eval', script(port)])).toEqual(ended('hello'))
    expect(await ran(jail, dir, [execPath, '--eval', script(other.port)])).toEqual(ended('ECONNREFUSED'))
  })

  test('is gone with everything in it when its limit is over', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vt-jailed-'))
    const jail = await open({ worktree: dir })
    const forks = 'for i in 1 2 3 4 5 6 7 8; do (env -i setsid sleep 987654 &) ; done; echo $$ > started; sleep 987654'
    const run = await runJailed(jail, ['sh', '-c', forks], { cwd: dir, env, limits: { totalMs: 2_000 }, graceMs: 100 })
    expect({ timedOut: run.timedOut, started: await isThere(join(dir, 'started')) }).toEqual({ timedOut: 'total', started: true })
    expect((await ran(jail, dir, ['sh', '-c', 'ls /proc | grep -c "^[0-9]"'])).exit).toBe(0)
    const { census } = await import('../../core/census.ts')
    const lines = await Promise.all((await census()).map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
    expect(lines.filter((line) => line.includes('987654'))).toEqual([])
  })
})

describe('the way out of a jail', () => {
  async function asked(file: string, line: string): Promise<string> {
    const { connect } = await import('node:net')
    return new Promise((resolve) => {
      let text = ''
      const socket = connect(file, () => socket.write(`${line}\r\n\r\n`))
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('close', () => resolve(text.split('\r\n').at(-1)?.trim() ?? ''))
    })
  }

  test('answers CONNECT for listed hosts alone, and never for a name that leads to a private network', async () => {
    const { port } = await listening()
    const file = join(await mkdtemp(join(tmpdir(), 'vt-egress-')), 'egress')
    const egress = await openEgress(file, ['api.example', `other.example:${port}`], async (host) =>
      host === 'api.example' ? ['203.0.113.9', '169.254.169.254'] : ['127.0.0.1'],
    )
    onTestFinished(() => egress.close())
    const lines = [
      'GET http://api.example/ HTTP/1.1',
      'CONNECT api.example:80 HTTP/1.1',
      'CONNECT 203.0.113.9:443 HTTP/1.1',
      'CONNECT [::1]:443 HTTP/1.1',
      'CONNECT api.example:443 HTTP/1.1',
      `CONNECT other.example:${port} HTTP/1.1`,
    ]
    const answers = []
    for (const line of lines) answers.push(await asked(file, line))
    expect(answers).toEqual([
      'only CONNECT is answered',
      'api.example:80 is not an allowed host',
      'an address is not a name',
      'an address is not a name',
      'api.example leads to a private network',
      'other.example leads to a private network',
    ])
    expect(egress.log.map(({ allowed }) => allowed)).toEqual([false, false, false, false, false, false])
  })
})

describe('the choice of a jail', () => {
  test('is none where it is switched off or waived, and an error where it is required and cannot be', async () => {
    const nowhere = { PATH: '/nowhere' }
    expect(await chooseJail('off', env)).toEqual({ program: undefined, why: 'the configuration says `jail: off`' })
    expect(await chooseJail('required', nowhere, true)).toEqual({ program: undefined, why: 'the operator said --no-jail' })
    expect((await chooseJail('auto', nowhere)).program).toBeUndefined()
    await expect(chooseJail('required', nowhere)).rejects.toMatchObject({ code: 'VT_NO_JAIL', kind: 'environment' })
  })
})
