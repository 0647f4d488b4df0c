import { execFile, spawn } from 'node:child_process'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findSecrets } from '../../core/secrets.ts'
import { MAYBE_RELEVANT, RELEVANT } from '../../hooks/dispatcher.ts'
import type { TestRepository } from '../support/repository.ts'
import { git, hookBundle, KEY, makeHooked, recordsIn, type Said } from './hooked.ts'
import { sessionFile } from './session-file.ts'

/** Stages a file and commits; tells the exit code, what was said, and whether the hook left the index as it was. */
async function commit(repository: TestRepository, file: string, content: string | Buffer, args: string[] = ['-m', 'Change']) {
  await repository.write({ [file]: '' })
  await writeFile(join(repository.dir, file), content)
  await git(repository, repository.dir, ['add', '--', file])
  // git itself refreshes what it remembers of files, so the entries are compared.
  const entries = async () => (await git(repository, repository.dir, ['ls-files', '--stage', '-v'])).stdout
  const before = await entries()
  const said = await git(repository, repository.dir, ['commit', '-q', ...args])
  return { ...said, sameIndex: before === (await entries()) }
}

async function onTicket(files?: Record<string, string>): Promise<TestRepository> {
  const repository = await makeHooked(files)
  await git(repository, repository.dir, ['checkout', '-q', '-b', 'phase/build_1'])
  return repository
}

const message = async (repository: TestRepository) =>
  (await git(repository, repository.dir, ['log', '-1', '--format=%B'])).stdout.trim()

