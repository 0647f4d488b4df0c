import { expect, it } from 'vitest'
import type { Entry } from '../../core/contracts/event.ts'
import type { FileReader } from '../../core/contracts/method.ts'
import { countingIds } from '../../core/ids.ts'
import {
  type Anchor,
  headOf,
  parseSegment,
  readSegments,
  renderSegment,
  type Segment,
  sealEntry,
  verifySession,
} from '../../sessions/index.ts'
import { CONDUCTOR, comments, eventsOfEveryType, headerOf, segmentOf } from './written.ts'

/** S3: `VALUETRAIN_FULL=1` runs all thousand mutations, `VALUETRAIN_SEED` repeats a run. */
const FULL = process.env.VALUETRAIN_FULL === '1'
const SEED = Number(process.env.VALUETRAIN_SEED ?? 20_260_101)
const MUTATIONS = FULL ? 1000 : 60

interface Log {
  files: Record<string, string>
  anchors: Anchor[]
}
type Random = (below: number) => number
/** Returns the changed files, or undefined when the draw changed nothing that means anything. */
type Mutation = (log: Log, random: Random) => Record<string, string> | undefined

it(`finds each of ${MUTATIONS} random mutations when an anchor exists, and none where there is none (seed ${SEED})`, async () => {
  const random = randomFrom(SEED)
  const missed: string[] = []
  const counts: Record<string, number> = {}
  for (let round = 0; round < MUTATIONS; round++) {
    const log = makeLog(random)
    expect(await isFound(log.files, log.anchors), `round ${round} before its mutation`).toBe(false)
    expect(await isFound(formatted(log.files, round), log.anchors), `round ${round}, formatted`).toBe(false)
    const [name, mutate] = Object.entries(MUTATIONS_BY_NAME)[round % Object.keys(MUTATIONS_BY_NAME).length] as [string, Mutation]
    const changed = mutate(log, random)
    if (changed === undefined) continue
    counts[name] = (counts[name] ?? 0) + 1
    if (!(await isFound(changed, log.anchors))) missed.push(`${round} ${name}`)
  }
  expect(missed).toEqual([])
  // A draw may change nothing, but a mutation that never draws anything would test nothing.
  expect(Object.keys(counts).sort()).toEqual(Object.keys(MUTATIONS_BY_NAME).sort())
}, 240_000)

function makeLog(random: Random): Log {
  const ids = countingIds(random(100_000))
  const events = () => {
    const all = [...eventsOfEveryType(ids), ...comments(4)]
    return Array.from({ length: 3 + random(8) }, () => all[random(all.length)] as (typeof all)[number])
  }
  const segments: Segment[] = []
  for (let count = 1 + random(3); count > 0; count--) {
    const last = segments.at(-1)
    const parents = last ? [{ segment: last.header.segment, head: headOf(last) }] : []
    const open = segmentOf(headerOf({ ids, parents, epoch: segments.length + 1 }), events(), ids)
    const closing = { closed: '2026-01-01T02:00:00.000Z', events: open.entries.length, head: headOf(open), outcome: 'waiting' }
    segments.push(random(2) === 0 ? open : { ...open, closing })
  }
  const anchors = segments.flatMap(({ header, entries }) =>
    entries
      .filter((_, position) => position === entries.length - 1 || random(4) === 0)
      .map(({ hash }) => ({ segment: header.segment, head: hash, commit: 'd'.repeat(40), ticket: 'build_42' })),
  )
  return { files: Object.fromEntries(segments.map((segment) => [segment.file, renderSegment(segment)])), anchors }
}

async function isFound(files: Record<string, string>, anchors: readonly Anchor[]): Promise<boolean> {
  const names = Object.keys(files).map((file) => file.slice(file.lastIndexOf('/') + 1))
  const reader: FileReader = { source: 'memory', read: async (path) => files[path], list: async () => names }
  const { segments, findings } = await readSegments(reader, 'build_42')
  const answers = verifySession({ ticket: 'build_42', segments, findings, anchors, replay: () => ({ refused: [] }) })
  return answers.integrity === 'altered' || answers.completeness !== 'complete' || answers.anchoring === 'unanchored'
}

