import { join } from 'node:path'
import { expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { systemIds } from '../../core/ids.ts'
import { readerOf } from '../../core/reader.ts'
import { anchorTrailer, collectAnchors, loadSession, openSegment, verifySession } from '../../sessions/index.ts'
import { makeRepository } from '../support/repository.ts'
import { CONDUCTOR, headerOf } from './written.ts'

/** S2: `VALUETRAIN_FULL=1` lets each writer write all five hundred events. */
const EVENTS = process.env.VALUETRAIN_FULL === '1' ? 500 : 20
const WORKTREES = 8
const WRITERS = 16

it(`${WRITERS} writers of ${EVENTS} events in ${WORKTREES} worktrees lose nothing and merge without a conflict`, async () => {
  const { git, dir, outside } = await makeRepository()
  const ids = systemIds(systemClock)
  const session = ids.ulid()
  const branches = Array.from({ length: WORKTREES }, (_, n) => ({ name: `work-${n}`, dir: join(outside, `work ${n}`) }))
  for (const branch of branches) await git.run(['worktree', 'add', '--quiet', '-b', branch.name, '--', branch.dir])

  const write = async (number: number) => {
    const branch = branches[number % WORKTREES] as (typeof branches)[number]
    const folder = join(branch.dir, ticketFolder('build_42'))
    const header = headerOf({ session, segment: ids.ulid(), epoch: number + 1 })
    const writer = await openSegment({ folder, header, clock: systemClock, ids, redactRoots: [branch.dir] })
    for (let event = 0; event < EVENTS; event++) {
      await writer.append('COMMENTED', { actor: CONDUCTOR, text: `writer ${number}, event ${event}` })
    }
    await writer.close('done')
    return { branch, trailer: anchorTrailer(header.segment, writer.head) }
  }
  const written = await Promise.all(Array.from({ length: WRITERS }, (_, number) => write(number)))
  await Promise.all(
    branches.map(async (branch) => {
      const trailers = written.filter((one) => one.branch === branch).map(({ trailer }) => trailer)
      const at = git.at(branch.dir)
      await at.run(['add', '--all'])
      await at.run(['commit', '--quiet', '--message', `Record\n\nValuetrain-Ticket: build_42\n${trailers.join('\n')}`])
    }),
  )
  for (const { name } of branches) await git.run(['merge', '--quiet', '--no-ff', '--message', `Merge ${name}`, name])

  const loaded = await loadSession(readerOf(dir), 'build_42')
  const texts = [...loaded.entries, ...loaded.outranked].map(({ data }) => (data as { text: string }).text)
  const expected = Array.from({ length: WRITERS * EVENTS }, (_, n) => `writer ${n % WRITERS}, event ${Math.floor(n / WRITERS)}`)
  expect(texts.sort()).toEqual(expected.sort())
  const { segments } = loaded
  const anchors = await collectAnchors(git, ['HEAD'])
  expect(anchors).toHaveLength(WRITERS)
  const { findings, ...answers } = verifySession({ ticket: 'build_42', segments, anchors, replay: () => ({ refused: [] }) })
  expect(answers).toEqual({
    ticket: 'build_42',
    integrity: 'intact',
    completeness: 'complete',
    anchoring: 'anchored',
    policy: 'gated',
  })
  // Sixteen writers of one ticket outrank one another; that is all there is to say.
  expect([...new Set(findings.map(({ rule }) => rule))]).toEqual(['outranked'])
}, 240_000)
