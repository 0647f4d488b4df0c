import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { committedConfig } from '../../conductor/definitions.ts'
import { doneIssues, findDone, lookAtTickets } from '../../conductor/done.ts'
import { MACHINE_VERSION } from '../../conductor/machine.ts'
import { SimulatedClock } from '../../core/clock.ts'
import type { EventInput, EventType } from '../../core/contracts/event.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { countingIds } from '../../core/ids.ts'
import type { Objects } from '../../core/objects.ts'
import { openRepository, type Repository } from '../../core/repository.ts'
import { openSegment } from '../../sessions/index.ts'
import { makeRepository } from '../support/repository.ts'
import { COMMIT, entering, OPENED, resultOf, SPEC, TREE } from './entries.ts'

const conductor = { kind: 'agent', role: 'conductor' } as const

/** Writes a routine ticket's session as far as its delivery, or as far as its first phase. */
async function writeTicket(dir: string, number: number, isDelivered: boolean): Promise<void> {
  const [clock, ids, ticket] = [new SimulatedClock(), countingIds(), `build_${number}`]
  const folder = join(dir, ticketFolder(ticket))
  const [session, segment, turn] = [ids.ulid(), ids.ulid(), ids.ulid()]
  const opened = new Date(clock.now()).toISOString()
  const header = {
    schema: 1 as const,
    session,
    segment,
    parents: [],
    ticket,
    pipeline: 'routine',
    phase: 'build',
    mode: 'build' as const,
  }
  const writer = await openSegment({
    folder,
    header: { ...header, actor: conductor, base: COMMIT, opened, epoch: 1 },
    clock,
    ids,
    redactRoots: [dir],
  })
  const write = <T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'>) =>
    writer.append(type, { actor: conductor, ...data } as EventInput<T>)
  const pass = (phase: string) =>
    write('GATE_JUDGED', { stage: 'advance', phase, attempt: 1, result: resultOf('test', 'pass', ids.ulid()) })
  const advance = (phase: string, to?: string) =>
    write('DECIDED', { phase, attempt: 1, outcome: 'advance', code: 'gates-passed', reasons: [], ...(to ? { to } : {}) })
  await write('TICKET_OPENED', { ...OPENED, ticket, issue: { ...OPENED.issue, number } })
  await write('PHASE_ENTERED', entering('build'))
  if (!isDelivered) return writer.close('working')
  await write('BRIEFED', { phase: 'build', attempt: 1, role: 'studio', runtime: 'recipe', digest: SPEC, bytes: 10 })
  await write('TURN_STARTED', { turn, phase: 'build', attempt: 1, runtime: 'recipe', from: COMMIT })
  await write('TURN_ENDED', { turn, outcome: 'completed', reason: 'done' })
  const { id } = await write('WORK_INTENDED', { phase: 'build', attempt: 1, turn })
  await write('WORK_COMMITTED', { intent: id, commit: COMMIT, subject: TREE, files: 1, added: 1, removed: 0 })
  await pass('build')
  await advance('build', 'evaluate')
  await write('PHASE_ENTERED', entering('evaluate'))
  await pass('evaluate')
  await advance('evaluate', 'deliver')
  await write('PHASE_ENTERED', entering('deliver'))
  await pass('deliver')
  await advance('deliver')
  await write('DELIVERED', { base: COMMIT, head: COMMIT, merge: TREE, verdicts: [{ gate: 'test', verdict: 'pass', key: SPEC }] })
  await writer.close('delivered')
}

/** A clone's repository that notes what objects it reads. */
async function openNoting(dir: string, env: NodeJS.ProcessEnv): Promise<{ repository: Repository; read: string[] }> {
  const repository = await openRepository(dir, env)
  const read: string[] = []
  const objects = repository.git.objects as Objects
  const noting: Objects = {
    ...objects,
    read(name) {
      read.push(name)
      return objects.read(name)
    },
  }
  return { repository: { ...repository, git: { ...repository.git, objects: noting } }, read }
}

describe('tickets that are done', () => {
  it('are folded once, and again only when their folder is another', async () => {
    const test = await makeRepository()
    await writeTicket(test.dir, 42, true)
    await writeTicket(test.dir, 43, false)
    await test.commit({})
    const { repository, read } = await openNoting(test.dir, test.env)
    const config = await committedConfig(repository)
    const first = await findDone(repository, config)
    expect([...first]).toMatchObject([['build_42', { view: { issue: 42, status: 'done' }, stretch: OPENED.stretch }]])
    read.length = 0
    expect(await findDone(repository, config)).toEqual(first)
    expect(read).toEqual([expect.stringMatching(/:.valuetrain.tickets$/)])
    await test.commit({ [`${ticketFolder('build_42')}/artifacts/late.md`]: 'late' })
    read.length = 0
    expect(await findDone(repository, config)).toEqual(first)
    expect(read.length).toBeGreaterThan(1)
    const { done, open } = await lookAtTickets(repository, config)
    expect([[...done.keys()], open.map(({ ticket }) => ticket)]).toEqual([['build_42'], ['build_43']])
    expect([...(await doneIssues({ repository }))]).toEqual([[42, 'build_42']])
  })

  it('are known to the next process by a file, which may hold anything or be gone', async () => {
    const test = await makeRepository()
    await writeTicket(test.dir, 42, true)
    await test.commit({})
    const config = await committedConfig(await openRepository(test.dir, test.env))
    const clone = async (name: string, kept?: string) => {
      const dir = join(test.outside, name)
      await test.git.run(['clone', '--quiet', '--', test.dir, dir])
      const { repository, read } = await openNoting(dir, test.env)
      const file = join(repository.stateDir, 'cache', `views-${MACHINE_VERSION}-2.json`)
      if (kept !== undefined) await mkdir(dirname(file), { recursive: true })
      if (kept !== undefined) await writeFile(file, kept)
      const done = await findDone(repository, config)
      return { done, reads: read.length, kept: await readFile(file, 'utf8') }
    }
    const plain = await clone('plain')
    const knowing = await clone('knowing', plain.kept)
    expect([...knowing.done.keys()]).toEqual(['build_42'])
    expect([knowing.reads, plain.reads > 1]).toEqual([1, true])
    const spoilt = await clone('spoilt', '{"half a')
    expect([[...spoilt.done], spoilt.kept]).toEqual([[...plain.done], plain.kept])
  })
})
