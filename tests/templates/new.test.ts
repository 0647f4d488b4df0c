import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../core/config.ts'
import { loadExtensions } from '../../core/extensions.ts'
import { readerAt, readerOf } from '../../core/reader.ts'
import { changedPaths } from '../../core/tree.ts'
import { loadMethod, nextPhase } from '../../modes/index.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'

const read = (dir: string, path: string) => readFile(join(dir, path), 'utf8')

describe('new', () => {
  it('writes a gate that judges, and names it in the configuration without losing a comment', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': '# ours\nmerge: auto # by us\n' })
    const base = await repository.git.text(['rev-parse', 'HEAD'])
    const { code, stdout } = await openTerminal(repository).run('new', 'gate', 'no-empty', '--yes')
    expect([code, stdout.includes('.valuetrain/extensions/no-empty.mjs')]).toEqual([0, true])
    const config = await read(repository.dir, '.valuetrain/config.yaml')
    expect(config).toBe('# ours\nmerge: auto # by us\nextensions:\n  gates:\n    - .valuetrain/extensions/no-empty.mjs\n')
    const { gates, judges } = await loadExtensions(repository.dir, parseConfig(config))
    expect(gates).toMatchObject([{ id: 'no-empty', subject: 'range', kind: { type: 'builtin', name: 'no-empty' } }])
    const head = await repository.commit({ 'full.txt': 'x', 'empty.txt': '' })
    const answer = await judges?.get('no-empty')?.({
      options: {},
      ticket: undefined,
      base: readerAt(repository.git, base),
      head: readerAt(repository.git, head),
      changed: () => changedPaths(repository.git, base, head),
      signal: undefined,
    })
    expect(answer).toEqual({
      verdict: 'fail',
      reasons: ['empty.txt is empty'],
      findings: [{ rule: 'no-empty', severity: 'error', message: 'empty.txt is empty', path: 'empty.txt' }],
    })
  })

  it('writes a runtime that works a turn', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': '' })
    await openTerminal(repository).run('new', 'runtime', 'cat', '--yes')
    const { runtimes } = await loadExtensions(repository.dir, parseConfig(await read(repository.dir, '.valuetrain/config.yaml')))
    const [runtime] = runtimes
    expect(await runtime?.probe()).toMatchObject({ ready: true })
    expect(runtime?.accepts({ number: 1, labels: ['agent:cat'] }, {}).accepted).toBe(true)
    expect(runtime?.accepts({ number: 1, labels: [] }, {})).toEqual({
      accepted: false,
      why: 'add the label agent:cat to the issue',
    })
    const said: string[] = []
    const limits = { launchMs: 1, firstOutputMs: 1, silenceMs: 1, totalMs: 20_000, outputBytes: 1 }
    const request = {
      brief: 'Do the work.',
      cwd: repository.dir,
      env: { PATH: process.env.PATH ?? '' },
      limits,
      signal: new AbortController().signal,
    }
    const result = await runtime?.turn(request as never, (event) => said.push(event.type === 'output' ? event.text : ''))
    expect([result, said.join('')]).toEqual([
      { outcome: 'completed', reason: 'it ended with exit code 0', exit: 0 },
      'Do the work.',
    ])
  })

  it('writes a pipeline and a mode that are read at once', async () => {
    const repository = await makeRepository()
    const terminal = openTerminal(repository)
    expect([(await terminal.run('new', 'pipeline', 'careful')).code, (await terminal.run('new', 'mode', 'build')).code]).toEqual([
      0, 0,
    ])
    const method = await loadMethod(readerOf(repository.dir), parseConfig(''))
    expect(method.overrides).toEqual(['.valuetrain/modes/build.md', '.valuetrain/pipelines/careful.yaml'])
    expect(nextPhase(method.pipelines.get('careful') as never, 'build')?.name).toBe('evaluate')
    expect(await read(repository.dir, '.valuetrain/modes/build.md')).toBe(await readFile('modes/build.md', 'utf8'))
  })

  it('never overwrites, and refuses names that are none', async () => {
    const repository = await makeRepository()
    const terminal = openTerminal(repository)
    await terminal.run('new', 'gate', 'mine')
    await writeFile(join(repository.dir, '.valuetrain/extensions/mine.mjs'), 'mine')
    expect(
      await terminal.transcript(
        ['new', 'runtime', 'mine', '--yes'],
        ['new', 'gate', '../x'],
        ['new', 'mode', 'biuld'],
        ['new', 'gat', 'x'],
      ),
    ).toMatchInlineSnapshot(`
      "$ valuetrain new runtime mine --yes
      error: .valuetrain/extensions/mine.mjs is there already
      hint: choose another name, or move that file away; nothing was written
      [exit 2]

      $ valuetrain new gate ../x
      error: "../x" cannot be the name of a gate
      hint: use a-z, 0-9 and single dashes, beginning with a letter, up to 60 characters
      [exit 2]

      $ valuetrain new mode biuld
      error: there is no mode "biuld" (did you mean "build"?)
      hint: a mode file replaces one of the nine: intake, discover, scope, design, build, evaluate, deliver, operate, improve
      [exit 2]

      $ valuetrain new gat x
      error: KIND cannot be "gat" (did you mean "gate"?)
      hint: it takes one of: gate, runtime, mode, pipeline
      [exit 2]
      "
    `)
    expect(await read(repository.dir, '.valuetrain/extensions/mine.mjs')).toBe('mine')
    expect(await repository.git.text(['status', '--porcelain', '--untracked-files=all'])).toBe(
      '?? .valuetrain/extensions/mine.mjs',
    )
  })

  it('leaves a broken configuration as it is and writes nothing', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': 'merg: auto\n' })
    const { code, stderr } = await openTerminal(repository).run('new', 'gate', 'mine', '--yes')
    expect([code, stderr.includes('unknown key "merg" (did you mean "merge"?)')]).toEqual([2, true])
    expect(await repository.git.text(['status', '--porcelain'])).toBe('')
  })
})
