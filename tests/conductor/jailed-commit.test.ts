import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runIssue } from '../../conductor/run.ts'
import { probeJail } from '../../core/jail-probe.ts'
import { CONFIG, issueFile, type Line, makeLine } from './line.ts'

const probe = await probeJail({ PATH: process.env.PATH ?? '' })
/** Without a jail hooks run as they always did; there is nothing to see. */
const jailed = probe.ready ? describe : describe.skip
const FILES = { 'value.txt': 'wrong', '.valuetrain/config.yaml': CONFIG, ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) }

async function plantHook(line: Line, name: string, script: string): Promise<void> {
  const file = join(line.dir, '.git/hooks', name)
  await mkdir(join(line.dir, '.git/hooks'), { recursive: true })
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
}

jailed(`hooks of the repository at our commit${probe.ready ? '' : ` (skipped: ${probe.why})`}`, () => {
  it('run in the jail, and what they format is committed after they have seen it again', async () => {
    const line = await makeLine(FILES)
    const outside = join(line.outside, 'reached')
    await plantHook(
      line,
      'pre-commit',
      `echo out > '${outside}'; cat '${line.outside}/home/.token' >> seen.txt; echo tidy > tidy.txt; git add tidy.txt`,
    )
    await writeFile(join(line.outside, 'home/.token'), 'canary')
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    const committed = line.written.find(({ entry }) => entry.type === 'WORK_COMMITTED')?.entry.data
    expect(committed).toMatchObject({ hooks: { names: ['pre-commit'], rounds: 2 } })
    expect(await line.git.text(['show', 'main:tidy.txt'])).toBe('tidy')
    expect(await line.git.text(['show', 'main:seen.txt'])).toBe('')
    await expect(readFile(outside)).rejects.toThrow('ENOENT')
  })

  it('can refuse it, and one that is never content with the tree has refused it', async () => {
    for (const [script, why] of [
      ['echo no such thing >&2; exit 1', 'no such thing'],
      ['echo again >> value.txt', 'in each of 3 rounds'],
    ] as const) {
      const line = await makeLine({ ...FILES, '.valuetrain/config.yaml': `${CONFIG}attempts: 1\n` })
      await plantHook(line, 'pre-commit', script)
      expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'blocked' })
      const decided = line.written.find(({ entry }) => entry.type === 'DECIDED')?.entry.data
      expect(decided).toMatchObject({
        code: 'hook-refused',
        reasons: ['1 failed attempt at build', expect.stringContaining(why)],
      })
    }
  })
})

describe('git of ours in a worktree', () => {
  it('runs no filter that attributes and configuration name together', async () => {
    const line = await makeLine({ ...FILES, 'tool.sh': 'cat\n', '.gitattributes': '*.txt filter=tidy\n' })
    const flag = join(line.outside, 'ran')
    for (const [key, value] of [
      ['filter.tidy.clean', `sh -c 'echo ran > ${flag}; cat'`],
      ['filter.tidy.smudge', `sh -c 'echo ran > ${flag}; cat'`],
      ['filter.a=b.clean', `sh -c 'echo ran > ${flag}; cat'`],
      ['filter.tidy.required', 'true'],
    ] as const)
      await line.git.run(['config', key, value])
    await line.write({ 'value.txt': 'other', '.gitattributes': '*.txt filter=tidy\n*.md filter=a=b\n', 'new.md': 'new\n' })
    await line.git.run(['add', '--all'])
    await line.git.run(['status'])
    await line.git.run(['checkout', '--quiet', '--', '.'])
    await expect(readFile(flag)).rejects.toThrow('ENOENT')
    expect(await line.git.text(['show', ':value.txt'])).toBe('other')
  })

  it('looks into no repository within it, whose own configuration names programs', async () => {
    const line = await makeLine({ 'value.txt': 'right' })
    const flag = join(line.outside, 'ran')
    const sub = line.git.at(join(line.dir, 'sub'))
    await mkdir(join(line.dir, 'sub'))
    await sub.run(['init', '--quiet'])
    await line.write({ 'sub/file': 'one', 'sub/.gitattributes': '* filter=evil\n' })
    await sub.run(['add', '.'])
    await sub.run(['commit', '--quiet', '--message', 'Begin'])
    // As a submodule of the base it is in the index, and git asks it what is changed in there.
    const head = await sub.text(['rev-parse', 'HEAD'])
    await line.git.run(['update-index', '--add', '--cacheinfo', `160000,${head},sub`])
    await line.git.run(['commit', '--quiet', '--message', 'A submodule'])
    for (const key of ['core.fsmonitor', 'filter.evil.clean', 'filter.evil.process'])
      await sub.run(['config', key, `sh -c 'echo > ${flag}; cat'`])
    await line.write({ 'sub/file': 'two', 'other.txt': 'x' })
    await line.git.run(['add', '--all'])
    await line.git.run(['status'])
    await line.git.run(['diff', '--quiet'], { okExit: [0, 1] })
    await line.git.run(['commit', '--quiet', '--message', 'More'])
    await expect(readFile(flag)).rejects.toThrow('ENOENT')
    expect(await line.git.text(['show', '--name-only', '--format=', 'HEAD'])).toBe('other.txt')
  })
})
