import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beginTicket, foldTicket, stateAt, stepTicket } from '../../conductor/state.ts'
import type { EventInput, EventType } from '../../core/contracts/event.ts'
import { STATUSES } from '../../core/contracts/names.ts'
import { COMMIT, entering, OPENED, resultOf, SPEC, scribe, TREE } from './entries.ts'

const TURN = '01J00000000000000000000009'
type Draft = { [T in EventType]: [T, Omit<EventInput<T>, 'actor'>] }[EventType]

/** The way of a routine ticket whose gates pass, up to a given event. */
function walk(...more: Draft[]) {
  const log = scribe()
  const write = ([type, data]: Draft) => log.write(type, data as never)
  for (const draft of [...through('build'), ...more]) write(draft)
  return { ...log, state: () => foldTicket('build_42', log.entries) }
}

function through(phase: 'build'): Draft[] {
  return [
    ['TICKET_OPENED', OPENED],
    ['PHASE_ENTERED', entering(phase)],
    ['BRIEFED', { phase, attempt: 1, role: 'studio', runtime: 'recipe', digest: SPEC, bytes: 10 }],
    ['TURN_STARTED', { turn: TURN, phase, attempt: 1, runtime: 'recipe', from: COMMIT }],
    ['TURN_ENDED', { turn: TURN, outcome: 'completed', reason: 'done' }],
    ['WORK_INTENDED', { phase, attempt: 1, turn: TURN }],
  ]
}

