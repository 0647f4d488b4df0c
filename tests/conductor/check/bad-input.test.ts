import { mkdir, open, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openTerminal } from '../../bin/terminal.ts'
import { KEY } from '../../hooks/hooked.ts'
import { makeRepository } from '../../support/repository.ts'

const FULL = process.env.VALUETRAIN_FULL === '1'

/** Returns a repository whose branch `feature` is checked out, with a check of it against `main`. */
async function onFeature(files: Record<string, string> = { 'a.txt': 'a\n' }) {
  const repository = await makeRepository(files)
  await repository.git.run(['switch', '-q', '-c', 'feature'])
  return {
    ...repository,
    async check() {
      const ran = await openTerminal({ dir: repository.dir, env: repository.env }).run('check', '--base', 'main', '--json')
      const { findings = [], gates = [] } = ran.stdout === '' ? {} : JSON.parse(ran.stdout)
      return {
        ...ran,
        errors: (findings as { severity: string; rule: string; message: string }[])
          .filter(({ severity }) => severity === 'error')
          .map(({ rule, message }) => `${rule}: ${message}`.replace(/\b[0-9a-f]{8,40}\b/g, '<commit>'))
          .sort(),
        gates: Object.fromEntries((gates as { gate: string; verdict: string }[]).map(({ gate, verdict }) => [gate, verdict])),
      }
    },
  }
}