describe('pre-commit', () => {
  it('refuses a key in text, in a binary file and in a file with a strange name, and says where, not what', async () => {
    const repository = await makeHooked()
    for (const [file, content] of [
      ['a.txt', `one\ntoken = ${KEY}\n`],
      ['b.bin', Buffer.concat([Buffer.from([0, 1, 2, 255]), Buffer.from(KEY), Buffer.from([0])])],
      ['-ä"\n\t.txt', `${KEY}\n`],
    ] as const) {
      const said = await commit(repository, file, content)
      expect([said.code, said.sameIndex, said.stderr.includes('secret'), said.stderr.includes(KEY)]).toEqual([
        1,
        true,
        true,
        false,
      ])
      await git(repository, repository.dir, ['rm', '-q', '-f', '--cached', '--', file])
    }
  })

  it('lets a key pass that was there before, and one that is skipped with a reason, which is recorded', async () => {
    const repository = await makeHooked({ 'old.txt': `token = ${KEY}\n` })
    expect((await commit(repository, 'old.txt', `token = ${KEY}\nanother line\n`)).code).toBe(0)
    const args = ['commit', '-qm', 'Add an example']
    await repository.write({ 'example.txt': `token = ${KEY}\n` })
    await git(repository, repository.dir, ['add', '--all'])
    const bare = await git(repository, repository.dir, args, { VALUETRAIN_SKIP: 'secrets' })
    const wrong = await git(repository, repository.dir, args, { VALUETRAIN_SKIP: 'secret', VALUETRAIN_SKIP_REASON: 'x' })
    expect([bare.code, wrong.code]).toEqual([1, 1])
    expect(wrong.stderr).toContain('did you mean "secrets"?')
    const skipped = await git(repository, repository.dir, args, {
      VALUETRAIN_SKIP: 'secrets',
      VALUETRAIN_SKIP_REASON: 'an example',
    })
    expect([skipped.code, await recordsIn(repository)]).toEqual([0, ['warning check-skipped']])
  })

  it('refuses a large file, and one of gigabytes without reading it', async () => {
    const repository = await makeHooked()
    expect((await commit(repository, 'large.bin', Buffer.alloc(6_000_000))).stderr).toContain('large.bin is 6 MB')
    if (process.env.VALUETRAIN_FULL !== '1') return
    const file = join(repository.dir, 'huge.bin')
    await git(repository, repository.dir, ['rm', '-q', '-f', '--cached', 'large.bin'])
    const handle = await open(file, 'w')
    await handle.truncate(2 * 1024 ** 3)
    await handle.close()
    await git(repository, repository.dir, ['add', 'huge.bin'])
    const said = await git(repository, repository.dir, ['commit', '-qm', 'Huge'])
    expect([said.code, said.stderr.includes('huge.bin is 2147.5 MB')]).toEqual([1, true])
    await rm(file)
  })

  it('takes a session that is appended to, and its commit tells of its head', async () => {
    const repository = await onTicket()
    const { path, text, anchor } = sessionFile(2)
    expect((await commit(repository, path, text)).code).toBe(0)
    expect(await message(repository)).toBe(`Change\n\nValuetrain-Ticket: build_1\nValuetrain-Session: ${anchor}`)
    const longer = sessionFile(3)
    expect((await commit(repository, path, longer.text)).code).toBe(0)
    expect(await message(repository)).toContain(`Valuetrain-Session: ${longer.anchor}`)
    expect(await recordsIn(repository)).toEqual([])
  })

  it('takes a session with line ends of Windows and with front matter that a formatter wrote', async () => {
    const repository = await onTicket()
    const { path, text } = sessionFile(2)
    expect((await commit(repository, path, text.replaceAll('\n', '\r\n'))).code).toBe(0)
    const formatted = text.replace(/^actor: .*$/m, 'actor:\n  kind: agent\n  role: conductor')
    expect(formatted).not.toBe(text)
    expect(await commit(repository, path, formatted)).toMatchObject({ code: 0, stderr: '' })
  })

  const tampered: Record<string, (text: string) => string> = {
    'with an entry changed': (text) => text.replace('"text":"Something was said."', '"text":"Nothing was said."'),
    'cut short': () => sessionFile(2).text,
    'written anew': () => sessionFile(3, 'Something else was said.').text,
    'with conflict markers': (text) => `${text}<<<<<<< ours\n=======\n>>>>>>> theirs\n`,
    'without front matter': (text) => text.replace(/^---[\s\S]*?\n---\n/, ''),
    'with binary rubbish': () => '\0\0\0\u0001',
  }
  for (const [how, tamper] of Object.entries(tampered)) {
    it(`refuses a session ${how}, which no skip helps`, async () => {
      const repository = await onTicket()
      const { path, text } = sessionFile(3)
      await commit(repository, path, text)
      await writeFile(join(repository.dir, path), tamper(text))
      await git(repository, repository.dir, ['add', '--all'])
      const skip = { VALUETRAIN_SKIP: 'secrets,size,message', VALUETRAIN_SKIP_REASON: 'because' }
      const said = await git(repository, repository.dir, ['commit', '-qm', 'Tamper'], skip)
      expect([said.code, said.stderr.includes('[sessions]'), said.stderr.includes('git restore')]).toEqual([1, true, true])
    })
  }

  it('refuses to remove a session, and one that belongs to another ticket', async () => {
    const repository = await onTicket()
    const { path, text } = sessionFile(1)
    await commit(repository, path, text)
    await git(repository, repository.dir, ['rm', '-q', path])
    expect((await git(repository, repository.dir, ['commit', '-qm', 'Remove'])).stderr).toContain('is removed')
    const other = await makeHooked()
    await git(other, other.dir, ['checkout', '-q', '-b', 'phase/build_2'])
    expect((await commit(other, path, text)).stderr).toContain('belongs to ticket build_1')
  })

  it('refuses with an error when the index is held, and when it is broken', async () => {
    const repository = await makeHooked()
    const hook = join(repository.dir, '.git/hooks/pre-commit')
    await writeFile(join(repository.dir, '.git/index.lock'), '')
    expect((await shell(repository, hook)).code).toBe(0)
    await rm(join(repository.dir, '.git/index.lock'))
    await writeFile(join(repository.dir, '.git/index'), 'DIRC rubbish')
    const said = await shell(repository, hook)
    expect([said.code, said.stderr.startsWith('valuetrain: pre-commit: git ')]).toEqual([1, true])
  })
})

