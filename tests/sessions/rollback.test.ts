import { describe, expect, it } from 'vitest'
import type { EventInput, EventType, PlacedEntry } from '../../core/contracts/event.ts'
import { countingIds } from '../../core/ids.ts'
import { assembleSession, type RollbackInput, rollbackPlan, rollbackTarget } from '../../sessions/index.ts'
import { BASE, CONDUCTOR, eventsOfEveryType, headerOf, segmentOf, TREE } from './written.ts'

const [ONE, TWO, THREE] = ['1', '2', '3'].map((digit) => digit.repeat(40)) as [string, string, string]

function log(): PlacedEntry[] {
  const ids = countingIds()
  const example = (type: EventType, data: object = {}) => {
    const found = eventsOfEveryType(countingIds(900)).find((event) => event.type === type)
    return { type, data: { ...found?.data, ...data, actor: CONDUCTOR } as EventInput<EventType> }
  }
  const events = [
    example('TICKET_OPENED'),
    example('PHASE_ENTERED', { phase: 'build', mode: 'build' }),
    example('WORK_COMMITTED', { commit: ONE }),
    example('WORK_COMMITTED', { commit: TWO }),
    example('PHASE_ENTERED', { phase: 'evaluate', mode: 'evaluate', child: 'qa' }),
    example('RESCUED', { ref: 'refs/valuetrain/rescue/build_42/9' }),
    example('WORK_COMMITTED', { commit: THREE }),
  ]
  return assembleSession('build_42', [segmentOf(headerOf({ ids }), events, ids)]).entries
}

const entries = log()
const idOf = (at: number) => entries[at]?.id ?? ''
const input: RollbackInput = {
  entries,
  goal: { entry: idOf(2) },
  changes: [],
  created: new Set(['src/made.ts', 'src/dirty.ts']),
  uncommitted: new Set(['src/dirty.ts', 'notes.md']),
  ticketFolder: '.valuetrain/tickets/build_42',
}

describe('a rollback', () => {
  it('to an entry, a mode or a checkpoint finds the commit that held the work then', () => {
    expect(rollbackTarget(entries, { entry: idOf(2) })).toEqual({ entry: idOf(2), commit: ONE, undone: [TWO, THREE] })
    expect(rollbackTarget(entries, { mode: 'evaluate' })).toEqual({ entry: idOf(4), commit: TWO, undone: [THREE] })
    expect(rollbackTarget(entries, { mode: 'build' })).toEqual({ entry: idOf(1), commit: BASE, undone: [ONE, TWO, THREE] })
    const ref = 'refs/valuetrain/rescue/build_42/9'
    expect(rollbackTarget(entries, { checkpoint: ref })).toEqual({ entry: idOf(5), commit: ref, undone: [THREE] })
  })

  it('behind an earlier rollback goes to what that one had restored', () => {
    const [rolled] = eventsOfEveryType(countingIds(900)).filter(({ type }) => type === 'ROLLED_BACK')
    const back = {
      ...entries[6],
      id: countingIds(5000).ulid(),
      type: 'ROLLED_BACK',
      data: { ...rolled?.data, to: idOf(2) },
    } as PlacedEntry
    expect(rollbackTarget([...entries, back], { entry: back.id }).commit).toBe(ONE)
  })

  it('deletes only what the session created, touches nothing uncommitted and never its own log', () => {
    const plan = rollbackPlan({
      ...input,
      changes: [
        { status: 'M', path: 'src/b.ts' },
        { status: 'A', path: 'src/made.ts' },
        { status: 'A', path: 'src/theirs.ts' },
        { status: 'A', path: 'src/dirty.ts' },
        { status: 'D', path: 'src/a.ts' },
        { status: 'T', path: 'link' },
        { status: 'M', path: 'notes.md' },
        { status: 'M', path: '.valuetrain/tickets/build_42/session-x.md' },
      ],
    })
    expect(plan).toEqual({
      entry: idOf(2),
      commit: ONE,
      undone: [TWO, THREE],
      restore: ['link', 'src/a.ts', 'src/b.ts'],
      delete: ['src/made.ts'],
      keep: [
        { path: 'notes.md', why: 'has changes that are not committed' },
        { path: 'src/dirty.ts', why: 'has changes that are not committed' },
        { path: 'src/theirs.ts', why: 'was not created by this session' },
      ],
    })
  })

  it('to something that is not in the log is refused, with the nearest mode named', () => {
    const refused = (goal: RollbackInput['goal']) => () => rollbackTarget(entries, goal)
    expect(refused({ entry: TREE })).toThrow(expect.objectContaining({ code: 'VT_ROLLBACK_TARGET' }))
    expect(refused({ checkpoint: 'refs/x' })).toThrow(expect.objectContaining({ code: 'VT_ROLLBACK_TARGET' }))
    expect(refused({ mode: 'biuld' })).toThrow(/did you mean "build"/)
    const blanked = entries.map((entry, at) => (at === 2 ? { ...entry, data: null } : entry)) as PlacedEntry[]
    expect(() => rollbackTarget(blanked, { entry: idOf(2) })).toThrow(expect.objectContaining({ code: 'VT_ROLLBACK_TARGET' }))
  })
})