describe('a check of bad input', () => {
  it('finds keys wherever they hide: over lines, in binary files, in UTF-16, in messages after an empty one, behind a replacement', async () => {
    const { dir, outside, git, commit, check } = await onFeature()
    const [left, right] = [KEY.slice(0, 20), KEY.slice(20)]
    await writeFile(join(dir, 'c.bin'), Buffer.concat([Buffer.from([0, 1, 255]), Buffer.from(`\0${KEY}\0`)]))
    await writeFile(join(dir, 'wide.txt'), Buffer.from(`one\n${KEY}\n`, 'utf16le'))
    await commit({
      'shell.sh': `true\nexport T="${left}\\\n${right}"\n`,
      'code.ts': `const t =\n  '${left}' +\n  '${right}'\n`,
      'mail.txt': `${left}\n${right}\n`,
      'prose.txt': 'ghp_ is a prefix\nof tokens, and this is none\n',
    })
    await writeFile(join(outside, 'message'), Buffer.from('Gr\xfc\xdfe', 'latin1'))
    await git.run(['commit', '-q', '--allow-empty', '-F', join(outside, 'message')])
    await git.run(['commit', '-q', '--allow-empty', '--allow-empty-message', '-m', ''])
    await git.run(['commit', '-q', '--allow-empty', '-m', `Use ${KEY}`])
    const bad = await commit({ 'hidden.txt': `token = ${KEY}\n` })
    await git.run(['replace', bad, 'HEAD~1'])
    const { code, errors, stdout } = await check()
    const at = (place: string) => `secret: ${place}, holds what looks like a secret (github-token)`
    expect({ code, errors }).toEqual({
      code: 1,
      errors: [
        at('c.bin, line 1'),
        at('code.ts, line 2'),
        at('hidden.txt, line 1'),
        at('mail.txt, line 1'),
        at('shell.sh, line 2'),
        at('the message of commit <commit>, line 1'),
        at('wide.txt, line 2'),
      ],
    })
    expect(stdout).not.toContain(KEY)
  })

  it('refuses links in the place of rules, whatever they lead to, and sees a script change behind one', async () => {
    const config = 'commands:\n  test: [sh, scripts/test.sh]\n'
    const { dir, git, commit, check } = await onFeature({
      '.valuetrain/config.yaml': config,
      'rules/config.yaml': config,
      'scripts/test.sh': 'exit 0\n',
    })
    await unlink(join(dir, '.valuetrain/config.yaml'))
    await symlink('../rules/config.yaml', join(dir, '.valuetrain/config.yaml'))
    await commit({})
    const linked = await check()
    expect([linked.code, linked.errors]).toEqual([1, ['definitions-broken: .valuetrain/config.yaml is a link at <commit>']])
    await git.run(['branch', '-q', '-f', 'main', 'HEAD'])
    await commit({ 'rules/config.yaml': 'commands: {}\n' })
    expect(await check()).toMatchObject({ code: 2, stderr: expect.stringContaining('.valuetrain/config.yaml is a link at') })

    await git.run(['switch', '-q', '-C', 'other', 'main~1'])
    await symlink('scripts', join(dir, 'tools'))
    const behind = await commit({ '.valuetrain/config.yaml': config.replace('scripts', 'tools') })
    await git.run(['branch', '-q', '-f', 'main', behind])
    await commit({ 'scripts/test.sh': 'true\n' })
    expect((await check()).errors).toEqual(['gate-weakened: test: tools/test.sh, which it runs, is changed'])
  })

  it('touches nobody’s work when a gate makes links of its checkout, and asks no gate where the checkout is gone', async () => {
    const { dir, git, outside, write, commit, check } = await onFeature({ 'src/a.txt': 'good\n', 'b.txt': 'b\n' })
    const swap = `rm -rf src && ln -s '${dir}/src' src && printf 'gitdir: ${dir}/.git\\n' > .git`
    const move = `here="$PWD" && cd .. && mv "$here" '${outside}/moved' && ln -s '${dir}' "$here"`
    const commands = {
      lint: ['sh', '-c', swap],
      types: ['sh', '-c', 'test "$(cat src/a.txt)" = good'],
      build: ['sh', '-c', move],
      test: ['true'],
    }
    const main = await commit({ '.valuetrain/config.yaml': JSON.stringify({ jail: 'off', commands }) })
    await git.run(['branch', '-q', '-f', 'main', main])
    await commit({ 'c.txt': 'c\n' })
    await write({ 'b.txt': 'staged\n' })
    await git.run(['add', 'b.txt'])
    await write({ 'src/a.txt': 'not staged\n', 'd.txt': 'untracked\n' })
    const state = () => git.text(['status', '--porcelain'])
    const before = await state()
    const { code, gates, errors } = await check()
    expect(before).toBe('M  b.txt\n M src/a.txt\n?? d.txt')
    expect(await state()).toBe(before)
    const { lint, types, build, test } = gates
    expect({ code, lint, types, build, test }).toEqual({
      code: 1,
      lint: 'pass',
      types: 'pass',
      build: 'pass',
      test: 'inconclusive',
    })
    expect(errors).toEqual(['test: could not be judged: the checkout was moved away or replaced by what ran in it'])
  })

  it('answers in a repository of 10,000 refs', async () => {
    const { dir, git, commit, check } = await onFeature()
    const id = await commit({ 'b.txt': 'b\n' })
    await mkdir(join(dir, '.git/refs'), { recursive: true })
    const refs = Array.from(
      { length: 10_000 },
      (_, at) => `${id} refs/remotes/origin/phase/build_${String(at).padStart(5, '0')}\n`,
    )
    await writeFile(join(dir, '.git/packed-refs'), `# pack-refs with: peeled fully-peeled sorted \n${refs.join('')}`)
    expect((await git.text(['for-each-ref', '--count=1', 'refs/remotes'])).startsWith(id)).toBe(true)
    expect(await check()).toMatchObject({ code: 0, errors: [] })
  })

  it('measures a file of gigabytes and does not read it', async () => {
    const { dir, git, check } = await onFeature()
    const bytes = FULL ? 2 * 1024 ** 3 + 1 : 40_000_000
    const file = await open(join(dir, 'huge.csv'), 'w')
    await file.truncate(bytes)
    await file.close()
    await git.run(['add', 'huge.csv'], { timeoutMs: 600_000 })
    await git.run(['commit', '-q', '-m', 'Huge'])
    await rm(join(dir, 'huge.csv'))
    const { code, errors } = await check()
    const size = FULL ? '2147.5 MB' : '40 MB'
    expect({ code, errors }).toEqual({
      code: 1,
      errors: [
        `not-in-lfs: huge.csv (${size}) is data above 1 MB and not in LFS`,
        `too-large: huge.csv is ${size}, more than the 5 MB a file may have outside LFS`,
      ],
    })
  }, 1_200_000)
})