describe('commit-msg', () => {
  it('puts the trailer of the ticket in, and leaves messages elsewhere alone', async () => {
    const repository = await makeHooked()
    await commit(repository, 'a.txt', '1\n')
    expect(await message(repository)).toBe('Change')
    await git(repository, repository.dir, ['checkout', '-q', '-b', 'phase/build_7'])
    await commit(repository, 'a.txt', '2\n')
    expect(await message(repository)).toBe('Change\n\nValuetrain-Ticket: build_7')
    await commit(repository, 'a.txt', '3\n', ['-m', 'Change\n\nValuetrain-Ticket: build_7'])
    expect(await message(repository)).toBe('Change\n\nValuetrain-Ticket: build_7')
  })

  it('refuses another ticket’s trailer and a message of nothing but trailers', async () => {
    const repository = await makeHooked()
    await git(repository, repository.dir, ['checkout', '-q', '-b', 'phase/build_7'])
    const other = await commit(repository, 'a.txt', '1\n', ['-m', 'Change\n\nValuetrain-Ticket: build_8'])
    expect([other.code, other.stderr.includes('names build_8')]).toEqual([1, true])
    const editor = await git(repository, repository.dir, ['commit', '-q'], { GIT_EDITOR: 'true' })
    expect([editor.code, editor.stderr.includes('nothing but its trailers')]).toEqual([1, true])
  })

  it('keeps a configured style, with binary, Latin-1 and empty messages answered', async () => {
    const repository = await makeHooked({ '.valuetrain/config.yaml': 'commits:\n  conventional: true\n' })
    const from = async (content: Buffer) => {
      const file = join(repository.outside, 'message')
      await writeFile(file, content)
      return commit(repository, 'a.txt', `${Math.random()}\n`, ['-F', file])
    }
    expect((await from(Buffer.from('Say something'))).stderr).toContain('does not begin with a type')
    expect((await from(Buffer.from('fix: Gr\xfc\xdfe', 'latin1'))).code).toBe(0)
    expect((await from(Buffer.from('fix: a\0b'))).code).not.toBe(0)
    expect((await from(Buffer.from(''))).code).not.toBe(0)
    expect((await from(Buffer.from(`fix: use ${KEY}`))).stderr).toContain('secret')
  })
})

describe('pre-push', () => {
  async function withOrigin(): Promise<TestRepository> {
    const repository = await makeHooked()
    const origin = join(repository.outside, 'origin.git')
    await git(repository, repository.outside, ['clone', '-q', '--bare', repository.dir, origin])
    await git(repository, repository.dir, ['remote', 'add', 'origin', origin])
    await git(repository, repository.dir, ['fetch', '-q', 'origin'])
    return repository
  }
  const push = (repository: TestRepository, ...args: string[]): Promise<Said> =>
    git(repository, repository.dir, ['push', '-q', 'origin', ...args])

  it('takes several refs, a new branch, a tag and a deletion', async () => {
    const repository = await withOrigin()
    await commit(repository, 'a.txt', '1\n')
    await git(repository, repository.dir, ['tag', '-a', 'v1', '-m', 'One'])
    expect(await push(repository, 'main', 'main:refs/heads/new', 'v1')).toMatchObject({ code: 0, stderr: '' })
    expect(await push(repository, ':refs/heads/new')).toMatchObject({ code: 0, stderr: '' })
  })

  it('refuses a key that a later commit took away again, on a new branch, too', async () => {
    const repository = await withOrigin()
    await repository.write({ 'a.txt': `token = ${KEY}\n` })
    await git(repository, repository.dir, ['add', '--all'])
    await git(repository, repository.dir, ['commit', '-qnm', 'Add'])
    await commit(repository, 'a.txt', 'gone\n')
    const said = await push(repository, 'main:refs/heads/new')
    expect([said.code === 0, said.stderr.includes('a.txt, line 1, holds what looks like a secret')]).toEqual([false, true])
  })

  it('does not hold against a push what the remote has already', async () => {
    const repository = await withOrigin()
    await repository.write({ 'a.txt': `token = ${KEY}\n` })
    await git(repository, repository.dir, ['add', '--all'])
    await git(repository, repository.dir, ['commit', '-qnm', 'Add'])
    await git(repository, repository.dir, ['push', '-q', '--no-verify', 'origin', 'main'])
    await commit(repository, 'a.txt', `token = ${KEY}\nmore\n`)
    expect(await push(repository, 'main')).toMatchObject({ code: 0 })
  })

  it('refuses a ticket’s branch with a commit that went round its hooks, until that is amended', async () => {
    const repository = await withOrigin()
    await git(repository, repository.dir, ['checkout', '-q', '-b', 'phase/build_1'])
    await repository.write({ 'a.txt': 'round\n' })
    await git(repository, repository.dir, ['add', '--all'])
    await git(repository, repository.dir, ['commit', '-qnm', 'Round them'])
    expect((await push(repository, 'phase/build_1')).stderr).toContain('without its checks')
    await git(repository, repository.dir, ['commit', '-q', '--amend', '-m', 'With them'])
    expect(await push(repository, 'phase/build_1')).toMatchObject({ code: 0, stderr: '' })
  })

  it('refuses a session that is cut against what the remote has', async () => {
    const repository = await withOrigin()
    const { path, text } = sessionFile(3)
    await commit(repository, path, text)
    await push(repository, 'main')
    await writeFile(join(repository.dir, path), sessionFile(2).text)
    await git(repository, repository.dir, ['commit', '-qanm', 'Cut'])
    expect((await push(repository, 'main')).stderr).toContain('had 3 entries and now has 2')
  })

  it('answers for 10,000 refs, without standard input, and outside a repository', async () => {
    const repository = await withOrigin()
    const head = (await git(repository, repository.dir, ['rev-parse', 'HEAD'])).stdout.trim()
    const lines = Array.from({ length: 10_000 }, (_, at) => `refs/heads/b${at} ${head} refs/heads/b${at} ${'0'.repeat(40)}\n`)
    const hook = join(repository.dir, '.git/hooks/pre-push')
    expect(await shell(repository, hook, ['origin', 'url'], lines.join(''))).toMatchObject({ code: 0, stderr: '' })
    expect(await shell(repository, hook, ['origin', 'url'])).toMatchObject({ code: 0, stderr: '' })
    const outside = await shell({ ...repository, dir: repository.outside }, hook, ['origin', 'url'], lines[0])
    expect([outside.code, outside.stderr.split('\n')[0]]).toEqual([
      1,
      'valuetrain: pre-push: this hook was called outside a git repository',
    ])
  })
})