/** What checkouts, editors and formatters do to a file. */
function formatted(files: Record<string, string>, round: number): Record<string, string> {
  const ways: ((text: string) => string)[] = [
    (text) => text.replaceAll('\n', '\r\n'),
    (text) => text.replace(/[ \t]+$/gm, '').trimEnd(),
    (text) => text.replace(/^(?!```|\{|---|[a-z]+:).*$/gm, (line) => `\n${line.replace(/(.{50}\S*) /g, '$1\n')}`),
    (text) => text.replace(/^\{.*\}$/gm, (line) => JSON.stringify(JSON.parse(line), null, 2)),
    (text) => text.replace(/^(?!```|\{).*`{2,} .*$/gm, (line) => line.replace(/`{2,} | `{2,}/g, '`')),
  ]
  const way = ways[round % ways.length] as (text: string) => string
  return Object.fromEntries(Object.entries(files).map(([file, text]) => [file, way(text)]))
}

const MUTATIONS_BY_NAME: Record<string, Mutation> = {
  'edit a letter': (log, random) =>
    inOneFile(log, random, (text) => {
      const at = random(text.length)
      const old = text[at] ?? ''
      // Two closing fields are a convenience that nothing is decided by; no hash covers them.
      const line = text.slice(text.lastIndexOf('\n', at) + 1, text.indexOf('\n', at))
      if (!/[A-Za-z0-9]/.test(old) || /^(?:closed|outcome): /.test(line)) return undefined
      return text.slice(0, at) + (old === 'a' ? 'b' : 'a') + text.slice(at + 1)
    }),
  'edit a value and its text': (log, random) =>
    inOneSegment(log, random, (segment) => ({
      ...segment,
      entries: swapped(segment, random, (entry) => altered(entry, random)),
    })),
  'delete an entry': (log, random) =>
    inOneSegment(log, random, (segment) => ({
      ...segment,
      entries: segment.entries.toSpliced(random(segment.entries.length), 1),
    })),
  'insert an entry': (log, random) =>
    inOneSegment(log, random, (segment) => {
      const at = random(segment.entries.length)
      const { seq, ts, hash: prev } = segment.entries[at] as Segment['entries'][number]
      const data = { actor: CONDUCTOR, text: 'never said' }
      const forged = sealEntry({ seq: seq + 1, id: countingIds(900_000).ulid(), ts, type: 'COMMENTED', data, prev })
      const entries = [
        ...segment.entries.slice(0, at + 1),
        forged as Segment['entries'][number],
        ...segment.entries.slice(at + 1),
      ]
      return { ...segment, entries }
    }),
  reorder: (log, random) =>
    inOneSegment(log, random, (segment) => {
      const at = random(segment.entries.length - 1)
      const pair = segment.entries.slice(at, at + 2)
      return pair.length < 2 ? undefined : { ...segment, entries: segment.entries.toSpliced(at, 2, ...pair.toReversed()) }
    }),
  'cut the tail': (log, random) =>
    inOneSegment(log, random, ({ closing: _, ...segment }) => ({
      ...segment,
      entries: segment.entries.slice(0, random(segment.entries.length)),
    })),
  'cut at any byte': (log, random) =>
    inOneFile(log, random, (text) => {
      // What only cuts the last fence's end leaves every entry whole.
      const end = text.lastIndexOf('\n```') - random(2000)
      return end > 0 ? text.slice(0, end) : undefined
    }),
  'hash anew to the end': (log, random) =>
    inOneSegment(log, random, (segment) => {
      const from = random(segment.entries.length)
      let prev = from === 0 ? (segment.entries[0]?.prev ?? '') : (segment.entries[from - 1]?.hash ?? '')
      const entries = segment.entries.map((entry, position) => {
        if (position < from) return entry
        const { seq, id, ts, type } = entry
        const data = (position === from ? altered(entry, random) : entry).data as unknown as Entry<'COMMENTED'>['data'] & object
        const sealed = sealEntry<'COMMENTED'>({ seq, id, ts, type: type as 'COMMENTED', data, prev }) as typeof entry
        prev = sealed.hash
        return sealed
      })
      return { ...segment, entries, ...(segment.closing ? { closing: { ...segment.closing, head: prev } } : {}) }
    }),
  'remove a file': (log, random) => {
    const [...files] = Object.keys(log.files)
    const gone = files[random(files.length)]
    return Object.fromEntries(Object.entries(log.files).filter(([file]) => file !== gone))
  },
}

function altered(entry: Segment['entries'][number], random: Random): Segment['entries'][number] {
  const data = { ...entry.data, [`note${random(9)}`]: 'added later' } as unknown as typeof entry.data
  return { ...entry, data }
}

function swapped(
  segment: Segment,
  random: Random,
  change: (entry: Segment['entries'][number]) => Segment['entries'][number],
): Segment['entries'] {
  const at = random(segment.entries.length)
  return segment.entries.map((entry, position) => (position === at ? change(entry) : entry))
}

function inOneFile(log: Log, random: Random, change: (text: string) => string | undefined): Record<string, string> | undefined {
  const files = Object.keys(log.files)
  const file = files[random(files.length)] as string
  const changed = change(log.files[file] as string)
  return changed === undefined || changed === log.files[file] ? undefined : { ...log.files, [file]: changed }
}

function inOneSegment(
  log: Log,
  random: Random,
  change: (segment: Segment) => Omit<Segment, 'file' | 'findings'> | undefined,
): Record<string, string> | undefined {
  return inOneFile(log, random, (text) => {
    const changed = change(parseSegment(text, 'x'))
    return changed && renderSegment(changed)
  })
}

/** Mulberry32: the same seed gives the same mutations. */
function randomFrom(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * Math.max(1, below))
  }
}
