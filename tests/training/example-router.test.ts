import { execFile } from 'node:child_process'
import { appendFile, cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'
import { ROOT } from '../support/sources.ts'

const run = promisify(execFile)

describe('the example of a router', () => {
  it('trains a router and a cascade from a table it generates, takes them through the gate and commits them', async () => {
    const repository = await makeRepository({})
    const { dir, git } = repository
    await cp(join(ROOT, 'examples/router'), dir, { recursive: true })
    for (const script of ['outcomes.mjs', 'gate.mjs']) await run(process.execPath, [join(dir, 'scripts', script)])
    await repository.commit({}, 'Begin')
    const terminal = openTerminal({ ...repository, clock: systemClock, ids: systemIds(systemClock) })

    const worked = await terminal.run('run', '1', '--merge', 'auto')
    expect(worked).toMatchObject({ code: 0 })
    const shown = JSON.parse((await terminal.run('policy', 'show', 'router', '--json')).stdout)[0]
    const champion = shown.aliases.champion as string
    const files = await readdir(join(dir, '.valuetrain/training', champion))
    expect(files.toSorted()).toEqual([
      'REPORT.md',
      'eval.json',
      'events.jsonl',
      'metrics.jsonl',
      'model.json',
      'run.yaml',
      'verdict.json',
    ])
    const trailers = await git.text([
      'log',
      '--format=%(trailers:key=Valuetrain-Run,valueonly,separator=%x20) %(trailers:key=Valuetrain-Verdict,valueonly,separator=%x20)',
      'main',
    ])
    expect(trailers).toContain(`${champion} pass`)
    expect((await terminal.run('eval', champion)).stdout).toContain('the same as recorded')

    const cascade = await terminal.run('train', 'cascade.yaml', '--json')
    const outcome = JSON.parse(cascade.stdout.trim().split('\n').at(-1) as string)
    expect(outcome).toMatchObject({ state: 'done', verdict: { verdict: 'pass' } })
    await repository.commit({}, 'Train a cascade')
    expect((await terminal.run('policy', 'promote', outcome.run)).code).toBe(0)
    expect((await terminal.run('runs', 'list')).stdout).toMatch(/cascade +cascade +outcomes.csv +pass/)
    expect(await git.text(['status', '--porcelain'])).toBe('')

    // A router goes out and comes back like any policy.
    expect((await terminal.run('export', 'cascade', '--format', 'safetensors', '--out', 'out')).code).toBe(0)
    expect((await terminal.run('eval', '--from', 'out')).stdout).toContain(`run ${outcome.run}: `)
    await appendFile(join(dir, 'out', 'model.json'), ' ')
    expect(await terminal.run('eval', '--from', 'out')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no run here wrote'),
    })
  }, 180_000)
})