describe('the fast path', () => {
  it('starts the program for every format of a secret that is known by a prefix', async () => {
    const samples = [
      KEY,
      `glpat-${'a1B2c3D4e5'.repeat(2)}`,
      `AKIA${'ABCDEFGH234567XY'}`,
      `AIza${'a1B2c3D4e5'.repeat(3)}abcde`,
      `hf_${'abcdefghij'.repeat(3)}abcd`,
      `xoxb-${'1234567890'}-${'abcdefghij'}`,
      `npm_${'a1B2c3D4e5'.repeat(3)}abcdef`,
      'https://someone:hunter22x@example.com/',
      `password = "Tr0ub4dor&3x"`,
      '-----BEGIN RSA PRIVATE KEY-----',
    ]
    const repository = await makeHooked()
    for (const sample of samples) {
      expect([sample.slice(0, 6), findSecrets(`${sample}\n`).length]).toEqual([sample.slice(0, 6), 1])
      const line = `%${sample}\n`
      const found = await pipe('grep', ['-qE', RELEVANT], line, repository.env)
      const maybe = await pipe(
        'sh',
        ['-c', `read -r q; case $q in ${MAYBE_RELEVANT}) ;; *) exit 1 ;; esac`],
        line,
        repository.env,
      )
      expect([sample.slice(0, 6), found, maybe]).toEqual([sample.slice(0, 6), 0, 0])
    }
    expect(await pipe('grep', ['-qE', RELEVANT], '%const answer = 42\n-x\n+++ b/src/a.ts\n', repository.env)).toBe(1)
  })

  it('does not start the program where nothing is relevant', async () => {
    const repository = await makeHooked()
    const program = join(repository.dir, '.git/valuetrain/hooks/hook.cjs')
    await writeFile(program, `require('fs').writeFileSync(${JSON.stringify(join(repository.outside, 'started'))}, '')`)
    expect((await commit(repository, 'a.txt', 'a plain line\n')).code).toBe(0)
    await expect(readFile(join(repository.outside, 'started'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('holds no package in its program that hooks cannot afford', async () => {
    const text = await readFile(await hookBundle(), 'utf8')
    expect(text.length).toBeLessThan(400_000)
  })
})

/** Calls a hook as a script, without git. */
function shell(
  repository: Pick<TestRepository, 'dir' | 'env'>,
  hook: string,
  args: string[] = [],
  input?: string,
): Promise<Said> {
  return new Promise((resolve) => {
    const child = execFile(hook, args, { cwd: repository.dir, env: repository.env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 255), stdout, stderr }),
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

function pipe(program: string, args: string[], input: string, env: NodeJS.ProcessEnv): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...env, LC_ALL: 'C' } })
    child.on('close', resolve)
    child.stdin.end(input)
  })
}
