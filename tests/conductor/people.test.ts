import { describe, expect, it } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { operate } from '../../conductor/operate.ts'
import { planRun } from '../../conductor/plan.ts'
import { runIssue } from '../../conductor/run.ts'
import { CONFIG, issueFile, makeLine } from './line.ts'

const approve = { type: 'approve', channel: 'terminal' } as const

describe('people on the line', () => {
  it('are asked at the moments that the configuration names, once each, and the answer is in the log', async () => {
    const line = await makeLine({
      'value.txt': 'wrong',
      '.valuetrain/config.yaml': `${CONFIG}checkIns: [before-work, after-milestone, before-push]\n`,
      ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']),
    })
    const asked: string[] = []
    let outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    for (let round = 0; outcome.outcome === 'waiting' && round < 9; round++) {
      asked.push(outcome.reasons.join().split(';')[0] as string)
      // Running it again asks nothing again and changes nothing.
      expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'waiting' })
      const overrides = { type: 'override', gate: 'before-push', reason: 'it is late', channel: 'terminal' } as const
      await operate(line.ports, 1, outcome.reasons.join().includes('delivered') ? overrides : approve, { name: 'Ada' })
      outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    }
    expect(outcome).toMatchObject({ outcome: 'done' })
    expect(asked).toEqual([
      'Work on phase build begins',
      'Phase build is through its gates',
      'Phase evaluate is through its gates',
      'The change is ready to be delivered',
    ])
    const answers = line.written.filter(({ entry }) => entry.type === 'CHECK_IN_ANSWERED').map(({ entry }) => entry.data)
    expect(answers.at(-1)).toMatchObject({ moment: 'before-push', reason: 'it is late' })
    expect(answers).toMatchObject(
      asked.map(() => ({ actor: { kind: 'human', name: 'Ada' }, option: 'continue', channel: 'terminal' })),
    )
  })

  it('find the queue paused after five failures in a row', async () => {
    const issues = [1, 2, 3, 4, 5, 6, 7].map((number) => issueFile(number, 'Break it', ['auto', 'recipe:idle']))
    const line = await makeLine({ 'value.txt': 'right', '.valuetrain/config.yaml': CONFIG, ...Object.assign({}, ...issues) })
    const result = await drive(line.ports, { once: true, merge: 'auto' })
    expect([result.issues.length, result.paused]).toEqual([5, '5 issues in a row have failed'])
  })

  it('work an issue themselves when it is handed to them', async () => {
    const line = await makeLine({
      'value.txt': 'wrong',
      '.valuetrain/config.yaml': CONFIG,
      ...issueFile(1, 'Mend it', ['auto', 'agent:person']),
    })
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'waiting' })
    await line.git.at(`${line.outside}/repo.worktrees/build_1`).run(['rev-parse', 'HEAD'])
    const { writeFile } = await import('node:fs/promises')
    await writeFile(`${line.outside}/repo.worktrees/build_1/value.txt`, 'right')
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(await line.git.text(['show', 'main:value.txt'])).toBe('right')
  })

  it('see what a run would do, and nothing is changed by looking', async () => {
    const line = await makeLine({
      'value.txt': 'wrong',
      '.valuetrain/config.yaml': CONFIG,
      ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']),
    })
    const before = await line.git.text(['for-each-ref'])
    const plan = await planRun(line.ports, { issue: 1 })
    expect(plan).toMatchObject({
      ticket: 'build_1',
      runtime: 'recipe',
      pipeline: 'routine',
      unjudged: ['lint', 'types', 'build'],
    })
    expect(plan.phases.map(({ phase, works }) => [phase, works])).toEqual([
      ['build', true],
      ['evaluate', false],
      ['deliver', false],
    ])
    expect([await line.git.text(['for-each-ref']), line.written]).toEqual([before, []])
  })

  it('can stop it before it leaves a mode', async () => {
    const line = await makeLine({
      'value.txt': 'wrong',
      '.valuetrain/config.yaml': CONFIG,
      ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']),
    })
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto', until: 'build' })
    expect(outcome).toMatchObject({ outcome: 'waiting', reasons: ['mode build is through; run without --until to go on'] })
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
  })
})
