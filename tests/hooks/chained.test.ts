import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FOREIGN_LIMIT_S } from '../../hooks/dispatcher.ts'
import { git, makeHooked } from './hooked.ts'

describe('a hook of somebody else that hangs', () => {
  it('is ended with all it started, and the commit is refused with one line that says so', async () => {
    const repository = await makeHooked()
    const hook = join(repository.dir, '.git/hooks/pre-commit')
    const script = await readFile(hook, 'utf8')
    expect(script).toContain(`k=${FOREIGN_LIMIT_S}`)
    await writeFile(hook, script.replace(`k=${FOREIGN_LIMIT_S}`, 'k=1'))
    const alive = join(repository.outside, 'alive')
    await writeFile(`${hook}.chained`, `#!/bin/sh\n(while sleep 0.1; do echo x >>'${alive}'; done) &\nsleep 60\n`)
    await chmod(`${hook}.chained`, 0o755)
    // Tests have no terminal, which is where the limit holds.
    const said = await git(repository, repository.dir, [
      '-c',
      'alias.aside=!setsid -w git commit',
      'aside',
      '--allow-empty',
      '-m',
      'x',
    ])
    expect([said.code, said.stderr.trim()]).toEqual([1, expect.stringMatching(/pre-commit\.chained was ended after 1 s$/)])
    const size = (await readFile(alive)).length
    await delay(400)
    expect((await readFile(alive)).length).toBe(size)
  })
})

describe('a hook', () => {
  it('lets no message pass that is empty or binary, takes one in Latin-1, and changes no index', async () => {
    const repository = await makeHooked()
    await git(repository, repository.dir, ['switch', '-q', '-c', 'phase/build_1'])
    const file = join(repository.outside, 'message')
    const outcomes: (number | boolean)[] = []
    for (const content of [
      Buffer.from(''),
      Buffer.from('\0\x01\xff\xfe binary', 'latin1'),
      Buffer.from('Änderung für \xdc\n', 'latin1'),
    ]) {
      await writeFile(file, content)
      await repository.write({ 'a.txt': `${content.toString('hex')}.\n` })
      await git(repository, repository.dir, ['add', 'a.txt'])
      const before = (await git(repository, repository.dir, ['ls-files', '--stage'])).stdout
      outcomes.push((await git(repository, repository.dir, ['commit', '-qF', file])).code)
      outcomes.push((await git(repository, repository.dir, ['ls-files', '--stage'])).stdout === before)
    }
    expect(outcomes).toEqual([1, true, 1, true, 0, true])
  })

  it('lets a commit be refused by git itself while another process holds the index', async () => {
    const repository = await makeHooked()
    const lock = join(repository.dir, '.git/index.lock')
    await writeFile(lock, '')
    const said = await git(repository, repository.dir, ['commit', '--allow-empty', '-m', 'x'])
    expect([said.code, said.stderr.includes('index.lock'), (await readFile(lock)).length]).toEqual([128, true, 0])
  })
})
