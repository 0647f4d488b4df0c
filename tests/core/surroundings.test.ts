import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inspectSurroundings, type SurroundingFinding } from '../../core/surroundings.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

type Look = Pick<TestRepository, 'dir' | 'env'> & { node?: string; platform?: NodeJS.Platform; release?: string }

async function look({ dir, env, node = '20.20.2', platform = 'linux', release = '6.1.0' }: Look) {
  const findings = await inspectSurroundings({ cwd: dir, env, node, platform, release })
  const of = (id: string) => findings.filter((finding) => finding.id === id)
  return { findings, of, levels: Object.fromEntries(findings.map(({ id, level }) => [id, level])) }
}
const said = (findings: SurroundingFinding[]) => findings.map(({ level, what }) => `${level}: ${what}`)

const CONFIG = 'commands: { test: [git, --version] }\n'
const ATTRIBUTES = '.valuetrain/tickets/**/session-*.md text eol=lf\n'

describe('the surroundings', () => {
  it('are fine where everything is there', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': CONFIG, '.gitattributes': ATTRIBUTES })
    const { findings } = await look(repository)
    const mine = findings.filter(({ id }) => !/^(runtime|jail)/.test(id))
    expect(mine.map(({ id, level, todo }) => [id, level, todo])).toEqual(
      [
        'node',
        'platform',
        'git',
        'repository',
        'identity',
        'config',
        'default-branch',
        'remote',
        'commands',
        'hooks',
        'attributes',
        'definitions',
        'worktrees',
        'leftovers',
      ].map((id) => [id, 'ok', null]),
    )
  })

  it('never lack what to do where something is in the way', async () => {
    const repository = await makeRepository({
      '.valuetrain/config.yaml': 'branch: trunk\nremote: origin\ncommands: { test: [no-such-program] }\n',
      '.gitattributes': '*.md merge=union\n',
    })
    const { PATH, HOME, TMPDIR, GIT_CONFIG_NOSYSTEM, GIT_CONFIG_GLOBAL } = repository.env
    await writeFile(
      join(repository.dir, '.valuetrain/config.yaml'),
      'branch: trunk\nremote: origin\ncommands: { test: [no-such-program] }\nmerge: auto\n',
    )
    const { levels, findings } = await look({
      dir: repository.dir,
      env: { PATH, HOME, TMPDIR, GIT_CONFIG_NOSYSTEM, GIT_CONFIG_GLOBAL },
      node: '18.0.0',
      platform: 'win32',
    })
    expect(levels).toMatchObject({
      node: 'fail',
      platform: 'fail',
      identity: 'fail',
      'default-branch': 'fail',
      remote: 'fail',
      commands: 'fail',
      attributes: 'fail',
      definitions: 'warn',
    })
    expect(findings.filter(({ level, todo }) => level !== 'ok' && !todo)).toEqual([])
  })

  it('end at the repository where there is none', async () => {
    const repository = await makeRepository()
    const { levels, of } = await look({ ...repository, dir: repository.outside })
    expect([levels.repository, of('config')]).toEqual(['fail', []])
  })

  it('tell a repository without a commit, a bare one and a shallow one', async () => {
    const unborn = await makeRepository({})
    expect(said((await look(unborn)).of('repository'))).toEqual(['fail: there is no commit yet'])
    const repository = await makeRepository()
    await repository.commit({ a: '1' })
    const [bare, shallow] = [join(repository.outside, 'bare.git'), join(repository.outside, 'shallow')]
    await repository.git.run(['clone', '--quiet', '--bare', '.', bare])
    await repository.git.run(['clone', '--quiet', '--depth=1', `file://${repository.dir}`, shallow])
    expect(said((await look({ ...repository, dir: bare })).of('repository'))).toEqual(['fail: the repository is bare'])
    expect(said((await look({ ...repository, dir: shallow })).of('repository'))).toEqual([
      'fail: the clone is shallow, so merges cannot be judged',
    ])
  })

  it('name a configuration that is wrong, with its key', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': 'merg: auto\n' })
    expect(said((await look(repository)).of('config'))).toEqual([
      'fail: .valuetrain/config.yaml: unknown key "merg" (did you mean "merge"?)',
    ])
  })

  it('ask the configured remote', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': 'remote: origin\n' })
    await repository.git.run(['clone', '--quiet', '--bare', '.', join(repository.outside, 'origin.git')])
    await repository.git.run(['remote', 'add', 'origin', join(repository.outside, 'origin.git')])
    expect(said((await look(repository)).of('remote'))).toEqual(['ok: remote origin answers'])
    await rm(join(repository.outside, 'origin.git'), { recursive: true })
    expect(said((await look(repository)).of('remote'))).toEqual(['fail: remote origin cannot be read'])
  })

  it('see that a relative, untracked hooks path is silent in worktrees', async () => {
    const repository = await makeRepository()
    await repository.git.run(['config', 'core.hooksPath', '.husky/_'])
    expect((await look(repository)).levels.hooks).toBe('warn')
    await repository.git.run(['config', 'core.hooksPath', join(repository.dir, '.husky/_')])
    expect((await look(repository)).levels.hooks).toBe('ok')
    await repository.commit({ 'hooks/pre-commit': '#!/bin/sh\n' })
    await repository.git.run(['config', 'core.hooksPath', 'hooks'])
    expect((await look(repository)).levels.hooks).toBe('ok')
  })

  it('find a worktree whose folder is gone', async () => {
    const repository = await makeRepository()
    const dir = join(repository.outside, 'gone')
    await repository.git.run(['worktree', 'add', '--quiet', '-b', 'phase/build_1', dir])
    expect((await look(repository)).levels.leftovers).toBe('ok')
    await rm(dir, { recursive: true })
    expect(said((await look(repository)).of('leftovers'))).toEqual([
      'warn: the worktree of phase/build_1 is registered, but its folder is gone',
    ])
  })

  it('find agents on PATH with what they say, and one that hangs without waiting for it', async () => {
    const repository = await makeRepository()
    const bin = join(repository.outside, 'bin')
    await mkdir(bin)
    for (const [name, text] of [
      ['claude', 'echo "2.1.0 (Claude Code)"'],
      ['codex', 'exec sleep 60'],
      ['gemini', 'exit 3'],
    ] as const) {
      await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`)
      await chmod(join(bin, name), 0o755)
    }
    await mkdir(join(bin, 'ollama'))
    const { findings } = await look({ ...repository, env: { ...repository.env, PATH: `${bin}:${repository.env.PATH}` } })
    expect(said(findings.filter(({ id }) => id.startsWith('runtime')))).toEqual([
      'ok: claude: 2.1.0 (Claude Code)',
      'ok: codex: on PATH',
      'ok: gemini: on PATH',
      'ok: not on PATH: opencode, ollama (`recipe` and `person` need none)',
    ])
  })
})
