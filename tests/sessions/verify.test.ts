import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { PlacedEntry } from '../../core/contracts/event.ts'
import { countingIds } from '../../core/ids.ts'
import { readerOf } from '../../core/reader.ts'
import {
  type Anchor,
  anchorTrailer,
  assembleSession,
  collectAnchors,
  headOf,
  readSegments,
  redactEntry,
  renderSegment,
  type Segment,
  ticketsOf,
  verifySession,
} from '../../sessions/index.ts'
import { makeRepository } from '../support/repository.ts'
import { comments, eventsOfEveryType, headerOf, segmentOf } from './written.ts'

const COMMIT = 'd'.repeat(40)
const accept = () => ({ refused: [] })
const anchorOf = (segment: Segment, head = headOf(segment)): Anchor => ({ segment: segment.header.segment, head, commit: COMMIT })

function twoSegments(): [Segment, Segment] {
  const ids = countingIds()
  const open = segmentOf(headerOf({ ids }), eventsOfEveryType(ids), ids)
  const first = { ...open, closing: { closed: 'x', events: open.entries.length, head: headOf(open), outcome: 'waiting' } }
  const parents = [{ segment: first.header.segment, head: headOf(first) }]
  return [first, segmentOf(headerOf({ ids, parents, epoch: 2 }), comments(4), ids)]
}

const [first, second] = twoSegments()
const verify = (
  segments: readonly Segment[],
  anchors: readonly Anchor[],
  replay: Parameters<typeof verifySession>[0]['replay'] = accept,
) => {
  const { findings, ticket: _, ...answers } = verifySession({ ticket: 'build_42', segments, anchors, replay })
  return { ...answers, rules: [...new Set(findings.map(({ rule }) => rule))] }
}
const GOOD = { integrity: 'intact', completeness: 'complete', anchoring: 'anchored', policy: 'gated', rules: [] }

describe('verifying a session answers four separate questions', () => {
  it('all well when the end of the log is anchored', () => {
    expect(verify([first, second], [anchorOf(second)])).toEqual(GOOD)
  })

  it('unanchored and of unknown completeness when nothing outside tells of it', () => {
    expect(verify([first, second], [])).toEqual({ ...GOOD, completeness: 'unknown', anchoring: 'unanchored' })
    const elsewhere = { ...anchorOf(second), segment: countingIds(7000).ulid() }
    expect(verify([first, second], [elsewhere])).toEqual({ ...GOOD, completeness: 'unknown', anchoring: 'unanchored' })
  })

  it('anchored, but of unknown completeness, while entries follow the last anchor', () => {
    expect(verify([first, second], [anchorOf(second, second.entries[1]?.hash)])).toEqual({ ...GOOD, completeness: 'unknown' })
  })

  it('not anchored when only a part of the line is', () => {
    expect(verify([first, second], [anchorOf(first)])).toMatchObject({ anchoring: 'unanchored', completeness: 'unknown' })
  })

  it('truncated and not altered when the file was cut behind an anchor', () => {
    const cut = { ...second, entries: second.entries.slice(0, 2) }
    expect(verify([first, cut], [anchorOf(second), anchorOf(second, second.entries[1]?.hash)])).toEqual({
      ...GOOD,
      completeness: 'truncated',
      rules: ['anchor-missing'],
    })
  })

  it('altered, too, when entries follow that no anchor tells of while one is missing', () => {
    const cut = { ...second, entries: second.entries.slice(0, 3) }
    expect(verify([first, cut], [anchorOf(second), anchorOf(second, second.entries[1]?.hash)])).toEqual({
      ...GOOD,
      integrity: 'altered',
      completeness: 'truncated',
      rules: ['anchor-missing', 'anchor-rewritten'],
    })
  })

  it('truncated when the closing fields tell of more, altered when they tell of something else', () => {
    const cut = { ...first, entries: first.entries.slice(0, 5) }
    expect(verify([cut], []).completeness).toBe('truncated')
    const longer = { ...first, closing: { ...(first.closing as NonNullable<Segment['closing']>), events: 2 } }
    expect(verify([longer], [])).toMatchObject({ integrity: 'altered', rules: ['closing-wrong'] })
  })

  it('truncated when a whole segment is gone, by its follower or by a commit that names the ticket', () => {
    expect(verify([second], [anchorOf(second)])).toMatchObject({ completeness: 'truncated', rules: ['parent-unknown'] })
    const anchors = [anchorOf(first), { ...anchorOf(second), ticket: 'build_42' }]
    expect(verify([first], anchors)).toMatchObject({ completeness: 'truncated', rules: ['segment-missing'] })
    expect(verify([], anchors)).toMatchObject({ completeness: 'truncated', policy: 'unknown' })
  })

  it('ungated when the fold refuses a step or two writers of one epoch went on from one place', () => {
    const replay = (entries: readonly PlacedEntry[]) => ({ refused: [{ id: entries[0]?.id ?? '', why: 'no gate was asked' }] })
    expect(verify([first, second], [anchorOf(second)], replay)).toEqual({ ...GOOD, policy: 'ungated', rules: ['step-refused'] })
    const ids = countingIds(3000)
    const rival = segmentOf({ ...second.header, segment: ids.ulid() }, comments(1), ids)
    expect(verify([first, second, rival], [anchorOf(second), anchorOf(rival)])).toMatchObject({
      integrity: 'intact',
      policy: 'ungated',
    })
  })

  it('intact after a redaction, with a warning when nobody said why, and unable to judge without the decisive data', () => {
    const comment = second.entries[1]?.id ?? ''
    const warned = verify([first, redactEntry(second, comment)], [anchorOf(second)])
    expect(warned).toEqual({ ...GOOD, rules: ['redaction-unexplained'] })
    const decided = first.entries.find(({ type }) => type === 'DECIDED')?.id ?? ''
    expect(verify([redactEntry(first, decided), second], [anchorOf(second)])).toMatchObject({
      integrity: 'intact',
      policy: 'unknown',
    })
  })

  it('is explained by a REDACTED event', () => {
    const ids = countingIds(4000)
    const target = first.entries[3]?.id ?? ''
    const parents = [{ segment: first.header.segment, head: headOf(first) }]
    const data = { actor: first.header.actor, entry: target, reason: 'a name' }
    const saying = segmentOf(headerOf({ ids, parents }), [{ type: 'REDACTED', data }], ids)
    expect(verify([redactEntry(first, target), saying], [anchorOf(saying)]).rules).toEqual([])
  })
})

