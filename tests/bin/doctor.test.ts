import { describe, expect, it } from 'vitest'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

describe('doctor', () => {
  it('fails only where something is in the way, and says the same to programs', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': 'commands: { test: [git, --version] }\n' })
    const terminal = openTerminal(repository)
    const fine = await terminal.run('doctor')
    expect([fine.code, fine.stdout.includes('ok    git '), /ready/.test(fine.stdout)]).toEqual([0, true, true])
    await repository.write({ '.valuetrain/config.yaml': 'commands: { test: [no-such-program] }\n' })
    const bad = await terminal.run('doctor', '--json')
    const { ok, findings } = JSON.parse(bad.stdout)
    expect([bad.code, ok]).toEqual([1, false])
    expect(findings.filter(({ level }: { level: string }) => level === 'fail')).toEqual([
      {
        id: 'commands',
        level: 'fail',
        what: 'not on PATH: test needs no-such-program',
        todo: 'install it, or mend the command in .valuetrain/config.yaml',
      },
    ])
  })

  it('works where there is no repository', async () => {
    const repository = await makeRepository()
    const { code, stdout } = await openTerminal({ ...repository, dir: repository.outside }).run('doctor')
    expect([code, stdout.includes('fail  repository')]).toEqual([1, true])
  })

  it('lists every rule and how it is held', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': 'commands: { test: [git, --version] }\n' })
    const terminal = openTerminal(repository)
    const held = await terminal.run('doctor', '--spec', '--json')
    const { ok, rules } = JSON.parse(held.stdout)
    expect([held.code, ok, rules.length > 35]).toEqual([0, true, true])
    expect(rules.find(({ id }: { id: string }) => id === 'guard-commands')).toMatchObject({
      part: 'guard-rails',
      state: 'held',
      why: 'test',
    })
    await repository.commit({ '.valuetrain/config.yaml': 'labels: { excluded: [] }\n' })
    const broken = await terminal.run('doctor', '--spec')
    expect([broken.code, broken.stdout.includes('2 rules broken')]).toEqual([1, true])
  })

  it('proves the jail by trying to get out of it, and says when there is none', async () => {
    const repository = await makeRepository()
    const { code, stdout, stderr } = await openTerminal(repository).run('doctor', '--jail', '--json')
    if (code === 3) {
      expect(stderr).toMatch(/no bwrap on PATH|cannot build a jail|bubblewrap is for Linux/)
      return
    }
    const { ok, attempts } = JSON.parse(stdout)
    expect([code, ok, attempts.filter(({ escaped }: { escaped: boolean }) => escaped)]).toEqual([0, true, []])
  }, 60_000)
})
