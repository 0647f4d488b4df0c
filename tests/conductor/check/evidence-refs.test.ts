import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseEvidence } from '../../../conductor/check/evidence.ts'
import { systemClock } from '../../../core/clock.ts'
import type { EvidenceInput } from '../../../core/contracts/evidence.ts'
import {
  appendEvidence,
  listEvidence,
  peopleEvidenceRef,
  readEvidence,
  recordHookEvidence,
  ticketEvidenceRef,
} from '../../../core/evidence-refs.ts'
import { openRepository } from '../../../core/repository.ts'
import { subjectTrees } from '../../../core/subjects.ts'
import { subjectTree } from '../../../core/tree.ts'
import { openTerminal } from '../../bin/terminal.ts'
import { makeRepository } from '../../support/repository.ts'

const AT = '2026-01-01T00:00:00.000Z'
const record = (tree: string): EvidenceInput => ({
  v: 1,
  by: 'hook',
  stage: 'pre-commit',
  tree,
  results: [{ gate: 'secrets', verdict: 'pass' }],
  at: AT,
})

describe('an evidence ref', () => {
  it('keeps every record of writers that write at the same time, in a chain that only grows', async () => {
    const { git } = await makeRepository()
    const tree = await git.text(['rev-parse', 'HEAD^{tree}'])
    const ref = ticketEvidenceRef('build_1')
    const first = await appendEvidence(git, ref, record(tree))
    const gates = ['a', 'b', 'c', 'd', 'e', 'f']
    const of = (gate: string) => ({ ...record(tree), results: [{ gate, verdict: 'pass' as const }] })
    await Promise.all(gates.map((gate) => appendEvidence(git, ref, of(gate))))
    const { records, findings } = parseEvidence(await readEvidence(git))
    expect(records.map(({ results }) => results[0]?.gate).sort()).toEqual([...gates, 'secrets'])
    expect(findings).toEqual([])
    const [{ tip } = { tip: '' }] = await listEvidence(git)
    expect(await git.succeeds(['merge-base', '--is-ancestor', first, tip])).toBe(true)
    expect(await git.text(['rev-list', '--count', tip])).toBe('7')
  })

  it('carries no name, no path and no host, and is another one in another clone', async () => {
    const { git, dir, env, outside } = await makeRepository()
    const { stateDir } = await openRepository(dir, env)
    const tree = await git.text(['rev-parse', 'HEAD^{tree}'])
    await recordHookEvidence(git, stateDir, { ...record(tree), results: [] })
    const [{ ref, tip } = { ref: '', tip: '' }] = await listEvidence(git)
    expect(ref).toMatch(/^refs\/valuetrain\/evidence\/people\/[0-9a-f]{32}$/)
    expect(await git.text(['log', '-1', '--format=%an %ae %cn %ce %B', tip])).toBe(
      'valuetrain evidence@valuetrain.invalid valuetrain evidence@valuetrain.invalid Evidence\n',
    )
    expect(await git.text(['show', `${tip}:record.json`])).toBe(
      `{"at":"${AT}","by":"hook","results":[],"skips":[],"stage":"pre-commit","tree":"${tree}","v":1}`,
    )
    expect(await peopleEvidenceRef(stateDir)).toBe(ref)
    expect(await peopleEvidenceRef(join(outside, 'another'))).not.toBe(ref)
  })

  it('touches neither index nor working tree, and a file in it that is no record is told', async () => {
    const { git, write } = await makeRepository()
    await write({ 'README.md': 'half done', 'new.txt': 'x' })
    const before = await git.text(['status', '--porcelain'])
    const tree = await git.text(['rev-parse', 'HEAD^{tree}'])
    await appendEvidence(git, ticketEvidenceRef('build_2'), record(tree))
    expect(await git.text(['status', '--porcelain'])).toBe(before)
    await git.run(['update-ref', 'refs/valuetrain/evidence/build_3', 'HEAD'])
    const { records, findings } = parseEvidence(await readEvidence(git))
    expect(records).toHaveLength(1)
    expect(findings).toMatchObject([{ rule: 'evidence-unreadable', severity: 'notice' }])
  })

  it('goes with gc once nothing unmerged needs it, and not before', async () => {
    const { git, dir, env, commit } = await makeRepository()
    const { stateDir } = await openRepository(dir, env)
    await git.run(['switch', '-q', '-c', 'feature'])
    const made = await commit({ 'a.txt': 'a' })
    const tree = await subjectTree(git, made)
    await recordHookEvidence(git, stateDir, { ...record(tree), results: [] })
    const terminal = openTerminal({ dir, env, clock: systemClock })
    const gone = async () => JSON.parse((await terminal.run('gc', '--json')).stdout).gone
    expect(await gone()).toEqual([])
    expect(await listEvidence(git)).toHaveLength(1)
    await git.run(['switch', '-q', 'main'])
    await git.run(['merge', '-q', '--squash', 'feature'])
    await git.run(['commit', '-q', '-m', 'Squashed'])
    expect(await gone()).toEqual([])
    await git.run(['branch', '-q', '-D', 'feature'])
    expect(await gone()).toMatchObject([{ what: 'evidence' }])
    expect(await listEvidence(git)).toEqual([])
  })
})

describe('the subject trees of many commits', () => {
  it('are what each one alone says', async () => {
    const { git, commit } = await makeRepository({ 'a/b.txt': '1' })
    const files: Record<string, string>[] = [
      { '.valuetrain/tickets/build_1/ticket.md': 'x' },
      { '.valuetrain/config.yaml': 'version: 1\n' },
      { '.valuetrain/issues/1-x.md': 'y', '.valuetrain-other/x': '1' },
      { 'a/ü b.txt': '2' },
    ]
    const commits = [await git.text(['rev-parse', 'HEAD'])]
    for (const contents of files) commits.push(await commit(contents))
    await git.run(['rm', '-q', '.valuetrain/config.yaml'])
    commits.push(await commit({}))
    const trees = await subjectTrees(git, commits)
    for (const one of commits) expect([one, trees.get(one)]).toEqual([one, await subjectTree(git, one)])
    expect(trees.get(commits[0] as string)).toBe(trees.get(commits[1] as string))
    expect(new Set(trees.values()).size).toBe(5)
  })
})