describe('the ticket machine', () => {
  it('names the one thing that is due at each step of a routine ticket', () => {
    const log = scribe()
    const dues: unknown[] = []
    const look = () => {
      const { status, due, control } = foldTicket('build_42', log.entries)
      dues.push([status, due, control.mode])
    }
    look()
    for (const [type, data] of through('build')) {
      log.write(type, data as never)
      look()
    }
    log.write('WORK_COMMITTED', {
      intent: log.entries.at(-1)?.id as string,
      commit: COMMIT,
      subject: TREE,
      files: 1,
      added: 1,
      removed: 0,
    })
    look()
    log.write('GATE_JUDGED', { stage: 'advance', phase: 'build', attempt: 1, result: resultOf('test', 'pass', log.ids.ulid()) })
    look()
    log.write('DECIDED', { phase: 'build', attempt: 1, outcome: 'advance', code: 'gates-passed', reasons: [], to: 'evaluate' })
    look()
    expect(dues).toEqual([
      ['queued', undefined, undefined],
      ['claimed', 'enter', undefined],
      ['working', 'brief', 'build'],
      ['working', 'turn', 'build'],
      ['working', 'turn', 'build'],
      ['working', 'commit', 'build'],
      ['working', 'commit', 'build'],
      ['gating', 'judge', 'build'],
      ['gating', 'judge', 'build'],
      ['claimed', 'enter', 'build'],
    ])
  })

  it('does not advance on a decision that no passing gate in the log stands behind', () => {
    const log = walk()
    log.write('WORK_COMMITTED', {
      intent: log.entries.at(-1)?.id as string,
      commit: COMMIT,
      subject: TREE,
      files: 1,
      added: 1,
      removed: 0,
    })
    const forged = log.write('DECIDED', {
      phase: 'build',
      attempt: 1,
      outcome: 'advance',
      code: 'gates-passed',
      reasons: [],
      to: 'evaluate',
    })
    expect(log.state()).toMatchObject({
      status: 'gating',
      refused: [{ id: forged.id, type: 'DECIDED', why: 'not accepted while gating' }],
    })
  })

  it('does not count a pass on another tree', () => {
    const log = walk()
    log.write('WORK_COMMITTED', {
      intent: log.entries.at(-1)?.id as string,
      commit: COMMIT,
      subject: TREE,
      files: 1,
      added: 1,
      removed: 0,
    })
    log.write('GATE_JUDGED', {
      stage: 'advance',
      phase: 'build',
      attempt: 1,
      result: resultOf('test', 'pass', log.ids.ulid(), 'd'.repeat(40)),
    })
    log.write('DECIDED', { phase: 'build', attempt: 1, outcome: 'advance', code: 'gates-passed', reasons: [], to: 'evaluate' })
    expect(log.state().status).toBe('gating')
  })

  it('blocks no earlier and no later than the third failed attempt', () => {
    const log = walk()
    const strikes: unknown[] = []
    for (let attempt = 1; attempt <= 3; attempt++) {
      if (attempt > 1) {
        log.write('BRIEFED', { phase: 'build', attempt, role: 'studio', runtime: 'recipe', digest: SPEC, bytes: 10 })
        log.write('TURN_STARTED', { turn: TURN, phase: 'build', attempt, runtime: 'recipe', from: COMMIT })
        log.write('TURN_ENDED', { turn: TURN, outcome: 'completed', reason: 'done' })
        log.write('WORK_INTENDED', { phase: 'build', attempt, turn: TURN })
      }
      log.write('WORK_UNCHANGED', { intent: log.entries.at(-1)?.id as string, subject: TREE })
      const last = attempt === 3
      log.write('DECIDED', {
        phase: 'build',
        attempt,
        outcome: last ? 'block' : 'iterate',
        code: 'gates-failed',
        reasons: ['test fails'],
      })
      strikes.push([log.state().status, log.state().control.attempt])
    }
    expect(strikes).toEqual([
      ['working', 2],
      ['working', 3],
      ['blocked', 3],
    ])
    log.write('DECIDED', { phase: 'build', attempt: 3, outcome: 'iterate', code: 'gates-failed', reasons: [] })
    expect(log.state()).toMatchObject({ status: 'blocked', refused: [{ type: 'DECIDED' }] })
  })

  it('refuses an edge that the methodology does not have', () => {
    const log = scribe()
    log.write('TICKET_OPENED', { ...OPENED, stretch: ['operate', 'build'] })
    log.write('PHASE_ENTERED', {
      phase: 'operate',
      mode: 'operate',
      role: 'ops',
      attempt: 1,
      works: false,
      required: [{ gate: 'test', spec: SPEC, severity: 'block' }],
    })
    log.write('GATE_JUDGED', { stage: 'advance', phase: 'operate', attempt: 1, result: resultOf('test', 'pass', log.ids.ulid()) })
    log.write('DECIDED', { phase: 'operate', attempt: 1, outcome: 'advance', code: 'gates-passed', reasons: [], to: 'build' })
    log.write('PHASE_ENTERED', entering('build'))
    expect(foldTicket('build_42', log.entries)).toMatchObject({
      status: 'claimed',
      control: { mode: 'operate' },
      refused: [{ type: 'PHASE_ENTERED' }],
    })
  })

  it('returns from a pause to exactly where it was', () => {
    const log = walk()
    const before = log.state()
    log.write('PAUSED', { reason: 'lunch' })
    expect(log.state()).toMatchObject({ status: 'paused', due: undefined })
    log.write('RESUMED', {})
    expect(log.state()).toMatchObject({ status: before.status, due: before.due, control: { intent: before.control.intent } })
  })

  it('goes back to where the log was at an entry and counts what follows as a new attempt', () => {
    const log = walk()
    const back = log.entries[1]?.id as string
    log.write('ROLLED_BACK', {
      to: back,
      checkpoint: 'refs/valuetrain/rescue/build_42/x',
      restored: [],
      deleted: [],
      reason: 'try again',
    })
    log.write('RESUMED', {})
    expect(log.state()).toMatchObject({
      status: 'working',
      due: 'brief',
      control: { phase: 'build', attempts: { build: 1 }, intent: undefined },
    })
  })

  it('lands in a declared state whatever the order of events, and replay agrees with stepping', () => {
    const draft = fc.constantFrom<Draft>(
      ...through('build'),
      ['PHASE_ENTERED', entering('evaluate')],
      ['PHASE_ENTERED', entering('deliver')],
      ['PHASE_ENTERED', entering('build', 2)],
      ['GATE_JUDGED', { stage: 'advance', phase: 'build', attempt: 1, result: resultOf('test', 'pass', TURN) }],
      ['GATE_JUDGED', { stage: 'advance', phase: 'build', attempt: 1, result: resultOf('test', 'fail', TURN) }],
      ['GATE_JUDGED', { stage: 'advance', phase: 'evaluate', attempt: 1, result: resultOf('test', 'pass', TURN) }],
      ['GATE_JUDGED', { stage: 'advance', phase: 'deliver', attempt: 1, result: resultOf('test', 'pass', TURN) }],
      ['DECIDED', { phase: 'build', attempt: 1, outcome: 'advance', code: 'x', reasons: [], to: 'evaluate' }],
      ['DECIDED', { phase: 'evaluate', attempt: 1, outcome: 'advance', code: 'x', reasons: [], to: 'deliver' }],
      ['DECIDED', { phase: 'deliver', attempt: 1, outcome: 'advance', code: 'x', reasons: [] }],
      ['DECIDED', { phase: 'build', attempt: 1, outcome: 'iterate', code: 'x', reasons: [] }],
      ['DECIDED', { phase: 'evaluate', attempt: 1, outcome: 'recycle', code: 'x', reasons: [], to: 'build' }],
      ['DECIDED', { phase: 'build', attempt: 1, outcome: 'block', code: 'x', reasons: ['x'] }],
      ['DECIDED', { phase: 'build', attempt: 1, outcome: 'hold', code: 'x', reasons: [] }],
      ['DECIDED', { phase: 'build', attempt: 1, outcome: 'kill', code: 'x', reasons: [] }],
      ['TURN_ENDED', { turn: TURN, outcome: 'failed', reason: 'x' }],
      ['TURN_ENDED', { turn: TURN, outcome: 'limited', reason: 'x' }],
      ['TURN_INTERRUPTED', { turn: TURN }],
      ['WAITING_BEGUN', { reason: 'approval', on: 'x' }],
      ['WAITING_ENDED', { reason: 'approval', by: 'x' }],
      ['CHECK_IN_ASKED', { moment: 'before-work', question: 'x', options: ['continue'], recommendation: 'continue' }],
      ['CHECK_IN_ANSWERED', { moment: 'before-work', option: 'continue', channel: 'terminal' }],
      ['PAUSED', {}],
      ['RESUMED', {}],
      ['ABORTED', { reason: 'x' }],
      ['OVERRIDDEN', { gate: 'test', subject: TREE, channel: 'terminal', reason: 'x' }],
      ['DELIVERED', { base: COMMIT, head: COMMIT, merge: TREE, verdicts: [] }],
      ['REOPENED', { reason: 'x' }],
      ['REOPENED', { reason: 'x', to: 'delivery' }],
      ['COMMENTED', { text: 'x' }],
      ['CHILDREN_SETTLED', { issues: [] }],
    )
    // WORK_COMMITTED and ROLLED_BACK name an earlier entry, so they are drawn as positions in the log.
    const move = fc.oneof({ weight: 12, arbitrary: draft }, { weight: 2, arbitrary: fc.nat(200) })
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const log = scribe()
        let stepped = beginTicket('build_42')
        for (const choice of moves) {
          const before = [...log.entries]
          const named = typeof choice === 'number' ? before[choice % Math.max(1, before.length)] : undefined
          if (typeof choice === 'number' && !named) continue
          const entry = named
            ? Number(choice) % 3 === 0
              ? log.write('ROLLED_BACK', { to: named.id, checkpoint: 'x', restored: [], deleted: [], reason: 'x' })
              : log.write('WORK_COMMITTED', { intent: named.id, commit: COMMIT, subject: TREE, files: 1, added: 1, removed: 1 })
            : log.write(...(choice as ['COMMENTED', { text: string }]))
          stepped = stepTicket(stepped, entry, before)
          expect(STATUSES).toContain(stepped.status)
        }
        const folded = foldTicket('build_42', log.entries)
        expect({ ...folded, snapshot: folded.snapshot.value }).toEqual({ ...stepped, snapshot: stepped.snapshot.value })
        const last = log.entries.at(-1)
        if (last) expect(stateAt('build_42', log.entries, last.id)?.control).toEqual(folded.control)
      }),
      { numRuns: process.env.VALUETRAIN_FULL ? 3000 : 300 },
    )
  })
})
