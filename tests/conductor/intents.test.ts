import { describe, expect, it } from 'vitest'
import { runIssue } from '../../conductor/run.ts'
import { CONFIG, issueFile, type Line, makeLine } from './line.ts'

/** An agent that states what it is told to, one statement after another, and writes the answers down. */
const agent = (statements: readonly unknown[]) => {
  const script = statements.map((one) => `intend '${typeof one === 'string' ? one : JSON.stringify(one)}' >> answers.txt || true`)
  return `${CONFIG}attempts: 1
agents:
  talker:
    command: [sh, -c, ${JSON.stringify(`printf right > value.txt; ${script.join('; ')}`)}]
`
}

const filesOf = (statements: readonly unknown[]) => ({
  'value.txt': 'wrong',
  '.valuetrain/config.yaml': agent(statements),
  ...issueFile(1, 'Mend it', ['auto', 'agent:talker']),
})

const stated = (line: Line) =>
  line.written.flatMap(({ entry }) => {
    if (entry.type === 'INTENT_STATED' && entry.data)
      return [[entry.data.intent?.kind, entry.data.allowed, entry.data.reasons.join('; ')]]
    if (entry.type === 'INTENT_SETTLED' && entry.data) return [['settled', entry.data.done, entry.data.how]]
    return []
  })

describe('the intents of an agent', () => {
  it('are judged and written down, and what is let through becomes of the turn', async () => {
    const line = await makeLine(
      filesOf([
        { kind: 'commit', message: 'Say what is right\n\nValuetrain-Verdict: pass\nBecause it was wrong.', paths: ['value.txt'] },
        { kind: 'commit', message: 'Loosen the gates', paths: ['.valuetrain/config.yaml', '.github/workflows/ci.yml'] },
        { kind: 'push', branch: 'main' },
        { kind: 'push', branch: 'phase/build_1' },
        { kind: 'comment', issue: 2, text: 'Hello' },
        { kind: 'label', issue: 1, add: ['auto'] },
        { kind: 'delete-everything' },
        'no json at all',
      ]),
    )
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(stated(line)).toEqual([
      ['commit', true, ''],
      ['commit', false, expect.stringContaining('.github/workflows/ci.yml is protected')],
      ['push', false, `"main" is not this ticket's branch phase/build_1`],
      ['push', true, ''],
      ['comment', false, expect.stringContaining("issue 2 is not this ticket's issue 1")],
      ['label', false, expect.stringContaining('steers the work')],
      [undefined, false, expect.stringContaining('intent')],
      [undefined, false, expect.stringContaining('intent')],
      ['settled', true, expect.stringContaining('message')],
      ['settled', true, 'phase/build_1 is where it is shared'],
    ])
    const message = await line.git.text(['log', '--format=%B', '--grep=Say what is right', 'main'])
    expect(message).toContain('Because it was wrong.')
    expect(message).not.toContain('Valuetrain-Verdict')
    const answers = (await line.git.text(['show', 'main:answers.txt'])).split('\n').map((text) => JSON.parse(text).allowed)
    expect(answers).toEqual([true, false, false, true, false, false, false, false])
  })

  it('make the ticket wait when a person is asked, and the turn is worked again after the answer', async () => {
    const line = await makeLine(filesOf([{ kind: 'ask', question: 'Which one?', options: ['left', 'right'] }]))
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({
      outcome: 'waiting',
      reasons: ['it asks: Which one? (left / right)'],
    })
    expect(line.types('build_1').slice(-5)).toEqual(
      ['INTENT_STATED', 'TURN_ENDED', 'INTENT_SETTLED', 'WAITING_BEGUN'].toSpliced(0, 0, 'TURN_STARTED'),
    )
    line.written.length = 0
    await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(line.types('build_1')).toContain('TURN_STARTED')
  })
})
