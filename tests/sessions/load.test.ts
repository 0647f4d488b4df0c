import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../core/canonical.ts'
import { countingIds } from '../../core/ids.ts'
import { readerAt, readerOf } from '../../core/reader.ts'
import { hashOf, headOf, loadSession, renderSegment, type Segment, setAsideTorn } from '../../sessions/index.ts'
import { makeRepository } from '../support/repository.ts'
import { CONDUCTOR, comments, headerOf, segmentOf } from './written.ts'

const write = async (root: string, segment: Segment, text = renderSegment(segment)) => {
  const file = join(root, segment.file)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  return file
}

function pair(): [Segment, Segment] {
  const ids = countingIds()
  const first = segmentOf(headerOf({ ids }), comments(2, 'first'), ids)
  const parents = [{ segment: first.header.segment, head: headOf(first) }]
  return [first, segmentOf(headerOf({ ids, parents, epoch: 2 }), comments(1, 'second'), ids)]
}

describe('loading a ticket’s session', () => {
  it('gives the same from a working tree and from a revision', async () => {
    const repository = await makeRepository()
    const [first, second] = pair()
    await write(repository.dir, first)
    await write(repository.dir, second)
    const commit = await repository.commit({ '.valuetrain/tickets/build_42/checklist.md': '- [ ] x\n' })
    const fromFiles = await loadSession(readerOf(repository.dir), 'build_42')
    expect(await loadSession(readerAt(repository.git, commit), 'build_42')).toEqual(fromFiles)
    expect(fromFiles.findings).toEqual([])
    expect(fromFiles.entries).toEqual(
      [first, second].flatMap((segment) => segment.entries.map((entry) => ({ ...entry, segment: segment.header.segment }))),
    )
  })

  it('of a ticket without session files is empty', async () => {
    const repository = await makeRepository()
    expect(await loadSession(readerOf(repository.dir), 'build_42')).toEqual({
      ticket: 'build_42',
      segments: [],
      entries: [],
      heads: [],
      forks: [],
      outranked: [],
      findings: [],
    })
  })

  it('is not stopped by a file that is no session file; the finding names it', async () => {
    const repository = await makeRepository()
    const [first] = pair()
    await write(repository.dir, first)
    const bad = first.file.replace(first.header.segment, '01J0000000000000000000BADD')
    await repository.write({ [bad]: '---js\nprocess.exit(1)\n---\n' })
    const session = await loadSession(readerOf(repository.dir), 'build_42')
    expect(session.entries).toHaveLength(2)
    expect(session.findings).toEqual([
      { rule: 'session-unreadable', severity: 'error', message: expect.stringContaining(bad), path: bad },
    ])
  })

  it('finds a file that lies in another ticket’s folder or under another segment’s name', async () => {
    const repository = await makeRepository()
    const [first, second] = pair()
    await repository.write({
      [`.valuetrain/tickets/build_7/session-${first.header.segment}.md`]: renderSegment(first),
      [first.file]: renderSegment({ ...second, header: { ...second.header, parents: [] } }),
    })
    const rules = async (ticket: string) => (await loadSession(readerOf(repository.dir), ticket)).findings.map(({ rule }) => rule)
    expect(await rules('build_7')).toEqual(['session-misplaced'])
    expect(await rules('build_42')).toEqual(expect.arrayContaining(['session-misplaced', 'chain-broken']))
  })

  it('leaves out of the fold what its schema refuses and what it does not know, and says so', async () => {
    const repository = await makeRepository()
    const [first] = pair()
    const [one, two] = first.entries as [Segment['entries'][number], Segment['entries'][number]]
    const odd = { ...one, data: { actor: CONDUCTOR, text: 7 } } as unknown as typeof one
    odd.hash = hashOf(odd)
    const novel = { ...two, type: 'TELEPORTED', prev: odd.hash } as unknown as typeof two
    novel.hash = hashOf(novel)
    await write(repository.dir, { ...first, entries: [odd, novel] })
    const session = await loadSession(readerOf(repository.dir), 'build_42')
    expect(session.entries).toEqual([])
    expect(session.findings.map(({ rule, severity }) => [rule, severity])).toEqual([
      ['event-invalid', 'error'],
      ['event-unknown', 'notice'],
    ])
  })
})

describe('a torn last line', () => {
  it('is moved into a kept file, byte for byte, and the session goes on as if it had not begun', async () => {
    const repository = await makeRepository()
    const [first] = pair()
    const file = await write(repository.dir, first)
    const whole = await readFile(file)
    // Cut in the middle of a character of four bytes.
    const tail = Buffer.concat([Buffer.from('\n## 2 COMMENTED\n\nBy an agent '), Buffer.from('💥').subarray(0, 2)])
    await appendFile(file, tail)
    expect((await loadSession(readerOf(repository.dir), 'build_42')).segments[0]?.torn).toBeDefined()

    const aside = await setAsideTorn(dirname(file), first.file)
    const kept = `session-${first.header.segment}.md.torn-${sha256(tail).slice(0, 8)}`
    expect(aside).toEqual({ segment: first.header.segment, bytes: tail.length, digest: sha256(tail), kept })
    expect(await readFile(join(dirname(file), kept))).toEqual(tail)
    expect(await readFile(file)).toEqual(whole)
    expect((await readdir(dirname(file))).sort()).toEqual([`session-${first.header.segment}.md`, kept])
    expect((await loadSession(readerOf(repository.dir), 'build_42')).findings).toEqual([])
    await expect(setAsideTorn(dirname(file), first.file)).rejects.toMatchObject({ code: 'VT_SESSION_NOT_TORN' })
  })
})
