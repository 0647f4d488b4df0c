import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { operate } from '../../conductor/operate.ts'
import { runIssue } from '../../conductor/run.ts'
import { findTickets } from '../../conductor/sources.ts'
import { defaultConfig } from '../../core/config.ts'
import { CONFIG, issueFile, type Line, makeLine } from './line.ts'

const FILES = { 'value.txt': 'wrong', '.valuetrain/config.yaml': CONFIG, ...issueFile(1, 'Mend it', ['auto']) }

/** Opens the ticket (nobody can work the issue yet) and returns the paths of its worktree and session file. */
async function opened(line: Line) {
  await runIssue(line.ports, { issue: 1, agent: 'person' })
  return located(line)
}

function fail(message: string): never {
  throw new Error(message)
}

async function located(line: Line) {
  const dir = join(line.outside, 'repo.worktrees', 'build_1')
  const folder = join(dir, '.valuetrain/tickets/build_1')
  const name = (await readdir(folder)).find((file) => file.startsWith('session-')) as string
  return { dir, folder, session: join(folder, name), name }
}

describe('the session of a ticket under way', () => {
  it('sets a line torn by a crash aside, keeps it, and names it in the next segment', async () => {
    const line = await makeLine(FILES)
    let left = 2
    const dying = { ...line.ports, onEvent: () => (--left === 0 ? fail('the process dies') : undefined) }
    await expect(runIssue(dying, { issue: 1, agent: 'person' })).rejects.toThrow('the process dies')
    const { folder, session, name } = await located(line)
    const whole = await readFile(session, 'utf8')
    const last = whole.slice(whole.lastIndexOf('\n## ')).replace(/## (\d+)/, (_, seq) => `## ${Number(seq) + 1}`)
    await appendFile(session, last.slice(0, last.length - 40))
    line.written.length = 0
    await runIssue(line.ports, { issue: 1, agent: 'person' })
    const aside = line.written.find(({ entry }) => entry.type === 'LINE_SET_ASIDE')?.entry.data as { kept: string; bytes: number }
    expect(aside.kept).toMatch(new RegExp(`^${name.replace('.', '\\.')}\\.torn-[0-9a-f]{8}$`))
    expect(await readFile(join(folder, aside.kept), 'utf8')).toBe(last.slice(0, last.length - 40))
    const [found] = await findTickets(line.ports.repository, defaultConfig())
    expect(found?.session.findings).toEqual([])
  })

  it('does not go on from a session that somebody has altered, and loses nothing', async () => {
    const line = await makeLine(FILES)
    const { session } = await opened(line)
    const before = await readFile(session, 'utf8')
    await writeFile(session, before.replaceAll('Mend it', 'Break it'))
    await expect(runIssue(line.ports, { issue: 1, agent: 'person' })).rejects.toMatchObject({ code: 'VT_SESSION_ALTERED' })
    expect(await readFile(session, 'utf8')).toBe(before.replaceAll('Mend it', 'Break it'))
  })

  it('works from a dirty checkout and leaves every uncommitted byte where it is', async () => {
    const line = await makeLine({ ...FILES, ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']), 'other.txt': 'as it was' })
    await line.write({ 'other.txt': 'edited', 'new file ü.txt': 'new' })
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect([
      await readFile(join(line.dir, 'other.txt'), 'utf8'),
      await readFile(join(line.dir, 'new file ü.txt'), 'utf8'),
    ]).toEqual(['edited', 'new'])
  })

  it('waits when dirty files stand in the way of the merge, and names them', async () => {
    const line = await makeLine({ ...FILES, ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) })
    await line.write({ 'value.txt': 'mine' })
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(outcome).toMatchObject({ outcome: 'waiting' })
    expect(outcome.reasons.join(' ')).toContain('value.txt')
    expect(await readFile(join(line.dir, 'value.txt'), 'utf8')).toBe('mine')
    await line.write({ 'value.txt': 'wrong' })
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
  })

  it('rescues what a person left in the worktree before it goes', async () => {
    const line = await makeLine({ ...FILES, ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) })
    await runIssue(line.ports, { issue: 1 })
    await writeFile(join(line.outside, 'repo.worktrees', 'build_1', 'thoughts.txt'), 'keep me')
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    const refs = (await line.git.text(['for-each-ref', '--format=%(refname)', 'refs/valuetrain/rescue'])).split('\n')
    expect(await line.git.text(['show', `${refs[0]}:thoughts.txt`])).toBe('keep me')
  })

  it('takes an operator’s word on a stopped ticket: pause, resume, abort with a reason', async () => {
    const line = await makeLine(FILES)
    await opened(line)
    expect(await operate(line.ports, 1, { type: 'pause', reason: 'holiday' }, { name: 'Ada' })).toMatchObject({ applied: true })
    expect(await runIssue(line.ports, { issue: 1 })).toMatchObject({ outcome: 'waiting', reasons: ['paused', 'holiday'] })
    await operate(line.ports, 1, { type: 'resume' }, { name: 'Ada' })
    await operate(line.ports, 1, { type: 'abort', reason: 'not wanted' }, { name: 'Ada' })
    expect(await runIssue(line.ports, { issue: 1 })).toMatchObject({ outcome: 'aborted', reasons: ['not wanted'] })
    await expect(operate(line.ports, 1, { type: 'pause' }, { name: 'Ada' })).rejects.toMatchObject({ code: 'VT_ACT_REFUSED' })
  })

  it('hands a word on a running ticket to the process that works it, which records it or says why it does not hold', async () => {
    const line = await makeLine({ ...FILES, ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) })
    const asked: unknown[] = []
    let told = false
    const say = (act: Parameters<typeof operate>[2]) =>
      operate(line.ports, 1, act, { name: 'Ada', via: { id: '17', login: 'ada', permission: 'write' } })
    const runtimes = line.ports.runtimes.map((runtime) => ({
      ...runtime,
      async turn(...given: Parameters<typeof runtime.turn>) {
        if (!told)
          asked.push(
            await say({ type: 'comment', text: 'mind the rounding' }),
            await say({ type: 'override', gate: 'tset', reason: 'no', channel: 'comment' }).catch((error) => error.code),
            await say({ type: 'tick', item: 'nothing', channel: 'comment' }),
          )
        told = true
        return runtime.turn(...given)
      },
    }))
    await runIssue({ ...line.ports, runtimes }, { issue: 1, merge: 'auto' })
    expect(asked).toMatchObject([{ applied: false }, 'VT_GATE_UNKNOWN', { applied: false }])
    expect(line.written.filter(({ entry }) => entry.type === 'COMMENTED').map(({ entry }) => entry.data)).toMatchObject([
      { text: 'mind the rounding', via: { id: '17', login: 'ada', permission: 'write' } },
      { text: 'Asked to tick, which was not done: the present phase asks no item "nothing"', actor: { name: 'Ada' } },
    ])
  })

  it('lets a blocked ticket through a gate that a person overrides with a reason, and says so in the record', async () => {
    const line = await makeLine({ ...FILES, ...issueFile(1, 'Break it', ['auto', 'recipe:break']) })
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'blocked' })
    await operate(
      line.ports,
      1,
      { type: 'override', gate: 'test', reason: 'the test itself is wrong', channel: 'terminal' },
      { name: 'Ada' },
    )
    const after = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(after).toMatchObject({ outcome: 'done' })
    const [found] = await findTickets(line.ports.repository, defaultConfig())
    expect(found?.state.ledger.delivered?.verdicts.find(({ gate }) => gate === 'test')?.verdict).toBe('waived')
    expect(found?.state.ledger.overrides).toMatchObject([
      { gate: 'test', reason: 'the test itself is wrong', actor: { kind: 'human', name: 'Ada' } },
    ])
  })
})