describe('anchors', () => {
  const head = (digit: string) => digit.repeat(64)
  const segment = countingIds().ulid()

  it('are read from the trailers of all commits that revisions reach, oldest first, a squash’s joined messages included', async () => {
    const { git, commit } = await makeRepository()
    const message = (title: string, ...heads: string[]) =>
      `${title}\n\nValuetrain-Ticket: build_42\n${heads.map((one) => anchorTrailer(segment, one)).join('\n')}\n`
    const one = await commit({ a: '1' }, message('One', head('a')))
    await git.run(['switch', '--quiet', '--create', 'side', 'HEAD~1'])
    const two = await commit(
      { b: '2' },
      `Squash\n\n* First\n\n${anchorTrailer(segment, head('b'))}\n\n* Second\n\nno trailer here\n`,
    )
    const both = await collectAnchors(git, ['main', 'side'])
    expect(both).toHaveLength(2)
    expect(both).toContainEqual({ segment, head: head('a'), commit: one, ticket: 'build_42' })
    expect(both).toContainEqual({ segment, head: head('b'), commit: two })
    expect(await collectAnchors(git, ['main'])).toEqual([{ segment, head: head('a'), commit: one, ticket: 'build_42' }])
    expect(ticketsOf(both)).toEqual(['build_42'])
    expect(await collectAnchors(git, [])).toEqual([])
    await expect(collectAnchors(git, ['--all'])).rejects.toMatchObject({ code: 'VT_REVISION' })
    await expect(collectAnchors(git, ['nowhere'])).rejects.toMatchObject({ code: 'VT_GIT' })
  })

  it('and files verify alike after a clone with CRLF and a gc', async () => {
    const repository = await makeRepository()
    await repository.write({ [first.file]: renderSegment(first), [second.file]: renderSegment(second) })
    await repository.commit({}, `Record\n\nValuetrain-Ticket: build_42\n${anchorTrailer(second.header.segment, headOf(second))}`)
    await repository.git.run(['gc', '--quiet', '--prune=now'])
    const dir = join(repository.outside, 'clone')
    const options = { env: repository.env }
    await promisify(execFile)('git', ['clone', '--quiet', '-c', 'core.autocrlf=true', repository.dir, dir], options)
    const git = repository.git.at(dir)
    expect(await readdir(join(dir, '.valuetrain/tickets/build_42'))).toHaveLength(2)
    const { segments, findings } = await readSegments(readerOf(dir), 'build_42')
    expect(findings).toEqual([])
    expect(verify(segments, await collectAnchors(git, ['HEAD']))).toEqual(GOOD)
    const fresh = assembleSession('build_42', segments)
    expect(fresh.entries).toEqual(assembleSession('build_42', [first, second]).entries)
  })
})
