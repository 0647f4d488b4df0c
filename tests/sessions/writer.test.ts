import { execFile } from 'node:child_process'
import { appendFile, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock } from '../../core/clock.ts'
import { countingIds } from '../../core/ids.ts'
import {
  checkChain,
  headerDigest,
  openSegment,
  parseSegment,
  type SegmentHeader,
  type SegmentWriter,
} from '../../sessions/index.ts'
import { ADA, CONDUCTOR, eventsOfEveryType, headerOf } from './written.ts'

async function opened(overrides: Partial<SegmentHeader> = {}): Promise<{ writer: SegmentWriter; root: string; folder: string }> {
  const root = await mkdtemp(join(tmpdir(), 'vt-test-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const ids = countingIds()
  const folder = join(root, '.valuetrain/tickets/build_42')
  const header = headerOf({ ids, ...overrides })
  const writer = await openSegment({ folder, header, clock: new SimulatedClock(), ids, redactRoots: [root] })
  onTestFinished(() => writer.release())
  return { writer, root, folder }
}

const say = (writer: SegmentWriter, text: string) => writer.append('COMMENTED', { actor: ADA, text })
const readBack = async (writer: SegmentWriter) => parseSegment(await readFile(writer.file, 'utf8'), 'x')

describe('a segment’s writer', () => {
  it('returns exactly what a reader of the file will see, for every type of event', async () => {
    const { writer } = await opened()
    const returned = []
    for (const { type, data } of eventsOfEveryType(countingIds(500))) returned.push(await writer.append(type, data))
    const parsed = await readBack(writer)
    expect(parsed.findings).toEqual([])
    expect(parsed.entries.map((entry) => ({ ...entry, segment: writer.header.segment }))).toEqual(returned)
    expect(parsed.entries.map(({ seq }) => seq)).toEqual(returned.map((_, position) => position))
    expect(parsed.entries[0]?.prev).toBe(headerDigest(writer.header))
    expect(writer.head).toBe(returned.at(-1)?.hash)
  })

  it('fills in defaults and drops what is undefined', async () => {
    const { writer } = await opened()
    const entry = await writer.append('REOPENED', { actor: CONDUCTOR, reason: 'base moved', ...{ note: undefined } })
    expect(entry.data).toMatchObject({ actor: CONDUCTOR, reason: 'base moved', findings: [] })
    expect(Object.keys(entry.data ?? {})).not.toContain('note')
  })

  it('keeps the order of calls that are made at once', async () => {
    const { writer } = await opened()
    await Promise.all(Array.from({ length: 40 }, (_, n) => say(writer, `${n}`)))
    const segment = await readBack(writer)
    expect([...segment.findings, ...checkChain(segment)]).toEqual([])
    expect(segment.entries.map(({ data }) => (data as { text?: string }).text)).toEqual(
      Array.from({ length: 40 }, (_, n) => `${n}`),
    )
  })

  it('writes no secret and no absolute path', async () => {
    const { writer, root } = await opened()
    const secret = ['ghp', 'Ab1'.repeat(12)].join('_')
    const entry = await say(writer, `cloned with ${secret} into ${root}/src/a.ts, then /home/ada/notes`)
    expect(entry.data).toEqual({ actor: ADA, text: 'cloned with [redacted:github-token] into src/a.ts, then <outside>' })
    const written = await readFile(writer.file, 'utf8')
    expect(written).not.toContain(secret)
    expect(written).not.toContain(root)
    expect(writer.redactions).toEqual({ 'github-token': 1 })
  })

  it('writes nothing of an event that its schema refuses or that is too large', async () => {
    const { writer } = await opened()
    const before = await readFile(writer.file, 'utf8')
    await expect(writer.append('ABORTED', { actor: CONDUCTOR, reason: '' })).rejects.toMatchObject({ code: 'VT_EVENT_INVALID' })
    await expect(writer.append('NOTHING' as 'ABORTED', { actor: CONDUCTOR, reason: 'x' })).rejects.toMatchObject({
      code: 'VT_EVENT_INVALID',
    })
    await expect(say(writer, 'word '.repeat(300_000))).rejects.toMatchObject({ code: 'VT_EVENT_TOO_LARGE' })
    expect(await readFile(writer.file, 'utf8')).toBe(before)
    expect(await say(writer, 'after')).toMatchObject({ seq: 0 })
  })

  it('says when the file is full', async () => {
    const { writer } = await opened()
    await say(writer, 'word '.repeat(20_000))
    expect(writer.full).toBe(false)
    await say(writer, 'word '.repeat(40_000))
    expect(writer.full).toBe(true)
  })

  it('sets the closing fields once and ends', async () => {
    const { writer, folder } = await opened()
    const { hash } = await say(writer, 'one')
    const open = await readBack(writer)
    await writer.close('blocked')
    await writer.close('done')
    const closed = await readBack(writer)
    expect(closed).toEqual({
      ...open,
      closing: { closed: '2026-01-01T00:00:00.000Z', events: 1, head: hash, outcome: 'blocked' },
    })
    await expect(say(writer, 'two')).rejects.toMatchObject({ code: 'VT_SESSION_CLOSED' })
    expect(await readdir(folder)).toEqual([`session-${writer.header.segment}.md`])
  })

  it('refuses a file that is there, a wrong front matter and a folder that cannot be made', async () => {
    const { writer, folder, root } = await opened()
    const options = { folder, clock: new SimulatedClock(), ids: countingIds(), redactRoots: [] }
    await expect(openSegment({ ...options, header: writer.header })).rejects.toMatchObject({ code: 'VT_SESSION_EXISTS' })
    await expect(openSegment({ ...options, header: { ...writer.header, epoch: 0 } })).rejects.toMatchObject({
      code: 'VT_SESSION_HEADER',
    })
    await writeFile(join(root, 'file'), '')
    const inFile = openSegment({ ...options, folder: join(root, 'file', 'x'), header: writer.header })
    await expect(inFile).rejects.toMatchObject({ code: 'VT_READ_ONLY', kind: 'environment' })
  })
})

describe('a writer whose file somebody touched', () => {
  const altered = { code: 'VT_SESSION_ALTERED', kind: 'environment' }

  it('refuses when text was appended, changed or cut, or the file removed, and writes nothing', async () => {
    const changes: Record<string, (file: string, text: string) => Promise<void>> = {
      appended: (file) => appendFile(file, 'x'),
      changed: (file, text) => writeFile(file, text.replace('one', 'two')),
      cut: (file, text) => writeFile(file, text.slice(0, -10)),
      swapped: (file, text) => writeFile(file, `${text.slice(0, -10)}${'x'.repeat(10)}`),
      removed: (file) => rm(file),
    }
    for (const [name, change] of Object.entries(changes)) {
      const { writer } = await opened()
      await say(writer, 'one')
      await change(writer.file, await readFile(writer.file, 'utf8'))
      const left = await readFile(writer.file, 'utf8').catch(() => undefined)
      await expect(say(writer, 'two'), name).rejects.toMatchObject(altered)
      await expect(writer.close('done'), name).rejects.toMatchObject(altered)
      expect(await readFile(writer.file, 'utf8').catch(() => undefined), name).toBe(left)
    }
  })

  it('notices another end even when size and time are what they were', async () => {
    const { writer, root } = await opened()
    await say(writer, 'one')
    const touch = promisify(execFile)
    const reference = join(root, 'reference')
    await touch('touch', ['-r', writer.file, '--', reference])
    const text = await readFile(writer.file, 'utf8')
    await writeFile(writer.file, `${text.slice(0, -20)}${'x'.repeat(20)}`)
    await touch('touch', ['-r', reference, '--', writer.file])
    await expect(say(writer, 'two')).rejects.toMatchObject(altered)
  })

  it('goes on when the content is the same: touched, or replaced by a checkout', async () => {
    const { writer, root } = await opened()
    await say(writer, 'one')
    await utimes(writer.file, new Date(0), new Date(0))
    await say(writer, 'two')
    await writeFile(join(root, 'copy'), await readFile(writer.file))
    await rename(join(root, 'copy'), writer.file)
    await say(writer, 'three')
    const { entries, findings } = await readBack(writer)
    expect(findings).toEqual([])
    expect(entries).toHaveLength(3)
  })
})
