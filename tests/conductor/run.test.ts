import { describe, expect, it } from 'vitest'
import { runIssue } from '../../conductor/run.ts'
import { surveyTickets } from '../../conductor/survey.ts'
import { CONFIG, issueFile, makeLine } from './line.ts'

const BASE = { 'value.txt': 'right\n', '.valuetrain/config.yaml': CONFIG }

describe('a run of one issue', () => {
  it('takes a recipe from the issue to a merge on the default branch', async () => {
    const line = await makeLine({ ...BASE, 'value.txt': 'wrong', ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) })
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(outcome).toMatchObject({ outcome: 'done', issue: 1 })
    expect(await line.git.text(['show', 'main:value.txt'])).toBe('right')
    expect(await line.git.text(['status', '--porcelain'])).toBe('')
    expect(await line.git.text(['for-each-ref', '--format=%(refname)', 'refs/heads', 'refs/valuetrain/leases'])).toBe(
      'refs/heads/main',
    )
    expect(await surveyTickets(line.ports)).toMatchObject([{ ticket: 'build_1', status: 'done' }])
    expect(line.types('build_1')[0]).toBe('TICKET_OPENED')
    expect(line.types('build_1').at(-1)).toBe('DELIVERED')
  })

  it('writes nothing more when the issue is done', async () => {
    const line = await makeLine({ ...BASE, 'value.txt': 'wrong', ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) })
    await runIssue(line.ports, { issue: 1, merge: 'auto' })
    const before = await line.git.text(['rev-parse', 'main'])
    line.written.length = 0
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect([line.written, await line.git.text(['rev-parse', 'main'])]).toEqual([[], before])
  })

  it('blocks a change that is empty and says nothing-changed', async () => {
    const line = await makeLine({ ...BASE, ...issueFile(1, 'Do nothing', ['auto', 'recipe:idle']) })
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(outcome).toMatchObject({ outcome: 'blocked' })
    expect(line.written.find(({ entry }) => entry.type === 'DECIDED')?.entry.data).toMatchObject({
      outcome: 'block',
      code: 'nothing-changed',
    })
  })

  it('blocks after the third failed attempt and keeps the work', async () => {
    const line = await makeLine({ ...BASE, ...issueFile(1, 'Break it', ['auto', 'recipe:break']) })
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(outcome).toMatchObject({ outcome: 'blocked' })
    expect(outcome.reasons.join(' ')).toContain('3 failed attempts')
    const decided = line.written
      .filter(({ entry }) => entry.type === 'DECIDED')
      .map(({ entry }) => (entry.data as { outcome: string }).outcome)
    expect(decided).toEqual(['iterate', 'iterate', 'block'])
    expect(await line.git.text(['rev-parse', '--verify', 'refs/heads/phase/build_1'])).toMatch(/^[0-9a-f]{40}$/)
    expect(await line.git.text(['show', 'main:value.txt'])).toBe('right')
  })

  it('waits and says what the issue needs when nobody can work it', async () => {
    const line = await makeLine({ ...BASE, 'value.txt': 'right', ...issueFile(1, 'Think', ['auto']) })
    const outcome = await runIssue(line.ports, { issue: 1 })
    expect(outcome).toMatchObject({ outcome: 'waiting' })
    expect(outcome.reasons.join(' ')).toContain('recipe:')
    expect(line.written).toEqual([])
    await line.write(issueFile(1, 'Think', ['auto', 'recipe:mend']))
    expect(await runIssue(line.ports, { issue: 1 })).toMatchObject({ outcome: 'blocked', ticket: 'build_1' })
  })

  it('delivers and waits for a person to merge unless told otherwise', async () => {
    const line = await makeLine({ ...BASE, 'value.txt': 'wrong', ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) })
    expect(await runIssue(line.ports, { issue: 1 })).toMatchObject({
      outcome: 'waiting',
      reasons: [expect.stringContaining('--merge auto')],
    })
    expect(await surveyTickets(line.ports)).toMatchObject([{ status: 'delivered' }])
    await line.commit({ 'other.txt': 'moved on' })
    const merged = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(merged).toEqual({ outcome: 'done', issue: 1, reasons: ['the issue is done'] })
    expect(await line.git.text(['show', 'main:value.txt'])).toBe('right')
  })

  it('counts a merge that a person made by hand', async () => {
    const line = await makeLine({ ...BASE, 'value.txt': 'wrong', ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) })
    await runIssue(line.ports, { issue: 1 })
    await line.git.run(['merge', '--quiet', '--no-edit', '--squash', 'phase/build_1'])
    await line.git.run(['commit', '--quiet', '--message', 'Merge by hand'])
    expect(await runIssue(line.ports, { issue: 1 })).toMatchObject({ outcome: 'done' })
  })
})
