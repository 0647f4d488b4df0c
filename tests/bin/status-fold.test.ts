import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldTicket, itemProgress } from '../../conductor/state.ts'
import { systemClock } from '../../core/clock.ts'
import type { EventInput, EventType } from '../../core/contracts/event.ts'
import { systemIds } from '../../core/ids.ts'
import { readerOf } from '../../core/reader.ts'
import { loadSession, openSegment } from '../../sessions/index.ts'
import { COMMIT, entering, OPENED, resultOf, SPEC, TREE } from '../conductor/entries.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

const TURN = '01J00000000000000000000009'
type Draft = { [T in EventType]: [T, Omit<EventInput<T>, 'actor'>] }[EventType]

const DRAFTS: Draft[] = [
  ['PHASE_ENTERED', entering('build')],
  ['BRIEFED', { phase: 'build', attempt: 1, role: 'studio', runtime: 'recipe', digest: SPEC, bytes: 10 }],
  ['TURN_STARTED', { turn: TURN, phase: 'build', attempt: 1, runtime: 'recipe', from: COMMIT }],
  ['TURN_ENDED', { turn: TURN, outcome: 'completed', reason: 'done' }],
  ['TURN_ENDED', { turn: TURN, outcome: 'failed', reason: 'no' }],
  ['WORK_INTENDED', { phase: 'build', attempt: 1, turn: TURN }],
  ['GATE_JUDGED', { stage: 'advance', phase: 'build', attempt: 1, result: resultOf('test', 'fail', TURN) }],
  ['WAITING_BEGUN', { reason: 'approval', on: 'a person' }],
  ['WAITING_ENDED', { reason: 'approval', by: 'run' }],
  ['PAUSED', { reason: 'lunch' }],
  ['RESUMED', {}],
  ['ABORTED', { reason: 'not wanted' }],
  ['DECIDED', { phase: 'build', attempt: 1, outcome: 'block', code: 'gates-failed', reasons: ['test fails'], subject: TREE }],
  ['COMMENTED', { text: 'a word' }],
]

/** Writes a ticket's session as a real writer would, on a branch of its own in a linked worktree or merged into main. */
async function writeTicket(
  repository: TestRepository,
  ticket: string,
  drafts: readonly Draft[],
  place: 'worktree' | 'branch' | 'main',
) {
  const dir = place === 'main' ? repository.dir : join(repository.outside, 'repo.worktrees', ticket)
  if (place !== 'main') await repository.git.run(['worktree', 'add', '--quiet', '-b', `phase/${ticket}`, dir, 'main'])
  const folder = join(dir, '.valuetrain/tickets', ticket)
  await mkdir(folder, { recursive: true })
  const ids = systemIds(systemClock)
  const writer = await openSegment({
    folder,
    header: {
      schema: 1,
      session: ids.ulid(),
      segment: ids.ulid(),
      parents: [],
      ticket,
      pipeline: 'routine',
      phase: 'build',
      mode: 'build',
      actor: { kind: 'agent', role: 'conductor' },
      base: COMMIT,
      opened: '2026-01-01T00:00:00.000Z',
      epoch: 1,
    },
    clock: systemClock,
    ids,
    redactRoots: [],
  })
  const actor = { kind: 'agent', role: 'conductor' } as const
  const issue = { ...OPENED.issue, number: Number(ticket.split('_')[1]) }
  await writer.append('TICKET_OPENED', { actor, ...OPENED, ticket, issue })
  for (const [type, data] of drafts) await writer.append(type, { actor, ...data } as never)
  await writer.close('stopped')
  if (place === 'worktree') return dir
  const git = repository.git.at(dir)
  await git.run(['add', '--all'])
  await git.run(['commit', '--quiet', '--message', `Record ${ticket}`])
  if (place === 'branch') await repository.git.run(['worktree', 'remove', dir])
  return dir
}

describe('status --json', () => {
  it('is the fold of all tickets, wherever they lie, and again after each change', { timeout: 240_000 }, async () => {
    const ticket = fc.tuple(
      fc.array(fc.constantFrom(...DRAFTS), { maxLength: 12 }),
      fc.constantFrom('worktree', 'branch', 'main'),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(ticket, { minLength: 1, maxLength: 3 }), async (tickets) => {
        const repository = await makeRepository({ 'README.md': '# Example\n', '.valuetrain/config.yaml': 'version: 1\n' })
        const expected: unknown[] = []
        for (const [index, [drafts, place]] of tickets.entries()) {
          const name = `build_${index + 1}`
          const dir = await writeTicket(repository, name, drafts, place as 'worktree')
          const reader = place === 'branch' ? await branchReader(repository, name) : readerOf(dir)
          const { entries } = await loadSession(reader, name)
          const state = foldTicket(name, entries)
          expected.push({
            ticket: name,
            issue: index + 1,
            title: 'Do it',
            pipeline: 'routine',
            phase: state.control.phase ?? state.control.next,
            mode: state.control.mode ?? null,
            status: state.status,
            attempts: state.control.attempt,
            branch: `phase/${name}`,
            gates: state.control.required.map(({ gate }) => ({
              gate,
              verdict: state.control.results[gate]?.verdict ?? 'missing',
            })),
            items: itemProgress(state),
          })
          const shown = await openTerminal(repository).run('status', '--json')
          const { tickets } = JSON.parse(shown.stdout) as { tickets: { mode: string | null }[] }
          expect(tickets.map((one) => ({ ...one, mode: one.mode || null }))).toEqual(expected)
        }
      }),
      { numRuns: process.env.VALUETRAIN_FULL ? 60 : 4 },
    )
  })
})

async function branchReader(repository: TestRepository, ticket: string) {
  const { readerAt } = await import('../../core/reader.ts')
  return readerAt(repository.git, `refs/heads/phase/${ticket}`)
}
