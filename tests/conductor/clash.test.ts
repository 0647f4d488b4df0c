import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkRange } from '../../conductor/check/check.ts'
import { loadDefinitions } from '../../conductor/definitions.ts'
import { runIssue } from '../../conductor/run.ts'
import { mergeTaking } from '../../core/tree.ts'
import { issueFile, type Line, makeLine } from './line.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined

const config = (clashes: string) => `version: 1
commands:
  test: [sh, -c, 'test -s list.txt']
drive: { clashes: ${clashes} }
recipes:
  one: [[sh, -c, 'echo one >> list.txt']]
  two: [[sh, -c, 'echo two >> list.txt']]
`

/** Two issues that append to the same end of one file; the first is delivered and waits for somebody to merge it. */
async function begin(clashes: string): Promise<Line> {
  const line = await makeLine({
    'list.txt': 'zero\n',
    '.valuetrain/config.yaml': config(clashes),
    ...issueFile(1, 'One', ['auto', 'recipe:one']),
    ...issueFile(2, 'Two', ['auto', 'recipe:two']),
  })
  expect(await runIssue(line.ports, { issue: 1 })).toMatchObject({ outcome: 'waiting', ticket: 'build_1' })
  return line
}

const findings = (line: Line) =>
  line.written.flatMap(({ entry }) =>
    entry.type === 'FOUND' && entry.data ? [[entry.data.finding.rule, entry.data.finding.message]] : [],
  )
const decisions = (line: Line, ticket: string) =>
  line.written.flatMap(({ ticket: of, entry }) =>
    of === ticket && entry.type === 'DECIDED' && entry.data ? [entry.data.code] : [],
  )

describe('two tickets that change the same lines', () => {
  it('are told of it, and the later one does its work again on top of the other, losing nothing', async () => {
    const line = await begin('warn')
    expect(await runIssue(line.ports, { issue: 2 })).toMatchObject({
      outcome: 'waiting',
      reasons: [expect.stringContaining('delivered')],
    })
    expect(findings(line)).toEqual([['clash', 'build_1 is changing the same lines: list.txt']])
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(await runIssue(line.ports, { issue: 2, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(await readFile(join(line.dir, 'list.txt'), 'utf8')).toBe('zero\none\ntwo\n')
    expect(decisions(line, 'build_2')).toContain('merge-conflict')
    const patch = await line.git.text(['show', 'HEAD:.valuetrain/tickets/build_2/artifacts/conflict-1.patch'])
    expect(patch).toContain('+two')
    const [base, head] = await Promise.all(['HEAD^1', 'HEAD^2'].map((rev) => line.git.text(['rev-parse', rev])))
    const { repository, clock, ids, signal } = line.ports
    const definitions = await loadDefinitions(repository, base as string)
    const place = { base: base as string, head: head as string, branch: 'phase/build_2', ticket: 'build_2' }
    const { commits, findings: found } = await checkRange({
      ...{ repository, definitions, clock, ids, signal, ...place },
      reuse: true,
      env: { PATH: process.env.PATH ?? '' },
    })
    expect(found.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(commits.filter(({ parents }) => parents.length > 1).map(({ evidence }) => evidence)).toEqual(['base'])
  })

  it.runIf(FULL)('go one after the other where the configuration says so', async () => {
    const line = await begin('serialise')
    const on = '#1 (build_1) changes the same lines and comes first'
    for (let round = 0; round < 2; round++)
      expect(await runIssue(line.ports, { issue: 2, merge: 'auto' })).toMatchObject({ outcome: 'waiting', reasons: [on] })
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(await runIssue(line.ports, { issue: 2, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(await readFile(join(line.dir, 'list.txt'), 'utf8')).toBe('zero\none\ntwo\n')
  })

  it.runIf(FULL)('take in what has come before they are judged, where the configuration says so', async () => {
    const line = await begin('rebase')
    await runIssue(line.ports, { issue: 2, merge: 'auto' })
    await runIssue(line.ports, { issue: 1, merge: 'auto' })
    line.written.length = 0
    expect(await runIssue(line.ports, { issue: 2, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    const types = line.types('build_2')
    // The conflict is settled before any gate is asked.
    expect(types.indexOf('GATE_JUDGED')).toBeGreaterThan(types.indexOf('DECIDED'))
    expect(await readFile(join(line.dir, 'list.txt'), 'utf8')).toBe('zero\none\ntwo\n')
  })
})

describe('a merge in which the base stands', () => {
  it('takes its files wherever both changed them, also where it has none, and everything else from both', async () => {
    const line = await makeLine({ 'both.txt': 'a\n', 'gone/deep/file.txt': 'a\n', 'kept.txt': 'a\n', 'dir/x': 'a\n' })
    const start = await line.git.text(['rev-parse', 'HEAD'])
    await line.git.run(['switch', '--quiet', '-c', 'side'])
    await line.commit({ 'both.txt': 'side\n', 'gone/deep/file.txt': 'side\n', 'kept.txt': 'side\n' })
    const head = await line.git.text(['rev-parse', 'HEAD'])
    await line.git.run(['switch', '--quiet', '--detach', start])
    await line.git.run(['rm', '-q', 'gone/deep/file.txt'])
    await line.commit({ 'both.txt': 'base\n', 'new.txt': 'base\n' })
    const base = await line.git.text(['rev-parse', 'HEAD'])
    const { tree, conflicts } = await mergeTaking(line.git, base, head)
    expect(conflicts.sort()).toEqual(['both.txt', 'gone/deep/file.txt'])
    const files = (await line.git.text(['ls-tree', '-r', '--name-only', tree])).split('\n')
    expect(files).toEqual(['both.txt', 'dir/x', 'kept.txt', 'new.txt'])
    expect(await line.git.text(['show', `${tree}:both.txt`])).toBe('base')
    expect(await line.git.text(['show', `${tree}:kept.txt`])).toBe('side')
  })
})
